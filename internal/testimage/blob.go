package testimage

import (
	"bytes"
	stdgzip "compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	kzstd "github.com/klauspost/compress/zstd"
)

// blobs is the directory of an OCI image layout in which a blob is called by its digest.
type blobs struct{ dir string }

// put writes a blob.
func (b blobs) put(r io.Reader) (v1.Descriptor, error) {
	return b.write(func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

func (b blobs) putBytes(p []byte) (v1.Descriptor, error) { return b.put(bytes.NewReader(p)) }

// compressed writes a blob of a file, compressed as the usual builders do.
func (b blobs) compressed(file, compression string) (v1.Descriptor, error) {
	in, err := os.Open(file)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer func() { _ = in.Close() }()
	return b.write(func(w io.Writer) error {
		c, err := compressor(w, compression)
		if err != nil {
			return err
		}
		_, err = io.Copy(c, in)
		return errors.Join(err, c.Close())
	})
}

type open struct{ io.Writer }

func (open) Close() error { return nil }

func compressor(w io.Writer, compression string) (io.WriteCloser, error) {
	switch compression {
	case gzip:
		return stdgzip.NewWriter(w), nil
	case zstd:
		return kzstd.NewWriter(w, kzstd.WithEncoderConcurrency(1))
	}
	return open{w}, nil
}

func (b blobs) write(content func(io.Writer) error) (d v1.Descriptor, err error) {
	f, err := os.CreateTemp(b.dir, "new-")
	if err != nil {
		return d, err
	}
	sum := sha256.New()
	err = errors.Join(content(io.MultiWriter(f, sum)), f.Chmod(0o644))
	d.Size, _ = f.Seek(0, io.SeekEnd)
	if err = errors.Join(err, f.Close()); err != nil {
		return d, errors.Join(err, os.Remove(f.Name()))
	}
	d.Digest = v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
	return d, os.Rename(f.Name(), filepath.Join(b.dir, d.Digest.Hex))
}

// digest is that of a file.
func digest(file string) (v1.Hash, error) {
	f, err := os.Open(file)
	if err != nil {
		return v1.Hash{}, err
	}
	defer func() { _ = f.Close() }()
	h, _, err := v1.SHA256(f)
	return h, err
}
