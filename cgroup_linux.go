package caisson

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/caisson-go/caisson/internal/cgroup"
)

// A limited container is in caisson/ID below the root of each cgroup hierarchy that its limits need.

// removeTimeout bounds how long the removal of a cgroup waits for processes that were killed to die. One
// that waits for a device or a network filesystem does not.
const removeTimeout = 10 * time.Second

// limitGroup is the cgroup of one container. One without limits has none: the zero value, or nil.
type limitGroup struct {
	group *cgroup.Group
	dir   *os.File // that of version 2, held open for this and further processes; nil if there is none
}

// limit makes the cgroup of a container and has its first process start in it: by clone(2) in version 2,
// by the tape in version 1. What it makes is recorded before: a container's directory is where the next
// engine learns of a container that a killed program left.
func (e *Engine) limit(l *Limits, r *request, u *undo) (*limitGroup, error) {
	if l.none() {
		return &limitGroup{}, nil
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	if _, err := e.containerDir(r, u); err != nil {
		return nil, err
	}
	host, err := cgroup.Find()
	if err != nil {
		return nil, cgroupError(err)
	}
	g := &limitGroup{}
	if g.group, err = host.Nest(groupAbove, r.id, cgroup.Limits(*l)); err != nil {
		return nil, cgroupError(err)
	}
	u.push(func() error {
		err := g.remove()
		r.keep = err != nil
		return err
	})
	if g.dir, err = g.group.Directory(); err != nil {
		return nil, cgroupError(err)
	}
	r.tasks = g.group.Tasks()
	return g, nil
}

// file is the cgroup of version 2 to start processes in, or nil.
func (g *limitGroup) file() *os.File {
	if g == nil {
		return nil
	}
	return g.dir
}

// oom tells whether the kernel has killed a process of the container because of its memory limit.
func (g *limitGroup) oom() bool {
	return g != nil && g.group != nil && g.group.OOMKills() > 0
}

// remove kills what is left in the cgroup and removes it.
func (g *limitGroup) remove() error {
	if g.dir != nil {
		_ = g.dir.Close()
	}
	return destroyGroup(g.group)
}

func destroyGroup(g *cgroup.Group) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	return cgroupError(g.Destroy(ctx))
}

// removeGroups kills and removes what a container of a killed program left in its cgroup.
func removeGroups(id string) error {
	if len(id) != 2*idBytes || strings.Trim(id, "0123456789abcdef") != "" {
		return nil // not the name of a container, so not a cgroup of one either
	}
	host, err := cgroup.Find()
	if err != nil {
		return cgroupError(err)
	}
	return destroyGroup(host.Nested(groupAbove, id))
}

// idBytes is the length of a container's ID in bytes, each of which is two digits.
const idBytes = 32
