package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-go/caisson"
)

// scratch is a directory in memory: what is written above an overlay needs a filesystem that has its own ways of saying
// that a file is gone. tmpfs has, another overlay has not.
func scratch() (string, error) { return os.MkdirTemp("/dev/shm", "caisson-namespaces-") }

// layers: an overlay shows directories as one. What is written goes to the upper one, so that many containers can
// share the lower ones.
func layers(context.Context) error {
	if os.Geteuid() != 0 {
		return errRoot
	}
	dir, err := scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	base, merged := filepath.Join(dir, "base"), filepath.Join(dir, "merged")
	if err := errors.Join(os.MkdirAll(filepath.Join(base, "old"), 0o755), os.Mkdir(merged, 0o755)); err != nil {
		return err
	}
	unmount, err := overlay(base, dir, merged)
	if err != nil {
		return err
	}
	defer unmount()
	if err := os.Mkdir(filepath.Join(merged, "new"), 0o755); err != nil {
		return err
	}
	for _, part := range []string{"base", "upper", "merged"} {
		entries, err := os.ReadDir(filepath.Join(dir, part))
		if err != nil {
			return err
		}
		fmt.Println("  ", part, entries)
	}
	return nil
}

// overlay mounts a lower directory on target, below a writable layer in dir.
func overlay(lower, dir, target string) (unmount func(), err error) {
	o := caisson.Overlay{Lower: []string{lower}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")}
	if err := errors.Join(os.MkdirAll(o.Upper, 0o755), os.MkdirAll(o.Work, 0o755)); err != nil {
		return nil, err
	}
	if err := o.Mount(target); err != nil {
		return nil, err
	}
	return func() { _ = o.Unmount(target) }, nil
}

// together: namespaces of every kind, entered at once, and a root directory that is an overlay of this machine's
// programs. What it lacks of a container is the list of what the package does beyond: pivot_root(2) instead of chroot(2),
// which is no prison; /dev, masks over /proc and /sys; fewer capabilities, no_new_privs, limits; and cleaning up
// when this program is killed.
func together(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return errRoot
	}
	dir, err := scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, unmount, err := rootDirectory(dir)
	defer unmount()
	if err != nil {
		return err
	}
	// The copy of the mount points is made now, with the root directory in it.
	spaces, closeAll, err := namespaces(ctx)
	defer closeAll()
	if err != nil {
		return err
	}
	for _, command := range [][]string{
		{"mount", "-t", "proc", "proc", "/proc"}, // proc(5): it shows the pid namespace of who mounts it
		{"hostname", "by-hand"},
		{"sh", "-c", "hostname; ls /; touch /usr/written"},
		{"sh", "-c", "for p in /proc/[0-9]*; do cat $p/comm; done"},
	} {
		if err := say(ctx, spaces, append([]string{"chroot", root}, command...)...); err != nil {
			return err
		}
	}
	_, err = os.Stat("/usr/written")
	fmt.Println("   what it wrote to /usr is on this machine:", err == nil)
	return nil
}

// rootDirectory makes a root directory of this machine's programs. Where /bin is a link to usr/bin, it is one there.
func rootDirectory(dir string) (root string, unmount func(), err error) {
	root = filepath.Join(dir, "root")
	var undo []func()
	unmount = func() {
		for _, u := range undo {
			u()
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		return root, unmount, err
	}
	for _, name := range []string{"usr", "bin", "sbin", "lib", "lib64"} {
		here, there := filepath.Join("/", name), filepath.Join(root, name)
		if link, err := os.Readlink(here); err == nil {
			if err := os.Symlink(link, there); err != nil {
				return root, unmount, err
			}
			continue
		}
		if _, err := os.Stat(here); err != nil {
			continue
		}
		if err := os.Mkdir(there, 0o755); err != nil {
			return root, unmount, err
		}
		u, err := overlay(here, filepath.Join(dir, "layer-"+name), there)
		if err != nil {
			return root, unmount, err
		}
		undo = append(undo, u)
	}
	return root, unmount, nil
}

// namespaces is one of each kind. That of pids needs a process in it, its PID 1, with which it ends
// (pid_namespaces(7)): a container is at hand for that.
func namespaces(ctx context.Context) (list []*caisson.Namespace, closeAll func(), err error) {
	var engine caisson.Engine
	first := engine.Host().Command("sleep", "infinity")
	closeAll = func() {
		for _, n := range list {
			_ = n.Close()
		}
		_ = first.Close()
	}
	if err := first.Start(ctx); err != nil {
		return nil, closeAll, err
	}
	pid, err := first.Namespace(caisson.PIDNamespace)
	if err != nil {
		return nil, closeAll, err
	}
	others, err := caisson.NewNamespaces(ctx,
		caisson.MountNamespace, caisson.NetNamespace, caisson.UTSNamespace, caisson.IPCNamespace, caisson.CgroupNamespace)
	list = append(others, pid)
	return list, closeAll, err
}

// container: all of that and what it lacks. Print its steps with the example explain.
func container(ctx context.Context) error {
	var engine caisson.Engine
	c := engine.Host().Command("sh", "-c", "hostname; ls /; touch /usr/written; for p in /proc/[0-9]*; do cat $p/comm; done")
	c.Hostname = "by-verb"
	out, err := c.CombinedOutput(ctx)
	for line := range strings.Lines(string(out)) {
		fmt.Print("     ", line)
	}
	return err
}
