package caisson

import (
	"errors"
	"io"
	"os"
	"reflect"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/sys"
)

// streams are a program's files as the caller gave them.
type streams struct {
	in       io.Reader
	out, err io.Writer
	extra    []*os.File
	pipes    pipes // made for them
	tty      bool  // the program has a terminal in place of the three
}

// check makes nothing of nil files, and refuses those that are closed: the program would find another
// file under their number, the next one that it opens.
func (s *streams) check() error {
	if unset(s.in) {
		s.in = nil
	}
	if unset(s.out) {
		s.out = nil
	}
	if unset(s.err) {
		s.err = nil
	}
	for i, f := range [...]any{s.in, s.out, s.err} {
		if f, ok := f.(*os.File); ok && isClosed(f) {
			return closedFile([...]string{"Stdin", "Stdout", "Stderr"}[i])
		}
	}
	for i, f := range s.extra {
		if f != nil && isClosed(f) {
			return closedFile("ExtraFiles[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func isClosed(f *os.File) bool {
	c, err := f.SyscallConn()
	return err != nil || c.Control(func(uintptr) {}) != nil
}

func closedFile(name string) error {
	return &Error{"open", name, os.ErrClosed, "files that are passed must stay open until Start has returned"}
}

// nulls tells which standard files have nothing given for them.
func (s *streams) nulls() [3]bool { return [3]bool{s.in == nil, s.out == nil, s.err == nil} }

// stdio connects a program's three standard files with its streams. It is what os/exec does for a Cmd.
type stdio struct {
	streams
	child   [3]*os.File // what the program gets
	theirs  []*os.File  // the program's alone, closed here once it has them
	mine    []*os.File  // this program's ends of copies; closing one ends its copy
	devNull *os.File    // what the program gets where it is given nothing
	copies  []*copying
	typing  *typing

	mu      sync.Mutex
	waiting int           // for so many copies
	stopped bool          // they were told to end
	failure error         // the first of a copy
	copied  chan struct{} // closed when nothing is waited for
}

// copying is a copy between the program and the caller.
type copying struct {
	run  func() error
	lent bool // it may be in the caller's Reader, from which nobody gets it back
	left bool // nobody waits for it any more
}

// openStdio opens the files. On error nothing is left open but the pipes.
func openStdio(from *streams) (_ *stdio, err error) {
	s := &stdio{streams: *from}
	defer func() {
		if err != nil {
			s.abort()
		}
	}()
	if s.tty {
		for _, f := range s.pipes.theirs {
			if f != s.in && f != s.out { // between which and the terminal is copied
				s.theirs = append(s.theirs, f)
			}
		}
		s.child[0], err = s.null()
		s.child[1], s.child[2] = s.child[0], s.child[0]
		return s, err
	}
	s.theirs = append(s.theirs, s.pipes.theirs...)
	if s.child[0], err = s.input(); err != nil {
		return nil, err
	}
	if s.child[1], err = s.output(s.out); err != nil {
		return nil, err
	}
	if s.err != nil && same(s.out, s.err) {
		s.child[2] = s.child[1]
		return s, nil
	}
	s.child[2], err = s.output(s.err)
	return s, err
}

// same compares interfaces that may hold what cannot be compared.
func same(a, b io.Writer) bool {
	if a == nil || !reflect.TypeOf(a).Comparable() {
		return false
	}
	return a == b
}

// null is /dev/null, opened once for all that need it.
func (s *stdio) null() (*os.File, error) {
	if s.devNull != nil {
		return s.devNull, nil
	}
	f, err := sys.OpenBlocking(os.DevNull, os.O_RDWR)
	if err == nil {
		s.theirs, s.devNull = append(s.theirs, f), f
	}
	return f, err
}

// copy takes over the two ends of a pipe and what copies between the host program's and its own.
func (s *stdio) copy(theirs, mine *os.File, c *copying) {
	s.theirs, s.mine, s.copies = append(s.theirs, theirs), append(s.mine, mine), append(s.copies, c)
}

func (s *stdio) input() (*os.File, error) {
	in := s.in
	if in == nil {
		return s.null()
	}
	if f, ok := in.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.copy(r, w, &copying{lent: true, run: func() error {
		_, err := io.Copy(w, in)
		if errors.Is(err, syscall.EPIPE) {
			err = nil // the program does not want the rest
		}
		return firstOf(err, ignoreClosed(w.Close()))
	}})
	return r, nil
}

func (s *stdio) output(out io.Writer) (*os.File, error) {
	if out == nil {
		return s.null()
	}
	if f, ok := out.(*os.File); ok {
		return f, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.copy(w, r, &copying{run: func() error {
		_, err := io.Copy(out, r)
		return firstOf(err, ignoreClosed(r.Close()))
	}})
	return w, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// abort closes everything; nothing was started.
func (s *stdio) abort() {
	closeAll(s.theirs)
	closeAll(s.mine)
}

// started closes the program's ends and starts the copying.
func (s *stdio) started() {
	closeAll(s.theirs)
	s.copied, s.waiting = make(chan struct{}), len(s.copies)
	if s.waiting == 0 {
		close(s.copied)
	}
	for _, c := range s.copies {
		go func() { s.leave(c, c.run()) }()
	}
}

// leave ends the waiting for a copy.
func (s *stdio) leave(c *copying, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.left {
		return
	}
	c.left = true
	if !s.stopped {
		s.failure = firstOf(s.failure, err)
	}
	if s.waiting--; s.waiting == 0 {
		close(s.copied)
	}
}

// holdUp is how long a Writer that is in use when the copying is stopped may keep it waiting. That is to say:
// one that is at work is let finish, and one that hangs is not waited for.
const holdUp = time.Second

// stop ends the copying, with an error for what is not copied. A copy that the caller's Reader or Writer holds
// up is left behind. It ends when that returns.
func (s *stdio) stop(err error) {
	s.mu.Lock()
	if s.waiting > 0 && !s.stopped {
		s.failure = firstOf(s.failure, err)
	}
	s.stopped = true
	s.mu.Unlock()
	closeAll(s.mine)
	for _, c := range s.copies {
		if c.lent {
			s.leave(c, nil)
		}
	}
	if over(s.copied) {
		return
	}
	t := time.NewTimer(holdUp)
	defer t.Stop()
	select {
	case <-s.copied:
	case <-t.C:
		for _, c := range s.copies {
			s.leave(c, nil)
		}
	}
}
