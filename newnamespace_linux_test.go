package caisson_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// The filesystem of a program in a namespace is the host's: nothing is made in it.
func TestNamespaceCommandMakesNoDirectory(t *testing.T) {
	testneed.UserNamespaces(t)
	n, err := caisson.NewNamespace(t.Context(), caisson.NetNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	parent := filepath.Join(t.TempDir(), "missing")
	c := n.Command("pwd")
	c.Dir = filepath.Join(parent, "below")
	out, err := c.Output(t.Context())
	var e *caisson.Error
	if !errors.As(err, &e) || e.Op != "chdir" || e.Hint == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s%v", out, err)
	}
	if _, err := os.Stat(parent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s was made on the host: %v", parent, err)
	}
	for _, dir := range []string{"relative", "/a\x00b"} {
		c = n.Command("pwd")
		c.Dir = dir
		if err := c.Run(t.Context()); !errors.As(err, &e) || e.Op != "spec" || e.Path != "Dir" {
			t.Errorf("%q: %v", dir, err)
		}
	}
	for _, dir := range []string{"/", "/proc"} {
		c = n.Command("pwd")
		c.Dir = dir
		if out, err := c.Output(t.Context()); string(out) != dir+"\n" {
			t.Errorf("%s: %q %v", dir, out, err)
		}
	}
}

func TestNewNamespacesTogether(t *testing.T) {
	testneed.UserNamespaces(t)
	for _, kinds := range [][]caisson.NamespaceKind{
		{caisson.NetNamespace, caisson.UTSNamespace, caisson.IPCNamespace, caisson.MountNamespace, caisson.CgroupNamespace},
		{caisson.UTSNamespace, caisson.UserNamespace},
	} {
		list, err := caisson.NewNamespaces(t.Context(), kinds...)
		if err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		script := ""
		for i, n := range list {
			if n.Kind() != kinds[i] {
				t.Errorf("namespace %d is %s, want %s", i, n, kinds[i])
			}
			fmt.Fprintln(&want, n)
			script += "readlink /proc/self/ns/" + string(n.Kind()) + "; "
		}
		out, err := caisson.CommandIn(list, "sh", "-c", script+"hostname inside").CombinedOutput(t.Context())
		if err != nil || string(out) != want.String() {
			t.Errorf("%v: %v\n%s, want\n%s", kinds, err, out, &want)
		}
		for _, n := range list {
			if err := errors.Join(n.Close(), n.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestNewNamespacesRefuses(t *testing.T) {
	var e *caisson.Error
	for _, kinds := range [][]caisson.NamespaceKind{
		{}, {"none"}, {caisson.NetNamespace, caisson.PIDNamespace}, {caisson.NetNamespace, caisson.NetNamespace},
	} {
		if list, err := caisson.NewNamespaces(t.Context(), kinds...); !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%v: %v %v", kinds, list, err)
		}
	}
	var none *caisson.Namespace
	if err := none.Close(); err != nil {
		t.Error(err)
	}
	for name, p := range map[string]*caisson.Process{
		"nil":     caisson.CommandIn(nil, "true"),
		"nil one": caisson.CommandIn([]*caisson.Namespace{none}, "true"),
		"zero":    (&caisson.Namespace{}).Command("true"),
	} {
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "amespace") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClosedNamespace(t *testing.T) {
	testneed.UserNamespaces(t)
	n, err := caisson.NewNamespace(t.Context(), caisson.NetNamespace)
	if err != nil {
		t.Fatal(err)
	}
	l, err := n.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := n.Command("true").Run(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := n.Dial(t.Context(), "tcp", "localhost:1"); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if _, err := n.Listen(t.Context(), "tcp", ":0"); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// Two namespaces of an ordinary user that were not made together have two owners, and the kernel lets nobody
// into both.
func TestNamespacesOfTwoOwners(t *testing.T) {
	testneed.Unprivileged(t)
	testneed.UserNamespaces(t)
	var list []*caisson.Namespace
	for _, kind := range []caisson.NamespaceKind{caisson.NetNamespace, caisson.UTSNamespace} {
		n, err := caisson.NewNamespace(t.Context(), kind)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = n.Close() }()
		list = append(list, n)
	}
	err := caisson.CommandIn(list, "true").Run(t.Context())
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "NewNamespaces") {
		t.Error(err)
	}
}

// A mount in a new mount namespace is not one of the host.
func TestMountNamespaceIsPrivate(t *testing.T) {
	testneed.Root(t)
	shared := filepath.Join(tree(t, "shared"), "shared")
	for _, step := range []func() error{
		func() error { return syscall.Mount(shared, shared, "", syscall.MS_BIND, "") },
		func() error { return syscall.Mount("", shared, "", syscall.MS_SHARED, "") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = syscall.Unmount(shared, syscall.MNT_DETACH) })
	n, err := caisson.NewNamespace(t.Context(), caisson.MountNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	out, err := n.Command("grep", shared, "/proc/self/mountinfo").Output(t.Context())
	if err != nil || strings.Contains(string(out), "shared:") {
		t.Errorf("%v\n%s", err, out)
	}
}
