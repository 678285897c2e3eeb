package changes

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
)

// sample is text with some noise in it.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < n {
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "%x", r.Uint64())
		}
		fmt.Fprintf(&b, "line %d of a text that repeats itself\n", r.IntN(1000))
	}
	return b.Bytes()[:n]
}

func compressed(t testing.TB, in []byte, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	err := Gzip(&out, func(w io.Writer) error {
		for p := in; len(p) > 0; {
			n, err := w.Write(p[:min(piece, len(p))])
			if err != nil {
				return err
			}
			p = p[n:]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGzipIsReadByOthers(t *testing.T) {
	for _, n := range []int{0, 1, 1000, blockSize - 1, blockSize, blockSize + 1, 5*blockSize + 12345} {
		in := sample(n)
		r, err := gzip.NewReader(bytes.NewReader(compressed(t, in, 70_001)))
		if err != nil {
			t.Fatal(err)
		}
		r.Multistream(false)
		out, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(out, in) {
			t.Errorf("%d bytes: %d come back, %v", n, len(out), err)
		}
	}
}

// However many processors there are, and however the input comes.
func TestGzipIsTheSameEachTime(t *testing.T) {
	in := sample(9*blockSize + 4567)
	want := sha256.Sum256(compressed(t, in, len(in)))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for procs := 1; procs <= 5; procs++ {
		runtime.GOMAXPROCS(procs)
		if got := sha256.Sum256(compressed(t, in, 1000*procs)); got != want {
			t.Errorf("with %d processors %x, want %x", procs, got, want)
		}
	}
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

var errFull, errFill = errors.New("full"), errors.New("no more")

func TestGzipErrors(t *testing.T) {
	in := sample(1 << 20)
	before := runtime.NumGoroutine()
	for _, left := range []int{0, 5, 1000, 500_000} {
		err := Gzip(&failing{left}, func(w io.Writer) error {
			for range 64 {
				if _, err := w.Write(in); err != nil {
					return err
				}
			}
			return nil
		})
		if !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", left, err)
		}
	}
	err := Gzip(io.Discard, func(w io.Writer) error {
		_, _ = w.Write(in)
		return errFill
	})
	if err != errFill {
		t.Errorf("%v", err)
	}
	// One that has said that it is done may not have ended yet.
	for range 100_000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func BenchmarkGzip(b *testing.B) {
	in := sample(32 << 20)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		n := len(compressed(b, in, 256<<10))
		b.ReportMetric(float64(n)/float64(len(in)), "ratio")
	}
}
