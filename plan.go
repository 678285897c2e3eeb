package caisson

import (
	"fmt"
	"strings"

	"github.com/caisson-go/caisson/internal/plan"
)

// Plan is what the start of a container will do, before it does it. Print it to read it.
type Plan struct {
	// Steps are what happens, in order: what the host program does, the last of which is to start a process,
	// and then what that process does.
	Steps []Step

	compiled *plan.Plan
}

// Step is one thing that happens in the start of a container.
type Step struct {
	Verb   string // the kernel's word: mount, pivot_root, execve
	Object string // what it is done to
	Why    string // where to read about it: a manual page or a document of the kernel's
}

// String prints a line for each of Steps: its index, verb, object and where to read about it.
func (p *Plan) String() string {
	var b strings.Builder
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%2d %s\n", i, plan.Step{Verb: s.Verb, Object: s.Object, Why: s.Why})
	}
	return b.String()
}

// Syscalls prints every system call that the start makes inside the container's namespaces, as strace
// would print them, before they are made. Descriptors not known yet have names. A Plan that is not from
// Spec.Plan has none.
func (p *Plan) Syscalls() string {
	if p.compiled == nil {
		return ""
	}
	return p.compiled.Tape.String()
}

// newPlan is the public view of a compiled plan, and of what comes before it.
func newPlan(c *plan.Plan, outside []plan.Step) *Plan {
	p := &Plan{compiled: c}
	for _, s := range append(outside, c.Steps...) {
		p.Steps = append(p.Steps, Step{s.Verb, s.Object, s.Why})
	}
	return p
}
