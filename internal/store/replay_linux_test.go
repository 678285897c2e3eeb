package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// R5: the steps of a store are recorded, and after each the disk is rebuilt as it could be if the machine had stopped
// there: with every prefix of what was not synced, and with some of it and not the rest. A store opened there shows
// nothing that is damaged, and everything that it had promised.
func TestStoreReplay(t *testing.T) {
	p := &replay{t: t, promised: map[string]bool{}, random: rand.New(rand.NewPCG(5, 5)), base: memory(t), depth: 2}
	if thorough() {
		p.depth = 20
	}
	s := openAt(t, filepath.Join(memory(t), "state"))
	m := newModelFS(t)
	withDisk(s, func(d disk) disk {
		return &recorder{disk: d, mu: &p.mu, m: m, real: s.Dir(), step: func(what string) { p.crashes(m, what) }}
	})
	for i, step := range replaySteps(t, s) {
		step(p)
		if t.Failed() {
			t.Fatalf("in step %d, after %d states", i, p.states)
		}
	}
	if p.states < 2000 {
		t.Errorf("%d states", p.states)
	}
	t.Logf("%d states after %d steps", p.states, p.steps)
}

type replay struct {
	t        *testing.T
	mu       sync.Mutex
	promised map[string]bool // whether a name must be there; one that is not here may be or not
	random   *rand.Rand
	base     string
	depth    int
	steps    int
	states   int
}

// doubt says that a name may come or go from now on; promise that it has.
func (p *replay) doubt(names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range names {
		delete(p.promised, n)
	}
}

func (p *replay) promise(there bool, names ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range names {
		p.promised[n] = there
	}
}

// crashes is called with the lock held.
func (p *replay) crashes(m *modelFS, what string) {
	p.steps++
	n := len(m.pending)
	all := func(int) bool { return true }
	p.crash(m, what+", all", all)
	for i := max(0, n-p.depth); i < n; i++ { // the last few, in order, and each left out alone
		p.crash(m, fmt.Sprint(what, ", first ", i), func(j int) bool { return j < i })
		p.crash(m, fmt.Sprint(what, ", without ", i), func(j int) bool { return j != i })
	}
	if n > 0 {
		p.crash(m, what+", nothing", func(int) bool { return false })
		for range p.depth {
			p.crash(m, what+", some", func(int) bool { return p.random.IntN(2) == 0 })
		}
	}
}

func (p *replay) crash(m *modelFS, what string, chosen func(int) bool) {
	if p.t.Failed() {
		return
	}
	p.states++
	dir := filepath.Join(p.base, "crashed")
	defer os.RemoveAll(dir)
	m.crash(dir, chosen, p.random)
	s := withoutSync(restarted(p.t, dir))
	got := verifyWith(p.t, s, what, true)
	for name, there := range p.promised {
		if slices.Contains(got, name) != there {
			p.t.Errorf("%s: %s is there: %v; promised: %v", what, name, !there, there)
		}
	}
	if p.states%25 != 0 {
		return
	}
	if _, err := tryPut(p.t.Context(), s, "after:1", tarOf(p.t, "shared", "1"), tarOf(p.t, "after", "1")); err != nil {
		p.t.Errorf("%s: writing afterwards: %v", what, err)
	}
	verifyWith(p.t, s, what, true)
	clean(p.t, s, what)
}

// restarted opens a store after a restart of the machine.
func restarted(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := OpenWith(dir, Options{Boot: "the next"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// replaySteps is a life of a store.
func replaySteps(t *testing.T, s *Store) []func(*replay) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(ref string, layers ...[]byte) func(*replay) {
		return func(p *replay) {
			if !p.promised[ref] { // else it moves, and is there all the time
				p.doubt(ref)
			}
			put(t, s, ref, layers...)
			p.promise(true, ref)
		}
	}
	remove := func(ref string, f func() error) func(*replay) {
		return func(p *replay) {
			p.doubt(ref)
			must(f())
			p.promise(false, ref)
		}
	}
	return []func(*replay){
		add("z:1"), // without a layer nobody calls syncfs(2)
		add("a:1", tarOf(t, "shared", "1"), tarOf(t, "a", "1")),
		add("b:1", tarOf(t, "shared", "1"), tarOf(t, "b", "1")),
		add("a:1", tarOf(t, "shared", "1"), tarOf(t, "a", "2")),
		remove("b:1", func() error { _, err := s.Remove(ctx, "b:1", RemoveOptions{}); return err }),
		func(*replay) { _, err := s.Prune(ctx, PruneOptions{}); must(err) },
		add("c:1", manyFiles(t, 3, 100)),
		remove("c:1", func() error { return s.Untag(ctx, "c:1") }),
		add("d:1", manyFiles(t, 3, 100)),
		func(p *replay) {
			p.doubt("a:1", "d:1", "z:1")
			_, err := s.Prune(ctx, PruneOptions{All: true})
			must(err)
			p.promise(false, "a:1", "d:1", "z:1")
		},
	}
}
