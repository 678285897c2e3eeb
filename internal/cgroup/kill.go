package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Kill sends SIGKILL to every process in the group and in the groups below it, those that are being made
// meanwhile too. It does not wait for their end.
func (g *Group) Kill() error {
	if d, ok := g.freezer(); ok {
		// A frozen process cannot make others, and dies when it thaws.
		_ = write(filepath.Join(d.path, "freezer.state"), "FROZEN")
		defer func() { _ = write(filepath.Join(d.path, "freezer.state"), "THAWED") }()
	}
	for _, d := range g.dirs {
		if err := d.kill(); err != nil {
			return err
		}
	}
	return nil
}

// freezer is the group in the tree of version 1's freezer.
func (g *Group) freezer() (dir, bool) {
	d, ok := g.dirOf("freezer")
	return d, ok && !d.v2
}

// kill kills through cgroup.kill, since 5.14 and in version 2 only, else one by one.
func (d dir) kill() error {
	if d.v2 {
		file := filepath.Join(d.path, "cgroup.kill")
		if err := write(file, "1"); !errors.Is(err, fs.ErrNotExist) {
			return fail("kill", file, forgive(err))
		}
	}
	return d.signal()
}

func forgive(err error) error {
	if gone(err) {
		return nil
	}
	return err
}

// rounds bounds the race against processes that make others.
const rounds = 64

// signal kills the processes one by one, and then those that they made meanwhile, until a listing shows
// nobody new. A process is opened before it is signalled, and must still be listed then: a number that
// had passed on to a stranger would not be.
func (d dir) signal() error {
	sent := map[int]bool{}
	for range rounds {
		open, err := d.open(sent)
		if len(open) == 0 || err != nil {
			return forgive(err)
		}
		still, err := d.procs()
		failed := forgive(err)
		for pid, p := range open {
			if slices.Contains(still, pid) {
				sent[pid] = true
				failed = errors.Join(failed, finished(p.Signal(syscall.SIGKILL)))
			}
			_ = p.Release()
		}
		if failed != nil {
			return fail("kill", d.path, failed)
		}
	}
	return &Error{"kill", d.path, syscall.EAGAIN, "processes in it make others faster than they can be killed: limit how many there are"}
}

// open opens the processes that are listed and not in sent. An os.Process holds a pidfd.
func (d dir) open(sent map[int]bool) (map[int]*os.Process, error) {
	pids, err := d.procs()
	open := map[int]*os.Process{}
	for _, pid := range pids {
		if sent[pid] {
			continue
		}
		if p, err := os.FindProcess(pid); err == nil {
			open[pid] = p
		}
	}
	return open, err
}

func finished(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
