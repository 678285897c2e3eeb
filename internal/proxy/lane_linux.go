package proxy

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/tape"
)

// Lane is a part of the shared memory in which the next operations are prepared while the proxy still runs those of
// another lane: data is put where the proxy reads it, and neither process waits for the other unless it must.
//
// Between Start and Wait nothing else may be asked of the proxy, so lanes and Run belong to one goroutine. What holds
// the memory of a lane must not be used after Close.
type Lane struct {
	// Tape holds the operations to come. It is empty after Reset.
	Tape *tape.Tape

	// Data is for whatever the operations refer to by Addr.
	Data []byte

	p     *Proxy
	ops   []byte
	base  uint64 // the address of ops in the proxy
	data  uint64 // that of Data
	arena *tape.Arena
}

// Lane is lane i of the Options.Lanes that there are. Each may be had once.
func (p *Proxy) Lane(i int) *Lane {
	size := p.o.LaneOps + p.o.LaneData
	at := wordsSize + p.size + i*size
	mem := p.shared[at : at+size : at+size]
	l := &Lane{
		Tape: tape.New(), Data: mem[p.o.LaneOps:], p: p, ops: mem[:p.o.LaneOps:p.o.LaneOps],
		base: tape.ArenaAddr + uint64(at), data: tape.ArenaAddr + uint64(at+p.o.LaneOps),
	}
	l.Reset()
	return l
}

// Reset empties the lane's tape. As with Do, an operation that says nothing else about its failure ends the run.
func (l *Lane) Reset() {
	l.Tape.Reset()
	l.Tape.OnError(l.Tape.Far("failed", l.p.at.failed))
}

// Addr is the address of Data[off].
func (l *Lane) Addr(off int) tape.Arg { return tape.Uint(l.data + uint64(off)) }

// Room is how many bytes there are for more operations, with their strings and structures.
func (l *Lane) Room() int { return len(l.ops) - l.Tape.Size() - 2*operationRoom }

// operationRoom is what the operation that answers takes.
const operationRoom = 64

// Start runs the lane's operations and does not wait.
//
// Errors: tape.ErrArenaFull, ErrClosed, ErrGone.
func (l *Lane) Start() error {
	l.Tape.Goto(l.Tape.Far("done", l.p.at.done))
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.shared == nil || l.p.closed.Load() {
		return ErrClosed
	}
	arena, err := l.Tape.LinkArena(l.ops, l.base)
	if err != nil {
		return err
	}
	l.arena = arena
	return l.p.jump(arena.OpAddr(0))
}

// Resume runs the operations from number op on, of those that Start ran last.
func (l *Lane) Resume(op int) error {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.shared == nil || l.p.closed.Load() {
		return ErrClosed
	}
	return l.p.jump(l.arena.OpAddr(op))
}

func (p *Proxy) jump(addr uint64) error {
	if err := p.command(addr); err != nil {
		return p.gone(err)
	}
	return nil
}

// Wait waits until the operations have run. If one has failed, it says which, and its errno; those behind it have not
// run, and Resume goes on with any. Otherwise op is -1.
//
// Errors: ErrClosed, ErrGone.
func (l *Lane) Wait() (op int, errno syscall.Errno, err error) {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.shared == nil || l.p.closed.Load() {
		return -1, 0, ErrClosed
	}
	if _, err := l.p.receive(); err != nil {
		return -1, 0, err
	}
	if l.p.reply == [replySize]byte{} {
		return -1, 0, nil
	}
	f := l.arena.DecodeFailure(l.p.reply[:])
	if f.Op < 0 {
		return -1, 0, l.p.gone(&OpError{Index: -1, Op: formatOp(l.Tape, -1), Errno: f.Errno})
	}
	return f.Op, f.Errno, nil
}

// Result is what a slot of the tape holds when Wait has returned.
func (l *Lane) Result(at tape.Arg) int64 { return l.arena.Word(at) }

// FormatOp prints an operation of the lane.
func (l *Lane) FormatOp(i int) string { return formatOp(l.Tape, i) }
