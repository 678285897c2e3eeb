package caisson

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// The end of a process namespace ends all that is in it; pid_namespaces(7). A container in somebody else's
// process namespace has no such end: what it started, and what was executed in it, is found by its mount
// namespace, which no other container has.

// ownMounts opens the mount namespace of a container that shares its process namespace, else nil. While it
// is open its inode number is nobody else's: a number alone would soon be a stranger's.
func (s *startup) ownMounts(pid int) *os.File {
	n := &s.config.Namespaces
	if s.inside != nil || n.PID.Mode == plan.New || n.Mount.Mode != plan.New {
		return nil
	}
	f, err := os.Open("/proc/" + itoa(pid) + "/ns/mnt")
	if err != nil {
		return nil // it has ended already
	}
	return f
}

// errSurvivors reports processes that were made faster than they were killed.
var errSurvivors = errors.New("processes of the container are still alive")

// deathTime bounds how long a killed process is waited for. One that waits for a device does not die.
const deathTime = 10 * time.Second

// killIn kills every process of a mount namespace, until none is found. What is made meanwhile is found by
// the next round, of which there is an end.
func killIn(mounts *os.File) error {
	const rounds = 100
	own, err := mounts.Stat()
	if err != nil {
		return err
	}
	for range rounds {
		found := false
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && killIfIn(pid, own) {
				found = true
			}
		}
		if !found {
			return nil
		}
	}
	return &Error{"kill", mounts.Name(), errSurvivors, "give the container a process namespace of its own"}
}

// killIfIn kills a process if it lives in a mount namespace. The pidfd is opened first, so that what is
// looked at is what is killed. A zombie has no namespaces.
func killIfIn(pid int, mounts os.FileInfo) bool {
	if !livesIn(pid, mounts) {
		return false
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = f.Close() }()
	if !livesIn(pid, mounts) || sys.PidfdSignal(f, syscall.SIGKILL) != nil {
		return false
	}
	sys.AwaitDeath(f, deathTime)
	return true
}

// livesIn compares by device and inode, which the open namespace keeps from being given to another.
func livesIn(pid int, mounts os.FileInfo) bool {
	info, err := os.Stat("/proc/" + itoa(pid) + "/ns/mnt")
	return err == nil && os.SameFile(info, mounts)
}
