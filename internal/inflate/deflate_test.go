package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// inflated decodes a DEFLATE stream without the frame of gzip, into rooms of the given size.
func inflated(r io.Reader, room int) ([]byte, error) {
	d := &decoder{}
	d.kinds.init()
	d.in.reset(r)
	d.begin()
	var out []byte
	p := make([]byte, room)
	for {
		n, err := d.decode(p)
		out = append(out, p[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func deflated(level int, content []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		panic(err)
	}
	w.Write(content)
	w.Close()
	return b.Bytes()
}

// contents are of all sorts: what is copied from near and from far, what can not be compressed, what is one byte.
func contents() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 200_000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 3)
	}
	var far, near, text bytes.Buffer
	for far.Len() < 200_000 {
		from := r.IntN(len(noise) - 300)
		far.Write(noise[from%32000:][:3+r.IntN(300)])
	}
	for near.Len() < 200_000 {
		near.Write(bytes.Repeat(noise[r.IntN(1000):][:1+r.IntN(20)], 1+r.IntN(60)))
	}
	for i := range 6_000 {
		fmt.Fprintf(&text, "line %d of a text, %x\n", i, r.Uint32()>>r.IntN(32))
	}
	return map[string][]byte{
		"nothing": nil, "byte": {7}, "zeros": make([]byte, 300_000), "noise": noise, "skewed": skewed,
		"far": far.Bytes(), "near": near.Bytes(), "text": text.Bytes(),
	}
}

func TestInflateWhatFlateDeflates(t *testing.T) {
	for name, content := range contents() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 2, 6, 9} {
			packed := deflated(level, content)
			for _, room := range []int{outputSlack, 1000, 64 << 10} {
				got, err := inflated(bytes.NewReader(packed), room)
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s, level %d, room %d: %d bytes of %d, %v", name, level, room, len(got), len(content), err)
				}
			}
		}
	}
}

// The input may come in any parts. One byte at a time, every code is once at the end of what there is.
func TestInflatePartByPart(t *testing.T) {
	for name, content := range contents() {
		for _, level := range []int{flate.HuffmanOnly, 1, 9} {
			packed := deflated(level, content)
			for parts, r := range map[string]io.Reader{
				"bytes": iotest.OneByteReader(bytes.NewReader(packed)), "halves": iotest.HalfReader(bytes.NewReader(packed)),
				"with the end": iotest.DataErrReader(bytes.NewReader(packed)),
			} {
				if got, err := inflated(r, 64<<10); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s, level %d, %s: %d bytes of %d, %v", name, level, parts, len(got), len(content), err)
				}
			}
		}
	}
}

// Whatever is cut off is missed, and what was there before is yielded.
func TestInflateCutOff(t *testing.T) {
	for name, content := range contents() {
		content = content[:min(len(content), 3000)]
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
			packed := deflated(level, content)
			for n := range packed {
				got, err := inflated(bytes.NewReader(packed[:n]), 64<<10)
				var e *Error
				if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &e) || e.Offset > int64(n) || !bytes.HasPrefix(content, got) {
					t.Fatalf("%s, level %d, %d of %d bytes: %d bytes, %v", name, level, n, len(packed), len(got), err)
				}
			}
		}
	}
}

// bitString packs bits, written in the order in which they come; spaces are for the reader.
func bitString(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	out := make([]byte, (len(s)+7)/8)
	for i, c := range s {
		if c == '1' {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func TestInflateRefuses(t *testing.T) {
	for _, tc := range []struct{ name, bits, what string }{
		{"block type 3", "1 11", "block"},
		{"stored length without its complement", "1 00 00000 10000000 00000000 10000000 00000000", "block"},
		{"length 286 of the fixed code", "1 10 11000110", "code"},
		{"length 287 of the fixed code", "1 10 11000111", "code"},
		{"distance 30 of the fixed code", "1 10 00110000 0000001 11110", "code"},
		{"distance to before the beginning", "1 10 00110000 0000001 00001", "distance"},
		{"287 literals", "1 01 01111 00000 0000", "block"},
		{"31 distances", "1 01 00000 01111 0000", "block"},
		{"too many codes of code lengths", "1 01 00000 00000 0000 100 100 100 000", "block"},
		{"too few codes of code lengths", "1 01 00000 00000 0000 010 000 000 000", "block"},
		{"no code of code lengths", "1 01 00000 00000 0000 000 000 000 000 0000000", "block"},
		{"repetition of nothing", "1 01 00000 00000 0000 100 100 000 000 0 00", "block"},
		{"repetition beyond the end", "1 01 00000 00000 0000 000 000 100 100 1 1111111 1 1111111", "block"},
	} {
		packed := bitString(tc.bits + strings.Repeat("0", 256))
		got, err := inflated(bytes.NewReader(packed), 1000)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrFormat) || e.What != tc.what || e.Offset > 12 {
			t.Errorf("%s: %v", tc.name, err)
		}
		if want, err := flateSays(packed); err == nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q before; package flate: %q, %v", tc.name, got, want, err)
		}
	}
}

// Matches of all lengths and distances, near the edges of the room too, beside the obvious implementation.
func TestInflateMatches(t *testing.T) {
	d := &decoder{}
	d.hist = len(d.window)
	for i := range d.window {
		d.window[i] = byte(i * 7)
	}
	for _, distance := range []int{1, 2, 7, 8, 9, 16, 300, 5000, 32768} {
		for _, pos := range []int{0, 1, 100, 6000} {
			for _, length := range []int{3, 8, 17, 258} {
				all := make([]byte, len(d.window)+8192)
				copy(all, d.window[:])
				out := all[len(d.window):]
				for i := range pos {
					out[i] = byte(i)
				}
				got := bytes.Clone(out)
				at := len(d.window) + pos
				for i := range length {
					all[at+i] = all[at+i-distance]
				}
				d.recall(got, pos, distance, length)
				if !bytes.Equal(got, out) {
					t.Errorf("distance %d, length %d at %d", distance, length, pos)
				}
			}
		}
	}
}

// flateSays is what package flate makes of a stream. It is asked for a bounded part.
func flateSays(packed []byte) ([]byte, error) {
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), 8<<20))
}

// FuzzInflate compares with package flate: the same streams are taken, with the same content. Of streams that are
// refused, as much is yielded before, but for what the last bits of one that is cut off may mean.
func FuzzInflate(f *testing.F) {
	for _, content := range contents() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			f.Add(deflated(level, content[:min(len(content), 5000)]), uint16(1000))
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte, room uint16) {
		want, wantErr := flateSays(packed)
		if len(want) == 8<<20 {
			return
		}
		got, err := inflated(bytes.NewReader(packed), outputSlack+int(room))
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d bytes, %v; package flate: %d, %v", len(got), err, len(want), wantErr)
		}
		if errors.Is(err, ErrFormat) && !bytes.Equal(got, want) || !bytes.HasPrefix(want, got) && !bytes.HasPrefix(got, want) {
			t.Fatalf("%d bytes before %v; package flate: %d before %v", len(got), err, len(want), wantErr)
		}
	})
}

// FuzzInflateContent lets package flate deflate, so that streams are valid, and then breaks them at one place.
func FuzzInflateContent(f *testing.F) {
	for _, content := range contents() {
		f.Add(content[:min(len(content), 10_000)], 6, 0, byte(0))
	}
	f.Fuzz(func(t *testing.T, content []byte, level, at int, change byte) {
		level = max(level%(flate.BestCompression+1), flate.HuffmanOnly)
		packed := deflated(level, content)
		if got, err := inflated(bytes.NewReader(packed), 64<<10); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(content), err)
		}
		packed[uint(at)%uint(len(packed))] ^= change
		want, wantErr := flateSays(packed)
		got, err := inflated(bytes.NewReader(packed), 64<<10)
		if len(want) < 8<<20 && ((err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want)) {
			t.Fatalf("%d bytes, %v; package flate: %d, %v", len(got), err, len(want), wantErr)
		}
	})
}
