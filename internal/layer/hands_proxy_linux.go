package layer

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// byProxy are hands in another process, shut in the directory. Steps gather in a lane, by the thousand, while the
// process does those of the other lane.
type byProxy struct {
	p       *proxy.Proxy
	has     Confinement
	judge   judge
	now     *lane // being filled
	running *lane // nil: none
	idle    *lane
	started int // lanes so far
	data    []byte
	users   [chunks]int // the number of the lane that last has writes of a chunk
	current int         // the chunk that the stream is read into
	queued  int         // bytes to be written by the steps in now
}

// lane is a lane and the steps in it.
type lane struct {
	*proxy.Lane
	steps []step
	first []int // the number of each step's first operation
}

// fileWord is the word of the open file's descriptor; those of the directories come before it.
const fileWord = int(handles)

func newByProxy(p *proxy.Proxy, user bool, j judge) (hands, error) {
	c := p.Caged()
	h := &byProxy{p: p, judge: j, data: p.Data(), now: &lane{Lane: p.Lane(0)}, idle: &lane{Lane: p.Lane(1)}}
	h.has = Confinement{Process: true, User: user, Network: c.Network, Mounts: c.Mounts, Root: c.Root, Landlock: c.Landlock}
	err := p.Do(func(t *tape.Tape) {
		// The cage's descriptor keeps its number; this is a word that holds it.
		t.Fcntl(tape.Int(proxy.FirstFile), dupCloexec, tape.Int(0)).To(proxy.Word(int(rootHandle)))
	})
	if err != nil {
		p.Close()
		return nil, err
	}
	return h, nil
}

// dupCloexec is F_DUPFD_CLOEXEC of fcntl(2).
const dupCloexec = 1030

func (h *byProxy) do(s *step) error {
	const most = 1024 // without names and values
	if h.now.Room() < most+len(s.name)+len(s.target) {
		if err := h.turn(); err != nil {
			return err
		}
	}
	l := h.now
	l.steps = append(l.steps, *s)
	l.first = append(l.first, l.Tape.Len())
	addr := tape.Null
	if s.verb == toWrite { // of a part of some chunk
		off := cap(h.data) - cap(s.data)
		addr, h.users[off/chunkSize] = h.p.DataAddr(off), h.started+1
		h.queued += len(s.data)
	}
	addStep(l.Tape, s, addr)
	return nil
}

// chunk gives the next chunk in turn. Half of them are filled while the process writes what is in the others.
func (h *byProxy) chunk() ([]byte, error) {
	if h.queued >= chunks/2*chunkSize {
		if err := h.turn(); err != nil {
			return nil, err
		}
	}
	h.current = (h.current + 1) % chunks
	for user := h.users[h.current]; ; {
		var err error
		switch {
		case user > h.started: // not even begun
			err = h.turn()
		case user == h.started && h.running != nil:
			err = h.wait()
		default:
			return h.data[h.current*chunkSize:][:chunkSize], nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// turn hands the lane over to the process, and makes the other one ready to be filled.
func (h *byProxy) turn() error {
	if err := h.wait(); err != nil {
		return err
	}
	if len(h.now.steps) > 0 {
		if err := h.now.Start(); err != nil {
			return fail("proxy", err)
		}
		h.running, h.now = h.now, h.idle
		h.started++
	}
	h.now.Reset()
	h.now.steps, h.now.first, h.queued = h.now.steps[:0], h.now.first[:0], 0
	return nil
}

// wait waits for the steps that run. One that fails is judged, and then the process goes on.
func (h *byProxy) wait() error {
	for h.running != nil {
		l := h.running
		op, errno, err := l.Wait()
		if err != nil {
			return fail("proxy", err)
		}
		if op < 0 {
			h.running, h.idle = nil, l
			return nil
		}
		i, ok := slices.BinarySearch(l.first, op)
		if !ok {
			i--
		}
		v, err := h.judge(&l.steps[i], errno)
		if err != nil {
			return err
		}
		next := l.first[i]
		if v == skip {
			next = l.end(i)
		}
		if err := l.Resume(next); err != nil {
			return fail("proxy", err)
		}
	}
	return nil
}

// end is the number of the operation behind step i; behind the last there is the one that answers.
func (l *lane) end(i int) int {
	if i+1 < len(l.first) {
		return l.first[i+1]
	}
	return l.Tape.Len() - 1
}

func (h *byProxy) settle() error {
	if err := h.turn(); err != nil {
		return err
	}
	return h.wait()
}

func (h *byProxy) try(s *step) syscall.Errno {
	return errnoOf(h.p.Do(func(t *tape.Tape) {
		addr := tape.Null
		if s.verb == toWrite {
			addr = t.Bytes(s.data).Addr()
		}
		addStep(t, s, addr)
	}))
}

// Offsets in struct statx of linux/stat.h.
const (
	statxSize  = 256
	statxUID   = 20
	statxMode  = 28
	statxIno   = 32
	statxMtime = 112
	statxRdev  = 128
	statxDev   = 136
	statxBasic = 0x7ff // STATX_BASIC_STATS
)

func (h *byProxy) stat(dir handle, name string) (e sys.Entry, err error) {
	var buf tape.Ref
	err = h.p.Run(func(t *tape.Tape) {
		buf = t.Zero(statxSize)
		t.Statx(proxy.Word(int(dir)), name, sys.AT_SYMLINK_NOFOLLOW, statxBasic, buf)
	}, func(r *proxy.Results) {
		b, le := r.Buffer(buf), binary.LittleEndian
		device := func(at int) uint64 { return sys.Makedev(le.Uint32(b[at:]), le.Uint32(b[at+4:])) }
		e = sys.Entry{
			Dev: device(statxDev), Ino: le.Uint64(b[statxIno:]), Rdev: device(statxRdev),
			Mode: uint32(le.Uint16(b[statxMode:])), UID: le.Uint32(b[statxUID:]), GID: le.Uint32(b[statxUID+4:]),
			Mtime: sys.Time{Sec: int64(le.Uint64(b[statxMtime:])), Nsec: int64(le.Uint32(b[statxMtime+8:]))},
		}
	})
	return e, bare(err)
}

func (h *byProxy) readlink(dir handle, name string) (target string, err error) {
	const most = 4096 // PATH_MAX
	var buf tape.Ref
	var n tape.Arg
	err = h.p.Run(func(t *tape.Tape) {
		buf, n = t.Zero(most), t.Slot("n")
		t.Readlinkat(proxy.Word(int(dir)), name, buf).To(n)
	}, func(r *proxy.Results) { target = string(r.Buffer(buf)[:r.Result(n)]) })
	if err == nil && len(target) == most {
		return "", syscall.ENAMETOOLONG
	}
	return target, bare(err)
}

// bare is the errno of an operation; what else went wrong stays as it is.
func bare(err error) error {
	if op, ok := errors.AsType[*proxy.OpError](err); ok {
		return op.Errno
	}
	return err
}

func (h *byProxy) removeAll(dir handle, name string) error {
	return proxy.RemoveAll(h.p, proxy.Word(int(dir)), name)
}

func (h *byProxy) exact() bool { return true }

func (h *byProxy) confined() Confinement { return h.has }

func (h *byProxy) close() { h.p.Close() }
