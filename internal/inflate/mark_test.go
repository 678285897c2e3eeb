package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// texture is content with matches near and far, literals and stretches that can not be compressed.
func texture(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		switch k := r.IntN(3000) + 10; {
		case r.IntN(3) == 0:
			for range k {
				b = append(b, byte(r.Uint32()))
			}
		case len(b) > 40000:
			at := len(b) - 1 - r.IntN(32000)
			b = append(b, b[at:min(at+k, len(b))]...)
		default:
			b = append(b, bytes.Repeat([]byte{byte(k)}, k)...)
		}
	}
	return b[:n]
}

func TestMarks(t *testing.T) {
	content := texture(3 << 20)
	for level := gzip.HuffmanOnly; level <= gzip.BestCompression; level++ {
		var packed bytes.Buffer
		for _, part := range [][]byte{content[:1<<20], content[1<<20 : 1<<20], content[1<<20:]} { // three members
			w, err := gzip.NewWriterLevel(&packed, level)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
			w.Close()
		}
		var marks []Mark
		z := NewReader(bytes.NewReader(packed.Bytes()))
		z.OnMark(100_000, func(m Mark) int64 { marks = append(marks, m); return 100_000 })
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("level %d: %d bytes, %v", level, len(got), err)
		}
		if len(marks) < 10 {
			t.Errorf("level %d: %d marks", level, len(marks))
		}
		for i, m := range marks {
			if i > 0 && m.Out-marks[i-1].Out < 100_000 {
				t.Errorf("level %d: marks at %d and %d", level, marks[i-1].Out, m.Out)
			}
			got, err := io.ReadAll(Resume(bytes.NewReader(packed.Bytes()[m.In:]), m))
			if err != nil || !bytes.Equal(got, content[m.Out:]) {
				t.Errorf("level %d: from %d (%d bits): %d bytes, %v", level, m.Out, m.skip, len(got), err)
			}
		}
		m := marks[len(marks)/2]
		if _, err := io.ReadAll(Resume(bytes.NewReader(nil), m)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("level %d: from nothing: %v", level, err)
		}
		wrong := m
		wrong.window = bytes.Repeat([]byte{'x'}, len(m.window))
		if got, err := io.ReadAll(Resume(bytes.NewReader(packed.Bytes()[m.In:]), wrong)); err == nil && !bytes.Equal(got, content[m.Out:]) {
			t.Errorf("level %d: wrong content without an error", level)
		}
	}
}
