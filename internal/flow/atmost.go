package flow

import "io"

// AtMost yields r as long as that has no more than n bytes, and beyond them fails with over. Of what is beyond one byte is
// read, to tell it from a source of exactly n bytes.
func AtMost(r io.Reader, n int64, over error) io.Reader { return &atMost{r, n, over} }

type atMost struct {
	r    io.Reader
	left int64
	over error
}

func (a *atMost) Read(p []byte) (int, error) {
	if int64(len(p)) > a.left+1 {
		p = p[:a.left+1]
	}
	n, err := a.r.Read(p)
	if a.left -= int64(n); a.left < 0 {
		a.left = 0
		return 0, a.over
	}
	return n, err
}
