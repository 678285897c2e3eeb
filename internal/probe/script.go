package probe

import (
	"fmt"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The descriptors of every script.
const (
	statusFD = 3 // a pipe that results are written to
	leashFD  = 4 // a pipe nobody writes to: who waits, reads from it, and ends when this program lets go
	extraFD  = 5 // what a script is given besides
)

// script is a tape that makes trials one after the other and writes a record for each: of eight bytes, as
// tapes report a failed operation, or the trial's number and 0 for success. A trial that fails does not
// end the script; a preparation that fails does.
type script struct {
	*tape.Tape
	trials []ID // section n+1 of the tape is trial n; section 0 is preparation
	quit   tape.Label
}

func newScript() *script {
	s := &script{Tape: tape.New()}
	s.quit = s.Label("quit")
	s.prepare()
	return s
}

// prepare lets the failure of the operations that follow end the script: its other trials stay unknown.
func (s *script) prepare() {
	s.Section(0)
	s.OnError(s.quit)
}

// try adds a trial. It fails with the first of its operations that does.
func (s *script) try(id ID, body func()) { s.trial(id, body, false) }

// must adds a trial without which those behind it mean nothing.
func (s *script) must(id ID, body func()) { s.trial(id, body, true) }

func (s *script) trial(id ID, body func(), must bool) {
	s.trials = append(s.trials, id)
	n := len(s.trials)
	fail, next, end := s.Label(""), s.Label(""), s.Label("")
	s.Section(n)
	s.OnError(fail)
	body()
	s.WriteMem(tape.Int(statusFD), s.Words(tape.Int(n)).Addr(), tape.FailureSize).Then(next).Else(end)
	s.Mark(fail)
	report := s.WriteMem(tape.Int(statusFD), tape.FailureRecord, tape.FailureSize).Else(end)
	if must {
		report.Then(end)
	} else {
		report.Then(next)
	}
	// Not the label quit: that would report the failure a second time.
	s.Mark(end)
	s.ExitGroup(tape.Int(1))
	s.Mark(next)
	s.prepare()
}

// attempt adds operations whose failure does not matter.
func (s *script) attempt(body func()) {
	after := s.Label("")
	s.OnError(after)
	body()
	s.Mark(after)
	s.prepare()
}

// program ends the script and links it.
func (s *script) program() (*tape.Program, error) {
	s.prepare()
	s.ExitGroup(tape.Int(0))
	end := s.Label("")
	s.Mark(s.quit)
	s.WriteMem(tape.Int(statusFD), tape.FailureRecord, tape.FailureSize).Else(end)
	s.Mark(end)
	s.ExitGroup(tape.Int(1))
	return s.Link()
}

// fork makes a child that runs body and ends; in this process it goes on behind body, with the child's
// pid in the result. The child shares the pipe for results. Without clone3 there is no child, and body
// does not run.
func (s *script) fork(body func()) tape.Arg {
	pid := s.Slot("pid")
	child, parent := s.Label("child"), s.Label("parent")
	s.Clone3(0, sys.SIGCHLD, tape.Int(0)).To(pid).Else(parent)
	s.If(pid, tape.Int(0), child, parent)
	s.Mark(child)
	s.Prctl(sys.PR_SET_PDEATHSIG, tape.Int(sys.SIGKILL)).Ignore()
	body()
	s.ExitGroup(tape.Int(0))
	s.Mark(parent)
	return pid
}

// reap waits for a child's end, and brings it about if kill is set.
func (s *script) reap(pid tape.Arg, kill bool) {
	s.attempt(func() {
		if kill {
			s.Kill(pid, tape.Int(sys.SIGKILL))
		}
		s.Wait4(pid, s.Zero(8), sys.WALL)
	})
}

// waitForLeash blocks until the host program lets go, or is gone.
func (s *script) waitForLeash() { s.Read(tape.Int(leashFD), s.Zero(8)) }

// put writes a string to a file that exists.
func (s *script) put(path, text string) {
	fd := s.Slot("fd")
	s.Openat(tape.Cwd, path, sys.O_WRONLY|sys.O_CLOEXEC, 0).To(fd).Note(path)
	s.Write(fd, text).Note(path)
	s.Close(fd)
}

// enterUser makes a user namespace with one id in it and enters it; user_namespaces(7).
func (s *script) enterUser(uid, gid int) {
	s.Unshare(sys.CLONE_NEWUSER).Note("user")
	s.put("/proc/self/setgroups", "deny")
	s.put("/proc/self/uid_map", fmt.Sprintf("0 %d 1\n", uid))
	s.put("/proc/self/gid_map", fmt.Sprintf("0 %d 1\n", gid))
}

// enterMounts makes a mount namespace from which nothing shows outside; mount_namespaces(7).
func (s *script) enterMounts() {
	s.Unshare(sys.CLONE_NEWNS).Note("mnt")
	s.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "").Note("/ private")
}
