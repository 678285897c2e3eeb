package caisson

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

// The end of a process namespace ends all that is in it; pid_namespaces(7). A container in somebody else's
// process namespace has no such end: what it started, and what was executed in it, is found by its mount
// namespace, which no other container has. The tape opens that and sends it before it executes anything, because
// the first process may be gone by the time anybody looks. While it is open its inode number is nobody else's: a
// number alone would soon be a stranger's.

// errSurvivors reports processes that were made faster than they were killed, or that did not die.
var errSurvivors = errors.New("processes of the container are still alive")

// deathTime bounds how long a killed process is waited for. One that waits for a device does not die.
const deathTime = 10 * time.Second

// endMounts kills whatever lives in the mount namespace that the tape has sent, and gives it up.
func (l *live) endMounts() error {
	if l.mounts == nil {
		return nil
	}
	err := errors.Join(killIn(l.mounts), l.mounts.Close())
	l.mounts = nil
	return err
}

// killIn kills every process of a mount namespace.
func killIn(mounts *os.File) error {
	own, err := mounts.Stat()
	if err != nil {
		return err
	}
	return killAll("the processes of a container", func(pid int) bool { return livesIn(pid, own) })
}

// killAll kills every process that is one of a container's, until none is found. What is made meanwhile is found
// by the next round, of which there is an end.
func killAll(of string, one func(pid int) bool) error {
	const rounds = 100
	for range rounds {
		found, stuck := false, false
		err := eachProcess(func(pid int) {
			killed, dead := killIf(pid, one)
			found, stuck = found || killed, stuck || killed && !dead
		})
		if err != nil || !found {
			return err
		}
		if stuck {
			break
		}
	}
	return &Error{"kill", of, errSurvivors, "give the container a process namespace of its own"}
}

// eachProcess visits every process but this one; proc(5).
func eachProcess(visit func(pid int)) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			visit(pid)
		}
	}
	return nil
}

// killIf kills a process if it is one. The pidfd is opened first, so that what is looked at is what is killed. A
// zombie is none.
func killIf(pid int, one func(pid int) bool) (killed, dead bool) {
	if !one(pid) {
		return false, false
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return false, false
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = f.Close() }()
	if !one(pid) || sys.PidfdSignal(f, syscall.SIGKILL) != nil {
		return false, false
	}
	return true, sys.AwaitDeath(f, deathTime)
}

// livesIn compares by device and inode, which the open namespace keeps from being given to another.
func livesIn(pid int, mounts os.FileInfo) bool {
	return anyTask(pid, func(dir string) (bool, error) {
		info, err := os.Stat(dir + "/ns/mnt")
		return err == nil && os.SameFile(info, mounts), err
	})
}

// anyTask looks at a process in proc(5). Where its first thread has ended, and the process lives on in others, it
// looks at those.
func anyTask(pid int, look func(dir string) (bool, error)) bool {
	dir := "/proc/" + itoa(pid)
	is, err := look(dir)
	if err == nil || errors.Is(err, fs.ErrPermission) {
		return is
	}
	tasks, err := os.ReadDir(dir + "/task")
	if err != nil {
		return false
	}
	for _, t := range tasks {
		if is, err := look(dir + "/task/" + t.Name()); err == nil {
			return is
		}
	}
	return false
}
