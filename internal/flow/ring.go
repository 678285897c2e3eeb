package flow

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

const (
	// chunkSize is large enough that what a chunk costs, a few microseconds to wake somebody, is lost in what its
	// content costs, and small enough that all chunks stay in a processor's cache.
	chunkSize = 256 << 10
	chunks    = 4

	// Memory is the most a source that is read ahead holds, in bytes. Short sources hold less.
	Memory = chunks * chunkSize

	// maxEmpty is how often a source may yield neither data nor an error, as in package bufio.
	maxEmpty = 100
)

// chunk is a part of the stream. It is free again when as many readers as it was given to have let go of it.
type chunk struct {
	buf  []byte
	n    int
	refs atomic.Int32
}

// ring is a source with the chunks that carry its content to the readers.
type ring struct {
	ctx    context.Context
	cancel context.CancelFunc
	src    io.Reader
	made   int         // chunks, which are made when they are first needed
	free   chan *chunk // never blocks the one that gives back
	ended  chan struct{}
	err    error // io.EOF or the source's, to be read when ended is closed

	mu      sync.Mutex
	readers []*Reader // that are open
}

// run reads the source until its end or until nobody wants more.
func (g *ring) run() {
	defer g.cancel()
	defer close(g.ended)
	for g.err == nil {
		c, err := g.take()
		if err != nil {
			g.err = err
			return
		}
		g.err = g.fill(c)
		if c.n > 0 {
			g.give(c)
		}
	}
}

// take waits for a free chunk.
func (g *ring) take() (*chunk, error) {
	if err := g.ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case c := <-g.free:
		return c, nil
	default:
	}
	if g.made < chunks {
		g.made++
		return &chunk{buf: make([]byte, chunkSize)}, nil
	}
	select {
	case c := <-g.free:
		return c, nil
	case <-g.ctx.Done():
		return nil, g.ctx.Err()
	}
}

// fill reads until the chunk is nearly full: a source that decodes into it may need more than the last bytes. If the
// readers have nothing left, they get what there is.
func (g *ring) fill(c *chunk) error {
	c.n = 0
	for empty := 0; c.n < chunkSize-chunkSize/8; {
		n, err := g.src.Read(c.buf[c.n:])
		c.n += n
		if err != nil {
			return err
		}
		if err := g.ctx.Err(); err != nil {
			return err
		}
		if empty++; n > 0 {
			if empty = 0; g.idle() {
				return nil
			}
		}
		if empty == maxEmpty {
			return io.ErrNoProgress
		}
	}
	return nil
}

// idle reports that no reader has anything to do.
func (g *ring) idle() bool { return len(g.free) == g.made-1 }

// give hands a chunk to all readers. No channel is full: it has room for all chunks that there are.
func (g *ring) give(c *chunk) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.refs.Store(int32(len(g.readers)))
	for _, r := range g.readers {
		r.in <- c
	}
}

// release lets go of a chunk for one reader.
func (g *ring) release(c *chunk) {
	if c.refs.Add(-1) == 0 {
		g.free <- c
	}
}

// leave removes a reader, so that it is given no more. The last one ends the reading of the source.
func (g *ring) leave(r *Reader) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.readers {
		if other == r {
			g.readers = append(g.readers[:i:i], g.readers[i+1:]...)
			break
		}
	}
	if len(g.readers) == 0 {
		g.cancel()
	}
	return len(g.readers) == 0
}
