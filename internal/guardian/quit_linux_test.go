package guardian_test

import (
	"testing"

	"github.com/caisson-go/caisson/internal/guardian"
)

func TestQuitEndsAnIdleGuardianOnly(t *testing.T) {
	pid := sleeper(t)
	warm(t)
	before := count(t)
	g := guardian.New(t.TempDir())
	defer g.Close()
	g.Quit() // there is none
	e, err := g.Add(pid)
	if err != nil {
		t.Fatal(err)
	}
	g.Quit()
	if n := count(t).guardians; n != 1 {
		t.Errorf("%d guardians while something is guarded", n)
	}
	for range 2 {
		e.Remove()
		g.Quit()
		if now := count(t); now.guardians != 0 || now.mappings != 0 || now.fds > before.fds {
			t.Errorf("left behind: %+v, before: %+v", now, before)
		}
		if e, err = g.Add(pid); err != nil {
			t.Fatal(err)
		}
	}
}
