package plan

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// last is the last operation of a plan that begins in one of these ways, or -1.
func last(p *Plan, begins ...string) int {
	found := -1
	for i := range p.Tape.Len() {
		for _, b := range begins {
			if strings.HasPrefix(p.Tape.FormatOp(i), b) {
				found = i
			}
		}
	}
	return found
}

// What costs a start something is in no plan that does not need it, and comes where it must in those that do.
func TestSupervisionIsWhereItIsNeeded(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range manyPlans() {
		c := anyConfig(r)
		p, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		bad := func(what string) { t.Fatalf("%s: %+v, %+v\n%v", what, p.FDs, c, p) }
		fds, shared := p.FDs, c.Namespaces.PID.Mode != New
		if (fds.Control >= 0) != (p.Maps || shared || c.TTY != nil || c.Detach) {
			bad("a control socket")
		}
		// The container sees what its init has open: the pipe, and never the file.
		if (fds.Exit >= 0) != c.Init || (fds.Told >= 0) != (c.Init && c.Detach) || (fds.Kept >= 0) != c.Detach || (fds.Lock >= 0) != c.Detach {
			bad("descriptors for the exit status")
		}
		// A supervisor keeps what lies between the first and the last of its descriptors.
		if c.Detach && (fds.Lock != fds.Kept+1 || fds.Told >= 0 && (fds.Kept != fds.Told+1 || fds.Exit >= fds.Told)) {
			bad("the order of the descriptors")
		}
		tied, changed := last(p, "prctl(PR_SET_PDEATHSIG"), last(p, "setresuid(", "setresgid(", "setgroups(", "capset(")
		if (tied >= 0) != c.Detach || c.Detach && tied < changed {
			bad("tied to its supervisor")
		}
		handed := -1
		for i := range p.Tape.Len() {
			if strings.Contains(p.Tape.FormatOp(i), `"self/ns/mnt"`) {
				handed = i
			}
		}
		if (handed >= 0) != shared || p.Hands != shared || handed > last(p, "execve(") {
			bad("hands over its mount namespace")
		}
		p.Recycle()
	}
}
