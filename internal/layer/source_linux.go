package layer

import "io"

// block is what tar files consist of.
const block = 512

// leastRead is the least room that a stream is read into.
const leastRead = 32 << 10

// source hands out a stream piece by piece, as it lies in the memory that it is read into: nothing is copied.
type source struct {
	r     io.Reader
	chunk func() ([]byte, error) // more memory; what it gave before is not written to any more
	got   []byte                 // read and not yet handed out
	room  []byte                 // behind it
	err   error                  // what comes after got
}

// next gives the next bytes, n at most and one at least, or the error that ends the stream.
func (s *source) next(n int64) ([]byte, error) {
	for len(s.got) == 0 {
		if s.err != nil {
			return nil, s.err
		}
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	p := s.got[:min(n, int64(len(s.got)))]
	s.got = s.got[len(p):]
	return p, nil
}

// fill reads once.
func (s *source) fill() error {
	if len(s.room) < leastRead {
		var err error
		if s.room, err = s.chunk(); err != nil {
			return err
		}
	}
	n, err := s.r.Read(s.room)
	s.got, s.room, s.err = s.room[:n], s.room[n:], err
	return nil
}

// full fills p. io.EOF means that there was nothing, io.ErrUnexpectedEOF that it was not enough.
func (s *source) full(p []byte) error {
	for done := 0; done < len(p); {
		b, err := s.next(int64(len(p) - done))
		if err == io.EOF && done > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		done += copy(p[done:], b)
	}
	return nil
}

// skip drops n bytes.
func (s *source) skip(n int64) error {
	for n > 0 {
		b, err := s.next(n)
		if err != nil {
			return unexpected(err)
		}
		n -= int64(len(b))
	}
	return nil
}

// drain drops the rest.
func (s *source) drain() error {
	for {
		if _, err := s.next(1 << 30); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// unexpected is the error for a stream that ends where it must not.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
