package caisson

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// NamespaceKind is a kind of namespace, named as in /proc/PID/ns; namespaces(7).
type NamespaceKind string

// The kinds of namespace.
const (
	MountNamespace  NamespaceKind = "mnt"    // mount points; mount_namespaces(7)
	PIDNamespace    NamespaceKind = "pid"    // process ids; pid_namespaces(7)
	NetNamespace    NamespaceKind = "net"    // network devices, addresses, ports; network_namespaces(7)
	IPCNamespace    NamespaceKind = "ipc"    // System V IPC, POSIX message queues; ipc_namespaces(7)
	UTSNamespace    NamespaceKind = "uts"    // the host name; uts_namespaces(7)
	UserNamespace   NamespaceKind = "user"   // user and group ids, capabilities; user_namespaces(7)
	CgroupNamespace NamespaceKind = "cgroup" // what the cgroup's root is; cgroup_namespaces(7)
	TimeNamespace   NamespaceKind = "time"   // boot and monotonic clocks; time_namespaces(7)
)

var namespaceKinds = []NamespaceKind{
	MountNamespace, PIDNamespace, NetNamespace, IPCNamespace, UTSNamespace, UserNamespace, CgroupNamespace, TimeNamespace,
}

// Namespace is an open namespace. It lives at least as long as it is open. No thread of the host program
// ever enters it: what has to happen there happens in a small process of its own. Its methods may be called
// from several goroutines.
type Namespace struct {
	kind  NamespaceKind
	file  *os.File
	owner *os.File // the user namespace that owns it, nil if it is the host program's own
}

// OpenNamespace opens the namespace that a file stands for: one of /proc/PID/ns, or a bind mount of one.
//
// Errors: *Error; fs.ErrNotExist, fs.ErrPermission, syscall.ENOTTY if the file is something else.
// Source: namespaces(7), ioctl_nsfs(2).
func OpenNamespace(path string) (*Namespace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{"open", path, err, "does the process still live, and may you look at it?"}
	}
	n, err := newNamespace(f)
	if err != nil {
		_ = f.Close()
		return nil, &Error{"open", path, err, "give a file of /proc/PID/ns"}
	}
	return n, nil
}

// NewNamespace makes a namespace without a process in it. Without privilege a user namespace is made
// with it, in which the host program's user is root. A network namespace has its loopback up; what is mounted
// in a mount namespace does not show on the host. A pid or time namespace cannot be held without a process.
//
// Two namespaces of an ordinary user that are made one after the other belong to two user namespaces, and no
// program can be in both: make them by NewNamespaces.
//
// Errors: *Error; fs.ErrPermission where namespaces are forbidden, syscall.ENOSPC if there are too many,
// errors.ErrUnsupported for a pid or time namespace and elsewhere than on Linux; ctx.Err.
// Source: unshare(2), namespaces(7), user_namespaces(7).
func NewNamespace(ctx context.Context, kind NamespaceKind) (*Namespace, error) {
	list, err := NewNamespaces(ctx, kind)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// NewNamespaces makes a namespace of each kind, in this order, as NewNamespace does. They are all owned by the
// same user namespace, so that CommandIn can run a program in all of them: without privilege, or if it is
// among the kinds, a new one, else the host program's. Close each after use.
//
// Errors: as NewNamespace's; then none is left.
func NewNamespaces(ctx context.Context, kinds ...NamespaceKind) ([]*Namespace, error) {
	if len(kinds) == 0 {
		return nil, &Error{"unshare", "", errors.New("no kind of namespace"), fmt.Sprint("use some of ", namespaceKinds)}
	}
	for i, kind := range kinds {
		switch {
		case !slices.Contains(namespaceKinds, kind):
			return nil, &Error{"unshare", string(kind), errors.New("no such kind of namespace"), fmt.Sprint("use one of ", namespaceKinds)}
		case kind == PIDNamespace || kind == TimeNamespace:
			return nil, &Error{"unshare", string(kind), errors.ErrUnsupported, "start a container and use its namespace"}
		case slices.Contains(kinds[:i], kind):
			return nil, &Error{"unshare", string(kind), errors.New("the kind is given twice"), "give each once"}
		}
	}
	return makeNamespaces(ctx, kinds)
}

// Namespace opens one of the namespaces of a running container. Close it after use.
//
// Errors: *Error; ErrNotStarted, os.ErrProcessDone or ErrClosed if the container does not run.
// Source: namespaces(7), "The /proc/pid/ns/ directory".
func (c *Container) Namespace(kind NamespaceKind) (*Namespace, error) {
	if !slices.Contains(namespaceKinds, kind) {
		return nil, &Error{"open", string(kind), errors.New("no such kind of namespace"), fmt.Sprint("use one of ", namespaceKinds)}
	}
	l, err := c.life.alive()
	if err != nil {
		return nil, c.failed("open", err)
	}
	n, err := OpenNamespace("/proc/" + itoa(l.pid()) + "/ns/" + string(kind))
	if l.ended() {
		// It may have ended before, and the number may be another's.
		if err == nil {
			_ = n.Close()
		}
		return nil, c.failed("open", os.ErrProcessDone)
	}
	return n, err
}

// Kind is what kind of namespace it is.
func (n *Namespace) Kind() NamespaceKind { return n.kind }

// String is the kind and the inode number, such as "net:[4026532281]", as readlink(1) of
// /proc/PID/ns/net shows it: equal for equal namespaces.
func (n *Namespace) String() string {
	info, err := n.file.Stat()
	if err != nil {
		return string(n.kind) + ":[closed]"
	}
	return fmt.Sprintf("%s:[%d]", n.kind, inode(info))
}

// Close closes the namespace. It ends when nothing else holds it. It may be called more than once, and on nil.
func (n *Namespace) Close() error {
	if n == nil || n.file == nil {
		return nil
	}
	if n.owner != nil {
		_ = n.owner.Close()
	}
	if err := n.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Command is a program that runs in the namespace, and in the host program's own of every other kind,
// with its filesystem and rights; in a namespace that an unprivileged user made, with the rights of its
// user namespace. The environment is Process.Env and a default PATH, nothing else. Process.Dir is an absolute
// path of a directory that exists; empty, it is the host program's, or in a mount namespace the root.
// There is no terminal, and Process.User and Groups are empty.
func (n *Namespace) Command(arg ...string) *Process { return CommandIn([]*Namespace{n}, arg...) }

// CommandIn is Namespace.Command in several namespaces of different kinds at once, such as those of
// NewNamespaces. They must stay open until the program has started.
func CommandIn(namespaces []*Namespace, arg ...string) *Process {
	return &Process{Args: arg, namespaces: namespaces}
}
