package caisson

import (
	"bytes"
	"errors"
	"io"
)

// output runs a program and collects what it writes to its standard output.
func output(stdout, stderr *io.Writer, object func() string, run func() error) ([]byte, error) {
	if !unset(*stdout) {
		return nil, pipeError("Stdout", object, errSet)
	}
	var out bytes.Buffer
	*stdout = &out
	tail := &tailBuffer{}
	if unset(*stderr) {
		*stderr = tail
	}
	err := run()
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Stderr = tail.Bytes()
	}
	return out.Bytes(), err
}

// combinedOutput is output with the standard error in it.
func combinedOutput(stdout, stderr *io.Writer, object func() string, run func() error) ([]byte, error) {
	switch {
	case !unset(*stdout):
		return nil, pipeError("Stdout", object, errSet)
	case !unset(*stderr):
		return nil, pipeError("Stderr", object, errSet)
	}
	var out bytes.Buffer
	*stdout, *stderr = &out, &out
	err := run()
	return out.Bytes(), err
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
