package caisson_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// A machine to show as Engine.Host: a process of its own, in a mount namespace whose root is a tmpfs with this machine's
// programs and otherwise what the test puts there.

// machine is such a root, from within.
type machine struct {
	*testing.T
	engine *caisson.Engine
	user   caisson.NamespaceMode
}

const (
	machineEnv = "CAISSON_TEST_MACHINE" // in such a process: which kind of user it is
	diskEnv    = "CAISSON_TEST_DISK"    // a directory on a disk, which is on the machine as /disk
)

// onMachine runs the test in machines of its own: as root, as root with a user namespace for the container, and without
// privilege, as far as who runs the test can be these.
func onMachine(t *testing.T, try func(m *machine)) {
	t.Helper()
	testneed.UserNamespaces(t)
	kind := os.Getenv(machineEnv)
	if kind == "" {
		kinds := []string{"rootless"}
		if os.Geteuid() == 0 {
			kinds = []string{"root", "userns", "rootless"}
		}
		for _, kind := range kinds {
			t.Run(kind, func(t *testing.T) { anotherProcess(t, kind) })
		}
		return
	}
	makeMachine(t)
	m := &machine{T: t, engine: &caisson.Engine{Dir: "/tmp/state"}}
	if kind == "userns" {
		m.user = caisson.NamespaceNew
	}
	try(m)
}

// anotherProcess runs the test once more, in new namespaces.
func anotherProcess(t *testing.T, kind string) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+name+"$", "-test.v")
	// The race detector lets a program sleep for a second at its end.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", machineEnv+"="+kind, diskEnv+"="+t.TempDir(), "TMPDIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if kind == "rootless" {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if reason, skipped := strings.CutPrefix(lastLine(string(out), "needs feature"), "needs feature"); skipped {
		testneed.Feature(t, "what the test needs in it", fmt.Errorf("%s", reason), "see there")
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("%v\n%s", err, out)
	}
}

// lastLine is the rest of the last line that holds a text, from there on.
func lastLine(out, text string) string {
	i := strings.LastIndex(out, text)
	if i < 0 {
		return ""
	}
	line, _, _ := strings.Cut(out[i:], "\n")
	return line
}

// makeMachine makes the root and goes there, for good.
func makeMachine(t *testing.T) {
	t.Helper()
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	root := os.Getenv("TMPDIR")
	must(t, unix.Mount("none", root, "tmpfs", 0, "mode=755"))
	for _, dir := range []string{"dev", "disk", "etc", "old", "opt", "proc", "srv", "sys", "tmp", "usr", "var/lib"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	for _, dir := range []string{"dev", "proc", "sys"} {
		must(t, unix.Mount("/"+dir, filepath.Join(root, dir), "", unix.MS_BIND|unix.MS_REC, ""))
	}
	lend(t, "/usr", filepath.Join(root, "usr"))
	must(t, unix.Mount(os.Getenv(diskEnv), filepath.Join(root, "disk"), "", unix.MS_BIND, ""))
	for _, dir := range []string{"bin", "lib", "lib32", "lib64", "sbin"} {
		at := filepath.Join(root, dir)
		if target, err := os.Readlink("/" + dir); err == nil {
			must(t, os.Symlink(target, at))
		} else if _, err := os.Stat("/" + dir); err == nil {
			must(t, os.Mkdir(at, 0o755))
			lend(t, "/"+dir, at)
		}
	}
	must(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\n"), 0o644))
	must(t, copyProgram(filepath.Join(root, "opt/test")))
	must(t, unix.PivotRoot(root, filepath.Join(root, "old")))
	must(t, os.Chdir("/"))
	must(t, unix.Unmount("/old", unix.MNT_DETACH))
	must(t, os.Remove("/old"))
	must(t, os.Setenv("TMPDIR", "/tmp"))
}

// lend shows a directory of this machine at another place. Engine.Host does not show what is mounted from memory,
// where the whole of a small machine may lie: that is copied.
func lend(t *testing.T, dir, at string) {
	t.Helper()
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	if st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC {
		must(t, os.CopyFS(at, os.DirFS(dir)))
		return
	}
	must(t, unix.Mount(dir, at, "", unix.MS_BIND|unix.MS_REC, ""))
}

// copyProgram puts this test's program where containers can run it.
func copyProgram(to string) error {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// onDisk skips the test unless /disk is of a filesystem that Engine.Host shows where it is mounted.
func (m *machine) onDisk() {
	m.Helper()
	var st unix.Statfs_t
	must(m, unix.Statfs("/disk", &st))
	err := fmt.Errorf("the directory for temporary files lies in a filesystem of type %#x", st.Type)
	for _, magic := range []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC} {
		if int64(st.Type) == magic {
			err = nil
		}
	}
	testneed.Feature(m, "a directory on a disk", err, "set TMPDIR to one on ext4, xfs, btrfs or f2fs")
}

// make makes a file with its directories.
func (m *machine) make(path, content string) {
	m.Helper()
	must(m, os.MkdirAll(filepath.Dir(path), 0o755))
	must(m, os.WriteFile(path, []byte(content), 0o644))
}

// mount mounts a filesystem, or with the type "" another directory, in a directory that it makes.
func (m *machine) mount(source, dir, kind string) {
	m.Helper()
	must(m, os.MkdirAll(dir, 0o755))
	flags := uintptr(0)
	if kind == "" {
		flags = unix.MS_BIND
		if source == "/proc" {
			flags |= unix.MS_REC // its mounts may be locked
		}
	}
	must(m, unix.Mount(source, dir, kind, flags, ""))
}

// command is a container of the machine.
func (m *machine) command(args ...string) *caisson.Container {
	c := m.engine.Host().Command(args...)
	c.Namespaces.User = m.user
	return c
}

// sees runs a script in the machine's container and returns what it says.
func (m *machine) sees(script string) string {
	m.Helper()
	out, err := m.command("sh", "-c", script).CombinedOutput(m.Context())
	if err != nil {
		m.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// hides fails the test unless none of the paths can be looked at in the container.
func (m *machine) hides(paths ...string) {
	m.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(p); err != nil {
			m.Errorf("%v on the machine itself", err)
		}
	}
	if out := m.sees("for p in " + strings.Join(paths, " ") + "; do ls -ld $p 2>/dev/null; done; true"); out != "" {
		m.Errorf("the container sees\n%s", out)
	}
}
