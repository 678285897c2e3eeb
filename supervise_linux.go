package caisson

import (
	"errors"
	"os"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
)

// exitFile is where the supervisor of a detached container writes the program's status, in its directory.
const exitFile = "exit"

// exitStatus makes what an init and a supervisor report the program's status by, and returns the tape's ends, in
// the order of plan.FDs. An init has a pipe. A supervisor, whose host program may be gone by then, has a file, and
// the other end of init's pipe. Never do the two share: what init has open, the container can open too.
func (s *startup) exitStatus() (theirs []*os.File, err error) {
	fds := &s.plan.FDs
	if fds.Exit >= 0 {
		r, w, err := sys.Pipe()
		if err != nil {
			return nil, err
		}
		theirs = append(theirs, w)
		if fds.Told >= 0 {
			theirs = append(theirs, r)
		} else {
			s.live.report = r
		}
	}
	if fds.Kept < 0 {
		return theirs, nil
	}
	dir := int(s.lock.Fd())
	_ = sys.Unlinkat(dir, exitFile) // of a start that failed, and is tried again
	fd, err := sys.CreateExcl(dir, exitFile)
	if err != nil {
		return theirs, err
	}
	theirs = append(theirs, os.NewFile(uintptr(fd), exitFile))
	if fd, err = sys.Openat2(dir, exitFile, sys.O_RDONLY|sys.O_NOFOLLOW|sys.O_CLOEXEC, 0, sys.RESOLVE_BENEATH); err != nil {
		return theirs, err
	}
	s.live.report = os.NewFile(uintptr(fd), exitFile)
	// The same open file, so that the lock is held until the supervisor ends too; flock(2).
	lock, err := sys.Dup(s.lock)
	if err != nil {
		return theirs, err
	}
	return append(theirs, lock), nil
}

// tie answers the first process of a detached container once it is to be killed with its supervisor: if that still
// lives, the kernel will do so, and if not, the start has failed.
func (s *startup) tie() error {
	if _, _, err := sys.ReceiveFD(s.control); err != nil {
		return err
	}
	err := s.look()
	if err != nil {
		_ = s.control.Close() // the tape reads the end and gives up
		return err
	}
	_, err = s.control.Write([]byte("p"))
	return err
}

// look opens the first process and writes down who it is, as long as it waits.
func (s *startup) look() (err error) {
	pid, made := <-s.first
	if !made || sys.AwaitDeath(s.stage.Pidfd(), 0) {
		return &Error{"clone", "the container's supervisor", errors.New("ended before the program was executed"), "was it killed?"}
	}
	if s.tied, err = launch.Adopt(pid); err != nil {
		return &Error{"pidfd_open", itoa(pid), err, ""}
	}
	if err := recordFirst(s.lock, pid); err != nil {
		return &Error{"write", s.lock.Name() + "/" + firstFile, err, ""}
	}
	return nil
}
