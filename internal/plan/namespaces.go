package plan

import (
	"fmt"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// kind ties a kind of namespace to its flag and name.
type kind struct {
	flag uint64
	name string // as in /proc/PID/ns, namespaces(7)
}

var (
	kindUser   = kind{sys.CLONE_NEWUSER, "user"}
	kindCgroup = kind{sys.CLONE_NEWCGROUP, "cgroup"}
	kindIPC    = kind{sys.CLONE_NEWIPC, "ipc"}
	kindUTS    = kind{sys.CLONE_NEWUTS, "uts"}
	kindNet    = kind{sys.CLONE_NEWNET, "net"}
	kindPID    = kind{sys.CLONE_NEWPID, "pid"}
	kindMount  = kind{sys.CLONE_NEWNS, "mnt"}
	kindTime   = kind{sys.CLONE_NEWTIME, "time"}
)

type choice struct {
	kind
	Namespace
}

// all lists the choices in the order in which they are joined: the user namespace, which gives the
// rights to join the others, is not among them, and the mount namespace, which changes what paths mean, is last.
func (n *Namespaces) all() []choice {
	return []choice{
		{kindCgroup, n.Cgroup}, {kindIPC, n.IPC}, {kindUTS, n.UTS}, {kindNet, n.Net},
		{kindTime, n.Time}, {kindPID, n.PID}, {kindMount, n.Mount},
	}
}

func joins(n *Namespaces) []string {
	var list []string
	if n.User.Mode == UserJoin {
		list = append(list, "user "+n.User.Object)
	}
	for _, c := range n.all() {
		if c.Mode == Join {
			list = append(list, c.name+" "+c.Object)
		}
	}
	return list
}

// fresh are the flags of the namespaces to make, without the user namespace.
func (n *Namespaces) fresh() uint64 {
	var flags uint64
	for _, c := range n.all() {
		if c.Mode == New {
			flags |= c.flag
		}
	}
	return flags
}

func cloneNames(flags uint64) string {
	var names []string
	n := Namespaces{}
	for _, c := range append([]choice{{kind: kindUser}}, n.all()...) {
		if flags&c.flag != 0 {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, ",")
}

// namespaces brings the process into its namespaces.
//
// Where none is joined and there is no user namespace, the process is started in them by clone(2)
// itself. Else the tape joins and makes them, and then makes the container's first process with
// CLONE_PARENT, so that it is the host program's own child.
func (b *builder) namespaces() {
	n := &b.c.Namespaces
	fresh := n.fresh()
	if b.empty {
		fresh &^= sys.CLONE_NEWNS // see enterEmpty
	}
	if len(b.p.Joins) == 0 && n.User.Mode == UserHost && fresh&sys.CLONE_NEWTIME == 0 && !b.c.Detach {
		b.p.CloneFlags = uintptr(fresh)
		if len(b.c.Tasks) > 0 && n.Cgroup.Mode == New {
			// A cgroup namespace shows the groups that its maker is in, which tasks has only now decided.
			b.p.CloneFlags &^= sys.CLONE_NEWCGROUP
			b.step("unshare", "cgroup", "cgroup_namespaces(7)")
			b.Unshare(sys.CLONE_NEWCGROUP)
		}
		b.hideFromTracers()
		return
	}
	b.p.Staged = true
	b.join()
	b.user()
	if fresh&sys.CLONE_NEWTIME != 0 {
		// A time namespace holds the children of its maker, as a pid namespace does; time_namespaces(7).
		b.step("unshare", "time", "unshare(2), time_namespaces(7)")
		b.Unshare(sys.CLONE_NEWTIME)
		fresh &^= sys.CLONE_NEWTIME
	}
	b.stage(fresh)
}

// Start is the step that comes before all others: the host program starts the process that makes them.
func (p *Plan) Start() Step {
	s := Step{Verb: "clone", Object: cloneNames(uint64(p.CloneFlags)), Why: "clone(2), namespaces(7)"}
	if p.Staged {
		s.Object, s.Why = "a process that makes the container's first one", "clone(2)"
	}
	return s
}

func (b *builder) join() {
	fd := b.p.FDs.Joins
	n := &b.c.Namespaces
	if n.User.Mode == UserJoin {
		b.step("setns", "user "+n.User.Object, "setns(2), user_namespaces(7)")
		b.Setns(tape.Int(fd), sys.CLONE_NEWUSER)
		fd++
		if !n.User.Lenient {
			b.become0()
		}
	}
	for _, c := range n.all() {
		if c.Mode == Join {
			b.step("setns", c.name+" "+c.Object, "setns(2)")
			b.Setns(tape.Int(fd), int(c.flag))
			fd++
		}
	}
}

// become0 takes the ids of the user namespace's root.
func (b *builder) become0() {
	b.Setresgid(0)
	b.Setresuid(0)
	b.hideFromTracers()
}

// hideFromTracers keeps those who see this process from its memory and descriptors until it executes the
// program: a container whose process namespace is joined, or that is entered; ptrace(2), CVE-2016-9962. It
// comes after the id maps, because the files of an undumpable process in /proc belong to the host's root.
func (b *builder) hideFromTracers() { b.Prctl(sys.PR_SET_DUMPABLE, tape.Int(0)) }

// user makes the user namespace and fills its id maps; user_namespaces(7).
func (b *builder) user() {
	u := &b.c.Namespaces.User
	switch u.Mode {
	case UserOneID:
		b.step("unshare", "user", "user_namespaces(7)")
		b.leaveGroups()
		b.Unshare(sys.CLONE_NEWUSER)
		b.step("map", fmt.Sprintf("uid 0 -> %d, gid 0 -> %d", u.UID, u.GID),
			"user_namespaces(7): without privilege one id, and only once setgroups(2) is denied")
		mapOneID(b.Tape, u)
	case UserRanges:
		b.step("unshare", "user", "user_namespaces(7)")
		b.Unshare(sys.CLONE_NEWUSER)
		b.step("map", "ids by the host program", "newuidmap(1), newgidmap(1); or /proc/PID/uid_map by root")
		b.ask("m")
		b.become0()
	case UserHost, UserJoin:
	}
}

// leaveGroups gives up the host program's supplementary groups before a user namespace of one id, in which there
// is no setgroups(2) any more. An ordinary user may not: to the kernel a group can also take rights away.
func (b *builder) leaveGroups() { b.Setgroups(nil).Allow(sys.EPERM) }

// EnterUser makes a user namespace on a tape of the caller's. With UserRanges the maps are the caller's to
// write, and the ids to take.
func EnterUser(t *tape.Tape, u *UserNamespace) {
	if u.Mode == UserOneID || u.Mode == UserRanges {
		t.Unshare(sys.CLONE_NEWUSER)
	}
	if u.Mode == UserOneID {
		mapOneID(t, u)
	}
}

func mapOneID(t *tape.Tape, u *UserNamespace) {
	put(t, "/proc/self/setgroups", "deny")
	put(t, "/proc/self/uid_map", fmt.Sprintf("0 %d 1\n", u.UID))
	put(t, "/proc/self/gid_map", fmt.Sprintf("0 %d 1\n", u.GID))
}

// put writes a string to a file that exists.
func put(t *tape.Tape, path, s string) {
	fd := t.Slot("fd")
	t.Openat(tape.Cwd, path, sys.O_WRONLY|sys.O_CLOEXEC, 0).To(fd)
	t.Write(fd, s)
	t.Close(fd)
}

// stage makes the container's first process and ends this one. It is clone(2) that makes it, because the
// filter of a program that enters is in force by then and knows no clone3(2).
func (b *builder) stage(flags uint64) {
	what := "the container's first process"
	if flags != 0 {
		what += ", " + cloneNames(flags)
	}
	pid := b.Words(tape.Int(0))
	child, parent := b.Label("container"), b.Label("stage")
	b.hideFromTracers()
	if b.c.Detach {
		b.step("clone", what, "clone(2): a child of its supervisor")
		b.Clone(flags, sys.SIGCHLD).To(pid.Field(0))
	} else {
		b.step("clone", what, "clone(2), CLONE_PARENT: a child of the host program")
		b.Clone(flags|sys.CLONE_PARENT, 0).To(pid.Field(0))
	}
	b.If(pid.Field(0), tape.Int(0), child, parent)
	b.Mark(parent)
	// A record with operation 0 is a pid; see launch.
	b.WriteMem(tape.Int(b.p.FDs.Status), pid.Addr(), tape.FailureSize)
	if b.c.Detach {
		b.supervise(pid)
	} else {
		b.ExitGroup(tape.Int(0))
	}
	b.Mark(child)
}

// handOver sends the mount namespace to the host program, before anything is executed in it, if the process
// namespace is not the container's own: by nothing else are its processes found that outlive the first one. It is
// opened in the container's proc, because the host's may be out of sight by now.
func (b *builder) handOver() {
	if !b.p.Hands {
		return
	}
	b.step("open", "/proc/self/ns/mnt, to the host program", "namespaces(7): it ends what shares the pid namespace")
	rights := b.Rights()
	b.Openat(b.proc, "self/ns/mnt", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(rights.FD())
	b.SendRights(tape.Int(b.p.FDs.Control), "n", rights)
	b.Close(rights.FD())
}

// tie lets a detached container die with its supervisor. Every change of ids undoes that (commit_creds in the
// kernel), so it comes last; executing a set-id program would too, and does nothing here. A supervisor that was
// killed before sends no signal any more: the host program looks, writes down who this process is, and answers.
func (b *builder) tie() {
	if !b.c.Detach {
		return
	}
	b.step("prctl", "SIGKILL when the supervisor ends", "prctl(2), PR_SET_PDEATHSIG")
	b.Prctl(sys.PR_SET_PDEATHSIG, tape.Int(sys.SIGKILL))
	b.ask("p")
}

// ask sends a letter to the host program and goes on when it has answered.
func (b *builder) ask(letter string) {
	control := tape.Int(b.p.FDs.Control)
	b.Write(control, letter)
	got, answered := b.Slot("answer"), b.Label("answered")
	b.Read(control, b.Zero(8)).To(got)
	b.If(got, tape.Int(0), b.fail, answered)
	b.Mark(answered)
}

// supervise is what the parent of a detached container does: it holds the container's lock, waits, writes
// the status down and ends. It has nothing else of the host program's, and outlives it. It alone has the file: an
// init, whose descriptors the container can open again, writes to a pipe.
func (b *builder) supervise(pid tape.Ref) {
	fds := &b.p.FDs
	b.Prctl(sys.PR_SET_NAME, b.Str("caisson").Addr()).Ignore()
	b.Setsid().Ignore()
	b.BlockSignals(sys.SIG_BLOCK, ^uint64(0))
	first := fds.Kept
	if fds.Told >= 0 {
		first = fds.Told
	}
	b.CloseRange(0, uint32(first-1), 0).Ignore()
	b.CloseRange(uint32(fds.Lock+1), ^uint32(0), 0).Ignore()
	status := b.Zero(8)
	wait := b.Here("supervise")
	gone := b.Label("")
	b.Wait4(pid.Field(0), status, sys.WALL).Allow(sys.ECHILD).Then(gone).Else(wait)
	b.Mark(gone)
	if fds.Told >= 0 {
		// Init has said what there is to say. Who else has its end open, and reads or does not write, holds up nothing.
		b.Fcntl(tape.Int(fds.Told), sys.F_SETFL, tape.Int(sys.O_NONBLOCK)).Ignore()
		b.Read(tape.Int(fds.Told), status).Ignore()
	}
	b.WriteMem(tape.Int(fds.Kept), status.Addr(), 4).Ignore()
	b.ExitGroup(status.Field(1))
}
