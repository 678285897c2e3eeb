package powercut

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// promises is what the writer has said: of a name, what image it has, and what it may have since then. The image is
// given by its digest; "" stands for none.
type promises struct {
	mu     sync.Mutex
	is     map[string]string
	may    map[string][]string
	frozen bool
	failed []string

	lines chan struct{} // gets something with every line, and is closed after the last
}

func newPromises() *promises {
	return &promises{is: map[string]string{}, may: map[string][]string{}}
}

// begin is for the next writer.
func (p *promises) begin() {
	p.frozen, p.failed, p.lines = false, nil, make(chan struct{}, 1<<16)
	clear(p.may)
}

// hear takes a line of the writer: "try NAME DIGEST" before it does something and "done NAME DIGEST" after it, with "-"
// for no image.
func (p *promises) hear(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	word, rest, _ := strings.Cut(line, " ")
	name, digest, _ := strings.Cut(rest, " ")
	if digest == "-" {
		digest = ""
	}
	switch {
	case word == "try":
		p.may[name] = append(p.may[name], digest)
	case word == "done" && p.frozen: // it may have been done when nothing was kept any more
	case word == "done":
		p.is[name] = digest
		delete(p.may, name)
	case !p.frozen:
		p.failed = append(p.failed, line)
	}
}

// freeze is called right before the power is cut: what is said from then on is promised no more.
func (p *promises) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// compare finds what is not as it must be, and takes what is as the truth for the next writer.
func (p *promises) compare(found map[string]string) (broken []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := slices.Concat(slices.Collect(maps.Keys(p.is)), slices.Collect(maps.Keys(p.may)), slices.Collect(maps.Keys(found)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if got := found[name]; got != p.is[name] && !slices.Contains(p.may[name], got) {
			broken = append(broken, fmt.Sprintf("%s is %q, which is neither what was promised, %q, nor among %q",
				name, got, p.is[name], p.may[name]))
		}
	}
	p.is = found
	return broken
}

func TestPromises(t *testing.T) {
	for _, c := range []struct {
		found string
		fine  bool
	}{{"old", false}, {"new", true}, {"newer", true}, {"newest", true}, {"", false}, {"other", false}} {
		p := newPromises()
		p.begin()
		for _, line := range []string{"try n old", "done n old", "try n new", "done n new", "try n newer"} {
			p.hear(line)
		}
		p.freeze()
		for _, line := range []string{"done n newer", "try n newest", "failed: after the cut"} {
			p.hear(line)
		}
		found := map[string]string{}
		if c.found != "" {
			found["n"] = c.found
		}
		if broken := p.compare(found); (len(broken) == 0) != c.fine || len(p.failed) > 0 {
			t.Errorf("%q: %q, %q", c.found, broken, p.failed)
		}
	}
}
