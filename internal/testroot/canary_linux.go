package testroot

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Secret is what every file of a canary holds. It must never be seen in a container.
const Secret = "canary-5d2f1c0e-host-secret"

// Canary is a directory of the host outside every root that must be the same after an attack.
type Canary struct {
	// Dir is the directory.
	Dir string

	t      TB
	tree   map[string]string
	mounts []string
}

// NewCanary makes a canary: files and directories with the names that a setup of a container makes, removes or writes
// to. At the end of the test it is checked, and the host's mounts with it.
func NewCanary(t TB) *Canary {
	t.Helper()
	c := &Canary{Dir: t.TempDir(), t: t}
	r := &Root{Dir: c.Dir, t: t}
	for _, name := range []string{
		"ptmx", "null", "console", "hosts", "hostname", "resolv.conf", "core_pattern", "secret", "passwd", "group",
		"pts/ptmx", "shm/file", "self/attr", "sys/kernel/core_pattern", "fd/3", "b/file",
	} {
		r.File(name, "root:x:0:0:"+Secret+":/:/\n", 0o640)
	}
	r.File("suid", Secret, 0o755|os.ModeSetuid)
	r.Link("secret", "link")
	var err error
	if c.tree, err = Snapshot(c.Dir); err != nil {
		t.Fatalf("testroot: %v", err)
	}
	c.mounts = mountsOfHost(t)
	t.Cleanup(c.Check)
	return c
}

// Check fails the test if a name, type, mode, owner, byte or time of the canary differs from what it was, or if a
// mount of the host came or went.
func (c *Canary) Check() {
	c.t.Helper()
	now, err := Snapshot(c.Dir)
	if err != nil {
		c.t.Errorf("the canary cannot be read any more: %v", err)
	}
	for _, d := range Differences(c.tree, now) {
		c.t.Errorf("the canary differs: %s", d)
	}
	before, after := map[string]string{}, map[string]string{}
	for _, m := range c.mounts {
		before[m] = "mounted"
	}
	for _, m := range mountsOfHost(c.t) {
		after[m] = "mounted"
	}
	for _, d := range Differences(before, after) {
		c.t.Errorf("the host's mounts differ: %s", d)
	}
}

// Snapshot describes everything below a directory, and the directory.
func Snapshot(dir string) (map[string]string, error) {
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s := fmt.Sprintf("%v %s %d %v", info.Mode(), owner(info), info.Size(), info.ModTime().UnixNano())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			s += " -> " + target
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			s += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		rel, err := filepath.Rel(dir, p)
		tree[rel] = s
		return err
	})
	return tree, err
}

// Differences lists what two descriptions do not have in common.
func Differences(before, after map[string]string) []string {
	var list []string
	for name, was := range before {
		switch is, ok := after[name]; {
		case !ok:
			list = append(list, fmt.Sprintf("%s is gone (%s)", name, was))
		case is != was:
			list = append(list, fmt.Sprintf("%s was %s, is %s", name, was, is))
		}
	}
	for name, is := range after {
		if _, ok := before[name]; !ok {
			list = append(list, fmt.Sprintf("%s is new (%s)", name, is))
		}
	}
	return list
}

// mountsOfHost lists the mounts of this process's namespace, without those in other tests' temporary directories: they
// come and go on a machine on which several test binaries run.
func mountsOfHost(t TB) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatalf("testroot: %v", err)
	}
	own := filepath.Dir(t.TempDir())
	var list []string
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		at := f[4] // proc_pid_mountinfo(5): the mount point
		if !strings.HasPrefix(at, os.TempDir()+"/") || strings.HasPrefix(at, own+"/") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

// owner is the numbers of a file that fs.FileInfo does not have: owner, group and device.
func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?"
	}
	return fmt.Sprintf("%d:%d %d", st.Uid, st.Gid, st.Rdev)
}
