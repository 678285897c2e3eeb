package proxy_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Two lanes take turns, words keep descriptors between them, and data is written from where it lies.
func TestLanes(t *testing.T) {
	dir := t.TempDir()
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) { tp.Chdir(dir) }, Lanes: 2, Lane: 64 << 10, Data: 64 << 10})
	data := p.Data()
	lanes := [2]*proxy.Lane{p.Lane(0), p.Lane(1)}
	must(t, p.Do(func(tp *tape.Tape) {
		tp.Openat(tape.Cwd, "f", sys.O_CREAT|sys.O_WRONLY|sys.O_CLOEXEC, 0o600).To(proxy.Word(7))
	}))
	var want []byte
	for i := range 40 {
		l, other := lanes[i%2], lanes[(i+1)%2]
		part := data[i%2*1024:][:1024]
		copy(part, bytes.Repeat([]byte{byte('a' + i)}, len(part)))
		want = append(want, part...)
		l.Reset()
		l.Tape.WriteMem(proxy.Word(7), p.DataAddr(i%2*1024), len(part))
		if i > 0 {
			if op, errno, err := other.Wait(); op >= 0 || err != nil {
				t.Fatal(op, errno, err)
			}
		}
		must(t, l.Start())
	}
	if op, errno, err := lanes[1].Wait(); op >= 0 || err != nil {
		t.Fatal(op, errno, err)
	}
	if got, err := os.ReadFile(dir + "/f"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if p.Value(7) <= 0 {
		t.Error("the word does not hold the descriptor")
	}
}

// A lane stops at what fails, and goes on where it is told to, other operations in between.
func TestLaneResumes(t *testing.T) {
	dir := t.TempDir()
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) { tp.Chdir(dir) }, Lanes: 1, Lane: 64 << 10})
	l := p.Lane(0)
	for i := range 10 {
		l.Tape.Mkdirat(tape.Cwd, fmt.Sprintf("d%d/sub", i), 0o700)
	}
	must(t, l.Start())
	for i := range 10 {
		op, errno, err := l.Wait()
		if op != i || errno != syscall.ENOENT || err != nil {
			t.Fatal(op, errno, err)
		}
		next := op
		if i%2 == 0 {
			must(t, p.Do(func(tp *tape.Tape) { tp.Mkdirat(tape.Cwd, fmt.Sprintf("d%d", i), 0o700) }))
			must(t, l.Resume(op)) // works now, and the next fails
			continue
		}
		must(t, l.Resume(next+1))
	}
	if op, errno, err := l.Wait(); op >= 0 || err != nil {
		t.Fatal(op, errno, err)
	}
	for i := range 10 {
		if _, err := os.Stat(fmt.Sprintf("%s/d%d/sub", dir, i)); (err == nil) != (i%2 == 0) {
			t.Error(i, err)
		}
	}
	for l.Room() > 0 {
		l.Tape.Chdir(dir)
	}
	for range 100 {
		l.Tape.Chdir(dir)
	}
	if err := l.Start(); !errors.Is(err, tape.ErrArenaFull) {
		t.Error(err)
	}
	p.Close()
	if _, _, err := l.Wait(); !errors.Is(err, proxy.ErrClosed) {
		t.Error(err)
	}
}
