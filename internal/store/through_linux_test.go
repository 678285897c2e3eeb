package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/inflate"
	"github.com/caisson-go/caisson/internal/layer"
)

// BenchmarkPutLayer unpacks one layer of this program and many small files, as PutLayer does and with one step after the
// other. The metric cores is the processor time by the time that passed: how much the steps overlap.
func BenchmarkPutLayer(b *testing.B) {
	plain := benchLayer(b)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(plain)
	z.Close()
	for _, way := range []struct {
		name   string
		unpack func(dir *os.File, r io.Reader) error
	}{
		{"beside", func(dir *os.File, r io.Reader) error {
			_, err := unpackVerified(b.Context(), dir, r, digest(plain), layer.Defaults())
			return err
		}},
		{"after", func(dir *os.File, r io.Reader) error {
			sum := sha256.New()
			_, err := layer.Unpack(b.Context(), dir, io.TeeReader(r, sum), layer.Defaults())
			if err == nil && !matches(sum, digest(plain)) {
				err = ErrDigest
			}
			return err
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			var cpu, wall time.Duration
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				path := filepath.Join(b.TempDir(), fmt.Sprint(i))
				if err := os.Mkdir(path, 0o700); err != nil {
					b.Fatal(err)
				}
				dir, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				beforeCPU, before := processor(), time.Now()
				if err := way.unpack(dir, inflate.NewReader(bytes.NewReader(packed.Bytes()))); err != nil {
					b.Fatal(err)
				}
				cpu, wall = cpu+processor()-beforeCPU, wall+time.Since(before)
				b.StopTimer()
				dir.Close()
				os.RemoveAll(path)
				b.StartTimer()
			}
			b.ReportMetric(cpu.Seconds()/wall.Seconds(), "cores")
			b.ReportMetric(cpu.Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processor is the time that this process and the ones it has waited for have had.
func processor() (d time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u)
		d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return d
}

// benchLayer is a tar of this program in parts: one in eight has 1 MiB, the others a few kilobytes.
func benchLayer(b *testing.B) []byte {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; out.Len() < 100<<20; i++ {
		size := 1 << 20
		if i%8 != 0 {
			size = 100 + r.IntN(20_000)
		}
		body := program[r.IntN(len(program)-size):][:size]
		h := tar.Header{Name: fmt.Sprintf("d%d/f%d", i/100, i), Mode: 0o644, Size: int64(size), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(&h); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}
