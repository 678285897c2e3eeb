package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

func TestCollectReturnsTheFilesThatWereSent(t *testing.T) {
	dir := t.TempDir()
	p := start(t, proxy.Options{})
	const files = 300 // more than a socket holds
	for i := range files {
		if i%3 != 0 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Append(nil, "content ", i), 0o600))
		}
	}
	for range 2 {
		var rights [files]tape.Rights
		var at [files]int64
		got, err := p.Collect(func(tp *tape.Tape, send func(tape.Rights)) {
			for i := range files {
				next := tp.Label("next")
				rights[i] = tp.Rights()
				tp.Openat(tape.Cwd, filepath.Join(dir, fmt.Sprint(i)), sys.O_RDONLY|sys.O_CLOEXEC, 0).To(rights[i].FD()).Else(next)
				send(rights[i])
				tp.Close(rights[i].FD())
				tp.Mark(next)
			}
		}, func(r *proxy.Results) {
			for i := range files {
				at[i] = r.Result(rights[i].FD())
			}
		})
		must(t, err)
		for i := range files {
			if i%3 == 0 {
				if at[i] != -int64(syscall.ENOENT) {
					t.Errorf("%d: %d", i, at[i])
				}
				continue
			}
			b, err := io.ReadAll(got[0])
			if err != nil || string(b) != fmt.Sprint("content ", i) {
				t.Errorf("%d: %q, %v", i, b, err)
			}
			_ = got[0].Close()
			got = got[1:]
		}
		if len(got) != 0 {
			t.Errorf("%d files too many", len(got))
		}
	}
}

func TestCollectOfNothing(t *testing.T) {
	p := start(t, proxy.Options{})
	files, err := p.Collect(func(*tape.Tape, func(tape.Rights)) {}, nil)
	if files != nil || err != nil {
		t.Errorf("%v, %v", files, err)
	}
	must(t, p.Do(func(*tape.Tape) {}))
}

// A failure ends it, and the proxy is as good as before.
func TestCollectAfterAFailure(t *testing.T) {
	p := start(t, proxy.Options{})
	files, err := p.Collect(func(tp *tape.Tape, send func(tape.Rights)) {
		r := tp.Rights()
		tp.Openat(tape.Cwd, "/", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(r.FD())
		send(r)
		tp.Close(r.FD())
		tp.Chdir("/proc/nowhere")
	}, nil)
	var e *proxy.OpError
	if files != nil || !errors.As(err, &e) || e.Errno != syscall.ENOENT {
		t.Errorf("%v, %v", files, err)
	}
	must(t, p.Do(func(*tape.Tape) {}))
}

// Files that this program has no room for are missed, not taken for the end.
func TestCollectMoreThanFits(t *testing.T) {
	p := start(t, proxy.Options{})
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	full := before
	probe, err := os.Open("/")
	must(t, err)
	full.Cur = uint64(probe.Fd()) + 10
	_ = probe.Close()
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &full))
	files, err := p.Collect(func(tp *tape.Tape, send func(tape.Rights)) {
		for range 50 {
			r := tp.Rights()
			tp.Openat(tape.Cwd, "/", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(r.FD())
			send(r)
			tp.Close(r.FD())
		}
	}, nil)
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
	if files != nil || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%d files, %v", len(files), err)
	}
	must(t, p.Do(func(*tape.Tape) {}))
}
