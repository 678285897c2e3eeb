package cgroup

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// awaitEvent waits until a line of cgroup.events says what is wanted. The kernel wakes who polls the file
// when it changes, at most every 10 ms; cgroup-v2.rst, cgroup.events. No thread blocks meanwhile.
func awaitEvent(ctx context.Context, dir, key, want string) error {
	f, err := os.Open(filepath.Join(dir, "cgroup.events"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = c.Read(func(uintptr) bool { // again after each change
		var words []string
		words, failed = fields(f)
		i := slices.Index(words, key)
		return failed != nil || i >= 0 && i+1 < len(words) && words[i+1] == want
	})
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	return errors.Join(failed, err)
}

// fields are the words of an open file, from its beginning.
func fields(f *os.File) ([]string, error) {
	var buf [256]byte
	n, err := f.ReadAt(buf[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return strings.Fields(string(buf[:n])), nil
}

// backoff waits for what the kernel does not announce: not at all at first, then longer each time.
type backoff time.Duration

const (
	firstPause   = 100 * time.Microsecond
	longestPause = 50 * time.Millisecond
)

// wait returns early with ctx.Err if ctx is done.
func (b *backoff) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if *b == 0 {
		*b = backoff(firstPause)
		return nil
	}
	t := time.NewTimer(time.Duration(*b))
	defer t.Stop()
	*b = min(2**b, backoff(longestPause))
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
