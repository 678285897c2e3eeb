package plan

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
)

// attaches are the calls that change what is mounted where, or what a path means, in the namespace of who makes them.
var attaches = []string{"mount(", "umount2(", "move_mount(", "pivot_root(", "chroot(", "mount_setattr(AT_FDCWD"}

// anyConfig is a description of which nothing is known but that it compiles.
func anyConfig(r *rand.Rand) *Config {
	yes := func() bool { return r.IntN(2) == 0 }
	mode := func() Namespace { return Namespace{Mode: Mode(r.IntN(3)), Object: "another"} }
	c := &Config{
		Args: []string{"true"}, Paths: []string{"/bin/true"}, Cwd: "/tmp", Hostname: "host", Empty: yes(),
		Root: Root{
			Lower: []string{"/l1", "/l2"}, Upper: "/upper", Work: "/work", MountPoints: "/points", Memory: r.IntN(8) == 0,
			Kind: RootKind(r.IntN(8) / 7),
		},
		Mounts: []Mount{
			{Source: "/src", Target: "/a", ReadOnly: yes(), Propagation: sys.MS_SLAVE},
			{Kind: Tmpfs, Target: "/b"},
			{Source: "/src", Target: "/c", IDMap: []IDMapping{{0, 1000, 1}}},
		}[:r.IntN(4)],
		Etc:      []File{{Name: "hosts", Content: "x"}},
		ReadOnly: yes(), Init: yes(), Detach: yes(), Trace: yes(), ExtraFiles: r.IntN(3),
		Namespaces: Namespaces{PID: mode(), Net: mode(), IPC: mode(), UTS: mode(), Cgroup: mode(), Time: Namespace{Mode: Host}},
		Features: Features{
			OverlayFsconfig: r.IntN(8) != 0, OverlayLowerAdd: yes(), PivotRoot: yes(), Cgroup2: yes(), Mqueue: yes(), ProcMount: yes(),
		},
	}
	if r.IntN(4) == 0 {
		c.TTY = &Winsize{24, 80}
	}
	if r.IntN(4) == 0 {
		c.Namespaces.User.Mode = UserMode(r.IntN(4))
	}
	if r.IntN(8) == 0 {
		c.Root.Lower = []string{"/" + strings.Repeat("long", 70)} // too long for fsconfig(2)
	}
	return c
}

// manyPlans is how many of them are enough, or with -short worth their time.
func manyPlans() int {
	if testing.Short() {
		return 300
	}
	return 1000
}

// A process that begins among the host's mounts attaches nothing before it has a mount namespace of its own.
func TestNothingIsAttachedAmongTheHostsMounts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var empty, other int
	count := manyPlans()
	for range count {
		c := anyConfig(r)
		p, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		own := uint64(p.CloneFlags)&sys.CLONE_NEWNS != 0
		for i := range p.Tape.Len() {
			op := p.Tape.FormatOp(i)
			if strings.HasPrefix(op, "unshare(") || strings.HasPrefix(op, "clone(") || strings.HasPrefix(op, "clone3(") {
				own = own || strings.Contains(op, "CLONE_NEWNS")
			}
			for _, call := range attaches {
				if !own && strings.HasPrefix(op, call) {
					t.Fatalf("operation %d, %s, in the host's mount namespace; %+v\n%v", i, op, c, p)
				}
			}
		}
		if !own {
			t.Fatalf("no mount namespace of its own; %+v\n%v", c, p)
		}
		if p.FDs.Empty >= 0 {
			empty++
			if p.FDs.Empty != p.FDs.Count-1 || !c.Empty {
				t.Fatalf("descriptors %+v", p.FDs)
			}
		} else {
			other++
		}
		p.Recycle()
	}
	if empty < count/10 || other < count/10 {
		t.Errorf("%d plans begin in an empty namespace, %d do not", empty, other)
	}
}

var update = flag.Bool("update", false, "rewrite the golden file of this package")

// A plan that begins in an empty namespace, to read.
func TestPlanInAnEmptyNamespace(t *testing.T) {
	c := &Config{
		Args: []string{"true"}, Paths: []string{"/bin/true"}, Hostname: "host", Empty: true,
		Root:       Root{Lower: []string{"layers/1"}, Upper: "containers/1/upper", Work: "containers/1/work", MountPoints: "mountpoints"},
		Mounts:     []Mount{{Source: "/srv", Target: "/srv", ReadOnly: true}},
		Etc:        []File{{Name: "hosts", Content: "127.0.0.1 localhost\n"}},
		Namespaces: Namespaces{Time: Namespace{Mode: Host}},
		Features:   Features{OverlayFsconfig: true, OverlayLowerAdd: true, PivotRoot: true, Mqueue: true, ProcMount: true},
	}
	var got strings.Builder
	for _, p := range []*Plan{mustCompile(t, c), CompileEmpty(c)} {
		for _, s := range p.Steps {
			fmt.Fprintln(&got, s)
		}
		fmt.Fprintf(&got, "\n%s\n", p.Tape)
	}
	const file = "testdata/empty.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", file, got.String())
	}
}

func mustCompile(t *testing.T, c *Config) *Plan {
	t.Helper()
	p, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
