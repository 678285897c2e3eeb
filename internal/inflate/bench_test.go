package inflate

import (
	"bytes"
	stdgzip "compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func BenchmarkFiles(b *testing.B) {
	files, _ := filepath.Glob(os.Getenv("INFLATE_FILES"))
	for _, f := range files {
		blob, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, decode func(r io.Reader) (int64, error)) {
			b.Run(filepath.Base(f)+"/"+name, func(b *testing.B) {
				for b.Loop() {
					n, err := decode(bytes.NewReader(blob))
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(n)
				}
			})
		}
		run("own", func(r io.Reader) (int64, error) {
			z := NewReader(r)
			n := int64(0)
			p := make([]byte, 256<<10)
			for {
				k, err := z.Read(p)
				n += int64(k)
				if err == io.EOF {
					return n, nil
				}
				if err != nil {
					return n, err
				}
			}
		})
		if os.Getenv("INFLATE_OWN") != "" {
			continue
		}
		run("klauspost", func(r io.Reader) (int64, error) {
			z, err := gzip.NewReader(r)
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, z)
		})
		run("std", func(r io.Reader) (int64, error) {
			z, err := stdgzip.NewReader(r)
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, z)
		})
	}
}
