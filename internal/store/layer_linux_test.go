package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
)

func TestStoreLayer(t *testing.T) {
	s := open(t)
	l := tarOf(t, "dir/file", "content")
	if err := s.PutLayer(t.Context(), digest(l), reader(l), layer.Defaults()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(s.LayerDir(digest(l)), "dir/file"))
	if err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	never := func() (io.ReadCloser, error) { t.Error("opened again"); return nil, errors.New("again") }
	if err := s.PutLayer(t.Context(), digest(l), never, layer.Defaults()); err != nil {
		t.Error(err)
	}
	other := layer.Defaults()
	other.UserXattr = !other.UserXattr
	if err := s.PutLayer(t.Context(), digest(l), never, other); !errors.Is(err, ErrLayerOptions) {
		t.Errorf("other options: %v", err)
	}
}

// T40, T41: a layer that is not what its diff id says leaves nothing.
func TestStoreLayerRefused(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	put(t, s, "first", tarOf(t, "x", ""))
	before := files(t, s.Dir())
	broken := errors.New("broken")
	var limit *layer.LimitError
	for _, tc := range []struct {
		name string
		data []byte
		open func() (io.ReadCloser, error)
		o    func(*layer.Options)
		is   func(error) bool
	}{
		{name: "other content", data: tarOf(t, "file", "tampered"), is: func(err error) bool { return errors.Is(err, ErrDigest) }},
		{name: "bytes added", data: append(slices.Clone(l), 0), is: func(err error) bool { return errors.Is(err, ErrDigest) }},
		{name: "cut", data: l[:515], is: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		{name: "limit", data: l, o: func(o *layer.Options) { o.Limits.Bytes = 1000 }, is: func(err error) bool { return errors.As(err, &limit) }},
		{name: "not opened", open: func() (io.ReadCloser, error) { return nil, broken }, is: func(err error) bool { return errors.Is(err, broken) }},
		{name: "close fails", open: func() (io.ReadCloser, error) { return failingCloser{bytes.NewReader(l), broken}, nil },
			is: func(err error) bool { return errors.Is(err, broken) }},
	} {
		o := layer.Defaults()
		if tc.o != nil {
			tc.o(&o)
		}
		if tc.open == nil {
			tc.open = reader(tc.data)
		}
		err := s.PutLayer(t.Context(), digest(l), tc.open, o)
		var e *Error
		if err == nil || !tc.is(err) || !errors.As(err, &e) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if after := files(t, s.Dir()); !slices.Equal(after, before) {
			t.Errorf("%s: store changed to %v", tc.name, after)
		}
	}
}

type failingCloser struct {
	io.Reader
	err error
}

func (f failingCloser) Close() error { return f.err }

func TestStoreLayerCancelled(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	l := tarOf(t, "file", strings.Repeat("x", 1<<20))
	err := s.PutLayer(ctx, digest(l), func() (io.ReadCloser, error) {
		cancel()
		return reader(l)()
	}, layer.Defaults())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Whoever comes while a layer is being unpacked waits, and gives up with its context.
func TestStoreLayerOnce(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	var opened atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			st := s
			if i%2 == 0 { // as another process would
				st = openAt(t, s.Dir())
			}
			err := st.PutLayer(t.Context(), digest(l), func() (io.ReadCloser, error) {
				opened.Add(1)
				return reader(l)()
			}, layer.Defaults())
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n != 1 {
		t.Errorf("unpacked %d times", n)
	}
}

func TestStoreLayerWaitEnds(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	ctx, cancel := context.WithCancel(t.Context())
	err := s.PutLayer(t.Context(), digest(l), func() (io.ReadCloser, error) {
		waiting := make(chan error, 1)
		go func() { waiting <- openAt(t, s.Dir()).PutLayer(ctx, digest(l), reader(l), layer.Defaults()) }()
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that waited: %v", err)
		}
		return reader(l)()
	}, layer.Defaults())
	if err != nil {
		t.Error(err)
	}
}

// A directory without a record is not a layer, however it came about.
func TestStoreLayerIncomplete(t *testing.T) {
	s := open(t)
	l := tarOf(t, "file", "content")
	dir := filepath.Dir(s.LayerDir(digest(l)))
	for _, record := range []string{"record.json", "unsettled.json"} {
		whole := func() string {
			d := put(t, s, "name", l)
			if record == "record.json" {
				must(t, s.Settle(t.Context()))
			}
			if _, err := s.Resolve("name"); err != nil {
				t.Errorf("%s: after pulling again: %v", record, err)
			}
			return d.Digest.String()
		}
		for _, damage := range []func() error{
			func() error { return os.Remove(filepath.Join(dir, record)) },
			func() error { return os.Truncate(filepath.Join(dir, record), 5) },
			func() error { return os.RemoveAll(dir) },
			func() error { return os.RemoveAll(filepath.Join(dir, "fs")) },
		} {
			d := whole()
			must(t, damage())
			_, err := s.Resolve(d)
			if !errors.Is(err, ErrIncomplete) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: Resolve: %v", record, err)
			}
		}
		must(t, os.RemoveAll(dir))
	}
}

// Overlayfs refuses a lower directory that comes twice, and merges roots that are marked opaque.
func TestStoreLayerStack(t *testing.T) {
	s := open(t)
	a, b, opq := tarOf(t, "a", ""), tarOf(t, "b", ""), tarOf(t, ".wh..wh..opq", "")
	for _, tc := range []struct{ layers, want [][]byte }{
		{[][]byte{a, b}, [][]byte{a, b}},
		{[][]byte{a, b, a}, [][]byte{b, a}},
		{[][]byte{a, a, a}, [][]byte{a}},
		{[][]byte{a, opq, b}, [][]byte{opq, b}},
		{[][]byte{opq, a, opq, b}, [][]byte{opq, b}},
		{nil, nil},
	} {
		put(t, s, "name", tc.layers...)
		img, err := s.Resolve("name")
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, l := range tc.want {
			want = append(want, s.LayerDir(digest(l)))
		}
		if !slices.Equal(img.Layers, want) {
			t.Errorf("layers = %v, want %v", img.Layers, want)
		}
	}
}

func TestStoreKeepsNothingOpen(t *testing.T) {
	s := open(t)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	put(t, s, "warm", tarOf(t, "w", "")) // the runtime's own poller
	before := count()
	for range 10 {
		put(t, s, "name", tarOf(t, "a", t.Name()))
		_, _ = s.Resolve("name")
		_, _ = s.Resolve("none")
		_ = s.PutLayer(t.Context(), digest([]byte("wrong")), reader(tarOf(t, "a", "b")), layer.Defaults())
		_ = s.PutBlob(t.Context(), digest([]byte("wrong")), 3, strings.NewReader("abc"))
		for range s.Images() {
			break
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}
