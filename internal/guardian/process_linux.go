package guardian

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
)

// startLimit bounds the wait for a guardian that something stops or freezes as it starts.
const startLimit = 10 * time.Second

// process is a guardian that runs.
type process struct {
	*launch.Process
	started time.Time
	alive   *os.File      // what the guardian has the other end of; executing another program closes it
	watched chan struct{} // closed when the goroutine that watches it, if there was one, is at its end
}

// start starts a guardian and returns when it waits.
func start(table *os.File, dir string) (*process, error) {
	prog, err := program().Link()
	if err != nil {
		return nil, err
	}
	fd, err := sys.PidfdOpen(os.Getpid())
	if err != nil {
		return nil, err
	}
	host := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = host.Close() }()
	alive, theirs, err := sys.Socketpair()
	if err != nil {
		return nil, err
	}
	p, err := launch.Start(prog, launch.Options{
		Files: []*os.File{hostFD: host, tableFD: table, aliveFD: theirs},
		Dir:   dir,
	})
	_ = theirs.Close()
	if err != nil {
		return nil, errors.Join(err, alive.Close())
	}
	_ = alive.SetReadDeadline(time.Now().Add(startLimit))
	if _, err := io.ReadFull(alive, make([]byte, 1)); err != nil {
		p.Kill()
		status, _, _ := p.Wait()
		return nil, errors.Join(fmt.Errorf("it ended at once (%s): %w", describe(status), err), alive.Close())
	}
	idle := make(chan struct{})
	close(idle)
	return &process{p, time.Now(), alive, idle}, nil
}

func describe(s syscall.WaitStatus) string {
	if s.Signaled() {
		return s.Signal().String()
	}
	return fmt.Sprintf("status %d", s.ExitStatus())
}

// dead reports that the process has ended. It costs a system call.
func (p *process) dead() bool {
	ended, err := sys.Ready(p.Pidfd())
	return ended || err != nil
}

// watch calls ended, on a goroutine parked in the network poller, when the process ends before unwatch
// is called.
func (p *process) watch(ended func()) {
	<-p.watched
	_ = p.Pidfd().SetReadDeadline(time.Time{})
	over := make(chan struct{})
	p.watched = over
	go func() {
		err := sys.WaitReady(p.Pidfd())
		close(over) // before ended, which may want the lock of one who waits for this
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			ended()
		}
	}()
}

// unwatch lets the goroutine end.
func (p *process) unwatch() { _ = p.Pidfd().SetReadDeadline(time.Unix(1, 0)) }

// end kills the process, if it lives, and reaps it.
func (p *process) end() {
	p.unwatch()
	<-p.watched
	_ = p.Pidfd().SetReadDeadline(time.Time{})
	p.Kill()
	_ = p.alive.Close() // only now: to a guardian that lives it would be the host program's end
}
