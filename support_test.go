package caisson_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

// supports are made by hand: what people read must be as it is written, on any machine.
func supports() map[string]*caisson.Support {
	works := func(name, since, detail string) caisson.Feature {
		return caisson.Feature{Name: name, Since: since, State: caisson.FeatureWorks, Detail: detail}
	}
	root := &caisson.Support{Privileged: true, Release: "6.12.9", Container: works("container", "", "")}
	root.Namespaces.User = works("user namespace", "3.8", "")
	root.Namespaces.Time = works("time namespace", "5.6", "")
	root.Filesystems.OverlayFD = caisson.Feature{
		Name: "overlay by fsconfig, layers by descriptor", Since: "6.13", State: caisson.FeatureFails,
		Err: &os.PathError{Op: "fsconfig", Path: "lowerdir+", Err: syscall.EBADF}, Remedy: "none needed",
	}
	root.Cgroups.Mode, root.Cgroups.Mounted = "v2", works("cgroups mounted", "2.6.24", "v2 on /sys/fs/cgroup: cpu memory pids")
	root.Security.SELinux, root.Security.Landlock = "enforcing", works("Landlock", "5.13", "ABI 6")

	user := &caisson.Support{UID: 1000, GID: 1000, Release: "6.8.0-45-generic"}
	user.Container = caisson.Feature{
		Name: "container", State: caisson.FeatureFails,
		Err: &caisson.Error{Op: "map", Path: "uid 0 -> 1000", Err: os.NewSyscallError("write", syscall.EPERM), Hint: "the remedy"}, Remedy: "the remedy",
	}
	user.Namespaces.User = caisson.Feature{
		Name: "user namespace", Since: "3.8", State: caisson.FeatureFails, Err: &os.PathError{Op: "write", Path: "/proc/self/uid_map", Err: syscall.EPERM},
		Remedy: "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
	}
	user.Filesystems.Overlay = caisson.Feature{Name: "overlay", Since: "3.18", Err: errors.New("needs user namespace")}
	user.IDs.SubUIDs = works("range in /etc/subuid", "", "100000:65536")
	user.Security.AppArmor = "unconfined"
	return map[string]*caisson.Support{"root": root, "user": user, "not-probed": {UID: 1000, GID: 100}}
}

func TestSupportIsReadable(t *testing.T) {
	for name, s := range supports() {
		golden(t, filepath.Join("testdata", "support", name+".golden"), s.String())
	}
}

// Each feature of Support is in the table once, under its own name.
func TestFeaturesAreAllOfThem(t *testing.T) {
	s := &caisson.Support{}
	want := map[string]bool{}
	var name func(v reflect.Value, path string)
	name = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			at := path + "." + v.Type().Field(i).Name
			switch f := v.Field(i); {
			case f.Type() == reflect.TypeFor[caisson.Feature]():
				f.FieldByName("Name").SetString(at)
				want[at] = true
			case f.Kind() == reflect.Struct:
				name(f, at)
			}
		}
	}
	name(reflect.ValueOf(s).Elem(), "Support")
	if len(want) < 50 {
		t.Errorf("only %d features", len(want))
	}
	for title, f := range s.Features() {
		if !want[f.Name] {
			t.Errorf("%s is there twice, the second time under %s", f.Name, title)
		}
		delete(want, f.Name)
	}
	for missing := range want {
		t.Errorf("%s is not in the table", missing)
	}
	for range s.Features() {
		break // an iterator may be left
	}
}

func TestFeatureIsOneLine(t *testing.T) {
	f := caisson.Feature{
		Name: "pid namespace", State: caisson.FeatureFails, Remedy: "run as root",
		Err: errors.Join(&os.PathError{Op: "unshare", Path: "pid", Err: syscall.EPERM}, errors.New("more")),
	}
	if got, want := f.String(), "pid namespace: fails; unshare pid: operation not permitted; more; run as root"; got != want {
		t.Errorf("%q", got)
	}
	if f.Works() || !errors.Is(f.Err, os.ErrPermission) {
		t.Errorf("%+v", f)
	}
	if got := (caisson.Feature{Name: "x"}).String(); got != "x: unknown" {
		t.Errorf("%q", got)
	}
	if got := (caisson.Feature{Name: "Landlock", State: caisson.FeatureWorks, Detail: "ABI 7"}).String(); got != "Landlock: works; ABI 7" {
		t.Errorf("%q", got)
	}
}

// A Support that nobody filled in promises nothing.
func TestNothingIsKnownBeforehand(t *testing.T) {
	var s caisson.Support
	if s.Container.State != caisson.FeatureUnknown || s.Container.Works() || !strings.HasPrefix(s.String(), "who you are") {
		t.Errorf("%v", s.Container)
	}
	if got := fmt.Sprint(caisson.FeatureWorks, caisson.FeatureFails, caisson.FeatureUnknown); got != "works fails unknown" {
		t.Error(got)
	}
}
