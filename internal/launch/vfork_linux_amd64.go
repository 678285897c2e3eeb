package launch

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"github.com/caisson-go/caisson/internal/sys"
)

// vfork makes a process that shares this one's memory until it executes, makes it make calls, the last of which
// executes, and returns its number, or an errno negated. The thread waits meanwhile, with all signals blocked.
func vfork(args *[11]uint64, masks *[2]uint64, calls *call) (result int)

// call is a system call that the child makes. The assembly knows its layout.
type call struct {
	nr    uintptr
	args  [6]uintptr
	errno uintptr // of a call that failed; the calls behind it are not made
}

// child is the memory that a child uses before it executes. It is on the heap, where nothing moves.
type child struct {
	args  [11]uint64 // struct clone_args, clone(2)
	masks [2]uint64  // all signals, and the mask of the thread
	pidfd int32
	empty [1]byte
	name  [8]byte
	argv  [2]uintptr
	envp  [1]uintptr
	calls []call
}

// children are spare ones. They hold no pointers but to themselves.
var children = sync.Pool{New: func() any { return new(child) }}

// Numbers of system calls that the syscall package does not know; arch/x86/entry/syscalls/syscall_64.tbl.
const (
	sysExecveat   = 322
	sysCloseRange = 436
)

// Indexes of struct clone_args.
const (
	cloneFlags = iota
	clonePidfd
	_
	_
	cloneSignal
	cloneCgroup = 10
)

// execute starts an open program. The syscall package could do it, and does where this kernel or whoever filters its
// calls does not know clone3(2). This saves what is the same for every program that may be started: resetting 65
// signal handlers one by one, a pipe for one errno, looking the program up in /proc, and ForkLock, by which one start
// waits for another: what has no close-on-exec flag, which that lock is for, a tape closes first.
func execute(exe uintptr, fds []uintptr, o *Options) (pid, pidfd int, err error) {
	// Another start's child may, until it executes, hold a copy of the descriptor by which the program was written,
	// and what is open for writing cannot be executed; execve(2). Each try takes longer than such a child lives.
	for range 100 {
		pid, pidfd, err = executeOnce(exe, fds, o)
		if !errors.Is(err, syscall.ETXTBSY) {
			break
		}
	}
	return pid, pidfd, err
}

func executeOnce(exe uintptr, fds []uintptr, o *Options) (pid, pidfd int, err error) {
	c := children.Get().(*child)
	defer children.Put(c)
	c.clone(o)
	c.arrange(exe, fds)
	pid = vfork(&c.args, &c.masks, &c.calls[0])
	pidfd = int(c.pidfd)
	runtime.KeepAlive(c)
	if pid < 0 {
		errno := syscall.Errno(-pid)
		if errno == syscall.ENOSYS || errno == syscall.EINVAL || errno == syscall.EPERM {
			return executeSlowly(exe, fds, o)
		}
		return 0, 0, os.NewSyscallError("clone3", errno)
	}
	for i := range c.calls {
		if errno := syscall.Errno(c.calls[i].errno); errno != 0 {
			_, _, reaped := sys.Reap(pid)
			return 0, 0, errors.Join(os.NewSyscallError(callName(c.calls[i].nr), errno), reaped, sys.CloseFD(pidfd))
		}
	}
	return pid, pidfd, nil
}

// clone fills in what the child is like.
func (c *child) clone(o *Options) {
	flags := uint64(o.CloneFlags) | sys.CLONE_VM | sys.CLONE_VFORK | sys.CLONE_PIDFD | sys.CLONE_CLEAR_SIGHAND
	c.args = [11]uint64{cloneSignal: uint64(syscall.SIGCHLD), clonePidfd: uint64(uintptr(unsafe.Pointer(&c.pidfd)))}
	if o.Cgroup != nil {
		flags |= sys.CLONE_INTO_CGROUP
		c.args[cloneCgroup] = uint64(o.Cgroup.Fd())
	}
	c.args[cloneFlags] = flags
	c.masks[0] = ^uint64(0)
	copy(c.name[:], "caisson\x00")
	c.argv[0] = uintptr(unsafe.Pointer(&c.name))
}

// arrange writes down the child's calls: its descriptors, the thread's own signal mask, the program.
func (c *child) arrange(exe uintptr, fds []uintptr) {
	c.calls = c.calls[:0]
	moves, exe := arrange(exe, fds)
	for _, m := range moves {
		switch {
		case m.from == none:
			c.call(sysCloseRange, m.to, m.to, 0) // which does not mind if it is not open, as close does
		case m.from == m.to:
			c.call(syscall.SYS_FCNTL, m.to, syscall.F_SETFD, 0)
		default:
			c.call(syscall.SYS_DUP3, m.from, m.to, m.flags)
		}
	}
	c.call(syscall.SYS_RT_SIGPROCMASK, sys.SIG_SETMASK, uintptr(unsafe.Pointer(&c.masks[1])), 0, 8)
	c.call(sysExecveat, exe, uintptr(unsafe.Pointer(&c.empty)), uintptr(unsafe.Pointer(&c.argv)),
		uintptr(unsafe.Pointer(&c.envp)), sys.AT_EMPTY_PATH)
}

func (c *child) call(nr uintptr, args ...uintptr) {
	next := call{nr: nr}
	copy(next.args[:], args)
	c.calls = append(c.calls, next)
}

func callName(nr uintptr) string {
	switch nr {
	case sysExecveat:
		return "execveat"
	case syscall.SYS_DUP3:
		return "dup3"
	case syscall.SYS_FCNTL:
		return "fcntl"
	}
	return "close_range"
}
