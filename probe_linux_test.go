package caisson_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

func probed(t *testing.T) *caisson.Support {
	t.Helper()
	s, err := caisson.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestProbeOfThisMachine(t *testing.T) {
	testneed.UserNamespaces(t)
	began := time.Now()
	s := probed(t)
	t.Logf("%v\n%v", time.Since(began), s)
	for _, f := range []caisson.Feature{
		s.Container, s.Namespaces.User, s.Namespaces.Mount, s.Namespaces.Net, s.Filesystems.Proc, s.Filesystems.Overlay,
		s.Processes.Pidfd, s.Processes.Openat2,
	} {
		if !f.Works() {
			t.Error(f)
		}
	}
	for _, f := range s.Features() {
		if f.State != caisson.FeatureWorks && f.Err == nil {
			t.Errorf("%v: no reason", f)
		}
		if f.State == caisson.FeatureFails && f.Remedy == "" {
			t.Errorf("%v: no remedy", f)
		}
	}
	if s.UID != os.Geteuid() || s.Release == "" || len(s.HostRoot) == 0 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkProbe(b *testing.B) {
	for b.Loop() {
		if _, err := caisson.Probe(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// What Probe found is what plans go by.
func TestPlanByProbe(t *testing.T) {
	testneed.UserNamespaces(t)
	s := probed(t)
	spec := caisson.Spec{Image: "host", Args: []string{"true"}}
	p, err := spec.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Contains(p.String(), "unshare    user"), !s.Privileged; got != want {
		t.Errorf("a user namespace: %v, want %v\n%s", got, want, p)
	}
}

func TestProbeSeesSubordinateIDs(t *testing.T) {
	testneed.Unprivileged(t)
	testneed.SubordinateIDs(t)
	s := probed(t)
	if ids := s.IDs; !ids.SubUIDs.Works() || !ids.SubGIDs.Works() || !ids.Maps.Works() || ids.SubUIDs.Detail == "" {
		t.Errorf("%v\n%v\n%v", ids.SubUIDs, ids.SubGIDs, ids.Maps)
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := caisson.Probe(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s.Container.State != caisson.FeatureUnknown || s.Namespaces.User.State != caisson.FeatureUnknown {
		t.Errorf("%v\n%v", s.Container, s.Namespaces.User)
	}
}

// scenarioEnv tells a copy of this test program which restriction to put itself under.
const scenarioEnv = "CAISSON_PROBE_SCENARIO"

// scenario is a restriction that the root of a user namespace can put itself under, and what Probe has
// to say then.
type scenario struct {
	name     string
	restrict func(t *testing.T)
	check    func(t *testing.T, s *caisson.Support)
}

var scenarios = []scenario{
	{"user namespaces are limited to none", func(t *testing.T) {
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.Namespaces.User, syscall.ENOSPC, "sysctl -w user.max_user_namespaces")
		fails(t, s.Container, syscall.ENOSPC, "user.max_user_namespaces")
		if s.Filesystems.OverlayUser.State != caisson.FeatureUnknown {
			t.Error(s.Filesystems.OverlayUser)
		}
	}},
	{"mount namespaces are limited to none", func(t *testing.T) {
		if err := os.WriteFile("/proc/sys/user/max_mnt_namespaces", []byte("0"), 0); err != nil {
			t.Fatal(err)
		}
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.Namespaces.Mount, syscall.ENOSPC, "user.max_mnt_namespaces")
		if !s.Namespaces.User.Works() || s.Filesystems.Overlay.State != caisson.FeatureUnknown {
			t.Errorf("%v\n%v", s.Namespaces.User, s.Filesystems.Overlay)
		}
	}},
	{"proc is masked", func(t *testing.T) {
		bind(t, "/dev/null", "/proc/version")
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.Filesystems.Proc, syscall.EPERM, "procMount: Unmasked")
		if s.Kernel.ProcMount {
			t.Error("a proc can be mounted, it says")
		}
	}},
	{"cgroups are read-only", func(t *testing.T) {
		readOnly(t, "cgroup")
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.Cgroups.Make, syscall.EROFS, "read-only")
		if s.Cgroups.Memory.State == caisson.FeatureWorks || !s.Container.Works() {
			t.Errorf("%v\n%v", s.Cgroups.Memory, s.Container)
		}
	}},
	{"no subordinate ids", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "empty")
		if err := os.WriteFile(empty, []byte("other:100000:65536\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
			if _, err := os.Stat(file); err == nil {
				bind(t, empty, file)
			}
		}
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.IDs.SubUIDs, os.ErrNotExist, "/etc/subuid")
		fails(t, s.IDs.SubGIDs, os.ErrNotExist, "/etc/subgid")
		if s.IDs.Maps.State != caisson.FeatureUnknown || !s.Container.Works() {
			t.Errorf("%v\n%v", s.IDs.Maps, s.Container)
		}
	}},
	{"no newuidmap", func(t *testing.T) {
		t.Setenv("PATH", "/nowhere")
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.IDs.Newuidmap, exec.ErrNotFound, "package uidmap")
		fails(t, s.IDs.Newgidmap, exec.ErrNotFound, "package uidmap")
	}},
	{"an old seccomp filter", func(t *testing.T) {
		filterCalls(t)
	}, func(t *testing.T, s *caisson.Support) {
		fails(t, s.Namespaces.User, syscall.EPERM, "seccomp")
		fails(t, s.Processes.Openat2, syscall.ENOSYS, "seccomp")
		fails(t, s.Container, errors.ErrUnsupported, "user namespace: a seccomp filter")
	}},
	{"nothing", func(*testing.T) {}, func(t *testing.T, s *caisson.Support) {
		for _, f := range []caisson.Feature{s.Container, s.Namespaces.User, s.Filesystems.Proc, s.Filesystems.OverlayUserxattr} {
			if !f.Works() {
				t.Error(f)
			}
		}
		if s.Privileged {
			t.Error("root of a user namespace is not privileged on the machine")
		}
	}},
}

func fails(t *testing.T, f caisson.Feature, errno error, remedy string) {
	t.Helper()
	if f.State != caisson.FeatureFails || errno != nil && !errors.Is(f.Err, errno) || !strings.Contains(f.Remedy, remedy) {
		t.Errorf("%v: want it to fail with %v and a remedy that says %q", f, errno, remedy)
	}
}

func TestProbeUnderRestrictions(t *testing.T) {
	if name := os.Getenv(scenarioEnv); name != "" {
		restricted(t, name)
		return
	}
	testneed.UserNamespaces(t)
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestProbeUnderRestrictions$", "-test.v")
			cmd.Env = append(os.Environ(), scenarioEnv+"="+sc.name)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("probed under: "+sc.name)) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// restricted is one scenario, in the process that is restricted.
func restricted(t *testing.T, name string) {
	for _, sc := range scenarios {
		if sc.name == name {
			sc.restrict(t)
			s := probed(t)
			sc.check(t, s)
			t.Logf("probed under: %s\n%v", name, s)
		}
	}
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("bind %s on %s: %v", from, to, err)
	}
}

// readOnly makes all mounts of filesystems whose names begin so read-only.
func readOnly(t *testing.T, kind string) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		before, after, _ := strings.Cut(line, " - ")
		if !strings.HasPrefix(after, kind) {
			continue
		}
		f := strings.Fields(before)
		flags := uintptr(syscall.MS_REMOUNT | syscall.MS_BIND | syscall.MS_RDONLY)
		for name, flag := range map[string]uintptr{"nosuid": syscall.MS_NOSUID, "nodev": syscall.MS_NODEV, "noexec": syscall.MS_NOEXEC, "relatime": syscall.MS_RELATIME} {
			if strings.Contains(","+f[5]+",", ","+name+",") {
				flags |= flag
			}
		}
		if err := syscall.Mount("", f[4], "", flags, ""); err != nil {
			t.Fatalf("%s: %v", f[4], err)
		}
	}
}

// A newuidmap that lost its setuid bit, as copied into a container image, is there and does not work.
func TestProbeOfNewuidmapWithoutItsBit(t *testing.T) {
	testneed.Unprivileged(t)
	testneed.SubordinateIDs(t)
	dir := t.TempDir()
	for _, name := range []string{"newuidmap", "newgidmap"} {
		program, err := os.ReadFile(testneed.Program(t, name, "install the package uidmap"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	s := probed(t)
	if f := s.IDs.Maps; f.State != caisson.FeatureFails || !strings.Contains(f.Remedy, "setuid root") || !strings.Contains(f.String(), "newuidmap") {
		t.Error(f)
	}
	fails(t, s.Container, nil, "setuid root")
	if f := s.Filesystems.IDMapped; f.State != caisson.FeatureUnknown {
		t.Error(f)
	}
}
