package caisson_test

// The rules of this project that a machine can check: who may import whom, what a library must not do, what has to be
// explained and shown, and what the exported API is. The checks themselves are in internal/policy; here are the rules.

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caisson-go/caisson/internal/policy"
	"github.com/caisson-go/caisson/internal/testneed"
)

const (
	modulePath = "github.com/caisson-go/caisson"
	apiFile    = "api.txt"
)

var update = flag.Bool("update", false, "rewrite the golden files of this package, "+apiFile+" among them")

// publicPackages are the directories whose packages a user of the module can import.
func publicPackages() []string { return []string{".", "caissontest"} }

// purePackages compute and do nothing else: the same input gives the same result on any machine.
func purePackages() []string {
	return []string{"./internal/environ", "./internal/etcfiles", "./internal/subid"}
}

// comingPackages may be named by rules before they exist.
func comingPackages() []string {
	return []string{"caissontest", "examples/...", "internal/plan", "internal/environ", "internal/etcfiles", "internal/subid"}
}

// importRules is the lattice: the root, then the rooms, then plan and tape, then sys.
func importRules() []policy.ImportRule {
	testTools := []string{"./internal/testneed", "./internal/testroot", "./internal/policy", "./internal/guest/...", "./internal/testimage/..."}
	rules := []policy.ImportRule{
		{From: "internal/...", Deny: []string{".", "./caissontest"}, Tests: true,
			Why: "the root package knows the internal ones, never the other way round"},
		{From: "internal/sys", Allow: []string{"golang.org/x/sys/..."}, Commands: true,
			Why: "the wrappers of the system calls are the ground floor"},
		{From: "...", Except: []string{"internal/sys"}, Deny: []string{"golang.org/x/sys/unix", "golang.org/x/sys/windows"}, Commands: true,
			Why: "system calls go through internal/sys"},
		{From: "internal/tape", Allow: []string{"./internal/sys"}, Commands: true,
			Why: "a tape knows system calls and bytes, and nothing of containers"},
		{From: "internal/plan", Allow: slices.Concat([]string{"./internal/tape", "./internal/sys"}, purePackages()),
			Why: "a plan is computed from plain data"},
		{From: "examples/...", Deny: []string{"./internal/...", "golang.org/x/sys/..."}, Tests: true, Commands: true,
			Why: "an example shows what everybody can do, so it uses the public packages"},
		{From: "...", Except: []string{"internal/guest/...", "internal/testroot/...", "internal/testimage/..."}, Deny: slices.Concat(testTools, []string{"testing", "testing/..."}),
			Why: "what tests are made of is not for the users' programs"},
		{From: "...", Deny: []string{"C"}, Tests: true, Commands: true, Why: "there is no cgo here"},
		{From: "...", Except: []string{"examples/..."}, Deny: []string{"log", "os/signal", "plugin", "expvar", "net/http/pprof"},
			Why: "it reaches for the whole process, which belongs to the program"},
	}
	for _, dir := range append(purePackages(), "./internal/plan") {
		rules = append(rules, policy.ImportRule{From: strings.TrimPrefix(dir, "./"),
			Deny: []string{"os", "os/...", "net", "net/http", "syscall", "time"}, Why: "it is pure"})
	}
	for _, dir := range purePackages() {
		rules = append(rules, policy.ImportRule{From: strings.TrimPrefix(dir, "./"), Allow: purePackages(), Why: "it is pure"})
	}
	return rules
}

// skipsNotMoved lists directories whose tests still skip by themselves. It may only become shorter.
func skipsNotMoved() []string {
	return []string{"internal/account", "internal/inroot", "internal/layer", "internal/registry", "internal/store", "internal/tape", "internal/launch"}
}

// exampleRule lists the types that are used by calling their methods.
func exampleRule() policy.ExampleRule {
	return policy.ExampleRule{
		Types: []string{
			"Engine", "Image", "Container", "Process", "Network", "Volume", "Cgroup", "Namespace", "Overlay",
			"Snapshot", "Plan", "Support", "Spec",
		},
		// Methods that the standard library calls, or that do what they always do.
		Methods: []string{
			"String", "Error", "Unwrap", "Is", "As", "Format", "GoString", "LogValue", "Close", "ID", "Name", "Ref", "Pid",
			"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
		},
		Exempt: map[string]string{},
	}
}

func TestImportsFollowTheLattice(t *testing.T) {
	report(t, load(t).Imports(importRules(), comingPackages()...))
}

func TestLibraryLeavesTheProcessAlone(t *testing.T) {
	report(t, load(t).Words("examples/..."))
}

func TestSkipsAreDeclaredNeeds(t *testing.T) {
	report(t, load(t).Skips("internal/testneed", append(skipsNotMoved(), "internal/testneed")...))
}

func TestNamesSayWhatIsInside(t *testing.T) {
	report(t, load(t).Names("util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"))
}

func TestExportedNamesAreDocumented(t *testing.T) {
	tree := load(t)
	for _, dir := range publicPackages() {
		bad, err := tree.Undocumented(dir)
		if err != nil {
			t.Fatal(err)
		}
		report(t, bad)
	}
}

func TestMethodsHaveExamples(t *testing.T) {
	bad, err := load(t).Examples(".", exampleRule())
	if err != nil {
		t.Fatal(err)
	}
	report(t, bad)
}

// The exported API changes only together with api.txt, where a reviewer sees it.
func TestAPI(t *testing.T) {
	tree := load(t)
	var lines []string
	for _, dir := range publicPackages() {
		api, err := tree.API(dir)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, api...)
	}
	file := filepath.Join(testneed.Sources(t), apiFile)
	if *update {
		text := strings.Join(append(lines, ""), "\n")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	reviewed := strings.FieldsFunc(string(golden), func(r rune) bool { return r == '\n' || r == '\r' })
	report(t, slices.Concat(missing("no longer exported", reviewed, lines), missing("not in "+apiFile, lines, reviewed)))
	if t.Failed() {
		t.Logf("if this is meant: go test -run TestAPI -update . and look at the difference of %s", apiFile)
	}
}

// missing returns the lines of one list that the other lacks.
func missing(what string, from, in []string) []string {
	var bad []string
	for _, line := range from {
		if !slices.Contains(in, line) {
			bad = append(bad, what+": "+line)
		}
	}
	return bad
}

var loadOnce = sync.OnceValues(func() (*policy.Tree, error) { return policy.Load(os.DirFS("."), modulePath) })

// load parses the module once for all tests.
func load(t *testing.T) *policy.Tree {
	t.Helper()
	testneed.Sources(t)
	tree, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func report(t *testing.T, violations []string) {
	t.Helper()
	for _, v := range violations {
		t.Error(v)
	}
}
