package launch_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
)

// program exits with a code.
func program(t testing.TB, code int) *tape.Program {
	t.Helper()
	tp := tape.New()
	tp.ExitGroup(tape.Int(code))
	p, err := tp.Link()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExitStatus(t *testing.T) {
	p, err := launch.Start(program(t, 7), launch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if status, _, err := p.Wait(); err != nil || status.ExitStatus() != 7 {
				t.Errorf("%v, %v", status, err)
			}
		})
	}
	wg.Wait()
	<-p.Done()
}

func TestFilesAreNumbered(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	tp := tape.New()
	fail := tp.Label("fail")
	tp.OnError(fail)
	tp.Write(tape.Int(4), "four")
	tp.Write(tape.Int(1), "one") // nil entries are closed
	tp.Mark(fail)
	tp.WriteMem(tape.Int(0), tape.FailureRecord, tape.FailureSize)
	tp.ExitGroup(tape.Int(0))
	prog, err := tp.Link()
	if err != nil {
		t.Fatal(err)
	}
	p, err := launch.Start(prog, launch.Options{Files: []*os.File{w, nil, nil, nil, w}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	b := make([]byte, 64)
	if _, _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	n, err := r.Read(b)
	if err != nil || n != 4+tape.FailureSize || !strings.HasPrefix(string(b), "four") {
		t.Fatalf("%q, %v", b[:n], err)
	}
	if f := prog.DecodeFailure(b[4:n]); f.Op != 1 || f.Errno != syscall.EBADF {
		t.Errorf("%+v", f)
	}
}

func TestSignalAfterTheEnd(t *testing.T) {
	p, err := launch.Start(program(t, 0), launch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"waited for", "closed"} {
		if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s: %v", state, err)
		}
		p.Close()
	}
}

// While another goroutine forks, its child holds, until it executes, every descriptor of this program.
// Were the one that a tape is written through among them, the tape could not be executed: ETXTBSY,
// execve(2). A child with a user namespace is the worst case, because it is not a vfork.
func TestStartWhileOthersFork(t *testing.T) {
	testneed.UserNamespaces(t)
	prog := program(t, 0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				if pid, err := syscall.ForkExec("/bin/true", []string{"true"}, attr); err == nil {
					_, _ = syscall.Wait4(pid, nil, 0, nil)
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
		p, err := launch.Start(prog, launch.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Wait(); err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
}
