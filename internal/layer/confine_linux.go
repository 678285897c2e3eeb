package layer

import (
	"fmt"
	"os"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The memory shared with the process that unpacks: two lanes, each for some thousand operations, and chunks that the
// stream is read into. What is in use at a time stays in a processor's cache.
const (
	lanes     = 2
	laneOps   = 384 << 10
	chunks    = 8
	chunkSize = 128 << 10
	runArena  = 256 << 10
)

// fileCapabilities are what it takes to write files for others, and to use what they keep to themselves.
const fileCapabilities = 1<<sys.CAP_CHOWN | 1<<sys.CAP_DAC_OVERRIDE | 1<<sys.CAP_DAC_READ_SEARCH |
	1<<sys.CAP_FOWNER | 1<<sys.CAP_FSETID | 1<<sys.CAP_SETFCAP

// taker takes on hands for a directory.
type taker func(dst *os.File, o *Options, j judge) (hands, error)

// takers are the ways to have hands, the most confined first.
func takers(o *Options) []taker {
	if o.User != nil { // without it the owners cannot be had
		return []taker{inUserNamespace}
	}
	return []taker{inUserNamespace, inProcess, newDirect}
}

// options are those of every process that unpacks.
func options(dst *os.File) proxy.Options {
	return proxy.Options{
		Name: "caisson-unpack", Files: []*os.File{dst}, Arena: runArena,
		Lanes: lanes, Lane: laneOps, Data: chunks * chunkSize,
	}
}

// inUserNamespace is a process with privileges over files only, in a user namespace of its own.
func inUserNamespace(dst *os.File, o *Options, j judge) (hands, error) {
	p, err := startInUserNamespace(options(dst), &proxy.Cage{Capabilities: fileCapabilities, FileSize: o.Limits.Bytes}, o)
	if err != nil {
		return nil, namespaceError(err)
	}
	return newByProxy(p, true, j)
}

// inProcess is a process in this program's user namespace, with no more of its privileges than it needs.
func inProcess(dst *os.File, o *Options, j judge) (hands, error) {
	cage := proxy.Cage{FileSize: o.Limits.Bytes}
	for c := range 64 {
		if fileCapabilities>>c&1 != 0 && sys.HasCapability(c) {
			cage.Capabilities |= 1 << c
		}
	}
	with := options(dst)
	with.Prelude = cage.Shut
	p, err := proxy.Start(with)
	if err != nil {
		return nil, err
	}
	return newByProxy(p, false, j)
}

func startInUserNamespace(base proxy.Options, cage *proxy.Cage, o *Options) (*proxy.Proxy, error) {
	uid, gid := 0, 0 // who the process is in there
	switch {
	case o.User != nil:
		base.Enter, base.Map = o.User.Enter, o.User.Map
	case os.Geteuid() == 0:
		uid, gid = os.Geteuid(), os.Getegid()
		base.Enter = func(t *tape.Tape) {
			t.Setgroups(nil).Allow(sys.EPERM)
			t.Unshare(sys.CLONE_NEWUSER)
		}
		base.Map = mapSame
	case o.IgnoreOwners:
		base.Enter = enterOneID
	default:
		return nil, os.ErrPermission // nobody else's files, and not only one's own either
	}
	base.Prelude = func(t *tape.Tape) {
		t.Setresgid(uint32(gid))
		t.Setresuid(uint32(uid))
		cage.Shut(t)
	}
	return proxy.Start(base)
}

// mapSame gives a process's new user namespace the ids of this program's, each as itself.
func mapSame(pid int) error {
	for _, name := range []string{"uid_map", "gid_map"} {
		own, err := os.Open("/proc/self/" + name)
		if err != nil {
			return err
		}
		var same []byte
		for {
			var inside, outside, count uint32
			if n, _ := fmt.Fscan(own, &inside, &outside, &count); n != 3 {
				break
			}
			same = fmt.Appendf(same, "%d %d %d\n", inside, inside, count)
		}
		_ = own.Close()
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, name), same, 0); err != nil {
			return err
		}
	}
	return nil
}

// enterOneID makes a user namespace whose root is the caller, and which has nobody else; user_namespaces(7).
func enterOneID(t *tape.Tape) {
	uid, gid := os.Geteuid(), os.Getegid()
	t.Unshare(sys.CLONE_NEWUSER)
	for _, f := range [][2]string{
		{"setgroups", "deny"}, {"uid_map", fmt.Sprintf("0 %d 1\n", uid)}, {"gid_map", fmt.Sprintf("0 %d 1\n", gid)},
	} {
		fd := t.Slot("map")
		t.Openat(tape.Cwd, "/proc/self/"+f[0], sys.O_WRONLY|sys.O_CLOEXEC, 0).To(fd)
		t.Write(fd, f[1])
		t.Close(fd)
	}
}
