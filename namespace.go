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
// ever enters it: what has to happen there happens in a small process of its own.
type Namespace struct {
	kind  NamespaceKind
	file  *os.File
	owner *os.File // the user namespace that owns it, nil if it is the host program's own
}

// OpenNamespace opens the namespace that a file stands for: one of /proc/PID/ns, or a bind mount of one.
//
// Errors: *Error; fs.ErrNotExist, fs.ErrPermission, syscall.ENOTTY if the file is something else.
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
// with it, in which the host program's user is root. A network namespace has its loopback up. A pid or
// time namespace cannot be held without a process and is errors.ErrUnsupported.
func NewNamespace(ctx context.Context, kind NamespaceKind) (*Namespace, error) {
	if !slices.Contains(namespaceKinds, kind) {
		return nil, &Error{"unshare", string(kind), errors.New("no such kind of namespace"), fmt.Sprint("use one of ", namespaceKinds)}
	}
	if kind == PIDNamespace || kind == TimeNamespace {
		return nil, &Error{"unshare", string(kind), errors.ErrUnsupported, "start a container and use its namespace"}
	}
	return makeNamespace(ctx, kind)
}

// Namespace opens one of the namespaces of a running container. Close it after use.
func (c *Container) Namespace(kind NamespaceKind) (*Namespace, error) {
	if !slices.Contains(namespaceKinds, kind) {
		return nil, &Error{"open", string(kind), errors.New("no such kind of namespace"), fmt.Sprint("use one of ", namespaceKinds)}
	}
	l, err := c.running()
	if err != nil {
		return nil, err
	}
	pid := l.pid()
	if pid == 0 {
		return nil, os.ErrProcessDone
	}
	n, err := OpenNamespace("/proc/" + itoa(pid) + "/ns/" + string(kind))
	if err == nil && l.ended() {
		return nil, errors.Join(os.ErrProcessDone, n.Close())
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

// Close closes the namespace. It ends when nothing else holds it.
func (n *Namespace) Close() error {
	if n.owner != nil {
		_ = n.owner.Close()
	}
	return n.file.Close()
}

// Command is a program that runs in the namespace, and in the host program's own of every other kind,
// with its filesystem and rights; in a namespace that an unprivileged user made, with the rights of its
// user namespace. The environment is Process.Env and a default PATH, nothing else.
func (n *Namespace) Command(arg ...string) *Process { return CommandIn([]*Namespace{n}, arg...) }

// CommandIn is Namespace.Command in several namespaces of different kinds at once. They must stay open
// until the program has started.
func CommandIn(namespaces []*Namespace, arg ...string) *Process {
	return &Process{Args: arg, namespaces: namespaces}
}
