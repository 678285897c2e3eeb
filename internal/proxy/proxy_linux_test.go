package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
)

// hostMode makes the test binary a host program that starts a proxy and waits.
const hostMode = "CAISSON_TEST_PROXY"

func TestMain(m *testing.M) {
	if os.Getenv(hostMode) != "" {
		p, err := proxy.Start(proxy.Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.Pid())
		_, _ = io.ReadAll(os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t testing.TB, o proxy.Options) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestDoRunsOperationsInOrder(t *testing.T) {
	dir := t.TempDir()
	p := start(t, proxy.Options{})
	for i := range 3 { // the same arena again and again
		at := filepath.Join(dir, strconv.Itoa(i))
		if err := p.Do(func(tp *tape.Tape) {
			fd := tp.Slot("fd")
			tp.Mkdirat(tape.Cwd, at, 0o700)
			tp.Openat(tape.Cwd, at+"/f", sys.O_CREAT|sys.O_WRONLY, 0o600).To(fd)
			tp.Write(fd, "content")
			tp.Close(fd)
		}); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(at + "/f"); err != nil || string(b) != "content" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

func TestResultsAndBuffers(t *testing.T) {
	p := start(t, proxy.Options{})
	var pid, fd, gone, n tape.Arg
	var buf tape.Ref
	var got string
	err := p.Run(func(tp *tape.Tape) {
		pid, fd, gone, n = tp.Slot("pid"), tp.Slot("fd"), tp.Slot("gone"), tp.Slot("n")
		buf = tp.Zero(64)
		tp.Openat(tape.Cwd, "/proc/self/comm", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(fd)
		tp.Read(fd, buf).To(n)
		tp.Close(fd)
		tp.Openat(tape.Cwd, "/no/such/file", sys.O_RDONLY, 0).To(gone).Ignore()
		tp.PidfdOpen(tape.Int(p.Pid())).To(pid)
		tp.Close(pid)
	}, func(r *proxy.Results) {
		got = string(r.Buffer(buf)[:r.Result(n)])
		if e := r.Result(gone); e != -int64(syscall.ENOENT) {
			t.Errorf("result %d, want -ENOENT", e)
		}
		if f := r.Result(fd); f < proxy.FirstFile-1 {
			t.Errorf("descriptor %d", f)
		}
	})
	if err != nil || got != "caisson-proxy\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestFailureIsOperationAndErrno(t *testing.T) {
	dir := t.TempDir()
	p := start(t, proxy.Options{})
	ran := false
	err := p.Run(func(tp *tape.Tape) {
		tp.Mkdirat(tape.Cwd, dir+"/a", 0o700)
		tp.Mkdirat(tape.Cwd, "/proc/no/such", 0o700)
		tp.Mkdirat(tape.Cwd, dir+"/b", 0o700)
	}, func(*proxy.Results) { ran = true })
	var op *proxy.OpError
	if !errors.As(err, &op) || op.Index != 1 || op.Prelude || !errors.Is(err, fs.ErrNotExist) || ran {
		t.Fatalf("%#v, %v", err, err)
	}
	if want := `mkdirat(AT_FDCWD, "/proc/no/such", 0700)`; !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not show %s", err, want)
	}
	if _, err := os.Stat(dir + "/a"); err != nil {
		t.Error("the operation before it did not run:", err)
	}
	if _, err := os.Stat(dir + "/b"); err == nil {
		t.Error("the operation behind it ran")
	}
	if err := p.Do(func(tp *tape.Tape) { tp.Mkdirat(tape.Cwd, dir+"/c", 0o700) }); err != nil {
		t.Error("after a failure:", err)
	}
	if err := p.Do(func(*tape.Tape) {}); err != nil {
		t.Error("nothing to do:", err)
	}
}

func TestTooMuchForTheArena(t *testing.T) {
	p := start(t, proxy.Options{Arena: 1})
	big := func(n int) func(*tape.Tape) {
		return func(tp *tape.Tape) { tp.Zero(n) }
	}
	if err := p.Do(big(64 << 10)); !errors.Is(err, tape.ErrArenaFull) {
		t.Error(err)
	}
	if err := p.Do(big(60 << 10)); err != nil {
		t.Error(err)
	}
}

func TestPreludeFailureIsReported(t *testing.T) {
	for _, c := range []struct {
		name string
		o    proxy.Options
		want error
	}{
		{"enter", proxy.Options{Enter: func(tp *tape.Tape) { tp.Chdir("/no/such") }}, fs.ErrNotExist},
		{"prelude", proxy.Options{Prelude: func(tp *tape.Tape) { tp.Setns(tape.Int(77), 0) }}, syscall.EBADF},
		{"map", proxy.Options{Map: func(int) error { return io.ErrNoProgress }}, io.ErrNoProgress},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := proxy.Start(c.o)
			if !errors.Is(err, c.want) || p != nil {
				t.Fatalf("%v, %v", p, err)
			}
			var op *proxy.OpError
			if c.name != "map" && (!errors.As(err, &op) || !op.Prelude || op.Index < 0) {
				t.Errorf("%#v", err)
			}
		})
	}
}

func TestFilesArePassedAndNothingElse(t *testing.T) {
	// A descriptor that somebody forgot to mark must not reach the proxy.
	fd, err := syscall.Open("/", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	f, err := os.Open("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	p := start(t, proxy.Options{Files: []*os.File{f}})
	var n tape.Arg
	var buf tape.Ref
	list := func() (names []string) {
		err := p.Run(func(tp *tape.Tape) {
			fd := tp.Slot("fd")
			n, buf = tp.Slot("n"), tp.Zero(4096)
			tp.Openat(tape.Cwd, "/proc/self/fd", sys.O_RDONLY, 0).To(fd)
			tp.Getdents64(fd, buf).To(n)
			tp.Close(fd)
		}, func(r *proxy.Results) {
			for b := r.Buffer(buf)[:r.Result(n)]; len(b) > 0; b = b[b[16]:] {
				name, _, _ := strings.Cut(string(b[19:]), "\x00")
				names = append(names, name)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if got := fmt.Sprint(list()); got != "[. .. 0 1 2]" { // 1 is the directory being read
		t.Errorf("descriptors %v", got)
	}
}

func TestSendAndReceive(t *testing.T) {
	dir := t.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	p := start(t, proxy.Options{})
	for range 20 { // the numbers come back: nothing is kept
		n, err := p.Send(d)
		if err != nil || n > proxy.FirstFile {
			t.Fatalf("%d, %v", n, err)
		}
		f, err := p.Receive(func(tp *tape.Tape, fd tape.Arg) {
			tp.Openat(tape.Int(n), "f", sys.O_CREAT|sys.O_RDWR|sys.O_CLOEXEC, 0o600).To(fd)
			tp.Write(fd, "through")
			tp.Close(tape.Int(n))
		})
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 7)
		if _, err := f.ReadAt(b, 0); err != nil || string(b) != "through" {
			t.Fatalf("%q, %v", b, err)
		}
		if flags, err := fcntl(f, syscall.F_GETFD); err != nil || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("the file is not closed on exec: %v", err)
		}
		_ = f.Close()
	}
	if _, err := p.Receive(func(tp *tape.Tape, fd tape.Arg) { tp.Chdir("/no/such") }); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := p.Receive(func(tp *tape.Tape, fd tape.Arg) {
		tp.PidfdOpen(tape.Int(1<<22 + 1)).To(fd).Ignore()
	}); !errors.Is(err, syscall.EBADF) {
		t.Error("what is no descriptor was sent:", err)
	}
}

func fcntl(f *os.File, cmd uintptr) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), cmd, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// oneID are the options of a proxy in a user namespace of one id, as an ordinary user can make it.
func oneID() proxy.Options {
	return proxy.Options{
		Enter: func(tp *tape.Tape) { tp.Unshare(sys.CLONE_NEWUSER) },
		Map: func(pid int) error {
			proc := fmt.Sprintf("/proc/%d/", pid)
			return errors.Join(
				os.WriteFile(proc+"setgroups", []byte("deny"), 0),
				os.WriteFile(proc+"uid_map", fmt.Appendf(nil, "0 %d 1", os.Geteuid()), 0),
				os.WriteFile(proc+"gid_map", fmt.Appendf(nil, "0 %d 1", os.Getegid()), 0))
		},
		Prelude: func(tp *tape.Tape) { tp.Setresgid(0); tp.Setresuid(0) },
	}
}

func TestInUserNamespace(t *testing.T) {
	testneed.UserNamespaces(t)
	o := oneID()
	o.Prelude = func(tp *tape.Tape) {
		tp.Setresgid(0)
		tp.Setresuid(0)
		tp.Unshare(sys.CLONE_NEWUTS | sys.CLONE_NEWNET)
		tp.Sethostname("elsewhere")
	}
	p := start(t, o)
	// A socket of the proxy's own network, which has no route to anywhere.
	f, err := p.Receive(func(tp *tape.Tape, fd tape.Arg) {
		tp.Socket(sys.AF_INET, sys.SOCK_STREAM|sys.SOCK_CLOEXEC, 0).To(fd)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	err = syscall.Connect(int(f.Fd()), &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1})
	if !errors.Is(err, syscall.ENETUNREACH) {
		t.Errorf("connect: %v; loopback is down there", err)
	}
	if name, _ := os.Hostname(); name == "elsewhere" {
		t.Error("the host's name has changed")
	}
	// CVE-2016-9962: others may not trace it.
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid())); err != nil || len(b) == 0 {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		if _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid())); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("its descriptors can be read: %v", err)
		}
	}
}
