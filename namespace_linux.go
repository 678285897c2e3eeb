package caisson

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/environ"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

var namespaceFlags = map[NamespaceKind]uint64{
	MountNamespace: sys.CLONE_NEWNS, PIDNamespace: sys.CLONE_NEWPID, NetNamespace: sys.CLONE_NEWNET,
	IPCNamespace: sys.CLONE_NEWIPC, UTSNamespace: sys.CLONE_NEWUTS, UserNamespace: sys.CLONE_NEWUSER,
	CgroupNamespace: sys.CLONE_NEWCGROUP, TimeNamespace: sys.CLONE_NEWTIME,
}

func inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// newNamespace takes over an open namespace file.
func newNamespace(f *os.File) (*Namespace, error) {
	flag, err := sys.NamespaceType(f)
	if err != nil {
		return nil, err
	}
	n := &Namespace{file: f}
	for kind, bit := range namespaceFlags {
		if bit == uint64(flag) {
			n.kind = kind
		}
	}
	if n.kind == UserNamespace {
		return n, nil
	}
	// Who owns it decides who may enter. One that is not below ours cannot be asked for (EPERM).
	owner, err := sys.NamespaceOwner(f)
	if err != nil {
		return n, nil
	}
	own, err := os.Stat("/proc/self/ns/user")
	info, err2 := owner.Stat()
	if err != nil || err2 != nil || os.SameFile(own, info) {
		_ = owner.Close()
		return n, nil
	}
	n.owner = owner
	return n, nil
}

// makeNamespaces makes namespaces in a process that waits until they are open.
func makeNamespaces(ctx context.Context, kinds []NamespaceKind) ([]*Namespace, error) {
	e := &Engine{}
	sup, err := e.hostSupport()
	if err != nil {
		return nil, err
	}
	var flags uint64
	for _, kind := range kinds {
		flags |= namespaceFlags[kind]
	}
	c := &plan.Config{Args: []string{"namespaces"}}
	if !sup.Privileged || flags&sys.CLONE_NEWUSER != 0 {
		c.Namespaces.User = plan.UserNamespace{Mode: plan.UserOneID, UID: uint32(sup.UID), GID: uint32(sup.GID)}
	}
	var list []*Namespace
	err = serveTape(ctx, e, plan.CompileHold(c, flags), c, nil, func(s *startup, _ *os.File) error {
		for _, kind := range kinds {
			n, err := OpenNamespace("/proc/" + itoa(s.stage.Pid) + "/ns/" + string(kind))
			if err != nil {
				return err
			}
			list = append(list, n)
		}
		return nil
	})
	if err != nil {
		for _, n := range list {
			_ = n.Close()
		}
		return nil, err
	}
	return list, nil
}

// joined is the configuration of a program in given namespaces, and their files in the order in which
// the plan joins them: the user namespace first.
func joined(namespaces []*Namespace) (*plan.Config, []*os.File, error) {
	c := &plan.Config{NewPrivs: true, Caps: plan.AllCaps}
	to := map[NamespaceKind]*plan.Namespace{
		CgroupNamespace: &c.Namespaces.Cgroup, IPCNamespace: &c.Namespaces.IPC, UTSNamespace: &c.Namespaces.UTS,
		NetNamespace: &c.Namespaces.Net, TimeNamespace: &c.Namespaces.Time, PIDNamespace: &c.Namespaces.PID,
		MountNamespace: &c.Namespaces.Mount, UserNamespace: {},
	}
	for _, ns := range to {
		ns.Mode = plan.Host
	}
	files := map[NamespaceKind]*os.File{}
	var owner *os.File
	for _, n := range namespaces {
		switch {
		case n == nil || n.file == nil:
			return nil, nil, &Error{"setns", "namespace", errors.New("it is nil"), "take it from NewNamespace, OpenNamespace or Container.Namespace"}
		case files[n.kind] != nil:
			return nil, nil, &Error{"setns", n.String(), errors.New("two namespaces of one kind"), "give one of each kind"}
		case owner == nil:
			owner = n.owner
		}
		if _, err := n.file.Stat(); err != nil {
			return nil, nil, &Error{"setns", string(n.kind), err, "keep it open until the program has started"}
		}
		*to[n.kind], files[n.kind] = plan.Namespace{Mode: plan.Join, Object: n.String()}, n.file
	}
	// The one that is given counts before the one that owns another.
	if files[UserNamespace] == nil && owner != nil {
		files[UserNamespace], to[UserNamespace].Object = owner, "owner"
	}
	var list []*os.File
	if f := files[UserNamespace]; f != nil {
		c.Namespaces.User = plan.UserNamespace{Mode: plan.UserJoin, Object: to[UserNamespace].Object, Lenient: true}
		list = append(list, f)
	}
	for _, k := range []NamespaceKind{CgroupNamespace, IPCNamespace, UTSNamespace, NetNamespace, TimeNamespace, PIDNamespace, MountNamespace} {
		if f := files[k]; f != nil {
			list = append(list, f)
		}
	}
	return c, list, nil
}

// joinedPlan is the plan of a program in the namespaces of its process.
func (p *Process) joinedPlan() (*plan.Plan, *plan.Config, []*os.File, error) {
	c, files, err := p.joinedConfig()
	if err != nil {
		return nil, nil, nil, err
	}
	compiled, err := plan.CompileJoin(c)
	return compiled, c, files, err
}

func (p *Process) joinedConfig() (*plan.Config, []*os.File, error) {
	if p.User != "" || len(p.Groups) > 0 {
		return nil, nil, &Error{"spec", "User", errors.New("a program in a namespace is the host program's user"), "leave User and Groups empty, or use a container"}
	}
	if p.TTY != nil {
		return nil, nil, &Error{"spec", "TTY", errors.ErrUnsupported, "leave it nil, or use a container"}
	}
	if err := checkDir(p.Dir); err != nil {
		return nil, nil, err
	}
	c, files, err := joined(p.namespaces)
	if err != nil {
		return nil, nil, err
	}
	c.Cwd, c.ExtraFiles, c.Files = p.Dir, len(p.ExtraFiles), descriptorLimit()
	r := &request{spec: &Spec{Args: p.Args, Env: p.Env}, identity: account.Identity{Home: "/"}}
	if err := r.program(c); err != nil {
		return nil, nil, err
	}
	if home, ok := environ.Lookup(p.Env, "HOME"); !ok || home == "" {
		c.Env = dropKey(c.Env, "HOME")
	}
	return c, files, nil
}

func dropKey(env []string, key string) []string {
	var list []string
	for _, e := range env {
		if len(e) <= len(key) || e[:len(key)+1] != key+"=" {
			list = append(list, e)
		}
	}
	return list
}
