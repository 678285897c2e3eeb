package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func packed(header gzip.Header, content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Header = header
	w.Write(content)
	w.Close()
	return b.Bytes()
}

// plainText is longer than a buffer and than the window.
func plainText() []byte { return contents()["text"] }

func TestReaderIsAReader(t *testing.T) {
	content := plainText()[:100_000]
	if err := iotest.TestReader(NewReader(bytes.NewReader(packed(gzip.Header{}, content))), content); err != nil {
		t.Error(err)
	}
}

// Every way to read yields the same: in small and in large parts, and in parts that change.
func TestReaderInAnyParts(t *testing.T) {
	content := plainText()
	blob := packed(gzip.Header{}, content)
	read := func(sizes ...int) func(z *Reader) ([]byte, error) {
		return func(z *Reader) (all []byte, err error) {
			for i := 0; ; i++ {
				p := make([]byte, sizes[i%len(sizes)])
				n, err := z.Read(p)
				all = append(all, p[:n]...)
				if err == io.EOF {
					return all, nil
				}
				if err != nil || n == 0 && len(p) > 0 {
					return all, errors.Join(err, io.ErrNoProgress)
				}
			}
		}
	}
	for name, f := range map[string]func(z *Reader) ([]byte, error){
		"small": read(7000, 1, 0), "room": read(direct), "large": read(1 << 20), "mixed": read(300, direct, 512, 70_000, direct-1),
		"WriteTo": func(z *Reader) ([]byte, error) { var b bytes.Buffer; _, err := z.WriteTo(&b); return b.Bytes(), err },
		"WriteTo after Read": func(z *Reader) ([]byte, error) {
			b := bytes.NewBuffer(make([]byte, 100, 1000))
			if _, err := io.ReadFull(z, b.Bytes()); err != nil {
				return nil, err
			}
			_, err := z.WriteTo(b)
			return b.Bytes(), err
		},
	} {
		if got, err := f(NewReader(bytes.NewReader(blob))); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(content), err)
		}
	}
}

func TestMembersAndHeaders(t *testing.T) {
	a, b := []byte("first "), []byte("second")
	full := gzip.Header{Name: "layer.tar", Comment: "none", Extra: bytes.Repeat([]byte{1}, 65535), ModTime: time.Unix(1, 0), OS: 3}
	for name, blob := range map[string][]byte{
		"one":           packed(gzip.Header{}, []byte("first second")),
		"two":           slices.Concat(packed(gzip.Header{}, a), packed(gzip.Header{}, b)),
		"all fields":    slices.Concat(packed(full, a), packed(full, b)),
		"empty members": slices.Concat(packed(full, nil), packed(full, a), packed(gzip.Header{}, nil), packed(full, b), packed(full, nil)),
		"header sum":    withHeaderSum(packed(gzip.Header{Name: "x"}, []byte("first second"))),
	} {
		for _, src := range []io.Reader{bytes.NewReader(blob), iotest.OneByteReader(bytes.NewReader(blob))} {
			if got, err := io.ReadAll(NewReader(src)); err != nil || string(got) != "first second" {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

// withHeaderSum adds the field that no writer writes, to a header with a name of one byte.
func withHeaderSum(blob []byte) []byte {
	blob[3] |= headerSum
	f := fields{in: &input{}}
	f.in.reset(bytes.NewReader(blob))
	for range 12 {
		f.next()
	}
	return slices.Insert(blob, 12, byte(f.sum), byte(f.sum>>8))
}

// A match must not reach into the member before.
func TestMembersShareNoHistory(t *testing.T) {
	second := packed(gzip.Header{}, nil)
	second = slices.Concat(second[:10], bitString("1 10 00110000 0000001 00001 0000000"), second[len(second)-8:])
	_, err := io.ReadAll(NewReader(bytes.NewReader(slices.Concat(packed(gzip.Header{}, []byte("content")), second))))
	var e *Error
	if !errors.As(err, &e) || e.What != "distance" {
		t.Error(err)
	}
}

func TestRefused(t *testing.T) {
	content := []byte("some content, some content, some content")
	good := packed(gzip.Header{Name: "x"}, content)
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		if at < 0 {
			at += len(b)
		}
		b[at] = to
		return b
	}
	broken := errors.New("broken")
	for _, tc := range []struct {
		name string
		r    io.Reader
		err  error
		what string
		data int // yielded before
	}{
		{"nothing", bytes.NewReader(nil), io.ErrUnexpectedEOF, "header", 0},
		{"other magic", bytes.NewReader(change(0, 0)), ErrFormat, "header", 0},
		{"other method", bytes.NewReader(change(2, 7)), ErrFormat, "header", 0},
		{"wrong sum", bytes.NewReader(change(-8, good[len(good)-8]+1)), ErrChecksum, "trailer", 40},
		{"wrong size", bytes.NewReader(change(-4, 41)), ErrChecksum, "trailer", 40},
		{"no trailer", bytes.NewReader(good[:len(good)-8]), io.ErrUnexpectedEOF, "trailer", 40},
		{"half a trailer", bytes.NewReader(good[:len(good)-3]), io.ErrUnexpectedEOF, "trailer", 40},
		{"zeros after the end", bytes.NewReader(append(bytes.Clone(good), make([]byte, 512)...)), ErrFormat, "header", 40},
		{"text after the end", bytes.NewReader(append(bytes.Clone(good), "more than ten"...)), ErrFormat, "header", 40},
		{"half a header after the end", bytes.NewReader(append(bytes.Clone(good), good[:5]...)), io.ErrUnexpectedEOF, "header", 40},
		{"endless name", io.MultiReader(bytes.NewReader(good[:10]), ones{}), ErrFormat, "header", 0},
		{"wrong sum of the header", bytes.NewReader(slices.Insert(change(3, headerName|headerSum), 12, 1, 2)), ErrChecksum, "header", 0},
		{"source fails", io.MultiReader(bytes.NewReader(good[:10]), iotest.ErrReader(broken)), broken, "", 0},
		{"source fails at the end", io.MultiReader(bytes.NewReader(good), iotest.ErrReader(broken)), broken, "", 40},
		{"source without progress", empty{}, io.ErrNoProgress, "", 0},
	} {
		z := NewReader(tc.r)
		got, err := io.ReadAll(z)
		var e *Error
		if !errors.Is(err, tc.err) || errors.As(err, &e) != (tc.what != "") || e != nil && e.What != tc.what {
			t.Errorf("%s: %v", tc.name, err)
		}
		if !bytes.Equal(got, content[:tc.data]) {
			t.Errorf("%s: %q before the error", tc.name, got)
		}
		if n, again := z.Read(make([]byte, 10)); n != 0 || again != err {
			t.Errorf("%s: then %d, %v", tc.name, n, again)
		}
	}
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, nil }

func TestErrorSaysWhere(t *testing.T) {
	blob := append(packed(gzip.Header{}, []byte("content")), 0)
	_, err := io.ReadAll(NewReader(bytes.NewReader(blob)))
	if want := fmt.Sprintf("at byte %d:", len(blob)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// What is held does not depend on the content.
func TestReaderMemoryIsFixed(t *testing.T) {
	blob := packed(gzip.Header{}, make([]byte, 50<<20))
	var p [512]byte
	allocs := testing.AllocsPerRun(1, func() {
		z := NewReader(bytes.NewReader(blob))
		for {
			if _, err := z.Read(p[:]); err != nil {
				return
			}
		}
	})
	if allocs > 8 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzReader compares with package gzip, which takes the same streams but for names that are not UTF-8 or too long.
func FuzzReader(f *testing.F) {
	full := gzip.Header{Name: "n", Comment: "c", Extra: []byte("extra")}
	f.Add(packed(full, plainText()[:2000]))
	f.Add(slices.Concat(packed(gzip.Header{}, []byte("a")), packed(full, []byte("b"))))
	f.Add(withHeaderSum(packed(gzip.Header{Name: "x"}, []byte("a"))))
	f.Add(append(packed(gzip.Header{}, []byte("a")), 0, 0))
	f.Fuzz(func(t *testing.T, blob []byte) {
		var want []byte
		z, wantErr := gzip.NewReader(bytes.NewReader(blob))
		if wantErr == nil {
			want, wantErr = io.ReadAll(io.LimitReader(z, 8<<20))
		}
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(blob)), 8<<20))
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%d bytes, %v; package gzip: %d", len(got), err, len(want))
		}
		if err == nil && wantErr != nil && !errors.Is(wantErr, gzip.ErrHeader) {
			t.Fatalf("%d bytes; package gzip: %v", len(got), wantErr)
		}
	})
}
