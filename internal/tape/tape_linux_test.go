package tape_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// run links and runs a tape with the given standard files; extra ones start at 3.
func run(t *testing.T, tp *tape.Tape, extra ...*os.File) (stdout string, code int, p *tape.Program) {
	t.Helper()
	p, err := tp.Link()
	if err != nil {
		t.Fatalf("Link: %v\n%s", err, tp)
	}
	// A plain file, not a memfd: user-mode emulators know the program by its path.
	path := filepath.Join(t.TempDir(), "tape")
	if err := os.WriteFile(path, p.ELF(), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	if emulator := os.Getenv("CAISSON_EMULATOR"); emulator != "" {
		cmd = exec.Command(emulator, path)
	}
	cmd.ExtraFiles = extra
	var out bytes.Buffer
	cmd.Stdout = &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		t.Fatalf("killed by %v\n%s", ws.Signal(), tp)
	}
	return out.String(), cmd.ProcessState.ExitCode(), p
}

func TestWriteAndExit(t *testing.T) {
	tp := tape.New()
	tp.Write(tape.Int(1), "hello\n")
	tp.ExitGroup(tape.Int(42))
	out, code, _ := run(t, tp)
	if out != "hello\n" || code != 42 {
		t.Fatalf("got %q, %d", out, code)
	}
}

func TestSlotFeedsLaterOperations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	tp := tape.New()
	fd := tp.Slot("fd")
	tp.Openat(tape.Cwd, path, sys.O_CREAT|sys.O_WRONLY, 0o600).To(fd)
	tp.Write(fd, "slot")
	tp.Close(fd)
	tp.ExitGroup(tape.Int(0))
	if _, code, _ := run(t, tp); code != 0 {
		t.Fatal(code)
	}
	if b, _ := os.ReadFile(path); string(b) != "slot" {
		t.Fatalf("%q", b)
	}
}

func TestFailureIsReportedAsOperationAndErrno(t *testing.T) {
	tp := tape.New()
	fail := tp.Label("fail")
	tp.OnError(fail)
	tp.Section(1)
	tp.Write(tape.Int(1), "")
	tp.Section(2)
	bad := tp.Mkdirat(tape.Cwd, "/proc/no-such-place/x", 0o700)
	tp.ExitGroup(tape.Int(0))
	tp.Mark(fail)
	tp.WriteMem(tape.Int(1), tape.FailureRecord, tape.FailureSize)
	tp.ExitGroup(tape.Int(9))
	out, code, p := run(t, tp)
	f := p.DecodeFailure([]byte(out))
	if code != 9 || f.Errno != syscall.ENOENT || f.Op != bad.Index() || tp.SectionOf(f.Op) != 2 {
		t.Fatalf("code %d, failure %+v\n%s", code, f, tp)
	}
}

func TestAllowElseIgnoreThen(t *testing.T) {
	tp := tape.New()
	fail := tp.Label("fail")
	other := tp.Label("other")
	tp.OnError(fail)
	tp.Mkdirat(tape.Cwd, "/", 0o700).Allow(sys.EEXIST)
	tp.Write(tape.Int(1), "a")
	tp.Mkdirat(tape.Cwd, "/", 0o700).Ignore()
	tp.Write(tape.Int(1), "b")
	tp.Mkdirat(tape.Cwd, "/", 0o700).Else(other)
	tp.Write(tape.Int(1), "never")
	tp.Mark(other)
	tp.Write(tape.Int(1), "c").Then(fail)
	tp.Write(tape.Int(1), "never")
	tp.Mark(fail)
	tp.ExitGroup(tape.Int(3))
	if out, code, _ := run(t, tp); out != "abc" || code != 3 {
		t.Fatalf("%q %d\n%s", out, code, tp)
	}
}

// A loop that copies its input, a byte at a time, until there is no more.
func TestLoop(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if _, err := io.WriteString(w, "through the loop"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	tp := tape.New()
	n := tp.Slot("n")
	buf := tp.Zero(8)
	done := tp.Label("done")
	more := tp.Label("more")
	loop := tp.Here("loop")
	tp.Read(tape.Int(3), tape.Ref(buf)).To(n)
	tp.If(n, tape.Int(0), done, more)
	tp.Mark(more)
	tp.WriteMem(tape.Int(1), buf.Addr(), 8)
	tp.Goto(loop)
	tp.Mark(done)
	tp.ExitGroup(tape.Int(0))
	if out, code, _ := run(t, tp, r); out != "through the loop" || code != 0 {
		t.Fatalf("%q %d", out, code)
	}
}

func TestCloneAndWait(t *testing.T) {
	for name, clone := range map[string]func(*tape.Tape) tape.Op{
		"clone":  func(tp *tape.Tape) tape.Op { return tp.Clone(0, sys.SIGCHLD) },
		"clone3": func(tp *tape.Tape) tape.Op { return tp.Clone3(0, sys.SIGCHLD, tape.Int(0)) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "clone3" && os.Getenv("CAISSON_EMULATOR") != "" {
				t.Skip("user-mode emulators refuse clone3; run on the architecture itself")
			}
			tp := tape.New()
			pid := tp.Slot("pid")
			status := tp.Zero(8)
			child, parent := tp.Label("child"), tp.Label("parent")
			clone(tp).To(pid)
			tp.If(pid, tape.Int(0), child, parent)
			tp.Mark(child)
			tp.ExitGroup(tape.Int(7))
			tp.Mark(parent)
			tp.Wait4(pid, status, sys.WALL)
			// The second byte of the status is the exit code; wait(2).
			tp.ExitGroup(status.Field(1))
			if _, code, _ := run(t, tp); code != 7 {
				t.Fatal(code)
			}
		})
	}
}

func TestSendFD(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer func() { _ = theirs.Close(); _ = syscall.Close(pair[0]) }()
	tp := tape.New()
	fd := tp.Slot("fd")
	tp.Openat(tape.Cwd, "/proc/self/comm", sys.O_RDONLY, 0).To(fd)
	tp.SendFD(tape.Int(3), "x", fd)
	tp.ExitGroup(tape.Int(0))
	if _, code, _ := run(t, tp, theirs); code != 0 {
		t.Fatal(code)
	}
	buf, oob := make([]byte, 1), make([]byte, 64)
	_, n, _, _, err := syscall.Recvmsg(pair[0], buf, oob, 0)
	if err != nil {
		t.Fatal(err)
	}
	msgs, err := syscall.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		t.Fatal(err, msgs)
	}
	fds, err := syscall.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		t.Fatal(err, fds)
	}
	_ = syscall.Close(fds[0])
}

func TestFileIsSealedAndReadOnly(t *testing.T) {
	tp := tape.New()
	tp.ExitGroup(tape.Int(0))
	p, err := tp.Link()
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.File(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if w, err := os.OpenFile(sys.FDPath(f), os.O_WRONLY, 0); err == nil {
		_, err = w.Write([]byte("x"))
		_ = w.Close()
		if err == nil {
			t.Fatal("a program could be written to")
		}
	}
}

func TestUnboundLabelAndOpenEndAreErrors(t *testing.T) {
	tp := tape.New()
	tp.Goto(tp.Label("nowhere"))
	if _, err := tp.Link(); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Fatal(err)
	}
	tp = tape.New()
	tp.Setsid()
	if _, err := tp.Link(); err == nil {
		t.Fatal("a tape that runs off its end was linked")
	}
}

// Arguments and environment of 16 MiB cross to the process as they are (row T30 of the attack table).
func TestLargeTape(t *testing.T) {
	tp := tape.New()
	big := strings.Repeat("x", 16<<20)
	tp.Write(tape.Int(1), big)
	tp.ExitGroup(tape.Int(0))
	if out, code, _ := run(t, tp); len(out) != len(big) || code != 0 {
		t.Fatal(len(out), code)
	}
	tp = tape.New()
	tp.Write(tape.Int(1), strings.Repeat("x", 65<<20))
	tp.ExitGroup(tape.Int(0))
	if _, err := tp.Link(); !errors.Is(err, tape.ErrTooLarge) {
		t.Fatal(err)
	}
}
