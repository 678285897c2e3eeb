package caisson

import (
	"errors"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

// attach connects a terminal's master with the streams, before the copying is started.
func (s *stdio) attach(tty *os.File) {
	if s.in != nil {
		s.typing = newTyping(s.in)
		go func() {
			s.typing.run(tty)
			s.closeEnd(s.in)
		}()
	}
	out := s.out
	if out == nil {
		out = io.Discard
	}
	s.mine = append(s.mine, tty)
	s.copies = append(s.copies, &copying{run: func() error {
		_, err := io.Copy(out, tty)
		pipe := s.closeEnd(out)
		if terminalGone(err) {
			return nil
		}
		if err != nil {
			_ = tty.Close() // what is not read any more is hung up, as a pipe would be broken
		}
		if pipe && errors.Is(err, syscall.EPIPE) {
			return nil // the caller does not want the rest
		}
		return err
	}})
}

// closeEnd closes what has been copied from or to, if it is an end of a pipe that is the program's.
func (s *stdio) closeEnd(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok || !slices.Contains(s.pipes.theirs, f) {
		return false
	}
	_ = f.Close()
	return true
}

// hangUp ends the terminal of a program that has ended, and the typing at it.
func (s *stdio) hangUp(tty *os.File) {
	_ = tty.Close()
	s.typing.stop()
}

// terminalGone tells whether a read of a terminal's master failed because nobody holds the slave any
// more, which is the end of its output; pty(7).
func terminalGone(err error) bool { return errors.Is(err, syscall.EIO) || errors.Is(err, os.ErrClosed) }

// typing copies what is typed to a terminal's master. It is not waited for: what a terminal has to read
// need not end when the program does. The terminal stays open when it ends: its end of file is a character,
// not a close.
//
// It must not go on reading a file, such as the host program's own terminal, after the program has ended.
// A Read that blocks cannot be ended, so no Read is begun before there is something to read. Other Readers
// have no such question to be asked.
type typing struct {
	from  io.Reader
	ready *os.File // readable while from is; nil if nobody can tell
	ended chan struct{}
}

func newTyping(from io.Reader) *typing {
	t := &typing{from: from, ended: make(chan struct{})}
	if f, ok := from.(*os.File); ok {
		t.ready, _ = sys.Readiness(f) // not of a regular file, which never blocks for long
	}
	return t
}

func (t *typing) run(to io.Writer) {
	defer close(t.ended)
	if t.ready == nil {
		_, _ = io.Copy(to, t.from)
		return
	}
	defer func() { _ = t.ready.Close() }()
	for buf := make([]byte, 4<<10); sys.WaitReady(t.ready) == nil; {
		n, err := t.from.Read(buf)
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// stop ends the typing. When it returns nothing is read from a file any more.
func (t *typing) stop() {
	if t == nil || t.ready == nil {
		return
	}
	_ = t.ready.Close()
	// Somebody else may have read first what there was, and then the Read blocks all the same.
	limit := time.NewTimer(holdUp)
	defer limit.Stop()
	select {
	case <-t.ended:
	case <-limit.C:
	}
}
