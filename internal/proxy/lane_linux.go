package proxy

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/tape"
)

// Lane is a part of the shared memory in which the next operations are prepared while the proxy still runs those of
// another lane, so that neither process waits for the other unless it must.
//
// Between Start and Wait nothing else may be asked of the proxy, so lanes and Run belong to one goroutine. What holds
// the memory of a lane must not be used after Close.
type Lane struct {
	// Tape holds the operations to come. It is empty after Reset.
	Tape *tape.Tape

	p     *Proxy
	ops   []byte
	base  uint64 // the address of ops in the proxy
	arena *tape.Arena
}

// Lane is lane i of the Options.Lanes that there are. Each may be had once.
func (p *Proxy) Lane(i int) *Lane {
	at := wordsSize + p.size + i*p.o.Lane
	l := &Lane{Tape: tape.New(), p: p, ops: p.shared[at : at+p.o.Lane : at+p.o.Lane], base: tape.ArenaAddr + uint64(at)}
	l.Reset()
	return l
}

// Data is the part of the shared memory for what operations refer to by DataAddr, such as the bytes of a write. It
// must not be used after Close.
func (p *Proxy) Data() []byte { return p.shared[p.dataAt():] }

// DataAddr is the address of Data[off] in the proxy.
func (p *Proxy) DataAddr(off int) tape.Arg {
	return tape.Uint(tape.ArenaAddr + uint64(p.dataAt()+off))
}

func (p *Proxy) dataAt() int { return wordsSize + p.size + p.o.Lanes*p.o.Lane }

// Reset empties the lane's tape. As with Do, an operation that says nothing else about its failure ends the run.
func (l *Lane) Reset() {
	l.Tape.Reset()
	l.Tape.OnError(l.Tape.Far("failed", l.p.at.failed))
}

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
