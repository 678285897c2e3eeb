package plan

import (
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// CompileSocket is a plan that makes a socket in a network namespace and sends it over the control
// socket. The process ends then; a socket stays in the namespace it was made in, whoever has it
// (network_namespaces(7)), so no thread of the host program ever needs to enter one.
//
// With inside the namespaces are those of a running container, by its pidfd; else Config.Namespaces
// says which to join.
func CompileSocket(c *Config, inside bool, domain, kind int) *Plan {
	b := newBuilder(c)
	if inside {
		b.p.Joins = []string{"pidfd"}
	} else {
		b.p.Joins = joins(&c.Namespaces)
	}
	b.assignControl()
	b.begin()
	if inside {
		b.enter()
	} else {
		b.join()
	}
	b.step("socket", "in the network namespace", "socket(2), network_namespaces(7)")
	sock := b.Slot("socket")
	b.Socket(domain, kind|sys.SOCK_CLOEXEC|sys.SOCK_NONBLOCK, 0).To(sock)
	b.SendFD(tape.Int(b.p.FDs.Control), "s", sock)
	b.ExitGroup(tape.Int(0))
	b.end()
	return b.p
}

// CompileJoin is a plan that runs a program in namespaces that exist, with the host program's own
// filesystem and rights.
func CompileJoin(c *Config) (*Plan, error) {
	b := newBuilder(c)
	b.p.Joins, b.p.Staged = joins(&c.Namespaces), true
	b.assign()
	b.begin()
	b.join()
	b.terminal()
	b.enterDir()
	b.narrow()
	b.stage(0)
	b.session()
	b.execute()
	b.end()
	return b.p, nil
}

// enterDir enters the working directory, which has to exist: the filesystem is the host's own or a
// stranger's, and a program that is only run there has nothing made in it.
func (b *builder) enterDir() {
	if b.c.Cwd == "" {
		return
	}
	b.step("chdir", b.c.Cwd, "chdir(2), openat2(2) RESOLVE_NO_MAGICLINKS")
	fd := b.Slot("cwd")
	b.open(b.c.Cwd).To(fd)
	b.Fchdir(fd)
	b.Close(fd)
}

// CompileHold is a plan that makes namespaces, given by their flags, and waits on the control socket, so that
// the host program can open them.
func CompileHold(c *Config, flags uint64) *Plan {
	b := newBuilder(c)
	b.assignControl()
	b.begin()
	b.user()
	if c.Namespaces.User.Mode != UserHost {
		flags &^= sys.CLONE_NEWUSER // made already, with its maps, and owns the others
	}
	if flags != 0 {
		b.step("unshare", cloneNames(flags), "unshare(2)")
		b.Unshare(int(flags))
	}
	if flags&sys.CLONE_NEWNS != 0 {
		b.private()
	}
	if flags&sys.CLONE_NEWNET != 0 {
		b.loopback()
	}
	b.Write(tape.Int(b.p.FDs.Control), "h")
	b.Read(tape.Int(b.p.FDs.Control), b.Zero(8))
	b.ExitGroup(tape.Int(0))
	b.end()
	return b.p
}

// private keeps what is mounted in a new mount namespace from showing on the host.
func (b *builder) private() {
	b.step("mount", "/ private", "mount_namespaces(7)")
	b.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "")
}
