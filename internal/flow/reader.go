package flow

import (
	"context"
	"io"
	"io/fs"
	"sync"
)

// Reader yields a source that a goroutine reads ahead. One goroutine at a time may read it, and any may close it.
type Reader struct {
	ring   *ring
	in     chan *chunk
	quit   chan struct{}
	once   sync.Once
	mu     sync.Mutex // held by whoever uses the following
	cur    *chunk
	rest   []byte // of cur
	closed bool
}

// Ahead reads r in a goroutine, up to Memory bytes ahead of the reader. What r yields comes in order, then its error.
//
// The goroutine ends when r does, when ctx does, or when the reader is closed, whether anybody reads or not. A Read of
// r that lasts beyond that has to be ended by the caller, by closing what r reads from.
func Ahead(ctx context.Context, r io.Reader) *Reader { return Split(ctx, r, 1)[0] }

// Split is Ahead with n readers, of which each yields all of r. The slowest sets the pace of the others, so they must be
// read by different goroutines, and each must be read to its end or closed. The goroutine ends early when all are closed.
func Split(ctx context.Context, r io.Reader, n int) []*Reader {
	g := &ring{src: r, free: make(chan *chunk, chunks), ended: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(ctx)
	out := make([]*Reader, n)
	for i := range out {
		out[i] = &Reader{ring: g, in: make(chan *chunk, chunks), quit: make(chan struct{})}
	}
	g.readers = append(g.readers, out...)
	go g.run()
	return out
}

// Read yields what comes next. Errors: that of the source after all of its data, ctx.Err(), fs.ErrClosed.
func (r *Reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.advance(n)
	return n, nil
}

// WriteTo writes everything to w, without a copy. The error is that of w, or as with Read.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for total := int64(0); ; {
		if len(r.rest) == 0 {
			if err := r.next(); err == io.EOF {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(r.rest)
		total += int64(n)
		if err == nil && n < len(r.rest) {
			err = io.ErrShortWrite
		}
		r.advance(n)
		if err != nil {
			return total, err
		}
	}
}

// advance lets go of the chunk as soon as it is used up: the source is waiting for it.
func (r *Reader) advance(n int) {
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.ring.release(r.cur)
		r.cur = nil
	}
}

// next waits for a chunk. What is there comes before any error, so that all readers see the same of a source that ended.
func (r *Reader) next() error {
	if r.closed {
		return fs.ErrClosed
	}
	if r.queued() {
		return nil
	}
	select {
	case c := <-r.in:
		r.use(c)
		return nil
	case <-r.quit:
		return fs.ErrClosed
	case <-r.ring.ctx.Done():
		// That the source has ended counts for more.
		select {
		case <-r.ring.ended:
		default:
			return r.ring.ctx.Err()
		}
	case <-r.ring.ended:
	}
	if r.queued() {
		return nil
	}
	return r.ring.err
}

func (r *Reader) queued() bool {
	select {
	case c := <-r.in:
		r.use(c)
		return true
	default:
		return false
	}
}

func (r *Reader) use(c *chunk) { r.cur, r.rest = c, c.buf[:c.n] }

// Close ends the reading. A Read that waits in another goroutine returns fs.ErrClosed. When all readers of the source
// are closed, the last waits for the goroutine, which may be waiting for the source. It returns nil.
func (r *Reader) Close() error {
	r.once.Do(func() { close(r.quit) })
	last := r.ring.leave(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.cur != nil {
		r.advance(len(r.rest))
	}
	for r.queued() {
		r.advance(len(r.rest))
	}
	if last {
		<-r.ring.ended
	}
	return nil
}
