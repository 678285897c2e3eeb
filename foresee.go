package caisson

import (
	"fmt"
	"strings"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/cgroup"
	"github.com/caisson-go/caisson/internal/plan"
)

// What Start finds out about an image and a host, a plan that touches neither has to foresee.

// foresee fills in what can be told of the root filesystem, the identity and the cgroup without looking.
func (r *request) foresee() error {
	s := r.spec
	dir, isDir := directory(s.Image)
	switch {
	case s.Image == "":
		return errNoImage
	case s.Image == hostImage:
		r.root = hostRoot(r.support)
	case isDir:
		r.root = plan.Root{MountPoints: "mountpoints", Lower: []string{dir}}
	default:
		r.root = plan.Root{MountPoints: "mountpoints", Lower: []string{"layers/" + s.Image}}
	}
	if r.root.Kind == plan.Layers {
		r.root.Upper, r.root.Work = "containers/"+r.id+"/upper", "containers/"+r.id+"/work"
	}
	if !r.unified() {
		for _, l := range s.Limits.list() {
			r.tasks = append(r.tasks, "/sys/fs/cgroup/"+l.controller+"/"+cgroup.Home(r.groupName())+"/tasks")
		}
	}
	return r.foreseeIdentity()
}

// foreseeIdentity takes numbers as they are. What a name stands for is in the image.
func (r *request) foreseeIdentity() error {
	s := r.spec
	id, known, err := account.Foresee(s.User, s.Groups)
	if err != nil {
		return identityError(s.User, err)
	}
	r.identity = id
	if known {
		return nil
	}
	user := s.User
	if user == "" {
		user = "root"
	}
	r.unknown = "user " + user
	if len(s.Groups) > 0 {
		r.unknown += ", groups " + strings.Join(s.Groups, " ")
	}
	r.unknown += ", by the image's passwd and group"
	return nil
}

// unified tells whether limits are those of cgroup version 2.
func (r *request) unified() bool {
	return r.support.Kernel.Cgroup2 || r.support.Cgroups.Mode == CgroupV2
}

func (r *request) groupName() string { return groupAbove + "/" + r.id }

// groupAbove is the cgroup that holds those of all containers, of every engine and program.
const groupAbove = "caisson"

// limit is one of Limits that is set.
type limit struct{ controller, value string }

func (l *Limits) list() []limit {
	var list []limit
	if l.CPU != 0 {
		list = append(list, limit{"cpu", fmt.Sprint(l.CPU)})
	}
	if l.Memory != 0 {
		list = append(list, limit{"memory", fmt.Sprint(l.Memory)})
	}
	if l.Processes != 0 {
		list = append(list, limit{"pids", fmt.Sprint(l.Processes)})
	}
	return list
}

// outside are the steps before the first one of the tape, which the host program itself makes: the cgroup, if
// there are limits, and the process.
func (r *request) outside(p *plan.Plan) []plan.Step {
	start := p.Start()
	if r.spec.Limits.none() {
		return []plan.Step{start}
	}
	object := r.groupName()
	for _, l := range r.spec.Limits.list() {
		object += " " + l.controller + "=" + l.value
	}
	why := "Documentation/admin-guide/cgroup-v1/cgroups.rst"
	if r.unified() {
		why = "Documentation/admin-guide/cgroup-v2.rst"
		start.Object += " into=" + cgroup.Home(r.groupName())
	}
	return []plan.Step{{Verb: "cgroup", Object: object, Why: "cgroups(7), " + why}, start}
}
