package proxy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/tape"
	"golang.org/x/sys/unix"
)

// flip exchanges two names until stop is closed.
func flip(a, b string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
		}
	}
}

// bait is a tree in which a directory is exchanged with a link to the canary. It has the canary's names.
func (s *site) bait(t *testing.T) {
	t.Helper()
	must(t, os.MkdirAll(s.dir+"/tree/x/real/sub", 0o755))
	for _, f := range []string{"a", "b", "sub/c"} {
		must(t, os.WriteFile(filepath.Join(s.dir, "tree/x/real", f), nil, 0o600))
	}
	for i := range 20 {
		must(t, os.WriteFile(s.dir+"/tree/x/real/"+strconv.Itoa(i), nil, 0o600))
	}
	must(t, os.Symlink(s.canary, s.dir+"/tree/x/link"))
}

// naive removes a tree as it is easily written: it looks at a path, and then uses the path again.
func naive(path string) {
	fi, err := os.Lstat(path)
	if err != nil {
		return
	}
	if !fi.IsDir() {
		_ = os.Remove(path)
		return
	}
	names, _ := os.ReadDir(path)
	for _, n := range names {
		naive(path + "/" + n.Name())
	}
	_ = syscall.Rmdir(path)
}

// attacked runs remove while a directory of the tree is exchanged with a link.
func (s *site) attacked(t *testing.T, remove func()) {
	t.Helper()
	s.bait(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { flip(s.dir+"/tree/x/real", s.dir+"/tree/x/link", stop) })
	remove()
	close(stop)
	wg.Wait()
}

func TestRemoveAllWhileDirectoriesAreExchanged(t *testing.T) {
	s := newSite(t)
	p := start(t, proxy.Options{Prelude: func(tp *tape.Tape) { tp.Chdir(s.dir) }})
	limit := time.Now().Add(500 * time.Millisecond)
	rounds := 0
	for ; time.Now().Before(limit); rounds++ {
		s.attacked(t, func() {
			err := proxy.RemoveAll(p, tape.Cwd, "tree")
			var errno syscall.Errno
			if err != nil && !errors.As(err, &errno) {
				t.Fatal(err)
			}
		})
		if err := proxy.RemoveAll(p, tape.Cwd, "tree"); err != nil {
			t.Fatal(err)
		}
		if s.intact(t); t.Failed() {
			return
		}
	}
	t.Logf("%d trees removed under attack", rounds)
}

// The control: the same attack succeeds against code that uses paths.
func TestNaiveRemovalEscapes(t *testing.T) {
	limit := time.Now().Add(20 * time.Second)
	for rounds := 1; time.Now().Before(limit); rounds++ {
		s := newSite(t)
		s.attacked(t, func() { naive(s.dir + "/tree") })
		if fingerprint(t, s.canary) != s.before {
			t.Logf("the canary was reached in round %d", rounds)
			return
		}
	}
	t.Error("naive code was never fooled: the attack proves nothing")
}
