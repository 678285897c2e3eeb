package proxy

import (
	"math"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Messages of the proxy to the host program are records of operations that failed, see tape.Failure;
// all zeros mean that none did.
const replySize = tape.FailureSize

// commandSize is that of the messages to the proxy in its loop.
const commandSize = 4

// addresses are where the operations in the arena go on. The answers lie outside the arena: once the
// host program has one, it may write the next operations there.
type addresses struct {
	done   uint64 // answers that all went well
	failed uint64 // answers which one did not
}

// program is the proxy's tape, for an arena of size bytes.
func program(o *Options, size int) (*tape.Tape, addresses) {
	t := tape.New()
	socket := tape.Int(socketFD)
	broken, quit := t.Label("broken"), t.Label("quit")
	t.OnError(broken)
	setUp(t, o, size)
	cmd, zeros, n := t.Zero(1), t.Zero(replySize), t.Slot("n")
	if o.Enter != nil {
		o.Enter(t)
		t.OnError(broken)
	}
	if o.Map != nil {
		mapped := t.Label("mapped")
		t.WriteMem(socket, zeros.Addr(), replySize)
		t.Read(socket, cmd).To(n)
		t.If(n, tape.Int(1), mapped, quit)
		t.Mark(mapped)
	}
	if o.Prelude != nil {
		o.Prelude(t)
		t.OnError(broken)
	}
	// A process of the namespaces that it has entered must not trace it; CVE-2016-9962. Not before:
	// the files in /proc of a process that is not dumpable, its id maps among them, are root's.
	t.Prctl(sys.PR_SET_DUMPABLE, tape.Int(0))

	t.OnError(quit)
	var at addresses
	at.done = t.WriteMem(socket, zeros.Addr(), replySize).OpAddr()
	loop, jump := t.Here("loop"), t.Label("jump")
	// A command is the address of the first operation to run. It is received where the jump has its target.
	read := t.ReadMem(socket, tape.Null, commandSize).To(n)
	t.If(n, tape.Int(commandSize), jump, quit)
	t.Mark(jump)
	read.Arg(1, t.Goto(t.Far("arena", tape.ArenaAddr)).NextAddr())
	at.failed = t.WriteMem(socket, tape.FailureRecord, replySize).Then(loop).OpAddr()
	t.Mark(broken)
	t.WriteMem(socket, tape.FailureRecord, replySize).Ignore()
	t.Mark(quit)
	t.ExitGroup(tape.Int(0))
	return t, at
}

// setUp leaves the host program's terminal, process group and descriptors, and maps the arena.
func setUp(t *tape.Tape, o *Options, size int) {
	name := o.Name
	if name == "" {
		name = "caisson-proxy"
	}
	t.Prctl(sys.PR_SET_NAME, t.Str(name).Addr())
	// The host program decides when it ends, by its end or by SIGKILL, and not somebody's Ctrl-C.
	t.BlockSignals(sys.SIG_SETMASK, math.MaxUint64)
	t.Setsid()
	t.CloseRange(FirstFile+uint32(len(o.Files)), math.MaxUint32, 0)
	t.Mmap(tape.ArenaAddr, size, tape.Int(arenaFD))
	t.Close(tape.Int(arenaFD))
}
