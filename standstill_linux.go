package caisson

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

// standstill stops the processes of a container, so that its files are those of one moment, and returns what lets
// them go on. What the container's cgroup does not freeze at once is stopped one by one, until a round finds nothing
// that still runs; a process that somebody had stopped before stays so.
func (l *live) standstill(ctx context.Context) (resume func(), err error) {
	if l.ended() && !l.survived() {
		return func() {}, nil
	}
	if g := l.cgroup(); g != nil {
		if err := g.Freeze(ctx); err == nil {
			return func() { _ = g.Thaw() }, nil
		} else if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	return l.stopAll(ctx)
}

// stopAll sends SIGSTOP to every process that lives in the container's mount or process namespace.
func (l *live) stopAll(ctx context.Context) (resume func(), err error) {
	inside, err := l.insiders()
	if err != nil {
		return nil, err
	}
	var stopped []*os.File
	resume = func() {
		for _, f := range stopped {
			_ = sys.PidfdSignal(f, syscall.SIGCONT)
			_ = f.Close()
		}
	}
	for found := true; found && err == nil; {
		found = false
		err = errors.Join(err, eachProcess(func(pid int) {
			if f := stopIf(pid, inside); f != nil {
				stopped, found = append(stopped, f), true
				err = errors.Join(err, awaitHalt(ctx, pid))
			}
		}))
	}
	if err != nil {
		resume()
		return nil, err
	}
	return resume, nil
}

// awaitHalt waits until a process that was sent SIGSTOP stands still, or is gone. One that waits for a device does not
// hear of it before that has answered.
func awaitHalt(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, deathTime)
	defer cancel()
	for pause := 50 * time.Microsecond; !halted(pid); pause *= 2 {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &Error{"stop", itoa(pid), ctx.Err(), ""}
		}
	}
	return nil
}

// survived tells whether a process lives in the mount namespace of a container that shares its process namespace: the end
// of the first process did not end the others.
func (l *live) survived() bool {
	if l.mounts == nil {
		return false
	}
	own, err := l.mounts.Stat()
	if err != nil {
		return true
	}
	lives := false
	err = eachProcess(func(pid int) { lives = lives || livesIn(pid, own) })
	return lives || err != nil
}

// insiders tells the processes of the container from others, by the namespaces that are its own.
func (l *live) insiders() (func(pid int) bool, error) {
	own := map[string]os.FileInfo{}
	if l.mounts != nil {
		info, err := l.mounts.Stat()
		if err != nil {
			return nil, err
		}
		own["mnt"] = info
	} else {
		for _, kind := range []string{"mnt", "pid"} {
			info, err := os.Stat("/proc/" + itoa(l.proc.Pid) + "/ns/" + kind)
			if l.ended() { // what was looked at may be a stranger with its number
				return func(int) bool { return false }, nil
			}
			if err != nil {
				return nil, err
			}
			own[kind] = info
		}
	}
	for kind, info := range own {
		if mine, err := os.Stat("/proc/self/ns/" + kind); err != nil || os.SameFile(mine, info) {
			delete(own, kind) // the container's it is not
		}
	}
	return func(pid int) bool {
		return anyTask(pid, func(dir string) (bool, error) {
			var failed error
			for kind, is := range own {
				info, err := os.Stat(dir + "/ns/" + kind)
				if err == nil && os.SameFile(info, is) {
					return true, nil
				}
				failed = err
			}
			return false, failed
		})
	}, nil
}

// stopIf stops a process that is one of the container's and runs, and returns its pidfd.
func stopIf(pid int, one func(pid int) bool) *os.File {
	if !one(pid) || halted(pid) {
		return nil
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	if !one(pid) || sys.PidfdSignal(f, syscall.SIGSTOP) != nil {
		_ = f.Close()
		return nil
	}
	return f
}

// halted tells whether a process is stopped, traced or dead; proc_pid_stat(5).
func halted(pid int) bool {
	f := statOf(pid)
	if len(f) < 3 {
		return true
	}
	switch f[2] {
	case "T", "t", "Z", "X":
		return true
	}
	return false
}
