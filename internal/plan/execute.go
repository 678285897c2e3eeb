package plan

import (
	"fmt"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// terminal opens a pseudoterminal in the container's own /dev/pts and sends its master to the host
// program. The slave comes from the master by TIOCGPTPEER (ioctl_tty(2)), not by a path that could
// be something else (CVE-2025-52565), and becomes /dev/console too.
func (b *builder) terminal() {
	size := b.c.TTY
	if size == nil {
		return
	}
	b.step("terminal", "/dev/pts/ptmx, master to the host program", "pts(4), ioctl_tty(2) TIOCGPTPEER")
	rights := b.Rights()
	master := rights.FD()
	b.peer = b.Slot("peer")
	b.Openat(tape.Cwd, "/dev/pts/ptmx", sys.O_RDWR|sys.O_NOCTTY|sys.O_CLOEXEC, 0).To(master)
	b.Ioctl(master, sys.TIOCSPTLCK, b.Words(tape.Int(0)).Addr())
	b.Ioctl(master, sys.TIOCGPTPEER, tape.Int(sys.O_RDWR|sys.O_NOCTTY|sys.O_CLOEXEC)).To(b.peer)
	winsize := b.Words(tape.Uint(uint64(size.Rows) | uint64(size.Cols)<<16))
	b.Ioctl(b.peer, sys.TIOCSWINSZ, winsize.Addr())
	if !b.unprivileged() || b.c.Identity.UID == 0 {
		b.Fchownat(b.peer, "", b.c.Identity.UID, ^uint32(0), sys.AT_EMPTY_PATH)
	}
	b.SendRights(tape.Int(b.p.FDs.Control), "t", rights)
	b.Close(master)
	if b.c.Namespaces.Mount.Mode == New {
		b.console()
	}
	for fd := range 3 {
		b.Dup3(b.peer, tape.Int(fd), 0)
	}
}

func (b *builder) console() {
	b.step("bind", "/dev/console <- the terminal", "console(4); mounted by descriptor")
	mnt := b.Slot("console")
	b.OpenTree(b.peer, "", sys.OPEN_TREE_CLONE|sys.AT_EMPTY_PATH).To(mnt)
	b.Mknodat(tape.Cwd, "/dev/console", sys.S_IFREG|0o600, 0).Allow(sys.EEXIST)
	b.MoveMount(mnt, tape.Cwd, "/dev/console", 0)
}

// network settles what the new network and UTS namespace are like.
func (b *builder) network() {
	if b.c.Namespaces.Net.Mode == New {
		b.loopback()
	}
	if b.c.Hostname != "" && b.c.Namespaces.UTS.Mode == New {
		b.step("sethostname", b.c.Hostname, "sethostname(2), uts_namespaces(7)")
		b.Sethostname(b.c.Hostname)
	}
}

// loopback brings lo up; a new network namespace has it down. netdevice(7).
func (b *builder) loopback() {
	b.step("ioctl", "lo up", "netdevice(7), network_namespaces(7)")
	sock := b.Slot("socket")
	b.Socket(sys.AF_INET, sys.SOCK_DGRAM|sys.SOCK_CLOEXEC, 0).To(sock)
	request := make([]byte, 40) // struct ifreq: a name of 16 bytes, then the flags
	copy(request, "lo")
	request[16] = sys.IFF_UP | sys.IFF_RUNNING
	b.Ioctl(sock, sys.SIOCSIFFLAGS, b.Bytes(request).Addr())
	b.Close(sock)
}

// session leaves the host program's session and takes the container's terminal.
func (b *builder) session() {
	b.step("setsid", "a session without a terminal", "setsid(2): TIOCSTI cannot reach the host program's")
	b.Setsid().Allow(sys.EPERM)
	if !b.c.Init {
		b.control()
	}
}

// identity changes who the process is. All five sets of capabilities end up as said; capabilities(7).
func (b *builder) identity() {
	id := &b.c.Identity
	b.filter() // needs CAP_SYS_ADMIN, which goes next, or no_new_privs, which may not come
	b.step("capabilities", capNames(b.c.Caps), "capabilities(7)")
	for c := range maxCap + 1 {
		if b.c.Caps&(1<<c) == 0 {
			b.Prctl(sys.PR_CAPBSET_DROP, tape.Int(c)).Allow(sys.EINVAL)
		}
	}
	b.Prctl(sys.PR_CAP_AMBIENT, tape.Int(sys.PR_CAP_AMBIENT_CLEAR))
	b.step("identity", describeIdentity(id), "credentials(7)")
	if id.SetGroups {
		op := b.Setgroups(id.Groups)
		if b.c.Namespaces.User.Mode == UserJoin {
			op.Allow(sys.EPERM).Note("a namespace of one id has denied it for good; user_namespaces(7)")
		}
	}
	b.Setresgid(id.GID).Note(id.Note)
	b.Setresuid(id.UID).Note(id.Note)
	caps := b.c.Caps
	if id.UID != 0 {
		caps = 0
	}
	b.Capset(caps, caps, 0)
	if !b.c.NewPrivs {
		b.step("prctl", "no_new_privs", "Documentation/userspace-api/no_new_privs.rst")
		b.Prctl(sys.PR_SET_NO_NEW_PRIVS, tape.Int(1))
	}
}

// workdir enters the working directory, making it first if need be. A magic link would lead to a
// descriptor of the host program's (CVE-2024-21626) and is refused.
func (b *builder) workdir() {
	cwd := b.c.Cwd
	if cwd == "" || cwd == "/" {
		return
	}
	b.step("chdir", cwd, "chdir(2), openat2(2) RESOLVE_NO_MAGICLINKS")
	fd := b.Slot("cwd")
	found, missing := b.Label(""), b.Label("")
	b.open(cwd).To(fd).Then(found).Else(missing)
	b.Mark(missing)
	b.makeDirs(cwd)
	b.open(cwd).To(fd)
	b.Mark(found)
	b.Fchdir(fd)
	b.Close(fd)
}

// control makes the pseudoterminal, which is the standard files, the controlling terminal of the session. A
// terminal controls one session: under an init it is the program's.
func (b *builder) control() {
	if b.c.TTY != nil {
		b.Ioctl(tape.Int(0), sys.TIOCSCTTY, tape.Int(0))
	}
}

// execute starts the program, as this process or as the child of an init.
func (b *builder) execute() {
	argv, envp := b.Strings(b.c.Args), b.Strings(b.c.Env)
	b.tie()
	if b.c.Init {
		b.init()
	}
	b.step("close", "everything but the program's own descriptors, on exec", "close_range(2)")
	b.Umask(0o022)
	b.CloseRange(uint32(3+b.c.ExtraFiles), ^uint32(0), sys.CLOSE_RANGE_CLOEXEC)
	if l := b.c.Files; l != (Rlimit{}) {
		b.step("prlimit", fmt.Sprintf("nofile %d:%d", l.Soft, l.Hard), "getrlimit(2), select(2): descriptors up to 1023")
		b.Prlimit64(sys.RLIMIT_NOFILE, l.Soft, l.Hard)
	}
	b.step("execve", b.c.Args[0], "execve(2)")
	b.ready()
	b.candidates(argv, envp)
}

// ready marks the pipe: everything is set up. The host program looks at the mark when the pipe has ended, because
// the program has been executed or the process is dead. A record would wake it now, when the kernel, for the
// execution, looks for a processor with less to do, and the start would move to one that has to be woken as well;
// the capacity of a pipe wakes nobody. With no reader left the host program is dead: a container never starts
// without it.
func (b *builder) ready() {
	status := tape.Int(b.p.FDs.Status)
	if b.p.Marks > 0 {
		b.WriteMem(status, b.Words(tape.Int(0)).Addr(), tape.FailureSize)
		b.WriteMem(status, b.marks.Addr(), b.p.Marks*MarkSize)
	}
	unread, read := b.Slot("unread"), b.Label("")
	b.Ppoll(b.p.FDs.Status, b.Words(tape.Int(0), tape.Int(0)).Addr()).To(unread).Note("POLLERR: no reader is left; pipe(7)")
	b.If(unread, tape.Int(0), read, b.fail)
	b.Mark(read)
	b.Fcntl(status, sys.F_SETPIPE_SZ, tape.Int(1)).Note("one page: ready")
}

// candidates tries the program's paths as execvp(3) does: a file that is not there, or may not be
// executed, leads on to the next. The latter is reported at once, so that it is remembered.
func (b *builder) candidates(argv, envp tape.Ref) {
	result := b.Slot("exec")
	errno := func(n int) tape.Arg { return tape.Uint(-uint64(n)) }
	for i, p := range b.c.Paths {
		op := b.Execve(p, argv, envp).To(result)
		if i == len(b.c.Paths)-1 {
			b.p.LastExec = op.Index()
			break
		}
		next, a, d, n := b.Label(""), b.Label(""), b.Label(""), b.Label("")
		op.Else(a)
		b.Mark(a)
		b.If(result, errno(sys.ENOENT), next, d)
		b.Mark(d)
		b.If(result, errno(sys.ENOTDIR), next, n)
		b.Mark(n)
		denied := b.Label("")
		b.If(result, errno(sys.EACCES), denied, b.fail)
		b.Mark(denied)
		b.WriteMem(tape.Int(b.p.FDs.Status), tape.FailureRecord, tape.FailureSize)
		b.Mark(next)
	}
}

// init makes the program the child of this process, which becomes its init: PID 1 that passes signals
// on, reaps what is orphaned, reports the program's exit status and ends when it ends.
func (b *builder) init() {
	const all = ^uint64(0)
	b.step("init", "PID 1 that reaps and forwards", "pid_namespaces(7), sigwaitinfo(2)")
	child, parent := b.Label("program"), b.Label("init")
	pid, status := b.Slot("program"), b.Zero(8)
	b.BlockSignals(sys.SIG_BLOCK, all)
	b.Clone(0, sys.SIGCHLD).To(pid)
	b.If(pid, tape.Int(0), child, parent)
	b.Mark(parent)
	b.Prctl(sys.PR_SET_NAME, b.Str("init").Addr()).Ignore()
	// Keep only the exit pipe, so that the program's own end of its output is the last.
	exit := b.p.FDs.Exit
	b.CloseRange(0, uint32(exit-1), 0).Ignore()
	b.CloseRange(uint32(exit+1), ^uint32(0), 0).Ignore()
	// The process is undumpable until there is nothing to take from it; exec would undo that, but an init
	// executes nothing, and who made the container could not enter it by this process; setns(2), ptrace(2).
	b.Prctl(sys.PR_SET_DUMPABLE, tape.Int(1)).Ignore()
	b.reap(pid, status)
	b.Mark(child)
	b.Setsid().Ignore()
	b.control()
	b.BlockSignals(sys.SIG_SETMASK, 0)
}

// reap is init's loop.
func (b *builder) reap(pid tape.Arg, status tape.Ref) {
	const all = ^uint64(0)
	signal, got := b.Slot("signal"), b.Slot("reaped")
	forward, reap, another, ended := b.Label("forward"), b.Label("reap"), b.Label(""), b.Label("ended")
	wait := b.Here("wait")
	b.Sigwait(all).To(signal).Else(wait)
	b.If(signal, tape.Int(sys.SIGCHLD), reap, forward)
	b.Mark(forward)
	b.Kill(pid, signal).Ignore().Then(wait)
	b.Mark(reap)
	b.Wait4(tape.Int(-1), status, sys.WNOHANG|sys.WALL).To(got).Else(wait)
	b.If(got, pid, ended, another)
	b.Mark(another)
	b.If(got, tape.Int(0), wait, reap)
	b.Mark(ended)
	b.WriteMem(tape.Int(b.p.FDs.Exit), status.Addr(), 4).Ignore()
	b.ExitGroup(status.Field(1)).Note("the second byte of a status is the exit code; wait(2)")
}
