package plan

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// CompileExec turns a description into a plan that runs a program in a container that runs: Namespaces
// says which of the container's namespaces are not the host's, by Join, and User by any mode but UserHost.
// All are entered at once through a descriptor of the container's first process, the only one passed.
//
// Everything is settled before the process that the container can see is made. What it could attach to
// with ptrace(2) has no right, no memory and no descriptor that the program itself will not have
// (CVE-2016-9962).
func CompileExec(c *Config) (*Plan, error) {
	b := newBuilder(c)
	b.p.Joins, b.p.Staged = []string{"pidfd"}, true
	b.assign()
	b.begin()
	b.enter()
	b.null()
	b.terminal()
	b.workdir()
	b.identity()
	b.narrow()
	b.stage(0)
	b.session()
	b.execute()
	b.end()
	return b.p, nil
}

// narrow closes what the program's process needs nothing of, before it is made: all but the program's own
// descriptors and the pipe for errors. A tracer that no dumpable flag stops would find the rest.
func (b *builder) narrow() { b.CloseRange(uint32(b.p.FDs.Status+1), ^uint32(0), 0) }

func (b *builder) enter() {
	n := &b.c.Namespaces
	flags, object := uint64(0), ""
	if n.User.Mode != UserHost {
		flags, object = sys.CLONE_NEWUSER, n.User.Object
	}
	for _, c := range n.all() {
		if c.Mode == Join {
			flags |= c.flag
			object = c.Object
		}
	}
	if flags == 0 {
		return
	}
	b.step("setns", cloneNames(flags)+" of "+object, "setns(2): a pidfd enters all at once, since 5.8")
	b.Prctl(sys.PR_SET_DUMPABLE, tape.Int(0))
	if n.User.Mode == UserOneID {
		b.leaveGroups()
	}
	b.Setns(tape.Int(b.p.FDs.Joins), int(flags))
	if n.User.Mode != UserHost {
		b.become0()
	}
}
