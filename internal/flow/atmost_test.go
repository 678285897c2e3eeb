package flow

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

func TestAtMostIsAReader(t *testing.T) {
	want := random(1000)
	if err := iotest.TestReader(AtMost(bytes.NewReader(want), 1000, errors.New("too long")), want); err != nil {
		t.Error(err)
	}
}

func TestAtMostEndsWhatIsTooLong(t *testing.T) {
	over := errors.New("too long")
	for _, chunk := range []int{1, 7, 4096} {
		src := &counting{r: zeros{}}
		r := AtMost(src, 100, over)
		buf := make([]byte, chunk)
		for err := error(nil); !errors.Is(err, over); {
			var n int
			if n, err = r.Read(buf); err != nil && n > 0 || err == nil && n == 0 {
				t.Fatalf("in chunks of %d: %d, %v", chunk, n, err)
			}
		}
		if src.n != 101 {
			t.Errorf("in chunks of %d: %d bytes of the source were read", chunk, src.n)
		}
		if _, err := io.ReadFull(r, buf[:1]); !errors.Is(err, over) {
			t.Errorf("in chunks of %d: again: %v", chunk, err)
		}
	}
}
