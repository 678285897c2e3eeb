package caissontest

import (
	"bytes"
	"strings"
	"sync"
)

// Bounds of what is kept: a container may write without end, and without newlines.
const (
	maxLines = 200
	maxLine  = 16 << 10
	tailSize = 20 // lines in a failure's message
)

// lines is output as lines: each is passed on when it is complete, and the last are kept.
type lines struct {
	mu   sync.Mutex
	emit func(line string) // nil when the test is over, after which it must not be called
	kept []string
	part []byte        // of a line that has not ended
	more chan struct{} // closed at the next write
}

func newLines(emit func(string)) *lines {
	return &lines{emit: emit, more: make(chan struct{})}
}

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
	close(l.more)
	l.more = make(chan struct{})
	return len(p), nil
}

// flush ends the line. A terminal writes a carriage return before the newline.
func (l *lines) flush() {
	line := strings.TrimSuffix(string(l.part), "\r")
	l.part = l.part[:0]
	if len(l.kept) == maxLines {
		l.kept = append(l.kept[:0], l.kept[1:]...)
	}
	l.kept = append(l.kept, line)
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

// find returns the first line that contains text, a prompt without a newline included. Until there is one, more
// is closed when there may be.
func (l *lines) find(text string) (line string, ok bool, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all() {
		if strings.Contains(line, text) {
			return line, true, nil
		}
	}
	return "", false, l.more
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
	return "; the last that it wrote:\n\t" + strings.Join(last[max(0, len(last)-tailSize):], "\n\t")
}
