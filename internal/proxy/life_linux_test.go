package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

func TestConcurrentUse(t *testing.T) {
	p := start(t, proxy.Options{})
	dir := t.TempDir()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				var fd tape.Arg
				name := fmt.Sprintf("%s/%d.%d", dir, g, i)
				err := p.Run(func(tp *tape.Tape) {
					fd = tp.Slot("fd")
					tp.Mkdirat(tape.Cwd, name, 0o700)
					tp.Openat(tape.Cwd, name, sys.O_RDONLY|sys.O_CLOEXEC, 0).To(fd)
					tp.Close(fd)
				}, func(r *proxy.Results) {
					if r.Result(fd) < 0 {
						t.Error(r.Result(fd))
					}
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if names, err := os.ReadDir(dir); err != nil || len(names) != 400 {
		t.Errorf("%d directories, %v", len(names), err)
	}
}

func TestCloseInterrupts(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	p := start(t, proxy.Options{Files: []*os.File{r, w}})
	waiting := make(chan error)
	go func() {
		waiting <- p.Do(func(tp *tape.Tape) {
			tp.Write(tape.Int(proxy.FirstFile+1), "i") // tells that it runs
			tp.Close(tape.Int(proxy.FirstFile + 1))
			tp.BlockSignals(sys.SIG_SETMASK, 0)
			tp.Sigwait(0) // for ever
		})
	}()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
	if err := <-waiting; !errors.Is(err, proxy.ErrClosed) {
		t.Error(err)
	}
	if err := p.Do(func(*tape.Tape) {}); !errors.Is(err, proxy.ErrClosed) {
		t.Error(err)
	}
	(*proxy.Proxy)(nil).Close()
}

func TestAProxyThatDies(t *testing.T) {
	for _, how := range []string{"killed", "exits", "closes its socket"} {
		p := start(t, proxy.Options{})
		if how == "killed" {
			if err := syscall.Kill(p.Pid(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		err := p.Do(func(tp *tape.Tape) {
			switch how {
			case "exits":
				tp.ExitGroup(tape.Int(0))
			case "closes its socket":
				tp.Close(tape.Int(0))
			}
		})
		if !errors.Is(err, proxy.ErrGone) {
			t.Errorf("%s: %v", how, err)
		}
		if err := p.Do(func(*tape.Tape) {}); !errors.Is(err, proxy.ErrGone) {
			t.Errorf("%s, again: %v", how, err)
		}
	}
}

func TestProxyEndsWithTheHostProgram(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), hostMode+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		t.Fatal(err)
	}
	f, err := sys.PollableFile(fd, "pidfd")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	_ = cmd.Process.Kill()
	_ = f.SetReadDeadline(time.Now().Add(5 * time.Second))
	if err := sys.WaitReady(f); err != nil {
		_ = sys.PidfdSignal(f, syscall.SIGKILL)
		t.Fatal("the proxy outlives its host program:", err)
	}
}

func TestNothingIsLeft(t *testing.T) {
	count := func() (fds, goroutines int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names), runtime.NumGoroutine()
	}
	round := func(o proxy.Options) {
		p, err := proxy.Start(o)
		if err == nil {
			err = p.Do(func(tp *tape.Tape) { tp.Chdir("/") })
		}
		p.Close()
		if bad := o.Prelude != nil || o.Map != nil; bad != (err != nil) {
			t.Fatal(err)
		}
	}
	round(proxy.Options{})
	fds, goroutines := count()
	for range 20 {
		round(proxy.Options{})
		round(proxy.Options{Prelude: func(tp *tape.Tape) { tp.Chdir("/no/such") }})
		round(proxy.Options{Map: func(int) error { return io.EOF }})
	}
	var nowFDs, now int
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if nowFDs, now = count(); nowFDs <= fds && now <= goroutines {
			return
		}
	}
	t.Errorf("descriptors %d -> %d, goroutines %d -> %d", fds, nowFDs, goroutines, now)
}
