package caisson

import (
	"context"
	"errors"
	"io/fs"

	"github.com/caisson-go/caisson/internal/cgroup"
)

// Cgroup is a control group: processes that are limited, frozen and killed together. It needs no
// container; any process can be put into one. Its methods may be called from several goroutines.
//
// The kernel has control groups in two versions, and hosts have either or both. In version 2 a group is one
// directory, below /sys/fs/cgroup as a rule. In version 1 every controller has a tree of its own,
// such as /sys/fs/cgroup/memory, and a group is a directory of the same name in each. On a hybrid
// host some controllers are in version 1 and the rest, with killing and freezing, in version 2. A Cgroup
// is all these directories; Path tells which they are.
//
// It takes the right to write to them: root's, or in version 2 that of a user to whom the groups above
// were delegated. Kernel: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/; cgroups(7).
type Cgroup struct {
	group *cgroup.Group
	name  string
}

// NewCgroup makes a cgroup and limits it. The name is its path below the root of the hierarchy, such as
// "jobs" or "jobs/1"; the group above must exist. In version 2 the controllers that the limits need are
// enabled in cgroup.subtree_control of all groups above, which stays so.
//
// In a version 2 group with limited groups below it there can be no processes: put them into the lowest.
//
// Errors: *Error; fs.ErrExist, fs.ErrNotExist for the group above, fs.ErrPermission, syscall.EROFS where
// the cgroup filesystem is read-only, errors.ErrUnsupported for a controller that the host does not have.
// On error nothing is left behind.
func NewCgroup(name string, l Limits) (*Cgroup, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	host, err := cgroup.Find()
	if err != nil {
		return nil, cgroupError(err)
	}
	g, err := host.Make(name, cgroup.Limits(l))
	if err != nil {
		return nil, cgroupError(err)
	}
	return &Cgroup{g, name}, nil
}

// OpenCgroup finds a cgroup that exists, by its path below the root of the hierarchy. That of a process
// is in /proc/PID/cgroup, that of a limited container of this machine "caisson/" and its ID; an ordinary user's
// is below the group that was delegated to the user, as in "user.slice/user-1000.slice/.../caisson/" and the ID.
// A container's processes are in "caisson-inside" within it, which is where they begin to see cgroups: what
// bounds them lies above. Apply and Add of the container's own group see to both.
//
// Errors: *Error; fs.ErrNotExist.
func OpenCgroup(name string) (*Cgroup, error) {
	host, err := cgroup.Find()
	if err != nil {
		return nil, cgroupError(err)
	}
	g, err := host.Open(name)
	if err != nil {
		return nil, cgroupError(err)
	}
	return &Cgroup{g, name}, nil
}

// Cgroup is the container's own cgroup, which Spec.Limits gave it, to see what it uses, freeze it, or change
// its limits. It is removed with the container, by Close.
//
// Errors: *Error; fs.ErrNotExist for a container without limits, which is in the host program's cgroup;
// ErrNotStarted; ErrClosed.
func (c *Container) Cgroup() (*Cgroup, error) {
	l, err := c.life.running()
	if err != nil {
		return nil, c.failed("cgroup", err)
	}
	g := l.cgroup()
	if g == nil {
		return nil, &Error{"cgroup", c.object(), fs.ErrNotExist, "a container has one of its own if its Limits are set"}
	}
	return g, nil
}

// String is the name.
func (g *Cgroup) String() string { return g.name }

// Path is the directory with the files of a controller, "memory" for example, in which whatever else the
// kernel tells about the group can be read. The empty name stands for version 2's own files, such as
// cgroup.procs. It is "" if the group is not in that tree.
func (g *Cgroup) Path(controller string) string { return g.group.Path(controller) }

// Apply changes the limits to exactly these: a zero field lifts that limit. Those above the group's own
// hold in any case.
//
//	field       version 2                            version 1
//	Memory      memory.max, memory.swap.max = 0,     memory.limit_in_bytes and, both alike,
//	            memory.oom.group = 1                 memory.memsw.limit_in_bytes
//	CPU         cpu.max, in a period of 100 ms       cpu.cfs_quota_us, in cpu.cfs_period_us of 100 ms
//	Processes   pids.max                             pids.max
//
// Memory is in bytes, rounded down to whole pages. A kernel that does not account for swap bounds memory
// alone. If it is set below what is in use, what can be is given back first; then version 2 kills, and
// version 1 says syscall.EBUSY. When the limit is reached later on, version 2 kills the whole group and
// version 1 one process in it.
//
// Errors: *Error; as NewCgroup's. Limits that come before the failing one stay applied.
func (g *Cgroup) Apply(l Limits) error {
	if err := l.check(); err != nil {
		return err
	}
	return cgroupError(g.group.Apply(cgroup.Limits(l)))
}

// Add moves a process with all its threads into the group, by its number in this pid namespace. Children
// that it makes from then on are in the group too; those it has, and the memory it already uses, stay
// where they are. It takes about 10 ms: cgroup.procs, in each tree.
//
// Errors: *Error; syscall.ESRCH for no such process, fs.ErrPermission, syscall.EBUSY in version 2 if there
// are limited groups below this one.
func (g *Cgroup) Add(pid int) error { return cgroupError(g.group.Add(pid)) }

// Procs lists the processes in the group and in the groups below it, by their numbers in this pid
// namespace; cgroup.procs. Those that it does not see are left out.
//
// Errors: *Error; fs.ErrNotExist if the group is gone.
func (g *Cgroup) Procs() ([]int, error) {
	pids, err := g.group.Procs()
	return pids, cgroupError(err)
}

// Freeze stops every process in the group and in the groups below it, and returns when all stand still.
// When ctx is done before, they are thawed again and the error is ctx.Err. Frozen processes can be killed
// in version 2; in version 1 they die when they are thawed, which Kill does.
//
// Version 2: cgroup.freeze, since 5.2. Version 1: freezer.state; cgroup-v1/freezer-subsystem.rst.
//
// Errors: *Error; errors.ErrUnsupported for a group in neither tree.
func (g *Cgroup) Freeze(ctx context.Context) error { return cgroupError(g.group.Freeze(ctx)) }

// Thaw lets frozen processes go on. A group above that is frozen holds them still.
//
// Errors: as Freeze's.
func (g *Cgroup) Thaw() error { return cgroupError(g.group.Thaw()) }

// Kill sends SIGKILL to every process in the group and in the groups below it, those made meanwhile
// included. It does not wait for their end; Remove does. Beware of a group that the host program is in.
//
// Version 2: cgroup.kill, since 5.14. Version 1 and older kernels: each process by a pidfd, until none is
// found that was not sent one, in version 1 with the group frozen.
//
// Errors: *Error; fs.ErrPermission; syscall.EAGAIN if processes are made faster than killed.
func (g *Cgroup) Kill() error { return cgroupError(g.group.Kill()) }

// Remove removes the group and those below it once no process is left in them, for which it waits until
// ctx is done. A group that is gone is no error. Nothing is killed.
//
// Version 2 tells when a group becomes empty, by cgroup.events. In version 1 it is tried again and again,
// after pauses that grow from 0.1 to 50 ms.
//
// Errors: *Error; if ctx was done first, both syscall.EBUSY and ctx.Err.
func (g *Cgroup) Remove(ctx context.Context) error { return cgroupError(g.group.Remove(ctx)) }

// check refuses what cannot be a limit.
func (l *Limits) check() error { return cgroupError(cgroup.Limits(*l).Check()) }

// cgroupError makes the package's own error of the internal one.
func cgroupError(err error) error {
	var e *cgroup.Error
	if errors.As(err, &e) {
		return &Error{e.Op, e.Path, e.Err, e.Hint}
	}
	return err
}
