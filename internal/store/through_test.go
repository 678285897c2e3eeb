package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// large is more than the ring between the disk and the other reader holds.
func large() []byte {
	b := make([]byte, 3<<20+7)
	rand.NewChaCha8([32]byte{2}).Read(b)
	return b
}

func readAll(into *[]byte) func(io.Reader) error {
	return func(r io.Reader) (err error) {
		*into, err = io.ReadAll(r)
		return err
	}
}

func TestPutBlobThrough(t *testing.T) {
	for _, content := range [][]byte{nil, []byte("content"), large()} {
		s := open(t)
		for _, tc := range []struct {
			name string
			r    io.Reader
		}{
			{"new", iotest.HalfReader(bytes.NewReader(content))},
			{"there already", iotest.ErrReader(errors.New("read"))},
		} {
			var got []byte
			if err := s.PutBlobThrough(t.Context(), digest(content), int64(len(content)), tc.r, readAll(&got)); err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			if !bytes.Equal(got, content) {
				t.Errorf("%s: through got %d bytes of %d, or others", tc.name, len(got), len(content))
			}
			if err := s.CheckBlob(t.Context(), digest(content)); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
	}
}

// A reader that has enough does not keep the rest from being stored.
func TestPutBlobThroughStopsEarly(t *testing.T) {
	s := open(t)
	content := large()
	some := func(r io.Reader) error {
		_, err := io.ReadFull(r, make([]byte, 1000))
		return err
	}
	if err := s.PutBlobThrough(t.Context(), digest(content), int64(len(content)), bytes.NewReader(content), some); err != nil {
		t.Fatal(err)
	}
	if err := s.CheckBlob(t.Context(), digest(content)); err != nil {
		t.Error(err)
	}
}

// The other reader gets what has come while the source still waits for more.
func TestPutBlobThroughStreams(t *testing.T) {
	s := open(t)
	content := large()
	pr, pw := io.Pipe()
	go func() {
		pw.Write(content[:1<<20])
	}()
	err := s.PutBlobThrough(t.Context(), digest(content), int64(len(content)), pr, func(r io.Reader) error {
		if _, err := io.ReadFull(r, make([]byte, 1<<20)); err != nil {
			return err
		}
		go func() {
			pw.Write(content[1<<20:])
			pw.Close()
		}()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// T41: whatever fails, nothing becomes visible, nothing is left behind, and the error is that of the cause.
func TestPutBlobThroughRefused(t *testing.T) {
	s := open(t)
	content := large()
	size := int64(len(content))
	broken, refused := errors.New("broken"), errors.New("refused")
	if err := s.PutBlob(t.Context(), digest(nil), 0, bytes.NewReader(nil)); err != nil {
		t.Fatal(err)
	}
	before, goroutines := files(t, s.Dir()), runtime.NumGoroutine()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	drain := func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }
	fail := func(io.Reader) error { return refused }
	ignore := func(io.Reader) error { return nil }
	for _, tc := range []struct {
		name    string
		ctx     context.Context
		of      []byte
		size    int64
		r       io.Reader
		through func(io.Reader) error
		err     error
	}{
		{"other content", nil, content[1:], size, bytes.NewReader(content), drain, ErrDigest},
		{"other content, not looked at", nil, content[1:], size, bytes.NewReader(content), ignore, ErrDigest},
		{"size too large", nil, content, size + 1, bytes.NewReader(content), drain, ErrSize},
		{"size too small", nil, content, size - 1, bytes.NewReader(content), drain, ErrSize},
		{"negative size", nil, content, -1, bytes.NewReader(content), drain, ErrSize},
		{"endless", nil, content, size, zeros{}, drain, ErrSize},
		{"reader fails", nil, content, size, io.MultiReader(bytes.NewReader(content[:2<<20]), iotest.ErrReader(broken)), drain, broken},
		{"through fails at once", nil, content, size, bytes.NewReader(content), fail, refused},
		{"through fails at the end", nil, content, size, bytes.NewReader(content), func(r io.Reader) error {
			return errors.Join(drain(r), refused)
		}, refused},
		{"both wrong", nil, content[1:], size, bytes.NewReader(content), func(r io.Reader) error {
			return errors.Join(drain(r), refused)
		}, ErrDigest},
		{"cancelled", cancelled, content, size, bytes.NewReader(content), drain, context.Canceled},
		{"cancelled, not looked at", cancelled, content, size, bytes.NewReader(content), ignore, context.Canceled},
	} {
		ctx := tc.ctx
		if ctx == nil {
			ctx = t.Context()
		}
		err := s.PutBlobThrough(ctx, digest(tc.of), tc.size, tc.r, tc.through)
		var e *Error
		if !errors.Is(err, tc.err) || !errors.As(err, &e) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
		if after := files(t, s.Dir()); !slices.Equal(after, before) {
			t.Errorf("%s: store changed to %v", tc.name, after)
		}
	}
	settled(t, goroutines)
}

// A panic in through reaches the caller, with nothing left running.
func TestPutBlobThroughPanics(t *testing.T) {
	s := open(t)
	content := large()
	goroutines := runtime.NumGoroutine()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		s.PutBlobThrough(t.Context(), digest(content), int64(len(content)), bytes.NewReader(content), func(io.Reader) error { panic("through") })
	}()
	if s.HasBlob(digest(content), int64(len(content))) {
		t.Error("the blob was stored")
	}
	settled(t, goroutines)
}

// settled fails if more goroutines are there than before. One that has done its work may still be on its way out.
func settled(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// The disk may fail in the middle; the other reader is not left waiting.
func TestPutBlobThroughFileFails(t *testing.T) {
	s := open(t)
	content := large()
	root, err := s.write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	goroutines := runtime.NumGoroutine()
	seen := error(nil)
	err = writeThrough(t.Context(), root, "no/such/directory", digest(content), int64(len(content)), zeros{}, func(r io.Reader) error {
		_, seen = io.Copy(io.Discard, r)
		return seen
	})
	if err == nil || errors.Is(err, context.Canceled) || !errors.Is(seen, context.Canceled) {
		t.Errorf("%v, and through saw %v", err, seen)
	}
	settled(t, goroutines)
}

// Whoever reads along is told at the end whether it was the blob.
func TestPutBlobThroughTellsTheEnd(t *testing.T) {
	content := bytes.Repeat([]byte("content"), 100_000)
	want, size := digest(content), int64(len(content))
	wrong := bytes.Clone(content)
	wrong[1] ^= 1
	for name, tc := range map[string]struct {
		b  []byte
		is error
	}{"wrong": {wrong, ErrDigest}, "short": {content[1:], ErrSize}, "long": {append(bytes.Clone(content), 1), ErrSize}, "right": {content, nil}} {
		s := open(t) // the right one may come first, and would be there already
		var read, copied error
		for _, end := range []*error{&read, &copied} {
			err := s.PutBlobThrough(t.Context(), want, size, bytes.NewReader(tc.b), func(r io.Reader) error {
				if end == &read {
					_, *end = io.ReadAll(r)
				} else {
					_, *end = io.Copy(io.Discard, r)
				}
				return nil
			})
			if !errors.Is(err, tc.is) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !errors.Is(read, tc.is) || !errors.Is(copied, tc.is) {
			t.Errorf("%s: read %v, copied %v", name, read, copied)
		}
	}
}
