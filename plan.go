package caisson

import "github.com/caisson-go/caisson/internal/plan"

// Plan is what the start of a container will do, before it does it. Print it to read it.
type Plan struct {
	// Steps are what happens, in order.
	Steps []Step

	compiled *plan.Plan
}

// Step is one thing that happens in the start of a container.
type Step struct {
	Verb   string // the kernel's word: mount, pivot_root, execve
	Object string // what it is done to
	Why    string // where to read about it: a manual page or a document of the kernel's
}

// String prints a line for each step: number, verb, object and where to read about it.
func (p *Plan) String() string { return p.compiled.String() }

// Syscalls prints every system call that the start makes inside the container's namespaces, as strace
// would print them, before they are made. Descriptors not known yet have names.
func (p *Plan) Syscalls() string { return p.compiled.Tape.String() }

// newPlan is the public view of a compiled plan.
func newPlan(c *plan.Plan) *Plan {
	p := &Plan{compiled: c}
	for _, s := range c.Steps {
		p.Steps = append(p.Steps, Step{s.Verb, s.Object, s.Why})
	}
	return p
}
