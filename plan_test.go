package caisson_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
)

// hosts are the machines that plans are compiled for. None of them needs to exist.
func hosts() map[string]*caisson.Support {
	newest := caisson.KernelSupport{
		OverlayFsconfig: true, OverlayLowerAdd: true, PivotRoot: true, Cgroup2: true, Mqueue: true, ProcMount: true,
	}
	local := caisson.HostEntry{Name: "local", Kind: caisson.HostMount}
	root := []caisson.HostEntry{
		{Name: "bin", Kind: caisson.HostLink, Target: "usr/bin"}, {Name: "etc"}, {Name: "home", Kind: caisson.HostEmpty},
		{Name: "srv", Kind: caisson.HostBind}, {Name: "tmp", Kind: caisson.HostEmpty},
		{
			Name: "usr", Below: []caisson.HostEntry{local}, Locked: true,
			Parts: []caisson.HostEntry{{Name: "bin"}, {Name: "lib64", Kind: caisson.HostLink, Target: "lib"}, local, {Name: "README", Kind: caisson.HostFile}},
		},
		{Name: "var"},
	}
	with := func(change func(*caisson.Support)) *caisson.Support {
		s := &caisson.Support{
			Privileged: true, Kernel: newest, HostRoot: root,
			HostHidden: []string{"/etc/shadow", "/etc/ssl/private", "/usr/local/secret", "/var/lib/docker"},
			HostDirs:   []caisson.HostDir{{Path: "/usr/local", Mode: fs.ModeSetgid | 0o775, GID: 50}, {Path: "/var/lib", Mode: 0o711}},
		}
		change(s)
		return s
	}
	without := func(off func(*caisson.KernelSupport)) *caisson.Support {
		return with(func(s *caisson.Support) { off(&s.Kernel) })
	}
	return map[string]*caisson.Support{
		"root-v2":     with(func(*caisson.Support) {}),
		"root-hybrid": without(func(k *caisson.KernelSupport) { k.Cgroup2 = false }),
		"user-subids": with(func(s *caisson.Support) {
			s.Privileged, s.UID, s.GID = false, 1000, 1000
			s.SubUIDs, s.SubGIDs = []caisson.IDRange{{Start: 100000, Count: 65536}}, []caisson.IDRange{{Start: 100000, Count: 65536}}
		}),
		"user-one-id":        with(func(s *caisson.Support) { s.Privileged, s.UID, s.GID = false, 1000, 1000 }),
		"no-fsconfig":        without(func(k *caisson.KernelSupport) { k.OverlayFsconfig, k.OverlayLowerAdd = false, false }),
		"no-lower-add":       without(func(k *caisson.KernelSupport) { k.OverlayLowerAdd = false }),
		"no-pivot":           without(func(k *caisson.KernelSupport) { k.PivotRoot = false }),
		"no-mqueue":          without(func(k *caisson.KernelSupport) { k.Mqueue = false }),
		"no-proc":            without(func(k *caisson.KernelSupport) { k.ProcMount = false }),
		"no-nothing-5.15":    without(func(k *caisson.KernelSupport) { *k = caisson.KernelSupport{PivotRoot: true, ProcMount: true} }),
		"user-no-fsconfig-1": with(func(s *caisson.Support) { s.Privileged, s.UID = false, 1000; s.Kernel.OverlayFsconfig = false }),
	}
}

func specs() map[string]caisson.Spec {
	plain := caisson.Spec{Image: "sha256:0011", Args: []string{"echo", "hi"}}
	with := func(change func(*caisson.Spec)) caisson.Spec {
		s := plain
		change(&s)
		return s
	}
	return map[string]caisson.Spec{
		"plain": plain,
		"host":  with(func(s *caisson.Spec) { s.Image = "host" }),
		"joined": with(func(s *caisson.Spec) {
			n := caisson.NamespaceAt("/run/netns/blue")
			s.Namespaces = caisson.Namespaces{Net: n, IPC: caisson.NamespaceOf(42), UTS: caisson.NamespaceHost, Time: caisson.NamespaceNew}
		}),
		"tty-init": with(func(s *caisson.Spec) { s.TTY, s.Init = &caisson.Winsize{Rows: 24, Cols: 80}, true }),
		"mounts": with(func(s *caisson.Spec) {
			s.ReadOnly, s.Dir = true, "/srv/data"
			s.Mounts = []caisson.Mount{
				{Source: "/home/me/src", Target: "/src/deep", ReadOnly: true},
				{Type: caisson.MountTmpfs, Target: "/tmp", Size: 1 << 20},
				{Source: "/mnt/shared", Target: "/src", Propagation: "slave", Flat: true},
			}
		}),
		"host-ro": with(func(s *caisson.Spec) { s.Image, s.ReadOnly = "host", true }),
	}
}

// combinations are the plans that are held against their golden files.
var combinations = []string{
	"plain@root-v2", "plain@root-hybrid", "plain@user-subids", "plain@user-one-id", "joined@root-v2", "joined@user-one-id",
	"tty-init@root-v2", "tty-init@user-subids", "mounts@root-v2", "mounts@user-one-id", "host@root-v2", "host@user-one-id",
	"plain@no-fsconfig", "plain@no-lower-add", "plain@no-pivot", "plain@no-mqueue", "plain@no-proc", "plain@no-nothing-5.15",
	"host@no-fsconfig", "host@user-no-fsconfig-1", "host-ro@root-v2", "host-ro@no-fsconfig",
}

func TestPlansAreAsWritten(t *testing.T) {
	for _, name := range combinations {
		t.Run(name, func(t *testing.T) {
			spec, host, _ := strings.Cut(name, "@")
			s := specs()[spec]
			p, err := s.Plan(hosts()[host])
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "plan", name+".golden"), p.String()+"\n"+p.Syscalls())
			if len(p.Steps) == 0 || p.Steps[0].Verb == "" {
				t.Error("a plan without steps")
			}
			for _, st := range p.Steps {
				if st.Why == "" {
					t.Errorf("step %q says not where to read about it", st.Verb)
				}
			}
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -run TestPlans . -update writes it anew):\n%s", path, got)
	}
}

func TestPlanErrors(t *testing.T) {
	for name, s := range map[string]caisson.Spec{
		"no program":            {Image: "host"},
		"relative directory":    {Image: "host", Args: []string{"a"}, Dir: "srv"},
		"mount over proc":       {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Source: "/x", Target: "/proc/sys"}}},
		"mount over proc by ..": {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Source: "/x", Target: "/x/../proc"}}},
		"mount over /":          {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Source: "/x", Target: "/"}}},
		"relative source":       {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Source: "x", Target: "/x"}}},
		"unknown type":          {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Type: "nfs", Target: "/x"}}},
		"unknown propagation":   {Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Source: "/x", Target: "/x", Propagation: "both"}}},
		"unknown capability":    {Image: "host", Args: []string{"a"}, Security: caisson.Security{AddCapabilities: []string{"CAP_FLY"}}},
		"unknown namespace":     {Image: "host", Args: []string{"a"}, Namespaces: caisson.Namespaces{Net: "bridge"}},
		"pid of letters":        {Image: "host", Args: []string{"a"}, Namespaces: caisson.Namespaces{Net: "pid:1/../2"}},
		"host's mounts":         {Image: "host", Args: []string{"a"}, Namespaces: caisson.Namespaces{Mount: caisson.NamespaceHost}},
		"bad host name":         {Image: "host", Args: []string{"a"}, Hostname: "a b"},
		"bad environment":       {Image: "host", Args: []string{"a"}, Env: []string{"novalue"}},
		"NUL in an argument":    {Image: "host", Args: []string{"a\x00b"}},
	} {
		_, err := s.Plan(hosts()["root-v2"])
		var e *caisson.Error
		if !errors.As(err, &e) || e.Op == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A spec is data: compiling it twice gives the same, and changes nothing in it.
func TestPlanIsPure(t *testing.T) {
	s := specs()["mounts"]
	a, err := s.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Syscalls() != b.Syscalls() || s.Mounts[0].Target != "/src/deep" {
		t.Fatal("two plans of one spec differ")
	}
}

func BenchmarkPlan(b *testing.B) {
	s := specs()["plain"]
	for b.Loop() {
		if _, err := s.Plan(nil); err != nil {
			b.Fatal(err)
		}
	}
}
