package changes

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
)

// Gzip calls fill with a writer that compresses to w, by all processors. The result is one member in gzip format (RFC
// 1952) without name or time, and always the same for the same input and version of this package: it is cut into blocks
// of a fixed size, each of which is compressed by itself, with the end of the block before as a dictionary.
//
// About 3 MiB of memory is used for each processor, of which 4 are used at most. When Gzip returns no goroutine is left.
//
// Errors: that of fill, otherwise that of w.
func Gzip(w io.Writer, fill func(w io.Writer) error) error {
	g := newGzipper(w, min(runtime.GOMAXPROCS(0), maxWorkers))
	err := fill(g)
	if err == nil {
		err = g.cut(true)
	}
	close(g.work)
	close(g.order)
	g.workers.Wait()
	<-g.written
	if err == nil {
		err = g.failed()
	}
	if err == nil {
		_, err = w.Write(g.trailer())
	}
	return err
}

const (
	maxWorkers = 4
	blockSize  = 1 << 20
	dictSize   = 32 << 10 // the window of deflate, RFC 1951

	// level makes files of programs and their data 5 % larger than gzip -6 does, in two thirds of its processor time.
	level = 5
)

// gzipHeader has no time, no name, and no system (RFC 1952, 2.3).
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

type gzipper struct {
	in   *block
	sum  uint32
	size uint32 // modulo 2^32, as the format has it

	free    chan *block // which bounds the memory
	work    chan *block
	order   chan *block // the same ones, to be written one after another
	workers sync.WaitGroup
	written chan struct{}

	mu  sync.Mutex
	err error // of the writer
}

// block is one piece of the input and what it is compressed to.
type block struct {
	dict, in []byte
	out      bytes.Buffer
	last     bool
	done     chan struct{}
	err      error
}

func newGzipper(w io.Writer, workers int) *gzipper {
	blocks := 2*workers + 1
	g := &gzipper{
		free: make(chan *block, blocks), work: make(chan *block, blocks), order: make(chan *block, blocks),
		written: make(chan struct{}),
	}
	for range blocks {
		g.free <- &block{in: make([]byte, 0, blockSize), done: make(chan struct{}, 1)}
	}
	g.in = <-g.free
	for range workers {
		g.workers.Go(g.compress)
	}
	go g.write(w)
	return g
}

// Write takes in p.
func (g *gzipper) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), blockSize-len(g.in.in))
		g.in.in = append(g.in.in, p[:n]...)
		p = p[n:]
		if len(g.in.in) == blockSize {
			if err := g.cut(false); err != nil {
				return total - len(p), err
			}
		}
	}
	return total, nil
}

// cut gives the block away.
func (g *gzipper) cut(last bool) error {
	if err := g.failed(); err != nil {
		return err
	}
	b := g.in
	b.last = last
	g.sum = crc32.Update(g.sum, crc32.IEEETable, b.in)
	g.size += uint32(len(b.in))
	var next *block
	if !last {
		next = <-g.free
		next.dict = append(next.dict[:0], b.in[len(b.in)-dictSize:]...)
		next.in = next.in[:0]
	}
	g.work <- b
	g.order <- b
	g.in = next
	return nil
}

// compress is one worker.
func (g *gzipper) compress() {
	var fw *flate.Writer
	for b := range g.work {
		b.out.Reset()
		if fw == nil {
			fw, b.err = flate.NewWriterDict(&b.out, level, b.dict)
		} else {
			fw.ResetDict(&b.out, b.dict)
		}
		if b.err == nil {
			_, b.err = fw.Write(b.in)
		}
		switch {
		case b.err != nil:
		case b.last:
			b.err = fw.Close()
		default:
			b.err = fw.Flush() // up to a byte boundary
		}
		b.done <- struct{}{}
	}
}

// write writes the blocks in order, and goes on taking them when it can write no more.
func (g *gzipper) write(w io.Writer) {
	defer close(g.written)
	_, err := io.WriteString(w, gzipHeader)
	for b := range g.order {
		<-b.done
		if err == nil {
			err = b.err
		}
		if err == nil {
			_, err = w.Write(b.out.Bytes())
		}
		if err != nil {
			g.mu.Lock()
			g.err = err
			g.mu.Unlock()
		}
		g.free <- b
	}
}

func (g *gzipper) failed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// trailer is the check sum and the size.
func (g *gzipper) trailer() []byte {
	b := binary.LittleEndian.AppendUint32(nil, g.sum)
	return binary.LittleEndian.AppendUint32(b, g.size)
}
