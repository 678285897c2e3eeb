package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/testneed"
)

// R7: eight processes put, tag, untag, remove, prune, use and resolve in one store, and one of them is killed every now
// and then. Nothing is lost, twice there, or left, and nobody waits long.
func TestStoreMixed(t *testing.T) {
	const workers = 8
	ops, kills := 150, 6
	if thorough() {
		ops, kills = 0, 30 // 60 seconds, one killed every 2
	}
	s := openAt(t, memory(t)+"/state")
	work(t, s)
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for i := range workers {
		wg.Go(func() { keepMixing(t, ctx, s, i, ops, &kills) })
	}
	wg.Wait()
	got := verify(t, s, "after all")
	if d := duplicates(got); d != "" {
		t.Errorf("%s is there twice", d)
	}
	for _, name := range []string{"old:1", "old:2", "moved:1", "gone:1"} {
		if !slices.Contains(got, name) {
			t.Errorf("%s is gone", name)
		}
	}
	clean(t, s, "after all")
}

func duplicates(names []string) string {
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return names[i]
		}
	}
	return ""
}

// keepMixing runs a worker, and runs it again where it was killed.
func keepMixing(t *testing.T, ctx context.Context, s *Store, worker, ops int, kills *int) {
	deadline := time.Now().Add(time.Minute)
	r := rand.New(rand.NewPCG(7, uint64(worker)))
	for life := 0; ; life++ {
		kill := worker == 0 && life < *kills
		left := ops
		if ops == 0 {
			left = -max(1, int(time.Until(deadline)/time.Second))
		}
		cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestRoleWorker$")
		cmd.Env = append(os.Environ(), childDir+"="+s.Dir(), childJob+fmt.Sprintf("=mix %d %d %d", worker, life, left))
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		if kill {
			pause := time.Duration(20+r.IntN(180)) * time.Millisecond
			if ops == 0 {
				pause = 2 * time.Second
			}
			<-time.After(pause)
			_ = cmd.Process.Kill()
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && kill {
			continue
		}
		if err != nil {
			t.Errorf("worker %d: %v\n%s", worker, err, out.String())
		}
		return
	}
}

// mix is one worker. Its own names are of nobody else's concern, so it knows what they have to point to; the others are
// everybody's.
func mix(t *testing.T, s *Store, args string) {
	var worker, life, ops int
	if _, err := fmt.Sscan(args, &worker, &life, &ops); err != nil {
		t.Fatal(err)
	}
	m := &mixer{t: t, s: s, own: fmt.Sprintf("w%d:", worker), has: map[string]string{},
		r: rand.New(rand.NewPCG(uint64(worker), uint64(life)))}
	for img, err := range s.Images() { // of a life before
		if err == nil && strings.HasPrefix(img.Ref, m.own) {
			m.has[img.Ref] = img.Digest.String()
		}
	}
	for end := time.Now().Add(time.Duration(-ops) * time.Second); ops > 0 || time.Now().Before(end); ops-- {
		start := time.Now()
		what := m.step()
		if took := time.Since(start); took > testneed.Patience(10*time.Second) {
			t.Errorf("%s took %v", what, took)
		}
		if ops == 1 {
			break
		}
	}
}

type mixer struct {
	t   *testing.T
	s   *Store
	r   *rand.Rand
	own string
	has map[string]string // own names
}

func (m *mixer) fail(what string, err error, fine ...error) {
	m.t.Helper()
	if err != nil && !slices.ContainsFunc(fine, func(f error) bool { return errors.Is(err, f) }) {
		m.t.Errorf("%s: %v", what, err)
	}
}

func (m *mixer) step() string {
	ctx := m.t.Context()
	name := m.own + strconv.Itoa(m.r.IntN(4))
	shared := fmt.Sprint("everybody:", m.r.IntN(4))
	switch k := m.r.IntN(12); {
	case k < 4:
		d, err := tryPut(ctx, m.s, name, tarOf(m.t, "shared", fmt.Sprint(m.r.IntN(5))), tarOf(m.t, "own", fmt.Sprint(m.r.IntN(3))))
		m.fail("put", err)
		m.has[name] = d.Digest.String()
		return "put"
	case k < 6:
		img, err := m.s.Resolve(name)
		if want := m.has[name]; want == "" && err == nil || want != "" && (err != nil || img.Digest.String() != want) {
			m.t.Errorf("%s is %s, %v; want %s", name, img.Digest, err, want)
		}
		return "resolve"
	case k < 7:
		_, err := tryPut(ctx, m.s, shared, tarOf(m.t, "shared", fmt.Sprint(m.r.IntN(5))))
		m.fail("put shared", err)
		return "put shared"
	case k < 8:
		img, err := m.s.Resolve(shared)
		m.fail("resolve shared", err, fs.ErrNotExist)
		if err != nil {
			return "resolve shared"
		}
		err = m.s.Tag(ctx, name, img.Descriptor)
		m.fail("tag", err, fs.ErrNotExist)
		if err == nil {
			m.has[name] = img.Digest.String()
		}
		return "tag"
	case k < 9:
		m.fail("untag", m.s.Untag(ctx, name), fs.ErrNotExist)
		delete(m.has, name)
		return "untag"
	case k < 10:
		_, err := m.s.Remove(ctx, shared, RemoveOptions{})
		m.fail("remove", err, fs.ErrNotExist, ErrInUse)
		return "remove"
	case k < 11:
		_, err := m.s.Prune(ctx, PruneOptions{})
		m.fail("prune", err)
		return "prune"
	default:
		m.use(name)
		return "use"
	}
}

// use reads an image that is in use, and so must stay whole whatever the others do.
func (m *mixer) use(name string) {
	img, err := m.s.Resolve(name)
	if err != nil {
		return
	}
	release, _, err := m.s.Use(img.Digest)
	if err != nil {
		m.fail("use", err, fs.ErrNotExist)
		return
	}
	defer release()
	m.fail("untag what is used", m.s.Untag(m.t.Context(), name), fs.ErrNotExist)
	delete(m.has, name)
	for range 3 {
		_, err := m.s.Prune(m.t.Context(), PruneOptions{})
		m.fail("prune", err)
		for i, l := range img.Manifest.Layers {
			rc, err := m.s.Blob(l.Digest)
			if err != nil {
				m.t.Errorf("of a used image: %v", err)
				return
			}
			_, err = io.Copy(io.Discard, rc)
			rc.Close()
			m.fail("read", err)
			if _, err := os.ReadDir(img.Layers[i]); err != nil {
				m.t.Errorf("of a used image: %v", err)
			}
		}
	}
}
