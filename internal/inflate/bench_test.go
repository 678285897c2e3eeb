package inflate

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"

	"github.com/caisson-go/caisson/internal/testneed"
)

// BenchmarkGzip decodes this program, the sources it was made from and both in turns, compressed as layers usually are,
// with this package and the others. Only ratios say something; they are those of the figures of one run.
func BenchmarkGzip(b *testing.B) {
	program, text := executable(b), sources(b)
	var mixed []byte
	for i := 0; i < len(program); i += 100_000 {
		j := i % len(text)
		mixed = append(mixed, program[i:min(i+100_000, len(program))]...)
		mixed = append(mixed, text[j:min(j+50_000, len(text))]...)
	}
	for _, data := range []struct {
		name    string
		content []byte
	}{{"program", program}, {"text", text}, {"mixed", mixed}} {
		blob := packed(gzip.Header{}, data.content)
		for _, by := range []struct {
			name string
			open func(io.Reader) (io.Reader, error)
		}{
			{"own", func(r io.Reader) (io.Reader, error) { return NewReader(r), nil }},
			{"klauspost", func(r io.Reader) (io.Reader, error) { return kgzip.NewReader(r) }},
			{"standard", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		} {
			b.Run(data.name+"/"+by.name, func(b *testing.B) {
				b.SetBytes(int64(len(data.content)))
				room := make([]byte, 256<<10)
				for b.Loop() {
					r, err := by.open(bytes.NewReader(blob))
					for err == nil {
						_, err = r.Read(room)
					}
					if err != io.EOF {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func executable(b *testing.B) []byte {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return content
}

func sources(b *testing.B) []byte {
	testneed.Sources(b)
	var all []byte
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		content, err := fs.ReadFile(root, path)
		all = append(all, content...)
		return err
	})
	if err != nil || len(all) == 0 {
		b.Fatalf("%d bytes of sources, %v", len(all), err)
	}
	return all
}
