package inroot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The races of CVE-2021-30465 and its kin: somebody who can rename in the root exchanges a directory for a link
// to the outside, again and again, while paths through it are looked up. Every test first lets naive code lose
// the same race. If that never happens the attacker is too slow here, and the test would prove nothing.

// lookups is how often a race test tries. CAISSON_RACE_LOOKUPS sets it, for a longer run.
func lookups(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CAISSON_RACE_LOOKUPS")
	if text == "" {
		if testing.Short() {
			return 10_000
		}
		return 100_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CAISSON_RACE_LOOKUPS=%q: want a number from 1 up", text)
	}
	return n
}

// exchange makes two names change places until the test ends. It returns the count of exchanges so far.
func exchange(t *testing.T, a, b string) *atomic.Int64 {
	t.Helper()
	swap := func() error { return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE) }
	if err := swap(); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		t.Skipf("this file system has no RENAME_EXCHANGE (%v); set TMPDIR to one on ext4, xfs, btrfs or tmpfs", err)
	} else if err != nil {
		t.Fatal(err)
	}
	var (
		stop  atomic.Bool
		count atomic.Int64
		wg    sync.WaitGroup
	)
	wg.Go(func() {
		runtime.LockOSThread() // its own thread: the other side must be preempted, not polite
		defer runtime.UnlockOSThread()
		for !stop.Load() {
			if err := swap(); err != nil {
				t.Error(err)
				return
			}
			count.Add(1)
		}
	})
	t.Cleanup(func() { stop.Store(true); wg.Wait() })
	return &count
}

// naiveOpen is how not to do it: look first, open afterwards, by path.
func naiveOpen(root, path string) (*os.File, error) {
	at := root
	for _, name := range strings.Split(path, "/") {
		at = filepath.Join(at, name)
		if fi, err := os.Lstat(at); err != nil {
			return nil, err
		} else if fi.Mode()&fs.ModeSymlink != 0 {
			return nil, syscall.ELOOP
		}
	}
	return os.Open(at)
}

// needEscape runs a naive attempt up to 20 times as often as the real test, until it reports an escape.
func needEscape(t *testing.T, attempt func() bool) {
	t.Helper()
	for i := range 20 * 100_000 {
		if attempt() {
			t.Logf("control: naive code escaped at try %d", i+1)
			return
		}
	}
	t.Fatal("control: naive code never escaped, so this run proves nothing; give the test a second processor")
}

func isHost(f *os.File, canary fs.FileInfo) bool {
	fi, err := f.Stat()
	return err == nil && os.SameFile(fi, canary)
}

func TestRaceOpen(t *testing.T) {
	root, base := tree(t)
	link(t, "../canary", base, "root/swap")
	canary, err := os.Stat(filepath.Join(base, "canary/target"))
	must(t, err)
	count := exchange(t, filepath.Join(base, "root/dir"), filepath.Join(base, "root/swap"))

	needEscape(t, func() bool {
		f, err := naiveOpen(filepath.Join(base, "root"), "dir/target")
		if err != nil {
			return false
		}
		defer f.Close()
		return isHost(f, canary)
	})
	raceLookups(t, canary, count, func() (*os.File, error) {
		return Open(root, "dir/target", syscall.O_RDONLY, 0)
	})
}

// naiveWalk goes down by descriptor and refuses links, which is better, but trusts its own count of levels: a
// directory that moves up while it is inside makes the count wrong, and the last ".." leaves the root.
func naiveWalk(root *os.File, path string) (*os.File, error) {
	at, err := unix.Dup(int(root.Fd()))
	depth := 0
	for _, name := range strings.Split(path, "/") {
		if err != nil {
			return nil, err
		}
		if name != ".." {
			depth++
		} else if depth--; depth < 0 {
			unix.Close(at)
			return nil, unix.EXDEV
		}
		var next int
		next, err = unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		unix.Close(at)
		at = next
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(at), path), nil
}

// TestRaceDotDot moves a directory up and down while a walk goes through it and back by "..". Here the kernel
// gives EAGAIN, and the retries are needed.
func TestRaceDotDot(t *testing.T) {
	root, base := tree(t)
	for _, d := range []string{"root/p/deep/down", "root/flat/down", "root/canary"} {
		must(t, os.MkdirAll(filepath.Join(base, d), 0o755))
	}
	write(t, base, "root/canary/target", "inside")
	canary, err := os.Stat(filepath.Join(base, "canary/target"))
	must(t, err)
	count := exchange(t, filepath.Join(base, "root/p/deep"), filepath.Join(base, "root/flat"))

	const path = "p/deep/down/../../../canary/target"
	needEscape(t, func() bool {
		f, err := naiveWalk(root, path)
		if err != nil {
			return false
		}
		defer f.Close()
		return isHost(f, canary)
	})
	raceLookups(t, canary, count, func() (*os.File, error) { return Open(root, path, syscall.O_RDONLY, 0) })
}

// raceLookups counts what came of many lookups: none may reach the canary, and EAGAIN be rare.
func raceLookups(t *testing.T, canary fs.FileInfo, count *atomic.Int64, lookup func() (*os.File, error)) {
	t.Helper()
	n, before := lookups(t), count.Load()
	opened, again := 0, 0
	for range n {
		f, err := lookup()
		switch {
		case err == nil:
			opened++
			if isHost(f, canary) {
				f.Close()
				t.Fatal("escaped from the root")
			}
			f.Close()
		case errors.Is(err, syscall.EAGAIN):
			again++
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("unexpected error: %v", err)
		}
	}
	t.Logf("%d lookups against %d exchanges: %d opened, 0 escapes, %d EAGAIN", n, count.Load()-before, opened, again)
	if float64(again) > 0.0012*float64(n) {
		t.Errorf("%d of %d lookups ended in EAGAIN, more than 0.12 %%", again, n)
	}
}

func TestRaceReadFile(t *testing.T) {
	root, base := tree(t)
	link(t, "../canary", base, "root/swap")
	must(t, unix.Mkfifo(filepath.Join(base, "root/dir/other"), 0o644))
	exchange(t, filepath.Join(base, "root/dir"), filepath.Join(base, "root/swap"))
	// And the file itself is exchanged for a FIFO, which would stop a reader that checks first and opens then.
	must(t, os.MkdirAll(filepath.Join(base, "root/flip"), 0o755))
	write(t, base, "root/flip/file", "inside")
	must(t, unix.Mkfifo(filepath.Join(base, "root/flip/fifo"), 0o644))
	exchange(t, filepath.Join(base, "root/flip/file"), filepath.Join(base, "root/flip/fifo"))

	needEscape(t, func() bool {
		f, err := naiveOpen(filepath.Join(base, "root"), "dir/target")
		if err != nil {
			return false
		}
		defer f.Close()
		text, _ := io.ReadAll(f)
		return string(text) == "host"
	})
	for range lookups(t) / 10 {
		for _, path := range []string{"dir/target", "flip/file"} {
			text, err := ReadFile(root, path, 100)
			if err == nil && string(text) != "inside" {
				t.Fatalf("ReadFile(%s) = %q", path, text)
			}
			var nr *NotRegularError
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EAGAIN) && !errors.As(err, &nr) {
				t.Fatalf("ReadFile(%s): %v", path, err)
			}
		}
	}
}

// TestRaceMkdirAll is CVE-2026-55686: a working directory made through a link.
func TestRaceMkdirAll(t *testing.T) {
	root, base := tree(t)
	link(t, "../canary", base, "root/swap")
	in := filepath.Join(base, "root")
	exchange(t, filepath.Join(in, "dir"), filepath.Join(in, "swap"))

	needEscape(t, func() bool {
		if fi, err := os.Lstat(filepath.Join(in, "dir")); err == nil && fi.IsDir() {
			os.Mkdir(filepath.Join(in, "dir", "naive"), 0o755)
		}
		if os.Remove(filepath.Join(base, "canary/naive")) == nil {
			return true
		}
		os.Remove(filepath.Join(in, "dir/naive"))
		os.Remove(filepath.Join(in, "swap/naive"))
		return false
	})
	made := 0
	for range lookups(t) / 50 {
		f, err := MkdirAll(root, "dir/w/x", 0o777)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EAGAIN) {
				t.Fatal(err)
			}
			continue
		}
		made++
		where, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
		f.Close()
		if err != nil || !strings.HasPrefix(where, in+"/") {
			t.Fatalf("MkdirAll returned %s, %v: outside %s", where, err, in)
		}
		for _, name := range []string{"dir/w/x", "dir/w", "swap/w/x", "swap/w", "canary/w/x", "canary/w", "canary"} {
			removeInRoot(t, root, name)
		}
	}
	t.Logf("%d made", made)
	canaryIntact(t, base)
}

// removeInRoot removes an empty directory, if it is still there: by descriptor, for the race goes on.
func removeInRoot(t *testing.T, root *os.File, path string) {
	t.Helper()
	dir, name := filepath.Split(path)
	f, err := Open(root, "/"+dir, syscall.O_DIRECTORY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if err := unix.Unlinkat(int(f.Fd()), name, unix.AT_REMOVEDIR); err != nil && err != unix.ENOENT && err != unix.ENOTEMPTY && err != unix.ENOTDIR {
		t.Fatal(err)
	}
}
