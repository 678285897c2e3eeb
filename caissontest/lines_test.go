package caissontest

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []string
		want   []string
	}{
		{"whole", []string{"a\nb\n"}, []string{"a", "b"}},
		{"in pieces", []string{"a", "b\nc", "", "d\n"}, []string{"ab", "cd"}},
		{"empty lines", []string{"\n", "\n\nx\n"}, []string{"", "", "", "x"}},
		{"a terminal's", []string{"a\r\nb\r", "\n"}, []string{"a", "b"}},
		{"unfinished", []string{"a\nb"}, []string{"a", "b"}},
		{"as long as may be", []string{strings.Repeat("x", maxLine), "\n", "y\n"}, []string{strings.Repeat("x", maxLine), "", "y"}},
		{"longer", []string{strings.Repeat("x", maxLine) + "yy\n"}, []string{strings.Repeat("x", maxLine), "yy"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			l := newLines(func(line string) { got = append(got, line) })
			for _, w := range c.writes {
				if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatal(n, err)
				}
			}
			l.end()
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("%q, want %q", got, c.want)
			}
			if _, err := l.Write([]byte("late\n")); err != nil || len(got) != len(c.want) {
				t.Errorf("emitted after the end: %q", got)
			}
		})
	}
}

func TestLinesAreBounded(t *testing.T) {
	emitted := 0
	l := newLines(func(string) { emitted++ })
	flood := []byte(strings.Repeat("x\n", 1000) + strings.Repeat("y", 3*maxLine))
	for range 100 {
		_, _ = l.Write(flood)
	}
	if l.size > maxKept || l.size < maxKept/2 || len(l.part) > maxLine || emitted < 100_000 {
		t.Error(l.size, len(l.part), emitted)
	}
	if kept := len(l.kept) + l.forgotten; kept != emitted {
		t.Error(len(l.kept), l.forgotten, emitted)
	}
}

func TestWatch(t *testing.T) {
	l := newLines(func(string) {})
	found, leave := l.watch("ready")
	defer leave()
	gone, leaveGone := l.watch("ready")
	leaveGone()
	_, _ = l.Write([]byte("almost\nit is ready> "))
	if line := <-found; line != "it is ready> " {
		t.Errorf("%q", line)
	}
	if len(gone) > 0 || len(l.watches) > 0 {
		t.Error("somebody is told who does not want to know any more")
	}
	if l.text() != "almost\nit is ready> " {
		t.Errorf("%q", l.text())
	}
	found, leave = l.watch("almost")
	defer leave()
	if line := <-found; line != "almost" {
		t.Errorf("%q", line)
	}
}

// A line is seen, however much is written in the same moment, and for long afterwards.
func TestWatchInAFlood(t *testing.T) {
	l := newLines(func(string) {})
	found, leave := l.watch("ready")
	defer leave()
	_, _ = l.Write([]byte("ready\n" + strings.Repeat("noise\n", 3*maxKept/lineCost)))
	if line := <-found; line != "ready" {
		t.Errorf("%q", line)
	}
	_, _ = l.Write([]byte("ready again\n" + strings.Repeat("noise\n", 5000)))
	again, leave := l.watch("ready")
	defer leave()
	if line := <-again; line != "ready again" {
		t.Errorf("%q", line)
	}
	if !strings.Contains(l.tail(), "lines are not kept") {
		t.Error(l.tail())
	}
}

func TestHostRefuses(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&caisson.Error{Op: "clone", Err: errors.ErrUnsupported}, true},
		{&caisson.Error{Op: "unshare", Err: syscall.EPERM}, true},
		{&caisson.Error{Op: "unshare", Err: syscall.ENOSPC}, true},
		{&caisson.Error{Op: "limit", Err: syscall.EROFS}, true},
		{&caisson.Error{Op: "mkdir", Err: fs.ErrPermission}, true},
		{&caisson.Error{Op: "pipe", Err: syscall.EMFILE}, false},
		{&caisson.Error{Op: "clone", Err: syscall.ENOMEM}, false},
	} {
		if got := hostRefuses(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
