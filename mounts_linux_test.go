package caisson_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// mounted runs a script with mounts and returns its output.
func mounted(t *testing.T, script string, mounts ...caisson.Mount) (string, error) {
	t.Helper()
	c := engine(t).Host().Command("sh", "-c", script)
	c.Mounts = mounts
	out, err := c.CombinedOutput(t.Context())
	return string(out), err
}

func TestBindMounts(t *testing.T) {
	src := tree(t, "file.txt", "sub/inner.txt")
	for _, c := range []struct {
		name, script, want string
		mount              caisson.Mount
	}{
		{"directory", "cat /data/file.txt; echo w > /data/made.txt && cat /data/made.txt", "file.txtw\n", caisson.Mount{Source: src, Target: "/data"}},
		{"deep new target", "cat /a/b/c/file.txt", "file.txt", caisson.Mount{Source: src, Target: "/a/b/c"}},
		{"file", "cat /one.txt", "file.txt", caisson.Mount{Source: filepath.Join(src, "file.txt"), Target: "/one.txt"}},
		{"file over a file", "cat /etc/hosts", "file.txt", caisson.Mount{Source: filepath.Join(src, "file.txt"), Target: "/etc/hosts"}},
		{"read-only", "touch /data/x 2>/dev/null || echo refused", "refused\n", caisson.Mount{Source: src, Target: "/data", ReadOnly: true}},
		{"not executable", "cp /bin/true /data/true; /data/true 2>/dev/null || echo refused", "refused\n", caisson.Mount{Source: src, Target: "/data", NoExec: true}},
		{"tmpfs", "echo x > /t/x; grep -c ' /t tmpfs rw,nosuid,nodev.*size=1024k' /proc/mounts; stat -c %a /t", "1\n700\n", caisson.Mount{Type: caisson.MountTmpfs, Target: "/t", Size: 1 << 20, Mode: 0o700}},
		{"below /dev", "cat /dev/extra/file.txt", "file.txt", caisson.Mount{Source: src, Target: "/dev/extra"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := mounted(t, c.script, c.mount)
			if err != nil || strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(c.want), " ") {
				t.Fatalf("%q, want %q: %v", got, c.want, err)
			}
		})
	}
}

func TestNestedMountsInAnyOrder(t *testing.T) {
	outer, inner := tree(t, "deep/"), tree(t, "file.txt")
	got, err := mounted(t, "cat /out/deep/file.txt",
		caisson.Mount{Source: inner, Target: "/out/deep"}, caisson.Mount{Source: outer, Target: "/out"})
	if err != nil || got != "file.txt" {
		t.Fatal(got, err)
	}
}

func TestReadOnlyRoot(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "for d in / /etc /usr /var /tmp /root; do touch $d/x 2>/dev/null && echo wrote $d; done; echo ok > /t/x; cat /t/x")
	c.ReadOnly = true
	c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/t"}}
	out, err := c.CombinedOutput(t.Context())
	if err != nil || string(out) != "ok\n" {
		t.Fatalf("%q %v", out, err)
	}
}

// A symbolic link of the image to /proc must not carry a mount there; the plan's own check cannot see it.
func TestMountThroughALinkToProcIsRefused(t *testing.T) {
	root := tree(t, "bin", "etc", "proc", "sys", "dev", "tmp")
	if err := os.Symlink("/proc", filepath.Join(root, "innocent")); err != nil {
		t.Fatal(err)
	}
	img, err := engine(t).RootFS(root)
	if err != nil {
		t.Fatal(err)
	}
	c := img.Command("/bin/true")
	c.Mounts = []caisson.Mount{{Source: t.TempDir(), Target: "/innocent/sys"}}
	err = c.Run(t.Context())
	var e *caisson.Error
	if !errors.As(err, &e) || e.Op != "mount" || !strings.Contains(e.Hint, "refused") {
		t.Fatal(err)
	}
}

func TestPropagation(t *testing.T) {
	testneed.Root(t)
	base := tree(t, "shared")
	shared := filepath.Join(base, "shared")
	for _, step := range []func() error{
		func() error { return syscall.Mount(shared, shared, "", syscall.MS_BIND, "") },
		func() error { return syscall.Mount("", shared, "", syscall.MS_SHARED, "") },
		func() error { return os.Mkdir(filepath.Join(shared, "later"), 0o755) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = syscall.Unmount(shared, syscall.MNT_DETACH) })
	for mode, want := range map[caisson.Propagation]string{caisson.PropagationPrivate: "0", caisson.PropagationSlave: "1"} {
		c := engine(t).Host().Command("sh", "-c", "echo up; read x; grep -c /vol/later /proc/self/mountinfo")
		c.Mounts = []caisson.Mount{{Source: shared, Target: "/vol", Propagation: mode}}
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out lines
		c.Stdout = &out
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		out.wait(t, "up")
		later := filepath.Join(shared, "later")
		if err := syscall.Mount("tmpfs", later, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		_, _ = in.Write([]byte("go\n"))
		out.wait(t, "up\n"+want)
		if err := syscall.Unmount(later, 0); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
}

func TestMappedOwners(t *testing.T) {
	testneed.Root(t)
	src := tree(t, "file.txt")
	if err := os.Lchown(filepath.Join(src, "file.txt"), 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(src, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	got, err := mounted(t, "stat -c %u:%g /data/file.txt; touch /data/made.txt",
		caisson.Mount{Source: src, Target: "/data", IDs: []caisson.IDMapping{{Source: 1000, Target: 0, Count: 1}}})
	if err != nil || got != "0:0\n" {
		t.Fatal(got, err)
	}
	info, err := os.Stat(filepath.Join(src, "made.txt"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 1000 {
		t.Fatal(info, err)
	}
}

// The standard files that nothing was given for are the container's own /dev/null: root in it may change
// the mode of that, and the host's stays as it is.
func TestNullIsTheContainersOwn(t *testing.T) {
	before, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	c := engine(t).Host().Command("sh", "-c", "chmod 600 /dev/stdin /dev/null; chown 5:5 /dev/stdin; true; exec sleep 1000")
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Exec("sh", "-c", "chmod 640 /dev/stdin /dev/stdout; true").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if before.Mode() != after.Mode() {
		t.Fatalf("the host's /dev/null was %v and is %v", before.Mode(), after.Mode())
	}
}

// What is hidden of the host is hidden too where a filesystem of its own is mounted above it.
func TestHiddenBelowAMountOfTheHost(t *testing.T) {
	testneed.Root(t)
	if os.Getenv("CAISSON_OWN_MOUNTS") == "" {
		inOwnMounts(t, "TestHiddenBelowAMountOfTheHost")
		return
	}
	// In a mount namespace of its own: an ext4 or tmpfs copy of /var/lib would need a disk; a bind mount of a
	// directory onto itself is a mount as well.
	base := tree(t, "lib/docker/key.txt", "lib/open.txt")
	if err := syscall.Mount(filepath.Join(base, "lib"), "/var/lib", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	out, err := engine(t).Host().Command("sh", "-c", "cat /var/lib/open.txt; ls -A /var/lib/docker 2>/dev/null; cat /var/lib/docker/key.txt 2>/dev/null; true").Output(t.Context())
	if err != nil || string(out) != "lib/open.txt" {
		t.Fatalf("%q %v", out, err)
	}
}

// inOwnMounts runs one test again in a mount namespace of its own.
func inOwnMounts(t *testing.T, name string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), "CAISSON_OWN_MOUNTS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Where the host forbids executable memfds, the program is a file, also for an engine that had no need of
// its directory yet.
func TestStartWithoutExecutableMemfds(t *testing.T) {
	testneed.Root(t)
	const knob = "/proc/sys/vm/memfd_noexec"
	before, err := os.ReadFile(knob)
	testneed.Feature(t, "memfd_noexec", err, "a kernel since 6.3")
	if os.Getenv("CAISSON_OWN_PIDS") == "" {
		// The setting belongs to a pid namespace, and can only become stricter there; sysctl/vm.rst.
		cmd := exec.Command(os.Args[0], "-test.run=^TestStartWithoutExecutableMemfds$", "-test.v")
		cmd.Env = append(os.Environ(), "CAISSON_OWN_PIDS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for _, m := range [][2]string{{"", "/"}, {"proc", "/proc"}} {
		flags := uintptr(0)
		if m[0] == "" {
			flags = syscall.MS_REC | syscall.MS_PRIVATE
		}
		if err := syscall.Mount(m[0], m[1], m[0], flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(knob, []byte("2"), 0); err != nil {
		t.Fatalf("%v; it was %s", err, before)
	}
	e := &caisson.Engine{Dir: filepath.Join(t.TempDir(), "not", "there")}
	out, err := e.Host().Command("echo", "ran").Output(t.Context())
	if err != nil || string(out) != "ran\n" {
		t.Fatalf("%q %v", out, err)
	}
}
