package caisson

import (
	"errors"
	"io"
	"os"
)

// pipes are the ends of what StdinPipe, StdoutPipe and StderrPipe have made. There are no more of them once
// Start or Close was called.
type pipes struct {
	theirs []*os.File // the program's
	mine   []*os.File // the caller's
}

func (p *pipes) close() {
	closeAll(p.theirs)
	closeAll(p.mine)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

var errSet = errors.New("set already")

func (f *life) stdinPipe(in *io.Reader) (io.WriteCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, w, err := f.pipe(*in)
	if err != nil {
		return nil, err
	}
	*in = r
	f.pipes.theirs, f.pipes.mine = append(f.pipes.theirs, r), append(f.pipes.mine, w)
	return w, nil
}

func (f *life) outputPipe(out *io.Writer) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, w, err := f.pipe(*out)
	if err != nil {
		return nil, err
	}
	*out = w
	f.pipes.theirs, f.pipes.mine = append(f.pipes.theirs, w), append(f.pipes.mine, r)
	return r, nil
}

// pipe makes a pipe to take the place of a standard file.
func (f *life) pipe(file any) (r, w *os.File, err error) {
	if err := f.fresh(); err != nil {
		return nil, nil, err
	}
	if !unset(file) {
		return nil, nil, errSet
	}
	return os.Pipe()
}

// unset tells whether a standard file stands for nothing. A nil *os.File in an interface does.
func unset(file any) bool {
	f, ok := file.(*os.File)
	return file == nil || ok && f == nil
}

// pipeError names the standard file, and whose it is, in an error.
func pipeError(file string, object func() string, err error) error {
	return named("pipe", func() string { return file + " of " + object() }, err)
}
