package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

const (
	newCgroup   = 0x2000000
	capSysAdmin = 21
	sysClone3   = 435 // the same on every machine
)

// cgroupTrees are what can be mounted of control groups, and what would lift limits there.
var cgroupTrees = []struct {
	name, kind string
	lifting    [][2]string
}{
	{"memory", "cgroup", [][2]string{{"memory.memsw.limit_in_bytes", "-1"}, {"memory.limit_in_bytes", "-1"}}},
	{"pids", "cgroup", [][2]string{{"pids.max", "max"}}},
	{"unified", "cgroup2", [][2]string{{"memory.max", "max"}, {"pids.max", "max"}, {"cpu.max", "max"}}},
}

// cgroups tries to get at control groups: with the cgroup namespace that it has, and in a user namespace with one that
// is made in each way there is. With the argument lift it also tries to lift the limits that it finds.
func cgroups(args []string) {
	for _, t := range cgroupTrees {
		_ = os.MkdirAll("/tmp/cgroups/"+t.name, 0o755)
	}
	_, _, errno := syscall.RawSyscall(sysClone3, 0, 0, 0) // EINVAL of one who knows it
	say("clone3", nonzero(errno))
	_, _, errno = syscall.RawSyscall(sysSetns, ^uintptr(0), newCgroup, 0) // EBADF of one who looks
	say("setns cgroup", nonzero(errno))
	_, _, errno = syscall.RawSyscall(sysSetns, ^uintptr(0), 0, 0)
	say("setns any", nonzero(errno))
	_, _, errno = syscall.RawSyscall(sysSetns, ^uintptr(0), syscall.CLONE_NEWNET, 0)
	say("setns net", nonzero(errno))
	mountCgroups("own", len(args) > 0)
	for _, way := range []string{"no", "clone", "unshare"} {
		flags := uintptr(syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS)
		if way == "clone" {
			flags |= newCgroup
		}
		cmd := exec.Command("/proc/self/exe", append([]string{"in-cgroups", way}, args...)...)
		// Without maps it is nobody there, who keeps over an exec what is ambient. To the kernel it is who it was.
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, AmbientCaps: []uintptr{capSysAdmin}}
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		say(way+" started", cmd.Run())
	}
}

// inCgroups is cgroups in a user namespace.
func inCgroups(args []string) {
	runtime.LockOSThread() // a cgroup namespace is a thread's
	if args[0] == "unshare" {
		say("unshare", syscall.Unshare(newCgroup))
	}
	mountCgroups(args[0], len(args) > 1)
}

func mountCgroups(way string, lift bool) {
	for _, t := range cgroupTrees {
		dir, data := "/tmp/cgroups/"+t.name, ""
		if t.kind == "cgroup" {
			data = t.name
		}
		err := syscall.Mount("none", dir, t.kind, 0, data)
		say(way+" mount "+t.name, err)
		if err != nil {
			continue
		}
		for _, f := range t.lifting {
			if lift {
				say(way+" lift "+t.name+"/"+f[0], overwriteFile(dir+"/"+f[0], f[1]))
			}
		}
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	}
}

// overwriteFile writes to a file that exists.
func overwriteFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = f.WriteString(text)
	return err
}
