package proxy

import (
	"bytes"
	"errors"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/tape"
)

// Collect is Run for operations of which some send descriptors: send adds one that sends what an earlier operation has
// stored in r. It returns the files that have come, in the order in which they were sent. What the proxy keeps open of
// them is up to the operations.
//
// Errors: those of Run, and EMFILE if this program may not have as many files open. Then no file is returned, and the
// operations have run nevertheless.
func (p *Proxy) Collect(build func(t *tape.Tape, send func(r tape.Rights)), read func(*Results)) ([]*os.File, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.begun()
	zeros, last := string(make([]byte, replySize)), allSent()
	// The first answer says that the operations have begun, and one of another look that no file will follow: a file
	// that does not come, because this program has too many, looks as if nothing had been sent.
	t.Write(tape.Int(socketFD), zeros)
	build(t, func(r tape.Rights) { t.SendRights(tape.Int(socketFD), zeros, r) })
	t.Write(tape.Int(socketFD), string(last))
	t.Goto(t.Far("done", p.at.done))
	var res *Results
	if _, err := p.run(t, nil, func(r *Results) { res = r }); err != nil {
		return nil, err
	}
	files, err := p.collect(t, res, last)
	if err != nil {
		return nil, errors.Join(err, closeFiles(files))
	}
	if read != nil {
		read(res)
	}
	return files, nil
}

// allSent is an answer that is no failure of an operation.
func allSent() []byte { return bytes.Repeat([]byte{0xff}, replySize) }

// collect receives files until the proxy is done.
func (p *Proxy) collect(t *tape.Tape, res *Results, last []byte) (files []*os.File, err error) {
	for {
		fd, rerr := p.receive()
		switch {
		case rerr != nil:
			return files, errors.Join(rerr, err)
		case bytes.Equal(p.reply[:], last):
			_, rerr := p.receive()
			return files, errors.Join(rerr, err)
		case p.reply != [replySize]byte{}:
			e := res.arena.DecodeFailure(p.reply[:])
			return files, &OpError{Index: e.Op, Op: formatOp(t, e.Op), Errno: e.Errno}
		case fd < 0:
			err = os.NewSyscallError("recvmsg", syscall.EMFILE) // MSG_CTRUNC, recv(2)
		default:
			files = append(files, os.NewFile(uintptr(fd), "proxy"))
		}
	}
}

func closeFiles(files []*os.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}
