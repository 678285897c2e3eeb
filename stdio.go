package caisson

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"time"
)

// stdio connects a program's three standard files. It is what os/exec does for a Cmd.
type stdio struct {
	child  [3]*os.File // what the program gets
	mine   []*os.File  // the host program's ends of pipes
	theirs []*os.File  // the program's ends, closed once it has them
	copies []func() error
	done   chan error // one result for each copy
	// What the program gets where it is given nothing.
	devNull *os.File
}

// openStdio opens the files. On error nothing is left open.
func openStdio(stdin io.Reader, stdout, stderr io.Writer) (_ *stdio, err error) {
	s := &stdio{}
	defer func() {
		if err != nil {
			s.abort()
		}
	}()
	if s.child[0], err = s.input(stdin); err != nil {
		return nil, err
	}
	if s.child[1], err = s.output(stdout); err != nil {
		return nil, err
	}
	if stderr != nil && same(stdout, stderr) {
		s.child[2] = s.child[1]
		return s, nil
	}
	s.child[2], err = s.output(stderr)
	return s, err
}

// same compares interfaces that may hold what cannot be compared.
func same(a, b io.Writer) bool {
	if a == nil || !reflect.TypeOf(a).Comparable() {
		return false
	}
	return a == b
}

// nulls tells which standard files have nothing given for them.
func nulls(stdin io.Reader, stdout, stderr io.Writer) [3]bool {
	return [3]bool{stdin == nil, stdout == nil, stderr == nil}
}

// null is /dev/null, opened once for all that need it.
func (s *stdio) null() (*os.File, error) {
	if s.devNull != nil {
		return s.devNull, nil
	}
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		s.theirs, s.devNull = append(s.theirs, f), f
	}
	return f, err
}

// copied takes over the two ends of a pipe and what copies between the host program's and its own.
func (s *stdio) copied(theirs, mine *os.File, copying func() error) {
	s.theirs, s.mine, s.copies = append(s.theirs, theirs), append(s.mine, mine), append(s.copies, copying)
}

func (s *stdio) input(in io.Reader) (*os.File, error) {
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
	s.copied(r, w, func() error {
		_, err := io.Copy(w, in)
		if brokenPipe(err) {
			err = nil // the program does not want the rest
		}
		return errors.Join(err, ignoreClosed(w.Close()))
	})
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
	s.copied(w, r, func() error {
		_, err := io.Copy(out, r)
		return errors.Join(err, ignoreClosed(r.Close()))
	})
	return w, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// started closes the program's ends and starts the copying.
func (s *stdio) started() {
	closeAll(s.theirs)
	s.theirs = nil
	s.done = make(chan error, len(s.copies))
	for _, c := range s.copies {
		go func() { s.done <- c() }()
	}
}

// abort closes everything; nothing was started.
func (s *stdio) abort() {
	closeAll(s.theirs)
	closeAll(s.mine)
	s.theirs, s.mine = nil, nil
}

// finish waits for the copies, for delay if that is not zero, and returns their first error.
func (s *stdio) finish(delay time.Duration) error {
	var timeout <-chan time.Time
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		timeout = t.C
	}
	var first error
	for left := len(s.copies); left > 0; left-- {
		select {
		case err := <-s.done:
			first = firstOf(first, err)
		case <-timeout:
			// Closing the host program's ends makes the copies return.
			closeAll(s.mine)
			timeout = nil
			first = firstOf(first, exec.ErrWaitDelay)
			left++
		}
	}
	return first
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// pipes are the ends of StdinPipe, StdoutPipe and StderrPipe.
type pipes struct {
	mu     sync.Mutex
	theirs []*os.File
	mine   []io.Closer
}

var errPipeLate = errors.New("caisson: pipes must be made before Start")
var errPipeSet = errors.New("caisson: the standard file is already set")

func (p *pipes) stdin(dst *io.Reader, s State) (io.WriteCloser, error) {
	if s != StateNew {
		return nil, errPipeLate
	}
	if *dst != nil {
		return nil, errPipeSet
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	*dst = r
	p.add(r, w)
	return w, nil
}

func (p *pipes) output(dst *io.Writer, s State) (io.ReadCloser, error) {
	if s != StateNew {
		return nil, errPipeLate
	}
	if *dst != nil {
		return nil, errPipeSet
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	*dst = w
	p.add(w, r)
	return r, nil
}

func (p *pipes) add(theirs *os.File, mine io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.theirs, p.mine = append(p.theirs, theirs), append(p.mine, mine)
}

// started closes the program's ends; and ours, if there is no program.
func (p *pipes) started(err error) {
	p.mu.Lock()
	closeAll(p.theirs)
	p.theirs = nil
	p.mu.Unlock()
	if err != nil {
		p.close()
	}
}

func (p *pipes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	closeAll(p.theirs)
	for _, c := range p.mine {
		_ = c.Close()
	}
	p.theirs, p.mine = nil, nil
}

// tailBuffer keeps the last of what is written to it.
type tailBuffer struct {
	buf []byte
}

// tailSize is how much of standard error an ExitError carries.
const tailSize = 32 << 10

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

// Bytes is the end of what was written.
func (t *tailBuffer) Bytes() []byte {
	if len(t.buf) > tailSize {
		return t.buf[len(t.buf)-tailSize:]
	}
	return t.buf
}

// attach adds the copying between a terminal and what the program's standard files shall be. The
// terminal stays open when the input ends: its end of file is a character, not a close.
func (s *stdio) attach(tty *os.File, in io.Reader, out io.Writer) {
	if in != nil {
		// Not waited for: a terminal's input need not end when the program does.
		go func() { _, _ = io.Copy(tty, in) }()
	}
	if out == nil {
		out = io.Discard
	}
	s.copies = append(s.copies, func() error {
		_, err := io.Copy(out, tty)
		if terminalGone(err) {
			err = nil
		}
		return err
	})
}
