package store

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// Whoever writes an image has its blobs in the store before a name refers to them. What keeps Prune from them is a list
// in a stage: everything that a writer has put, or has found there and relies on. A list counts as long as the process
// that keeps it lives.
//
// Adding to a list and reading the lists exclude each other by the lock "gc", which nobody holds for long: a pull of an
// hour keeps no one waiting.

// session is the list of one Store, for all the writers that there are at the moment.
type session struct {
	mu    sync.Mutex
	users int
	stage *stage // nil without users
	list  output
	torn  bool // the last line may lack its end
	noted map[v1.Hash]bool
}

// gcPatience bounds the wait for a collection in calls that have no context. Collecting takes milliseconds.
const gcPatience = 10 * time.Second

// Begin announces a writer of several objects, such as a pull. Until release is called, or the process is gone, nothing
// is removed that this Store has put, or has said to have, since. A name given by Tag keeps an image from then on.
//
// Errors: *Error around ctx.Err(), the errno.
func (s *Store) Begin(ctx context.Context) (release func(), err error) {
	if err := s.begin(ctx); err != nil {
		return nil, wrap("begin", s.dir, err)
	}
	return sync.OnceFunc(s.end), nil
}

func (s *Store) begin(ctx context.Context) error {
	l := &s.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users > 0 {
		l.users++
		return nil
	}
	root, err := s.write(ctx)
	if err != nil {
		return err
	}
	st, err := newStage(ctx, root)
	if err != nil {
		root.Close()
		return err
	}
	list, err := root.Create(st.path + "/" + listName)
	if err != nil {
		st.discard()
		root.Close()
		return err
	}
	l.users, l.stage, l.list, l.torn, l.noted = 1, st, list, false, map[v1.Hash]bool{}
	settleOld(ctx, root)
	return nil
}

func (s *Store) end() {
	l := &s.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users > 0 {
		return
	}
	l.list.Close()
	l.stage.discard()
	l.stage.root.Close()
	l.stage, l.list, l.noted = nil, nil, nil
}

// note puts an object on the list, if there is one, before anybody looks whether the object is there.
func (s *Store) note(ctx context.Context, h v1.Hash) error {
	l := &s.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 || l.noted[h] {
		return nil
	}
	release, err := lockShared(ctx, l.stage.root)
	if err != nil {
		return err
	}
	defer release()
	line := h.Hex + "\n"
	if l.torn { // what there is of the line before is the name of nothing
		line = "\n" + line
	}
	if _, err := l.list.Write([]byte(line)); err != nil {
		l.torn = true
		return err
	}
	l.torn = false
	l.noted[h] = true
	return nil
}

const listName = "kept"

// noted reads the lists of all living writers.
func noted(ctx context.Context, root disk) (map[string]bool, error) {
	// A stage whose lock is not held yet must not be taken for a dead one, nor held up by the look at it.
	release, err := lock(ctx, root, "staging")
	if err != nil {
		return nil, err
	}
	defer release()
	kept := map[string]bool{}
	err = eachName(root, "staging", func(name string) error {
		lock, err := root.Open("staging/" + name + "/lock")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil // no stage, or a dead one
		}
		if err != nil {
			return err
		}
		defer lock.Close()
		if sys.TryLock(lock) == nil {
			return sys.Unlock(lock) // dead
		}
		list, err := root.Open("staging/" + name + "/" + listName)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another kind of stage
		}
		if err != nil {
			return err
		}
		defer list.Close()
		lines := bufio.NewScanner(list)
		for lines.Scan() {
			kept[strings.TrimSpace(lines.Text())] = true
		}
		return lines.Err()
	})
	return kept, err
}

// eachName calls f with every name in a directory, until an error. A directory that is not there has none.
func eachName(root disk, dir string, f func(name string) error) error {
	d, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(256)
		for _, name := range names {
			if err := f(name); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
