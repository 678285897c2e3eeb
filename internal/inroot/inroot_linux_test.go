package inroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes a directory with root/ and canary/ in it and opens root. Every canary file says "host".
func tree(t testing.TB) (root *os.File, base string) {
	t.Helper()
	base = t.TempDir()
	for _, d := range []string{"root/etc", "root/dir/sub", "canary/sub"} {
		must(t, os.MkdirAll(filepath.Join(base, d), 0o755))
	}
	write(t, base, "root/etc/passwd", "inside")
	write(t, base, "root/dir/target", "inside")
	write(t, base, "canary/target", "host")
	write(t, base, "canary/sub/file", "host")
	root, err := os.Open(filepath.Join(base, "root"))
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return root, base
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, base, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(base, name), []byte(text), 0o644))
}

func link(t testing.TB, target, base, name string) {
	t.Helper()
	must(t, os.Symlink(target, filepath.Join(base, name)))
}

func TestReadFileStaysInRoot(t *testing.T) {
	root, base := tree(t)
	link(t, filepath.Join(base, "canary", "target"), base, "root/absolute")
	link(t, "../canary/target", base, "root/relative")
	link(t, "../../../../../../../../etc/passwd", base, "root/dir/clamped")
	link(t, "/etc/passwd", base, "root/dir/sub/rerooted")
	link(t, "/proc/self/root/etc/passwd", base, "root/magic")
	link(t, "loop", base, "root/loop")
	tests := []struct {
		path string
		want string
		err  error
	}{
		{"/etc/passwd", "inside", nil},
		{"etc/passwd", "inside", nil},
		{"../../../etc/passwd", "inside", nil},
		{"dir/clamped", "inside", nil},
		{"dir/sub/rerooted", "inside", nil},
		{"absolute", "", fs.ErrNotExist},
		{"relative", "", fs.ErrNotExist},
		{"magic", "", fs.ErrNotExist},
		{"loop", "", syscall.ELOOP},
		{"", "", fs.ErrNotExist},
		{"etc/passwd/x", "", syscall.ENOTDIR},
		{"etc/pass\x00wd", "", syscall.EINVAL},
		{strings.Repeat("x", 5000), "", syscall.ENAMETOOLONG},
	}
	for _, tt := range tests {
		got, err := ReadFile(root, tt.path, 1<<20)
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("ReadFile(%.40q) = %q, %v; want %q, %v", tt.path, got, err, tt.want, tt.err)
		}
		var pe *fs.PathError
		if err != nil && (!errors.As(err, &pe) || pe.Path != tt.path) {
			t.Errorf("ReadFile(%.40q): error %v does not name the path", tt.path, err)
		}
	}
}

// TestMagicLinksRefused walks below the real /proc, whose links jump out of any root.
func TestMagicLinksRefused(t *testing.T) {
	root, err := os.Open("/proc")
	must(t, err)
	defer root.Close()
	if _, err := Open(root, "self/root/etc", syscall.O_RDONLY, 0); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("Open(self/root/etc) in /proc: %v, want ELOOP", err)
	}
	if _, err := ReadFile(root, "self/exe", 1<<20); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("ReadFile(self/exe) in /proc: %v, want ELOOP", err)
	}
}

// TestReadFileRefusesWithoutWaiting has everything that stops, floods or fills a naive reader.
func TestReadFileRefusesWithoutWaiting(t *testing.T) {
	root, base := tree(t)
	must(t, unix.Mkfifo(filepath.Join(base, "root/fifo"), 0o644))
	must(t, os.Truncate(filepath.Join(base, "root/dir/target"), 4<<30))
	write(t, base, "root/full", strings.Repeat("x", 100))
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(l)
	here, err := os.Open(filepath.Join(base, "root"))
	must(t, err)
	defer here.Close()
	// By descriptor: a socket's path has 108 bytes at most and a test directory may have more.
	must(t, unix.Bind(l, &unix.SockaddrUnix{Name: fmt.Sprintf("/proc/self/fd/%d/sock", here.Fd())}))

	start := time.Now()
	for path, want := range map[string]fs.FileMode{"fifo": fs.ModeNamedPipe, "sock": fs.ModeSocket, "dir": fs.ModeDir, "/": fs.ModeDir} {
		_, err := ReadFile(root, path, 1<<20)
		var nr *NotRegularError
		if !errors.As(err, &nr) || nr.Mode.Type() != want || nr.Path != path {
			t.Errorf("ReadFile(%s) = %v, want NotRegularError of type %v", path, err, want)
		}
	}
	for path, want := range map[string]int64{"dir/target": 4 << 30, "full": 100} {
		_, err := ReadFile(root, path, 99)
		var tl *TooLargeError
		if !errors.As(err, &tl) || tl.Size != want || tl.Max != 99 {
			t.Errorf("ReadFile(%s) = %v, want TooLargeError of %d bytes", path, err, want)
		}
	}
	if got, err := ReadFile(root, "full", 100); len(got) != 100 || err != nil {
		t.Errorf("ReadFile at the limit = %d bytes, %v", len(got), err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v", d)
	}
}

// TestReadFileDevices reads /dev and /proc as roots: devices, and files of no size that are endless or wait.
func TestReadFileDevices(t *testing.T) {
	for _, name := range []string{"zero", "null", "tty"} {
		root, err := os.Open("/dev")
		must(t, err)
		defer root.Close()
		var nr *NotRegularError
		if _, err := ReadFile(root, name, 10); !errors.As(err, &nr) || nr.Mode&fs.ModeDevice == 0 {
			t.Errorf("ReadFile(%s) in /dev = %v, want NotRegularError", name, err)
		}
	}
	root, err := os.Open("/proc")
	must(t, err)
	defer root.Close()
	if _, err := ReadFile(root, "self/status", 1<<20); !errors.Is(err, errProc) {
		t.Errorf("ReadFile(self/status) = %v, want %v", err, errProc)
	}
	done := make(chan error, 1)
	go func() {
		_, err := ReadFile(root, "kmsg", 64<<20) // as root: a regular file that waits for the next message
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, errProc) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFile(kmsg) = %v, want %v or fs.ErrPermission", err, errProc)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("ReadFile(kmsg) waits")
	}
}

func TestOpenCreatesInside(t *testing.T) {
	root, base := tree(t)
	link(t, "/../../canary/new", base, "root/out")
	must(t, os.Mkdir(filepath.Join(base, "root/canary"), 0o755))
	f, err := Open(root, "out", syscall.O_WRONLY|syscall.O_CREAT, 0o600)
	must(t, err)
	defer f.Close()
	if _, err := os.Stat(filepath.Join(base, "root/canary/new")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(base, "canary/new")); err == nil {
		t.Error("created outside the root")
	}
	if _, err := os.Open(f.Name()); err == nil {
		t.Errorf("Name %q can be opened as a path of the host", f.Name())
	}
	if _, err := Open(root, "etc/passwd", syscall.O_RDONLY, 0o644); err != nil {
		t.Errorf("mode without O_CREAT: %v", err)
	}
	fl, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
	if err != nil || fl&unix.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, %v: want FD_CLOEXEC", fl, err)
	}
	must(t, unix.Mkfifo(filepath.Join(base, "root/fifo"), 0o644))
	if _, err := Open(root, "fifo", syscall.O_WRONLY, 0); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("FIFO without a reader: %v, want ENXIO at once", err)
	}
}

func TestOpenBadRoot(t *testing.T) {
	if _, err := Open(nil, "x", 0, 0); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("nil root: %v", err)
	}
	root, base := tree(t)
	root.Close()
	if _, err := Open(root, "x", 0, 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed root: %v", err)
	}
	file, err := os.Open(filepath.Join(base, "root/etc/passwd"))
	must(t, err)
	defer file.Close()
	if _, err := Open(file, "x", 0, 0); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("root is a file: %v", err)
	}
}

func TestLstatReadlink(t *testing.T) {
	root, base := tree(t)
	link(t, "/etc/passwd", base, "root/dir/link")
	fi, err := Lstat(root, "dir/link")
	if err != nil || fi.Mode().Type() != fs.ModeSymlink || fi.Name() != "link" {
		t.Errorf("Lstat(link) = %v, %v", fi, err)
	}
	if fi, err = Lstat(root, "/dir/../etc/passwd"); err != nil || fi.Size() != 6 {
		t.Errorf("Lstat(passwd) = %v, %v", fi, err)
	}
	if _, err = Lstat(root, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lstat(none): %v", err)
	}
	if got, err := Readlink(root, "dir/link"); got != "/etc/passwd" || err != nil {
		t.Errorf("Readlink = %q, %v", got, err)
	}
	for path, want := range map[string]error{"etc": syscall.EINVAL, "etc/passwd": syscall.EINVAL, "none": fs.ErrNotExist, "": fs.ErrNotExist} {
		if got, err := Readlink(root, path); got != "" || !errors.Is(err, want) {
			t.Errorf("Readlink(%q) = %q, %v; want %v", path, got, err, want)
		}
	}
}

func TestErrorsNameAndRemedy(t *testing.T) {
	for _, err := range []error{
		&TooLargeError{Path: "/etc/passwd", Size: 4 << 30, Max: 1 << 20},
		&TooLargeError{Path: "/etc/passwd", Size: -1, Max: 1 << 20},
		&NotRegularError{Path: "/etc/passwd", Mode: fs.ModeNamedPipe},
	} {
		if s := err.Error(); !strings.Contains(s, `"/etc/passwd"`) || !strings.Contains(s, "in the image") {
			t.Errorf("%T: %q names no object or no remedy", err, s)
		}
	}
}

// TestNoDescriptorLeak turns the collector off, so that a finalizer can not hide a descriptor left open.
func TestNoDescriptorLeak(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	root, base := tree(t)
	must(t, unix.Mkfifo(filepath.Join(base, "root/fifo"), 0o644))
	link(t, "/gone", base, "root/dangling")
	use := func() {
		for _, path := range []string{"etc/passwd", "dir", "fifo", "none", "dangling", "etc/passwd/x", ""} {
			ReadFile(root, path, 3)
			ReadFile(root, path, 99)
			Lstat(root, path)
			Readlink(root, path)
			if f, err := MkdirAll(root, path+"/a/b", 0o755); err == nil {
				f.Close()
			}
			MkdirAll(root, path, 0o7777)
		}
	}
	use()
	before := descriptors(t)
	for range 10 {
		use()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}
