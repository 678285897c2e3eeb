package launch

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// ways are the two ways to start a program. On some machines, and where clone3(2) is filtered, there is one.
var ways = map[string]func(exe uintptr, fds []uintptr, o *Options) (pid, pidfd int, err error){
	"execute": execute, "executeSlowly": executeSlowly,
}

// open is a tape as an open program.
func open(t *testing.T, write func(*tape.Tape)) *os.File {
	t.Helper()
	tp := tape.New()
	broken := tp.Label("broken")
	tp.OnError(broken)
	write(tp)
	tp.ExitGroup(tape.Int(0))
	tp.Mark(broken)
	tp.ExitGroup(tape.Int(1))
	prog, err := tp.Link()
	if err != nil {
		t.Fatal(err)
	}
	f, err := prog.File(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A child catches no signal, blocks none, ignores what this program ignores, and has its own group of descriptors.
func TestChildIsUnmarked(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR1)
	defer signal.Stop(caught)
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	wait := open(t, func(tp *tape.Tape) { tp.Read(tape.Int(0), tp.Zero(8)) })
	for name, start := range ways {
		t.Run(name, func(t *testing.T) {
			pid, pidfd, err := start(wait.Fd(), []uintptr{r.Fd(), none, none}, &Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				_, _, err := sys.Reap(pid)
				if err := sys.CloseFD(pidfd); err != nil {
					t.Error(err)
				}
				if err != nil {
					t.Error(err)
				}
			}()
			status := signalsOf(t, pid)
			const usr2 = 1 << (syscall.SIGUSR2 - 1)
			if status["SigCgt"] != 0 || status["SigBlk"] != 0 || status["SigIgn"]&usr2 == 0 {
				t.Errorf("%x", status)
			}
			if link, err := os.Readlink(procPath(pid, "fd/0")); err != nil || !strings.HasPrefix(link, "pipe:") {
				t.Errorf("descriptor 0: %s, %v", link, err)
			}
			if _, err := os.Readlink(procPath(pid, "fd/1")); err == nil {
				t.Error("descriptor 1 is open")
			}
		})
	}
}

// What cannot be executed is an error that names the call, and leaves no process.
func TestWhatCannotBeExecuted(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for name, start := range ways {
		_, _, err := start(f.Fd(), nil, &Options{})
		if err == nil || !strings.Contains(err.Error(), "denied") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Starts do not wait for each other, so one's child may hold the descriptor that another's program was written by.
func TestManyStartAtOnce(t *testing.T) {
	tp := tape.New()
	tp.ExitGroup(tape.Int(0))
	prog, err := tp.Link()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				p, err := Start(prog, Options{Dir: os.TempDir()})
				if err != nil {
					t.Error(err)
					return
				}
				if status, _, err := p.Wait(); err != nil || status != 0 {
					t.Error(status, err)
				}
				p.Close()
			}
		})
	}
	wg.Wait()
}

func procPath(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// signalsOf are the sets of signals in /proc/PID/status.
func signalsOf(t *testing.T, pid int) map[string]uint64 {
	t.Helper()
	b, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":\t"); ok && strings.HasPrefix(name, "Sig") {
			if n, err := strconv.ParseUint(value, 16, 64); err == nil {
				sets[name] = n
			}
		}
	}
	return sets
}
