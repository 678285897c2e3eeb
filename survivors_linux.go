package caisson

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// The end of a process namespace ends all that is in it; pid_namespaces(7). A container in somebody else's
// process namespace has no such end: what it started, and what was executed in it, is found by its mount
// namespace, which no other container has.

// ownMounts names the mount namespace of a container that shares its process namespace, else "".
func (s *startup) ownMounts(pid int) string {
	n := &s.config.Namespaces
	if s.inside != nil || n.PID.Mode == plan.New || n.Mount.Mode != plan.New {
		return ""
	}
	name, _ := os.Readlink("/proc/" + itoa(pid) + "/ns/mnt")
	return name
}

// errSurvivors reports processes that were made faster than they were killed.
var errSurvivors = errors.New("processes of the container are still alive")

// killIn kills every process of a mount namespace, until none is found.
func killIn(mounts string) error {
	const rounds = 100
	for range rounds {
		found := false
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			if pid, err := strconv.Atoi(e.Name()); err == nil && killIfIn(pid, mounts) {
				found = true
			}
		}
		if !found {
			return nil
		}
	}
	return &Error{"kill", mounts, errSurvivors, "give the container a process namespace of its own"}
}

// killIfIn kills a process if it lives in a mount namespace. The pidfd is opened first, so that what is
// looked at is what is killed. A zombie has no namespaces.
func killIfIn(pid int, mounts string) bool {
	path := "/proc/" + itoa(pid) + "/ns/mnt"
	if name, err := os.Readlink(path); err != nil || name != mounts {
		return false
	}
	fd, err := sys.PidfdOpen(pid)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer func() { _ = f.Close() }()
	if name, err := os.Readlink(path); err != nil || name != mounts {
		return false
	}
	return sys.PidfdSignal(f, syscall.SIGKILL) == nil
}
