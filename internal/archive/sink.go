package archive

import (
	"archive/tar"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sink is where an image layout is written.
type sink interface {
	file(name string, content []byte) error
	// blob has write write a blob of that size.
	blob(h v1.Hash, size int64, write func(io.Writer) error) error
	close() error
}

// tarSink writes a tar file in which nothing depends on the machine or the time.
type tarSink struct {
	w    *tar.Writer
	dirs bool // those of the blobs are written
}

func newTarSink(w io.Writer) *tarSink { return &tarSink{w: tar.NewWriter(w)} }

func (t *tarSink) header(name string, typ byte, mode, size int64) error {
	return t.w.WriteHeader(&tar.Header{Typeflag: typ, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0)})
}

func (t *tarSink) file(name string, content []byte) error {
	if err := t.header(name, tar.TypeReg, 0o644, int64(len(content))); err != nil {
		return err
	}
	_, err := t.w.Write(content)
	return err
}

func (t *tarSink) blob(h v1.Hash, size int64, write func(io.Writer) error) error {
	if !t.dirs {
		t.dirs = true
		for _, dir := range []string{blobsDir, sha256Dir} {
			if err := t.header(dir, tar.TypeDir, 0o755, 0); err != nil {
				return err
			}
		}
	}
	if err := t.header(sha256Dir+h.Hex, tar.TypeReg, 0o644, size); err != nil {
		return err
	}
	if err := write(t.w); err != nil {
		return err
	}
	return t.w.Flush() // fails if less than size came
}

func (t *tarSink) close() error { return t.w.Close() }
