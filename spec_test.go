package caisson_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// step is the object of the first step with a verb, or a failure.
func step(t *testing.T, p *caisson.Plan, verb string) string {
	t.Helper()
	for _, s := range p.Steps {
		if s.Verb == verb {
			return s.Object
		}
	}
	t.Fatalf("no step %q in\n%s", verb, p)
	return ""
}

func TestPlanShowsTheIdentity(t *testing.T) {
	for _, c := range []struct {
		user   string
		groups []string
		want   string
		calls  []string
	}{
		{"", nil, "uid 0, gid 0, groups [0]", []string{"setresuid(0,"}},
		{"1000:1000", []string{"7"}, "uid 1000, gid 1000, groups [1000 7]", []string{"setresuid(1000,", "setresgid(1000,"}},
		{"1000", nil, "user 1000, by the image's passwd and group", []string{"setresuid(1000,"}},
		{"app", nil, "user app, by the image's passwd and group", []string{"setresuid(65534,", "# user app, by the image's passwd"}},
		{"", []string{"video", "7"}, "user root, groups video 7, by the image's passwd and group", nil},
	} {
		s := caisson.Spec{Image: "host", Args: []string{"a"}, User: c.user, Groups: c.groups}
		p, err := s.Plan(nil)
		if err != nil {
			t.Fatal(c.user, err)
		}
		if got := step(t, p, "identity"); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.user, c.groups, got, c.want)
		}
		for _, call := range c.calls {
			if !strings.Contains(p.Syscalls(), call) {
				t.Errorf("%q: no %q in the system calls", c.user, call)
			}
		}
	}
}

func TestPlanRefusesWhatIsNotMapped(t *testing.T) {
	for name, s := range map[string]caisson.Spec{
		"user-one-id uid":    {User: "1000"},
		"user-one-id ids":    {User: "0:5"},
		"user-one-id groups": {Groups: []string{"video"}},
		"user-subids uid":    {User: "70000:0"},
		"user-subids gid":    {User: "0:70000"},
		"user-subids group":  {User: "0:0", Groups: []string{"70000"}},
	} {
		host, _, _ := strings.Cut(name, " ")
		s.Image, s.Args = "host", []string{"a"}
		_, err := s.Plan(hosts()[host])
		var e *caisson.Error
		if !errors.As(err, &e) || e.Op != "identity" || !strings.Contains(e.Hint, "/etc/subuid") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]caisson.Spec{
		"user-one-id root":  {User: "0:0"},
		"user-one-id name":  {User: "app"}, // it may be root
		"user-subids ids":   {User: "65536:65536", Groups: []string{"1"}},
		"user-subids names": {User: "app", Groups: []string{"video"}},
		"root-v2 ids":       {User: "70000:70000", Groups: []string{"70000"}},
	} {
		host, _, _ := strings.Cut(name, " ")
		s.Image, s.Args = "host", []string{"a"}
		if _, err := s.Plan(hosts()[host]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlanShowsTheLimits(t *testing.T) {
	s := caisson.Spec{Image: "host", Args: []string{"a"}, Limits: caisson.Limits{Memory: 64 << 20, CPU: 0.5, Processes: 20}}
	p, err := s.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := step(t, p, "cgroup"), "caisson/0123456789ab cpu=0.5 memory=67108864 pids=20"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := step(t, p, "clone"); !strings.HasSuffix(got, " into=caisson/0123456789ab/caisson-inside") {
		t.Errorf("version 2: %q", got)
	}
	if p, err = s.Plan(hosts()["root-hybrid"]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"cpu", "memory", "pids"} {
		if file := "/sys/fs/cgroup/" + c + "/caisson/0123456789ab/caisson-inside/tasks"; !strings.Contains(p.String(), "cgroup     "+file) {
			t.Errorf("version 1: no %s in\n%s", file, p)
		}
	}
	if strings.Contains(step(t, p, "clone"), "into=") {
		t.Error("version 1 knows no CLONE_INTO_CGROUP")
	}
}

// A plan that is printed and its steps are the same, in every way of starting.
func TestPlanStepsAreAll(t *testing.T) {
	s := caisson.Spec{Image: "host", Args: []string{"a"}}
	for name, host := range hosts() {
		p, err := s.Plan(host)
		if err != nil {
			t.Fatal(err)
		}
		if p.Steps[0].Verb != "clone" || strings.Count(p.String(), "\n") != len(p.Steps) || !strings.HasPrefix(p.String(), " 0 clone ") {
			t.Errorf("%s: %d steps are printed as\n%s", name, len(p.Steps), p)
		}
	}
	empty := caisson.Plan{}
	if s := empty.String() + empty.Syscalls(); s != "" {
		t.Errorf("a plan of nothing: %q", s)
	}
}

func TestPlanOfADirectory(t *testing.T) {
	s := caisson.Spec{Image: "dir:/srv/debian", Args: []string{"a"}}
	p, err := s.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := step(t, p, "overlay"); !strings.HasPrefix(got, "/ lower=mountpoints:/srv/debian upper=containers/") {
		t.Error(got)
	}
}

func TestTmpfsMode(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0: "1777", 0o755: "755", 0o1777: "1777", fs.ModeSticky | 0o777: "1777", fs.ModeSetgid | 0o770: "2770", 0o2770: "2770",
	} {
		s := caisson.Spec{Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/t", Mode: mode}}}
		p, err := s.Plan(nil)
		if err != nil {
			t.Fatal(mode, err)
		}
		if want := `"mode", "` + want + `", 0)` + "\n"; !strings.Contains(p.Syscalls(), want) {
			t.Errorf("%v: no %s", mode, want)
		}
	}
}

// A field that belongs to another type of mount is an error that names it.
func TestMountRefusesForeignFields(t *testing.T) {
	for field, m := range map[string]caisson.Mount{
		"Size":        {Source: "/x", Size: 1},
		"Mode":        {Type: caisson.MountBind, Source: "/x", Mode: 0o755},
		"Source":      {Type: caisson.MountTmpfs, Source: "/x"},
		"Flat":        {Type: caisson.MountTmpfs, Flat: true},
		"Propagation": {Type: caisson.MountTmpfs, Propagation: caisson.PropagationPrivate},
		"IDs":         {Type: caisson.MountTmpfs, IDs: []caisson.IDMapping{{Count: 1}}},
		"mode":        {Type: caisson.MountTmpfs, Mode: fs.ModeDir | 0o755},
		"size":        {Type: caisson.MountTmpfs, Size: -1},
	} {
		m.Target = "/t"
		s := caisson.Spec{Image: "host", Args: []string{"a"}, Mounts: []caisson.Mount{m}}
		_, err := s.Plan(nil)
		var e *caisson.Error
		if !errors.As(err, &e) || e.Op != "mount" || !strings.Contains(e.Err.Error(), field) || e.Hint == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Mistakes in a spec are not the program's: docker run exits with 125 for them too.
func TestMistakesInASpec(t *testing.T) {
	for field, s := range map[string]caisson.Spec{
		"Image":          {Args: []string{"a"}},
		"Args":           {Image: "host"},
		"Args NUL":       {Image: "host", Args: []string{"a\x00"}},
		"Env":            {Image: "host", Args: []string{"a"}, Env: []string{"novalue"}},
		"Dir":            {Image: "host", Args: []string{"a"}, Dir: "relative"},
		"Dir NUL":        {Image: "host", Args: []string{"a"}, Dir: "/a\x00b"},
		"StopSignal":     {Image: "host", Args: []string{"a"}, StopSignal: "SIGNONE"},
		"Name":           {Image: "host", Args: []string{"a"}, Name: "-a"},
		"Name slash":     {Image: "host", Args: []string{"a"}, Name: "a/b"},
		"Name long":      {Image: "host", Args: []string{"a"}, Name: strings.Repeat("a", 129)},
		"Limits.CPU":     {Image: "host", Args: []string{"a"}, Limits: caisson.Limits{CPU: -1}},
		"Limits.Memory":  {Image: "host", Args: []string{"a"}, Limits: caisson.Limits{Memory: 1}},
		"Limits.Process": {Image: "host", Args: []string{"a"}, Limits: caisson.Limits{Processes: -5}},
	} {
		_, err := s.Plan(nil)
		var e *caisson.Error
		if !errors.As(err, &e) || e.Op != "spec" && e.Op != "limit" || !strings.HasPrefix(e.Path, strings.Fields(field)[0]) || caisson.ExitCode(err) != 125 {
			t.Errorf("%s: %v, exit code %d", field, err, caisson.ExitCode(err))
		}
	}
	good := caisson.Spec{Image: "host", Args: []string{"a"}, Name: "a-b_c.9", StopSignal: "rtmin+3", Hostname: strings.Repeat("h", 63)}
	if _, err := good.Plan(nil); err != nil {
		t.Error(err)
	}
}

func TestSpecAsJSON(t *testing.T) {
	if b, err := json.Marshal(caisson.Spec{}); err != nil || string(b) != "{}" {
		t.Errorf("%s %v", b, err)
	}
	full := caisson.Spec{
		Name: "n", Image: "i", Args: []string{"a"}, Env: []string{}, Dir: "/d", User: "u", Groups: []string{"g"}, Hostname: "h",
		TTY: &caisson.Winsize{Rows: 24, Cols: 80},
		Mounts: []caisson.Mount{
			{Source: "/s", Target: "/t", ReadOnly: true, NoExec: true, Suid: true, Dev: true, Flat: true, Propagation: caisson.PropagationSlave,
				IDs: []caisson.IDMapping{{Source: 1, Target: 2, Count: 3}}},
			{Type: caisson.MountTmpfs, Target: "/m", Size: 4096, Mode: fs.ModeSticky | 0o777},
		},
		ReadOnly: true, Namespaces: caisson.Namespaces{
			Mount: "new", PID: "new", Net: caisson.NamespaceHost, IPC: "new", UTS: "new", User: "new", Cgroup: "new", Time: caisson.NamespaceAt("/n")},
		Security: caisson.Security{AddCapabilities: []string{"A"}, DropCapabilities: []string{"ALL"}, NewPrivileges: true},
		Limits:   caisson.Limits{Memory: 1 << 30, CPU: 0.5, Processes: 3},
		Init:     true, StopSignal: "TERM", StopTimeout: time.Second, Trace: true,
	}
	for v, i := reflect.ValueOf(full), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the field %s is not part of this test", v.Type().Field(i).Name)
		}
	}
	b, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	var again caisson.Spec
	if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, full) {
		t.Errorf("%v\n%+v, want\n%+v", err, again, full)
	}
}

// The plan in the README is the one that is made today.
func TestReadmeShowsThePlan(t *testing.T) {
	file := filepath.Join(testneed.Sources(t), "README.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := caisson.Spec{Image: "sha256:0011", Args: []string{"echo", "hi"}}
	p, err := s.Plan(nil)
	if err != nil {
		t.Fatal(err)
	}
	const fence = "```\n"
	before, rest, found := strings.Cut(string(text), fence+" 0 clone")
	block, after, closed := strings.Cut(rest, fence)
	switch {
	case !found || !closed:
		t.Fatal("README.md has no plan")
	case *update:
		if err := os.WriteFile(file, []byte(before+fence+p.String()+fence+after), 0o644); err != nil {
			t.Fatal(err)
		}
	case " 0 clone"+block != p.String():
		t.Errorf("README.md shows another plan than this one (go test -run TestReadme . -update writes it anew):\n%s", p)
	}
}
