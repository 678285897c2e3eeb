package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestWhileIsAReader(t *testing.T) {
	want := random(1000)
	if err := iotest.TestReader(While(t.Context(), bytes.NewReader(want)), want); err != nil {
		t.Error(err)
	}
}

func TestWhileEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	src := &counting{r: zeros{}}
	r := While(ctx, src)
	if n, err := r.Read(make([]byte, 10)); n != 10 || err != nil {
		t.Errorf("before: %d, %v", n, err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, r); n != 0 || !errors.Is(err, context.Canceled) || src.n != 10 {
		t.Errorf("after: %d, %v, %d bytes of the source", n, err, src.n)
	}
}
