package archive

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"testing"
)

// zerosInBzip2 are 45 MB of zeros, compressed by bzip2(1).
const zerosInBzip2 = "QlpoOTFBWSZTWckBtsgBWKtAIMAAEAAACCAAMMwFKaZSSFJsVJIUni7kinChIZIDbZA="

// A stream in bzip2 is bounded as one in gzip is.
func TestUnpackBzip2Bomb(t *testing.T) {
	one, err := base64.StdEncoding.DecodeString(zerosInBzip2)
	if err != nil {
		t.Fatal(err)
	}
	read := func(streams int) (int64, error) {
		r, p, err := unpackAny(bytes.NewReader(bytes.Repeat(one, streams)))
		if err != nil || p != bzipped {
			t.Fatalf("packing %v, %v", p, err)
		}
		n, err := io.Copy(io.Discard, r)
		return n, errors.Join(err, r.Close())
	}
	if n, err := read(2); n != 2*45_000_000 || err != nil {
		t.Errorf("two streams: %d bytes, %v", n, err)
	}
	if n, err := read(10); n > 300<<20 || !errors.Is(err, ErrTooLarge) {
		t.Errorf("a bomb: %d bytes, %v", n, err)
	}
}
