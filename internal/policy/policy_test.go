package policy

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "example.org/m"

// load makes a tree of files given as path and content in turn.
func load(t *testing.T, files ...string) *Tree {
	t.Helper()
	fsys := make(fstest.MapFS)
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	tree, err := Load(fsys, module)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// expect compares violations with the beginnings, or other pieces, of the wanted ones.
func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("got %d violations, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("violation %d is %q, want %q in it", i, got[i], want[i])
		}
	}
}

func TestLoadLeavesOutWhatTheGoCommandIgnores(t *testing.T) {
	const bad = "package util\n\nfunc init() {}\n"
	tree := load(t, "a.go", "package m\n",
		"testdata/a.go", bad, "vendor/x/a.go", bad, ".ci/a.go", bad, "_old/a.go", bad, "_a.go", bad,
		"adapter/go.mod", "module other\n", "adapter/a.go", bad, "adapter/in/a.go", bad)
	expect(t, tree.Words())
	expect(t, tree.Names("util"))
}

func TestLoadReportsFilesThatDoNotParse(t *testing.T) {
	if _, err := Load(fstest.MapFS{"a.go": {Data: []byte("package")}}, module); err == nil {
		t.Error("a broken file was accepted")
	}
}

func TestImports(t *testing.T) {
	rule := func(r ImportRule) []ImportRule { return []ImportRule{r} }
	for name, c := range map[string]struct {
		rules []ImportRule
		files []string
		want  []string
	}{
		"denied own package": {
			rule(ImportRule{From: "internal/...", Deny: []string{"."}, Why: "upwards"}),
			[]string{"internal/a/a.go", "package a\n\nimport _ \"example.org/m\"\n", "a.go", "package m\n"},
			[]string{"internal/a/a.go:3: internal/a may not import .: upwards"},
		},
		"a longer module path is another module": {
			rule(ImportRule{From: "internal/...", Deny: []string{"."}}),
			[]string{"internal/a/a.go", "package a\n\nimport _ \"example.org/m2\"\n"},
			nil,
		},
		"denied on a foreign system": {
			rule(ImportRule{From: "...", Deny: []string{"log"}}),
			[]string{"a_plan9.go", "//go:build plan9\n\npackage m\n\nimport \"log\"\n"},
			[]string{"a_plan9.go:5"},
		},
		"allow list": {
			rule(ImportRule{From: "internal/tape", Allow: []string{"./internal/sys"}}),
			[]string{"internal/tape/a.go", "package tape\n\nimport (\n\t\"os\"\n\t\"net/http\"\n\t\"example.org/m/internal/sys\"\n\t\"example.org/m/internal/system\"\n\t\"golang.org/x/sys/unix\"\n\t\"C\"\n)\n"},
			[]string{"./internal/system", "golang.org/x/sys/unix", "may not import C"},
		},
		"exceptions": {
			rule(ImportRule{From: "...", Except: []string{"internal/sys/..."}, Deny: []string{"golang.org/x/sys/unix"}}),
			[]string{"internal/sys/a.go", "package sys\n\nimport _ \"golang.org/x/sys/unix\"\n", "internal/sys/b/a.go", "package b\n\nimport _ \"golang.org/x/sys/unix\"\n", "a.go", "package m\n\nimport _ \"golang.org/x/sys/unix\"\n"},
			[]string{"a.go:3"},
		},
		"tests and commands are let off": {
			rule(ImportRule{From: "...", Deny: []string{"log"}}),
			[]string{"a_test.go", "package m\n\nimport _ \"log\"\n", "cmd/a.go", "package main\n\nimport _ \"log\"\n"},
			nil,
		},
		"tests and commands are meant": {
			rule(ImportRule{From: "...", Deny: []string{"C"}, Tests: true, Commands: true}),
			[]string{"a_test.go", "package m\n\nimport \"C\"\n", "cmd/a.go", "package main\n\nimport \"C\"\n"},
			[]string{"a_test.go:3", "cmd/a.go:3"},
		},
		"rule without a subject": {
			rule(ImportRule{From: "internal/gone"}),
			[]string{"a.go", "package m\n"},
			[]string{"internal/gone is about no file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, load(t, c.files...).Imports(c.rules), c.want...)
		})
	}
	t.Run("rule whose subject comes later", func(t *testing.T) {
		expect(t, load(t, "a.go", "package m\n").Imports(rule(ImportRule{From: "internal/soon"}), "internal/soon"))
	})
}

func TestWords(t *testing.T) {
	body := func(imports, code string) string {
		return "package m\n\nimport (" + imports + ")\n\nfunc f(rootfs string, c struct{ Rootfs string }) {\n" + code + "\n}\n"
	}
	for name, c := range map[string]struct {
		source string
		want   []string
	}{
		"init":            {"package m\n\nfunc init() {}\n", []string{"a.go:3: func init"}},
		"method init":     {"package m\n\ntype T int\n\nfunc (T) init() {}\n", nil},
		"exit":            {body(`"os"`, "os.Exit(1)"), []string{"os.Exit"}},
		"renamed import":  {body(`x "os"`, "x.Chdir(``)"), []string{"os.Chdir"}},
		"as a value":      {body(`"os"`, "g := os.Setenv; _ = g"), []string{"os.Setenv"}},
		"umask":           {body(`"syscall"`, "syscall.Umask(0)"), []string{"syscall.Umask"}},
		"umask by unix":   {body(`"golang.org/x/sys/unix"`, "unix.Umask(0)"), []string{"unix.Umask"}},
		"log":             {body(`"log"`, "log.Print(1)"), []string{"log.Print"}},
		"default slog":    {body(`"log/slog"`, "slog.Info(``)"), []string{"log/slog.Info"}},
		"given slog":      {body(`"log/slog"`, "var l *slog.Logger; l.Info(``); l.With(slog.String(``, ``))"), nil},
		"local named log": {body(`"log"`, "var log T; log.Print()"), nil},
		"signals":         {body(`"os/signal"`, "signal.Notify(nil)"), []string{"os/signal.Notify"}},
		"sleep":           {body(`"time"`, "time.Sleep(1)"), []string{"time.Sleep"}},
		"printing":        {body(`"fmt"`, "fmt.Println(); println(1); fmt.Sprint(1)"), []string{"fmt.Println", "println"}},
		"wait for all":    {body(`"syscall"`, "syscall.Wait4(-1, nil, 0, nil); wait4(-1); syscall.Wait4(pid, nil, 0, nil)"), []string{"wait4(-1)", "wait4(-1)"}},
		"join": {
			body(`"path/filepath"; "path"`, "filepath.Join(rootfs, ``); path.Join(c.Rootfs, ``); filepath.Join(c.rootFS(), ``); filepath.Join(``, rootfs); strings.Join(rootfs)"),
			[]string{"a.go:6", "a.go:6", "a.go:6"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, load(t, "a.go", c.source).Words(), c.want...)
			expect(t, load(t, "a_test.go", c.source).Words())
			expect(t, load(t, "examples/x/a.go", c.source).Words("examples/..."))
			expect(t, load(t, "a.go", strings.Replace(c.source, "package m", "package main", 1)).Words())
		})
	}
}

func TestSkips(t *testing.T) {
	tree := load(t, "need/a_test.go", "package need\n\nfunc f() { t.Skipf(``) }\n",
		"a_test.go", "package m\n\nfunc f() {\n\tt.Skip(`no root`)\n\tb.Skipf(``)\n\tt.SkipNow()\n\tt.Skip()\n}\n",
		"a.go", "package m\n\nfunc f() { r.Skip(1) }\n")
	expect(t, tree.Skips("need", "need"), "a_test.go:4: Skip", "a_test.go:5: Skipf", "a_test.go:6: SkipNow")
}

func TestNames(t *testing.T) {
	tree := load(t, "util/a.go", "package utility\n", "store_helper_test.go", "package m\n", "b/b.go", "package common\n",
		"utilities.go", "package m\n", "c-manager/c.go", "package c\n")
	expect(t, tree.Names("util", "helper", "common", "manager"),
		`b/b.go: the package is named "common"`, `c-manager: the directory is named "manager"`,
		`store_helper_test.go: the file is named "helper"`, `util: the directory is named "util"`)
}

// source has one of everything that can be exported, documented and not.
const source = `package m

// Both are explained.
const (
	A State = iota
	B
	c
)

const (
	Loose = "x"
	// Tight is explained.
	Tight = 1
)

// State has methods.
type State int

// String is explained.
func (s State) String() string { return "" }

func (s *State) Set(v, w string) (err error) { return nil }

type hidden struct{ Field int }

func (hidden) Method() {}

// Spec has fields.
type Spec struct {
	State
	*hidden
	Name, Image string // explained
	Env         []string ` + "`json:\"-\"`" + `
	// Hook is explained.
	Hook func(ctx context.Context, s *Spec) error
	n    int
}

// TB has methods.
type TB interface {
	fmt.Stringer
	Fatalf(format string, args ...any) // explained
	Helper()
	private()
}

type (
	Alias = Spec
)

// Map is generic.
func Map[K comparable, V any](m map[K]V, f func(K) V) (V, error) { panic(0) }

// ErrGone is explained.
var ErrGone = errors.New("gone")

var x, Y int
`

func TestUndocumented(t *testing.T) {
	tree := load(t, "a.go", source, "a_windows.go", "package m\n\nfunc Elsewhere() {}\n", "a_test.go", "package m\n\nfunc Tested() {}\n")
	got, err := tree.Undocumented(".")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, "Loose", "Set", "Env", "Helper", "Alias", "Y", "the package has no comment")
	got, err = load(t, "doc.go", "// Package m is explained.\npackage m\n", "a.go", "package m\n\nfunc F() {}\n").Undocumented(".")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, "a.go:3: F has no comment")
}

func TestAPI(t *testing.T) {
	tree := load(t, "a.go", source, "a_linux.go", "package m\n\nfunc Here() {}\n", "a_windows.go", "package m\n\nfunc Elsewhere() {}\n",
		"a_test.go", "package m\n\nfunc Tested() {}\n", "sub/a.go", "package sub\n\nfunc Far() {}\n")
	got, err := tree.API(".")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"const A State = iota",
		"const B State",
		"const Loose = \"x\"",
		"const Tight = 1",
		"func Here()",
		"func Map[K comparable, V any](map[K]V, func(K) V) (V, error)",
		"method (*State) Set(string, string) error",
		"method (State) String() string",
		"type Alias = Spec",
		"type Spec struct",
		"type Spec struct, Env []string `json:\"-\"`",
		"type Spec struct, Hook func(context.Context, *Spec) error",
		"type Spec struct, Image string",
		"type Spec struct, Name string",
		"type Spec struct, embedded State",
		"type State int",
		"type TB interface",
		"type TB interface, Fatalf(string, ...any)",
		"type TB interface, Helper()",
		"type TB interface, embedded fmt.Stringer",
		"type TB interface, unexported methods",
		"var ErrGone",
		"var Y int",
	}
	for i := range want {
		want[i] = "pkg m, " + want[i]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestExamples(t *testing.T) {
	tree := load(t, "a.go", "package m\n\nfunc Probe() {}\nfunc (*Box) Start() {}\nfunc (*Box) Stop() {}\nfunc (Box) String() string\nfunc (*Minor) Do() {}\nfunc (*Box) stop() {}\nfunc (*Box) Wait() {}\n",
		"example_test.go", "package m_test\n\nfunc ExampleBox_Start_slowly() {}\nfunc ExampleBox_Stopped() {}\nfunc ExampleProbe() {}\n")
	got, err := tree.Examples(".", ExampleRule{
		Types: []string{"Box", "Later"}, Methods: []string{"String"},
		Exempt: map[string]string{"Box.Wait": "obvious", "Box.Start": "wrong", "Box.Gone": "stale"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, got, "Box.Gone is exempt from having an Example, and does not exist",
		"Box.Start is exempt from having an Example, and has one", "Box.Stop has no ExampleBox_Stop")
}
