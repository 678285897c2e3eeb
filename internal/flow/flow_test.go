package flow

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// random returns bytes that differ from one another, of a length that is no multiple of the chunks'.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// blocked yields some data, then waits until it is closed.
type blocked struct {
	data   io.Reader
	closed chan struct{}
}

func newBlocked(data []byte) *blocked {
	return &blocked{bytes.NewReader(data), make(chan struct{})}
}

func (b *blocked) Read(p []byte) (int, error) {
	if n, err := b.data.Read(p); err == nil {
		return n, nil
	}
	<-b.closed
	return 0, fs.ErrClosed
}

func TestAheadYieldsEverythingThenTheError(t *testing.T) {
	broken := errors.New("broken")
	for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 10*chunkSize + 77} {
		want := random(n)
		for name, src := range map[string]func() io.Reader{
			"at once": func() io.Reader { return bytes.NewReader(want) },
			"halves":  func() io.Reader { return iotest.HalfReader(bytes.NewReader(want)) },
			"error with the data": func() io.Reader {
				return iotest.DataErrReader(io.MultiReader(bytes.NewReader(want), iotest.ErrReader(broken)))
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				r := Ahead(t.Context(), src())
				defer r.Close()
				got := make([]byte, min(n, 100))
				if _, err := io.ReadFull(iotest.OneByteReader(r), got); err != nil {
					t.Fatal(err)
				}
				var rest bytes.Buffer
				_, err := r.WriteTo(&rest)
				if got = append(got, rest.Bytes()...); !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes of %d, or others", name, len(got), n)
				}
				if failing := name == "error with the data"; failing != errors.Is(err, broken) || (err == nil) == failing {
					t.Errorf("%s, %d bytes: %v", name, n, err)
				}
				if n, again := r.Read(make([]byte, 1)); n != 0 || (err != nil && again != err) || (err == nil && again != io.EOF) {
					t.Errorf("%s: after the end: %d, %v", name, n, again)
				}
			})
		}
	}
}

func TestReaderIsAReader(t *testing.T) {
	want := random(3*chunkSize + 5)
	r := Ahead(t.Context(), bytes.NewReader(want))
	defer r.Close()
	if err := iotest.TestReader(r, want); err != nil {
		t.Error(err)
	}
}

// The source is read ahead, but not without bound.
func TestAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &counting{r: zeros{}}
		r := Ahead(t.Context(), src)
		synctest.Wait()
		if src.n != Memory {
			t.Errorf("%d bytes were read ahead, want %d", src.n, Memory)
		}
		if _, err := io.ReadFull(r, make([]byte, chunkSize)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if src.n != Memory+chunkSize {
			t.Errorf("%d bytes after one chunk was used", src.n)
		}
		r.Close()
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A source and two readers that each need a second for a chunk need little more than that for each, and not three.
func TestSplitLetsAllWorkAtOnce(t *testing.T) {
	const n = 20
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var wg sync.WaitGroup
		for _, r := range Split(t.Context(), &slow{left: n}, 2) {
			wg.Go(func() { io.Copy(slowly{}, r) })
		}
		wg.Wait()
		if took := time.Since(begin); took > (n+2)*time.Second {
			t.Errorf("%d chunks took %v", n, took)
		}
	})
}

// slow yields a chunk a second.
type slow struct{ left int }

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Second)
	s.left--
	return len(p), nil
}

type slowly struct{}

func (slowly) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return len(p), nil
}

// What a slow source has yielded is not kept back until there is more.
func TestAheadDoesNotHoldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newBlocked([]byte("a little"))
		r := Ahead(t.Context(), src)
		if n, err := r.Read(make([]byte, 100)); n != 8 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		close(src.closed)
		r.Close()
	})
}

// The goroutine ends with the source, with the context and with Close; synctest fails if it does not.
func TestAheadLeavesNothingBehind(t *testing.T) {
	t.Run("source ends, nobody reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { Ahead(t.Context(), bytes.NewReader(random(3*chunkSize))) })
	})
	t.Run("context ends, nobody reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			r := Ahead(ctx, zeros{})
			synctest.Wait()
			cancel()
			synctest.Wait()
			n, err := io.Copy(io.Discard, r)
			if n > Memory || !errors.Is(err, context.Canceled) {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	})
	t.Run("context ends, reader waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			src := newBlocked(nil)
			r := Ahead(ctx, src)
			go func() { synctest.Wait(); cancel() }()
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			close(src.closed)
			r.Close()
		})
	})
	t.Run("closed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := Ahead(t.Context(), zeros{})
			io.ReadFull(r, make([]byte, 100))
			r.Close()
			r.Close()
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
				t.Error(err)
			}
		})
	})
	t.Run("closed while another reads", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			src := newBlocked(nil)
			r := Ahead(t.Context(), src)
			read := false
			go func() {
				if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
					t.Error(err)
				}
				read = true
			}()
			synctest.Wait()
			go r.Close()
			synctest.Wait()
			if !read {
				t.Error("the Read still waits")
			}
			close(src.closed)
		})
	})
	t.Run("a source without progress", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := Ahead(t.Context(), empty{})
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.ErrNoProgress) {
				t.Error(err)
			}
		})
	})
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, nil }

func TestSplitGivesAllToEach(t *testing.T) {
	want := random(20*chunkSize + 3)
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256(want)
		var wg sync.WaitGroup
		for i, r := range Split(t.Context(), bytes.NewReader(want), 4) {
			wg.Go(func() {
				defer r.Close()
				if i == 3 { // which has enough before the others
					io.ReadFull(r, make([]byte, chunkSize+1))
					return
				}
				h := sha256.New()
				if n, err := io.Copy(h, r); n != int64(len(want)) || err != nil || !bytes.Equal(h.Sum(nil), sum[:]) {
					t.Errorf("reader %d: %d bytes, %v", i, n, err)
				}
			})
		}
		wg.Wait()
	})
}

// A reader that has seen the end of the source knows that the others will see it too, and not the context's.
func TestSplitReadersAgreeOnTheEnd(t *testing.T) {
	broken := errors.New("broken")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r := Split(ctx, io.MultiReader(bytes.NewReader(random(2*chunkSize)), iotest.ErrReader(broken)), 2)
		io.Copy(io.Discard, r[0])
		cancel()
		if n, err := io.Copy(io.Discard, r[1]); n != 2*chunkSize || !errors.Is(err, broken) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

// A writer's error ends the copy, and what it did not take is still there.
func TestWriteToStopsAtTheWritersError(t *testing.T) {
	broken := errors.New("broken")
	r := Ahead(t.Context(), bytes.NewReader(random(1000)))
	defer r.Close()
	n, err := r.WriteTo(takes{300, broken})
	if n != 300 || err != broken {
		t.Errorf("%d, %v", n, err)
	}
	n, err = r.WriteTo(takes{300, nil})
	if n != 300 || err != io.ErrShortWrite {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := io.Copy(io.Discard, r); n != 400 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

type takes struct {
	n   int
	err error
}

func (w takes) Write(p []byte) (int, error) { return w.n, w.err }

func BenchmarkAhead(b *testing.B) {
	const size = 64 << 20
	b.SetBytes(size)
	for b.Loop() {
		r := Ahead(b.Context(), io.LimitReader(zeros{}, size))
		io.Copy(io.Discard, r)
		r.Close()
	}
}
