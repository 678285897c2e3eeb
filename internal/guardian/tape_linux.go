package guardian

import (
	"math"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The guardian's descriptors. The host program's standard files are not among them: whoever reads the
// host program's output must see its end when the host program ends.
const (
	hostFD  = iota // a pidfd of the host program
	tableFD        // the table
	aliveFD        // a socket whose other end the host program has, to say that it waits
	usedFDs
)

// processName is what ps shows; at most 15 bytes, PR_SET_NAME in prctl(2).
const processName = "caisson-guard"

// program waits for the host program's end, kills what is in the table and exits.
//
// The pidfd tells that the process has ended, whatever copies of its descriptors its children have. When it
// executes another program instead, it lives on, but knows nothing of the table any more: whom it reaps then would
// stay listed, and the number be a stranger's. The other end of the socket is closed by that execution, so the
// socket's end means that the numbers are true for the last time.
func program() *tape.Tape {
	t := tape.New()
	broken := t.Label("broken")
	t.OnError(broken)
	t.Prctl(sys.PR_SET_NAME, t.Str(processName).Addr())
	// What a terminal or a service manager sends to the host program's group is not meant for the
	// guardian, whose work begins after it.
	t.BlockSignals(sys.SIG_SETMASK, math.MaxUint64)
	t.Setsid()
	t.Chdir("/").Ignore() // or the host program's directory could not be unmounted
	t.CloseRange(usedFDs, math.MaxUint32, 0)
	sweep := t.Label("sweep")
	t.Write(tape.Int(aliveFD), "r").Else(sweep)

	// A pidfd is readable once the last thread of its process has ended; pidfd_open(2).
	// poll is not restarted after SIGSTOP and SIGCONT; signal(7).
	ready := t.Slot("ready")
	wait, both := t.Here("wait"), t.Label("both")
	t.PpollAny(tape.Null, hostFD, aliveFD).Allow(sys.EINTR).To(ready)
	t.If(ready, tape.Int(1), sweep, both)
	t.Mark(both)
	t.If(ready, tape.Int(2), sweep, wait)

	n, pid := t.Slot("n"), t.Zero(entrySize)
	some, used, done := t.Label("some"), t.Label("used"), t.Label("done")
	t.Mark(sweep)
	t.Read(tape.Int(tableFD), pid).To(n)
	t.If(n, tape.Int(entrySize), some, done)
	t.Mark(some)
	t.If(pid.Field(0), tape.Int(unused), sweep, used)
	t.Mark(used)
	t.Kill(pid.Field(0), tape.Int(sys.SIGKILL)).Then(sweep).Else(sweep)
	t.Mark(done)
	t.ExitGroup(tape.Int(0))
	t.Mark(broken)
	t.ExitGroup(tape.Int(1))
	return t
}
