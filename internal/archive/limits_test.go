package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

// T39: whatever an archive says of itself, it costs little.
func TestLoadBombs(t *testing.T) {
	for _, tc := range []struct {
		name string
		file func(t *testing.T) io.Reader
		o    LoadOptions
		want error
	}{
		{"ten million entries", func(t *testing.T) io.Reader { return endless(t, tar.Header{Typeflag: tar.TypeDir}, nil) }, LoadOptions{}, ErrTooLarge},
		{"long names", func(t *testing.T) io.Reader {
			return endless(t, tar.Header{Typeflag: tar.TypeDir}, func(i int) string { return fmt.Sprintf("%s%d", strings.Repeat("x", 1000), i) })
		}, LoadOptions{}, ErrTooLarge},
		{"links", func(t *testing.T) io.Reader {
			return endless(t, tar.Header{Typeflag: tar.TypeSymlink, Linkname: strings.Repeat("x/", 400)}, nil)
		}, LoadOptions{}, ErrTooLarge},
		{"more than allowed", func(t *testing.T) io.Reader {
			return endless(t, tar.Header{Typeflag: tar.TypeReg, Size: 1 << 20}, nil)
		}, LoadOptions{Limits: Limits{Bytes: 20 << 20}}, ErrTooLarge},
		{"one file of an exabyte", func(t *testing.T) io.Reader {
			return endless(t, tar.Header{Typeflag: tar.TypeReg, Size: 1 << 60}, nil)
		}, LoadOptions{}, ErrTooLarge},
		{"manifest of a gigabyte", func(t *testing.T) io.Reader {
			return endless(t, tar.Header{Typeflag: tar.TypeReg, Size: 1 << 30}, func(int) string { return manifestName })
		}, LoadOptions{}, ErrTooLarge},
		{"a million images", func(t *testing.T) io.Reader {
			return bytes.NewReader(tarOf(t, entry{name: manifestName, body: "[" + strings.Repeat("{},", 1_000_000) + "{}]"}))
		}, LoadOptions{}, ErrTooLarge},
		{"a million layers", func(t *testing.T) io.Reader {
			return bytes.NewReader(tarOf(t, entry{name: manifestName, body: `[{"Layers":[` + strings.Repeat(`"",`, 1_000_000) + `""]}]`}))
		}, LoadOptions{}, store.ErrDocument},
		{"deep manifest", func(t *testing.T) io.Reader {
			return bytes.NewReader(tarOf(t, entry{name: manifestName, body: strings.Repeat(`[`, 1_000_000)}))
		}, LoadOptions{}, store.ErrDocument},
		{"a gigabyte of PAX", func(t *testing.T) io.Reader {
			h := tarOf(t, entry{name: "x"})
			h[156] = tar.TypeXHeader
			copy(h[124:136], "77777777777\x00")
			sumHeader(h[:512])
			return io.MultiReader(bytes.NewReader(h[:512]), zeros{})
		}, LoadOptions{}, ErrTooLarge},
		{"much behind the end", func(t *testing.T) io.Reader {
			return io.MultiReader(bytes.NewReader(newOldDocker(t).tar(t)), zeros{})
		}, LoadOptions{}, ErrFormat},
		{"a layer that unpacks to more than allowed", func(t *testing.T) io.Reader {
			o := newOldDocker(t)
			o.top = tarOf(t, entry{name: "zeros", body: strings.Repeat("\x00", 8<<20)})
			o.config, _ = json.Marshal(platformConfig("amd64", rawLayer{plain, o.bottom}, rawLayer{plain, o.top}))
			o.manifest[0].Config = digestOf(o.config).Hex + ".json"
			return bytes.NewReader(packed(t, gzipped, o.tar(t)))
		}, LoadOptions{Layer: &layer.Options{UserXattr: true, IgnoreOwners: true, Limits: layer.Limits{Bytes: 4 << 20}}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, r := openStore(t), tc.file(t)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Load(t.Context(), r, s, tc.o)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var limit *layer.LimitError
			if tc.want != nil && !errors.Is(err, tc.want) || tc.want == nil && layer.Supported && !errors.As(err, &limit) {
				t.Errorf("Load: %v, not %v", err, tc.want)
			}
			if took > testneed.Patience(20*time.Second) {
				t.Errorf("it took %v", took)
			}
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			if n := names(t, s); len(n) > 0 {
				t.Errorf("visible: %v", n)
			}
			noStaging(t, s)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// endless is a tar file of ten million such entries.
func endless(t *testing.T, h tar.Header, name func(int) string) io.Reader {
	r, w := io.Pipe()
	done := make(chan struct{})
	t.Cleanup(func() { r.Close(); <-done })
	go func() {
		defer close(done)
		tw := tar.NewWriter(w)
		zero := make([]byte, 1<<20)
		for i := range 10_000_000 {
			h := h
			if h.Name = fmt.Sprint(i); name != nil {
				h.Name = name(i)
			}
			if tw.WriteHeader(&h) != nil {
				return
			}
			for left := h.Size; left > 0; left -= int64(len(zero)) {
				if _, err := tw.Write(zero[:min(left, int64(len(zero)))]); err != nil {
					return
				}
			}
		}
	}()
	return r
}

// sumHeader puts the checksum of a tar header right.
func sumHeader(h []byte) {
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// A context ends a Read that waits, if what is read can be given up, and leaves no goroutine and no file behind.
func TestLoadCancelled(t *testing.T) {
	w := newWorld(t)
	file := saved(t, w.s, SaveOptions{}, twoName)
	s := openStore(t)
	load := func(cut int) {
		r, to, err := os.Pipe()
		must(t, err)
		defer r.Close()
		defer to.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		wrote := make(chan error, 1)
		go func() {
			_, err := to.Write(file[:cut])
			cancel()
			wrote <- err
		}()
		_, err = Load(ctx, r, s, LoadOptions{})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d bytes: %v", cut, err)
		}
		r.Close()
		<-wrote
	}
	load(100)
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for cut := 0; cut < len(file); cut += len(file)/20 + 1 {
		load(cut)
	}
	for deadline := time.Now().Add(testneed.Patience(5 * time.Second)); runtime.NumGoroutine() > goroutines && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines became %d", goroutines, n)
	}
	if n := openFiles(); n > files {
		t.Errorf("%d open files became %d", files, n)
	}
	if n := names(t, s); len(n) > 0 {
		t.Errorf("visible: %v", n)
	}
	noStaging(t, s)
	if _, err := Load(t.Context(), bytes.NewReader(file), s, LoadOptions{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// openFiles counts the open files, where that can be known.
func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

func TestSaveCancelled(t *testing.T) {
	w := newWorld(t)
	r, to, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer to.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = r.Read(make([]byte, 10)) // and no more: the pipe fills up
		cancel()
	}()
	big := putImage(t, w.s, runtime.GOARCH, rawLayer{plain, tarOf(t, entry{name: "big", body: strings.Repeat("x", 1<<20)})})
	if err := Save(ctx, to, w.s, []string{twoName, tagged(t, w.s, big)}, SaveOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func tagged(t *testing.T, s *store.Store, d v1.Descriptor) string {
	const name = "docker.io/library/big:latest"
	tag(t, s, name, d)
	return name
}
