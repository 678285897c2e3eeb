// Package testneed lets a test say what it needs of the machine, and skips the test, with the reason and the remedy,
// where the machine does not have it.
//
// A need is found out by doing, never by version or name: a namespace is made, a cgroup is created. Each is tried once
// per test binary. Tests skip through this package alone, so that one environment variable can hold a machine to its
// promise: CAISSON_CI lists, separated by commas, the needs that this machine is known to have, and a listed need that
// turns out to be missing fails the test instead of skipping it.
//
//	CAISSON_CI=root,userns,cgroupv2:memory,program:crun go test ./...
//
// A name with a colon promises one detail only; the bare name promises all of them.
package testneed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Env is the environment variable that lists the needs which must not be missing.
const Env = "CAISSON_CI"

// PatienceEnv is the environment variable that says by which factor this machine is slower than an ordinary one.
const PatienceEnv = "CAISSON_PATIENCE"

// The names of the needs, as Env lists them.
const (
	needRoot         = "root"
	needUnprivileged = "unprivileged"
	needUserNS       = "userns"
	needSubIDs       = "subids"
	needCgroupV1     = "cgroupv1"
	needCgroupV2     = "cgroupv2"
	needProgram      = "program"
	needFeature      = "feature"
	needSources      = "sources"
)

func known() []string {
	return []string{needRoot, needUnprivileged, needUserNS, needSubIDs, needCgroupV1, needCgroupV2, needProgram, needFeature, needSources}
}

// TB is the part of testing.TB that a need uses.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Root needs the real root: user 0 of the initial user namespace, able to make and use a mount namespace.
func Root(t TB) {
	t.Helper()
	settle(t, needRoot, nil, root(), "run as root, for instance with: go test -exec sudo")
}

// Unprivileged needs an ordinary user: a test of what happens without any privilege proves nothing as root.
func Unprivileged(t TB) {
	t.Helper()
	var err error
	if os.Geteuid() == 0 {
		err = fmt.Errorf("the effective user id is 0")
	}
	settle(t, needUnprivileged, nil, err, "run go test as an ordinary user")
}

// UserNamespaces needs a user namespace with one id in it, whose owner may mount in a mount namespace of its own.
// Making the first and being refused the second is what a restricting security module does.
func UserNamespaces(t TB) {
	t.Helper()
	settle(t, needUserNS, nil, userNamespaces(), userNamespaceRemedy())
}

// SubordinateIDs needs newuidmap and newgidmap to map a range of subordinate ids for the current user.
func SubordinateIDs(t TB) {
	t.Helper()
	settle(t, needSubIDs, nil, subordinateIDs(),
		"apt-get install uidmap, and give the user a range: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER")
}

// CgroupV1 needs a directory of the version 1 hierarchy of the controller in which cgroups can be made, and returns it.
func CgroupV1(t TB, controller string) string {
	t.Helper()
	dir, err := cgroupV1(controller)
	settle(t, needCgroupV1, []string{controller}, err, "run as root on a machine that has this controller on cgroup v1")
	return dir
}

// CgroupV2 needs a directory of the cgroup2 tree in which cgroups can be made and for which all the controllers, if any
// are named, are available. It returns the nearest one, beginning at this process's own cgroup. Whether the controllers
// are also switched on for children (cgroup.subtree_control) is left to the test: that would be a lasting change.
func CgroupV2(t TB, controllers ...string) string {
	t.Helper()
	dir, err := cgroupV2(controllers)
	settle(t, needCgroupV2, controllers, err,
		"run as root, or under systemd-run --user --scope -p Delegate=yes, on a machine that has these controllers on cgroup v2")
	return dir
}

// Program needs an installed program, and returns its path. The directories of system administration are searched too,
// because an ordinary user's PATH often leaves them out.
func Program(t TB, name, remedy string) string {
	t.Helper()
	path, err := program(name)
	settle(t, needProgram, []string{name}, err, remedy)
	return path
}

// Feature needs whatever the test has just tried for itself: err is what came of it, nil if it works.
func Feature(t TB, name string, err error, remedy string) {
	t.Helper()
	settle(t, needFeature, []string{name}, err, remedy)
}

// Sources needs the module's source files, and returns its root directory. A compiled test binary that was carried to
// another machine does not have them.
func Sources(t TB) string {
	t.Helper()
	dir, err := moduleRoot()
	settle(t, needSources, nil, err, "run the test with go test in a checkout")
	return dir
}

// Patience returns the time to allow for something that takes no more than d on an ordinary machine. Under emulation or
// the race detector everything takes several times as long, and a limit meant for a hang or a quadratic algorithm would
// report the machine.
func Patience(d time.Duration) time.Duration {
	factor, err := strconv.Atoi(os.Getenv(PatienceEnv))
	if err != nil || factor < 1 {
		return d
	}
	return d * time.Duration(factor)
}

// settle skips or fails the test if err says that the need, in one of these details, is missing.
func settle(t TB, need string, details []string, err error, remedy string) {
	t.Helper()
	if err == nil {
		return
	}
	full := need
	if len(details) > 0 {
		full += ":" + strings.Join(details, ",")
	}
	must, listErr := promised(os.Getenv(Env), need, details)
	switch {
	case listErr != nil:
		t.Fatalf("%v", listErr)
	case must:
		t.Fatalf("needs %s, which %s promises of this machine: %v (remedy: %s)", full, Env, err, remedy)
	default:
		t.Skipf("needs %s: %v (remedy: %s)", full, err, remedy)
	}
}

// promised reports whether the list names the need as a whole, or else each of its details. A misspelt name would switch
// the check off without a word, so it is an error.
func promised(list, need string, details []string) (bool, error) {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if name, _, _ := strings.Cut(item, ":"); !slices.Contains(known(), name) {
			return false, fmt.Errorf("%s names an unknown need %q; the known ones are %s", Env, item, strings.Join(known(), ", "))
		}
		items = append(items, item)
	}
	if slices.Contains(items, need) {
		return true, nil
	}
	missing := slices.ContainsFunc(details, func(d string) bool { return !slices.Contains(items, need+":"+d) })
	return len(details) > 0 && !missing, nil
}

func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", err
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above it", start)
		}
	}
}
