package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Proxy is a process that makes system calls for the host program. It is safe for concurrent use; one
// tape runs at a time.
type Proxy struct {
	proc *launch.Process
	conn *os.File
	prog *tape.Program
	tape *tape.Tape // the prelude and the loop, for printing
	at   addresses
	size int // of the arena that Run uses
	o    Options

	closed atomic.Bool
	mu     sync.Mutex
	shared []byte // words, arena, lanes; nil after Close
	mem    []byte // the arena
	next   *tape.Tape
	reply  [replySize]byte
}

// Start starts a proxy and returns when its prelude is done. The proxy ends when Close is called or the
// host program ends; one that is amid an operation that waits, such as accept(2), ends only when that
// does, so guard it.
//
// Errors: *OpError for an operation of the prelude, what Map returned, otherwise why no process started.
func Start(o Options) (*Proxy, error) {
	p := &Proxy{next: tape.New(), size: defaultArena, o: o}
	if o.Arena > 0 {
		p.size = (max(o.Arena, leastArena) + wordsSize - 1) &^ (wordsSize - 1)
	}
	p.tape, p.at = program(&o, p.sharedSize())
	var err error
	if p.prog, err = p.tape.Link(); err != nil {
		return nil, err
	}
	if err := p.start(&o); err != nil {
		p.free()
		return nil, err
	}
	if err := p.begin(&o); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// sharedSize is that of the words, the arena, the lanes and the data.
func (p *Proxy) sharedSize() int { return p.dataAt() + p.o.Data }

func (p *Proxy) start(o *Options) error {
	shared, err := sys.SharedMemory("caisson-proxy", int64(p.sharedSize()))
	if err != nil {
		return err
	}
	defer func() { _ = shared.Close() }()
	if p.shared, err = sys.Map(shared, p.sharedSize()); err != nil {
		return err
	}
	p.mem = p.shared[wordsSize : wordsSize+p.size]
	var theirs *os.File
	if p.conn, theirs, err = sys.SeqpacketPair("caisson-proxy"); err != nil {
		return err
	}
	defer func() { _ = theirs.Close() }()
	l := o.Launch
	l.Files = append([]*os.File{socketFD: theirs, arenaFD: shared}, o.Files...)
	p.proc, err = launch.Start(p.prog, l)
	return err
}

// begin follows the prelude.
func (p *Proxy) begin(o *Options) error {
	if o.Map != nil {
		if err := p.prelude(); err != nil {
			return err
		}
		if err := o.Map(p.proc.Pid); err != nil {
			return err
		}
		if err := sys.SendMessage(p.conn, []byte{1}, nil); err != nil {
			return p.gone(err)
		}
	}
	return p.prelude()
}

func (p *Proxy) prelude() error {
	_, err := p.receive()
	if err != nil || p.reply == [replySize]byte{} {
		return err
	}
	f := p.prog.DecodeFailure(p.reply[:])
	return &OpError{Index: f.Op, Prelude: true, Op: formatOp(p.tape, f.Op), Errno: f.Errno}
}

func formatOp(t *tape.Tape, i int) string {
	if i < 0 || i >= t.Len() {
		return "none of its operations"
	}
	return t.FormatOp(i)
}

// Pid is the proxy's process, for guarding it or for finding it in /proc. It is a child of the host
// program, which Close waits for.
func (p *Proxy) Pid() int { return p.proc.Pid }

// Do runs the operations that build adds. Those that say nothing else about their failure end the run,
// with an *OpError. The tape must not exit, and what its slots hold is gone afterwards: see Run.
//
// Errors: *OpError, tape.ErrArenaFull, ErrClosed, ErrGone.
func (p *Proxy) Do(build func(*tape.Tape)) error { return p.Run(build, nil) }

// Results is what a tape has left behind when it has run.
type Results struct{ arena *tape.Arena }

// Result is the value of a slot or a field: what the system call returned, or its errno negated.
func (r *Results) Result(at tape.Arg) int64 { return r.arena.Word(at) }

// Buffer is a place in the tape's data. It is valid until the function that Results was given to returns.
func (r *Results) Buffer(ref tape.Ref) []byte { return r.arena.Bytes(ref) }

// Run runs the operations that build adds and, unless one fails, hands read what they left behind. Neither
// function may use the Proxy.
func (p *Proxy) Run(build func(*tape.Tape), read func(*Results)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.begun()
	build(t)
	t.Goto(t.Far("done", p.at.done))
	_, err := p.run(t, nil, read)
	return err
}

// Send gives the proxy a file and returns the number of its descriptor there, closed on exec.
func (p *Proxy) Send(f *os.File) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.begun()
	_, fd := t.RecvFD(tape.Int(socketFD))
	t.Goto(t.Far("done", p.at.done))
	got := 0
	_, err := p.run(t, f, func(r *Results) { got = int(r.Result(fd)) })
	if err == nil && got == 0 { // number 0 is the socket, and never free
		err = os.NewSyscallError("recvmsg", syscall.EMFILE) // MSG_CTRUNC, recv(2)
	}
	return got, err
}

// Receive runs the operations that build adds, of which one stores a descriptor in fd, and returns that
// file. The proxy keeps nothing of it.
func (p *Proxy) Receive(build func(t *tape.Tape, fd tape.Arg)) (*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.begun()
	rights := t.Rights()
	build(t, rights.FD())
	t.SendRights(tape.Int(socketFD), string(make([]byte, replySize)), rights)
	t.Close(rights.FD())
	t.Goto(t.Far("done", p.at.done))
	fd, err := p.run(t, nil, nil)
	if err != nil {
		return nil, err
	}
	// The answer proper follows: until it has come, the proxy has not left the arena.
	if _, err := p.receive(); err != nil {
		return nil, errors.Join(err, sys.CloseFD(fd))
	}
	if fd < 0 {
		return nil, os.NewSyscallError("recvmsg", syscall.EMFILE)
	}
	return os.NewFile(uintptr(fd), "proxy"), nil
}

// begun is an empty tape whose operations answer when they fail.
func (p *Proxy) begun() *tape.Tape {
	p.next.Reset()
	p.next.OnError(p.next.Far("failed", p.at.failed))
	return p.next
}

// run runs a tape, with a file that it receives if f is not nil, and returns the descriptor that it sent.
func (p *Proxy) run(t *tape.Tape, f *os.File, read func(*Results)) (int, error) {
	if p.shared == nil || p.closed.Load() {
		return -1, ErrClosed
	}
	arena, err := t.LinkArena(p.mem, tape.ArenaAddr+wordsSize)
	if err != nil {
		return -1, err
	}
	err = p.command(arena.OpAddr(0))
	if err == nil && f != nil {
		err = sys.SendMessage(p.conn, []byte{1}, f)
	}
	if err != nil {
		return -1, p.gone(err)
	}
	fd, err := p.receive()
	if err != nil {
		return -1, err
	}
	if p.reply != [replySize]byte{} {
		e := arena.DecodeFailure(p.reply[:])
		return -1, &OpError{Index: e.Op, Op: formatOp(t, e.Op), Errno: e.Errno}
	}
	if read != nil {
		read(&Results{arena})
	}
	return fd, nil
}

// command tells the proxy where to go on.
func (p *Proxy) command(addr uint64) error {
	var b [commandSize]byte
	binary.LittleEndian.PutUint32(b[:], uint32(addr))
	return sys.SendMessage(p.conn, b[:], nil)
}

// Value is what a word holds now. The proxy may be changing it: ask when it waits.
func (p *Proxy) Value(word int) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == nil {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(p.shared[8*word:]))
}

// receive waits for the answer.
func (p *Proxy) receive() (int, error) {
	n, fd, err := sys.ReceiveMessage(p.conn, p.reply[:])
	if err == nil && n != replySize {
		err = fmt.Errorf("an answer of %d bytes", n)
	}
	if err != nil {
		return -1, p.gone(err)
	}
	return fd, nil
}

// gone says why there is no answer, and sees to it that there never will be one.
func (p *Proxy) gone(why error) error {
	if p.closed.Load() {
		return ErrClosed
	}
	_ = p.proc.Signal(syscall.SIGKILL)
	status, _, err := p.proc.Wait()
	if err == nil && status.Signaled() {
		why = errors.New(status.Signal().String())
	}
	return fmt.Errorf("%w (%w)", ErrGone, why)
}

// Close ends the proxy, whatever it is doing, and waits for its process. It may be called more than once,
// and while another goroutine waits for an answer.
func (p *Proxy) Close() {
	if p == nil || p.closed.Swap(true) {
		return
	}
	p.proc.Kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free()
}

// free gives back what Start has taken so far.
func (p *Proxy) free() {
	if p.conn != nil {
		_ = p.conn.Close()
	}
	if p.shared != nil {
		_ = sys.Unmap(p.shared)
		p.shared, p.mem = nil, nil
	}
}
