package sys

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, theirs, err := SeqpacketPair("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	return ours, theirs
}

func TestMessagesKeepTheirBoundsAndFiles(t *testing.T) {
	ours, theirs := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close(); _ = w.Close() }()
	for _, err := range []error{SendMessage(ours, []byte("one"), nil), SendMessage(ours, []byte("two"), w)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 16)
	if n, fd, err := ReceiveMessage(theirs, b); err != nil || string(b[:n]) != "one" || fd != -1 {
		t.Errorf("%q, %d, %v", b[:n], fd, err)
	}
	n, fd, err := ReceiveMessage(theirs, b)
	if err != nil || string(b[:n]) != "two" || fd < 0 {
		t.Fatalf("%q, %d, %v", b[:n], fd, err)
	}
	f := os.NewFile(uintptr(fd), "received")
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Error("not closed on exec:", err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Error(err)
	}
	_ = f.Close()
	// Sending a pipe has not made it block: a deadline still works.
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	_ = theirs.Close()
	if _, _, err := ReceiveMessage(ours, b); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err := SendMessage(ours, b, nil); !errors.Is(err, unix.EPIPE) {
		t.Error(err)
	}
}

// A peer that sends many descriptors must not be able to fill the table of this process.
func TestFurtherFilesAreDropped(t *testing.T) {
	ours, theirs := pair(t)
	fds := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := fds()
	if err := unix.Sendmsg(int(theirs.Fd()), []byte("x"), unix.UnixRights(0, 0, 0), nil, 0); err != nil {
		t.Fatal(err)
	}
	_, fd, err := ReceiveMessage(ours, make([]byte, 1))
	if err != nil || fd < 0 || fds() != before+1 {
		t.Errorf("descriptor %d, %d more than before, %v", fd, fds()-before, err)
	}
	_ = CloseFD(fd)
}

func TestReady(t *testing.T) {
	ours, theirs := pair(t)
	if ready, err := Ready(ours); ready || err != nil {
		t.Error(ready, err)
	}
	if err := ours.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := WaitReady(ours); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := ours.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := SendMessage(theirs, []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := WaitReady(ours); err != nil {
		t.Error(err)
	}
	if ready, err := Ready(ours); !ready || err != nil {
		t.Error(ready, err)
	}
	_ = ours.Close()
	if _, err := Ready(ours); err == nil {
		t.Error("a closed file is ready")
	}
}
