package caissontest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Bounds of what is kept: a container may write without end, and without newlines.
const (
	maxKept  = 1 << 20  // bytes of lines
	maxLine  = 16 << 10 // bytes
	lineCost = 16       // what a line takes beside its bytes
	tailSize = 20       // lines in a failure's message
)

// lines is output as lines: each is passed on when it is complete, and the last are kept.
type lines struct {
	mu        sync.Mutex
	emit      func(line string) // nil when the test is over, after which it must not be called
	kept      []string
	size      int    // what is kept takes
	forgotten int    // lines that were kept before
	part      []byte // of a line that has not ended
	watches   []*watch
}

// watch waits for a line.
type watch struct {
	text  string
	found chan string // the line; there is room for it
}

func newLines(emit func(string)) *lines { return &lines{emit: emit} }

// Write takes output in pieces of any size.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		piece, _, _ := bytes.Cut(rest, []byte("\n"))
		piece = piece[:min(len(piece), maxLine-len(l.part))]
		l.part = append(l.part, piece...)
		rest = rest[len(piece):]
		switch {
		case len(rest) > 0 && rest[0] == '\n':
			rest = rest[1:]
			l.flush()
		case len(l.part) == maxLine:
			l.flush()
		}
	}
	if len(l.part) > 0 {
		l.show(string(l.part)) // a prompt, for instance
	}
	return len(p), nil
}

// flush ends the line. A terminal writes a carriage return before the newline.
func (l *lines) flush() {
	line := strings.TrimSuffix(string(l.part), "\r")
	l.part = l.part[:0]
	l.kept, l.size = append(l.kept, line), l.size+len(line)+lineCost
	for l.size > maxKept {
		l.size -= len(l.kept[0]) + lineCost
		l.kept = l.kept[1:]
		l.forgotten++
	}
	l.show(line)
	if l.emit != nil {
		l.emit(line)
	}
}

// end passes the last, unfinished line on, and nothing from then on.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.flush()
	}
	l.emit = nil
}

// show tells those who watch for a line.
func (l *lines) show(line string) {
	l.watches = slices.DeleteFunc(l.watches, func(w *watch) bool {
		if !strings.Contains(line, w.text) {
			return false
		}
		w.found <- line
		return true
	})
}

// watch returns a channel for the first line that contains text, a prompt without a newline included. Of what
// was written before, what is kept is searched; nothing that is written from then on is missed.
func (l *lines) watch(text string) (found <-chan string, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &watch{text, make(chan string, 1)}
	l.watches = append(l.watches, w)
	for _, line := range l.all() {
		if strings.Contains(line, text) {
			w.found <- line
			l.watches = l.watches[:len(l.watches)-1]
			break
		}
	}
	return w.found, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watches = slices.DeleteFunc(l.watches, func(other *watch) bool { return other == w })
	}
}

func (l *lines) all() []string {
	if len(l.part) == 0 {
		return l.kept
	}
	return append(l.kept[:len(l.kept):len(l.kept)], string(l.part))
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all(), "\n")
}

// tail is the end of a failure's message: the last lines.
func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := l.all()
	if len(last) == 0 {
		return "; it wrote nothing"
	}
	s := "; the last that it wrote:\n\t" + strings.Join(last[max(0, len(last)-tailSize):], "\n\t")
	if l.forgotten > 0 {
		s += fmt.Sprintf("\n\t(its first %d lines are not kept)", l.forgotten)
	}
	return s
}
