package caisson_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// ran runs a container whose layer lies in a state directory.
func ran(t *testing.T, e *caisson.Engine, root string) error {
	t.Helper()
	img, err := e.RootFS(root)
	must(t, err)
	return img.Command("/bin/true").Run(t.Context())
}

func TestStateDirectory(t *testing.T) {
	testneed.UserNamespaces(t)
	root := smallRoot(t)
	for _, c := range []struct {
		name    string
		make    func(base string) (dir string)
		mode    fs.FileMode // of the directory afterwards
		refused bool
	}{
		{"made with what is above it", func(base string) string { return filepath.Join(base, "a/b") }, 0o700, false},
		{"closed to others while it is empty", func(base string) string {
			must(t, os.Chmod(base, 0o777))
			return base
		}, 0o700, false},
		{"left as it is otherwise", func(base string) string {
			must(t, os.WriteFile(filepath.Join(base, "file"), nil, 0o644))
			must(t, os.Chmod(base, 0o755))
			return base
		}, 0o755, false},
		{"below one where everybody has his own", func(base string) string {
			must(t, os.Chmod(base, 0o777|os.ModeSticky))
			return filepath.Join(base, "state")
		}, 0o700, false},
		{"behind links", func(base string) string {
			must(t, os.Mkdir(filepath.Join(base, "there"), 0o700))
			must(t, os.Symlink("there/.", filepath.Join(base, "relative")))
			must(t, os.Symlink(filepath.Join(base, "relative"), filepath.Join(base, "absolute")))
			return filepath.Join(base, "absolute/state")
		}, 0o700, false},
		{"behind links without end", func(base string) string {
			must(t, os.Symlink("loop", filepath.Join(base, "loop")))
			return filepath.Join(base, "loop")
		}, 0, true},
		{"not a directory", func(base string) string {
			must(t, os.WriteFile(filepath.Join(base, "file"), nil, 0o644))
			return filepath.Join(base, "file")
		}, 0, true},
		// A umask of 002 makes these, for users that have a group of their own.
		{"below one of the user's own group", func(base string) string {
			must(t, os.Chmod(base, 0o775))
			return filepath.Join(base, "state")
		}, 0o700, os.Getegid() != os.Geteuid()},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &caisson.Engine{Dir: c.make(t.TempDir())}
			err := ran(t, e, root)
			if c.refused {
				var failed *caisson.Error
				if !errors.As(err, &failed) || failed.Hint == "" {
					t.Errorf("%v, want a refusal with a remedy", err)
				}
				return
			}
			must(t, err)
			info, err := os.Stat(e.Dir)
			must(t, err)
			if info.Mode().Perm() != c.mode {
				t.Errorf("mode %v, want %v", info.Mode(), c.mode)
			}
		})
	}
}

// A store may be added to the directory of containers, and the other way round.
func TestStateDirectoryIsAStoreToo(t *testing.T) {
	e := engine(t)
	must(t, os.Chmod(e.Dir, 0o755))
	must(t, ran(t, e, smallRoot(t)))
	if _, err := e.Image(t.Context(), "registry.invalid/none:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// A state directory that is another one, after an engine has used it, is looked at again.
func TestStateDirectoryIsAnother(t *testing.T) {
	e := engine(t)
	e.Dir = filepath.Join(e.Dir, "state")
	root := smallRoot(t)
	must(t, ran(t, e, root))
	must(t, os.RemoveAll(e.Dir))
	must(t, os.MkdirAll(filepath.Join(e.Dir, "containers"), 0o700))
	must(t, os.Chmod(e.Dir, 0o777))
	if err := ran(t, e, root); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v: others could have made that", err)
	}
}

// nestedEnv makes TestRoleNested the program in a user namespace.
const nestedEnv = "CAISSON_TEST_NESTED"

// In a user namespace the host's root, who owns what is above, has no number.
func TestStateDirectoryInAUserNamespace(t *testing.T) {
	testneed.UserNamespaces(t)
	dir, err := os.MkdirTemp("", "caisson-nested-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	root := filepath.Join(dir, "root")
	must(t, os.CopyFS(root, os.DirFS(smallRoot(t))))
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = ordinaryUser, ordinaryUser
		must(t, filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(p, uid, gid))
		}))
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRoleNested$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), nestedEnv+"="+dir, "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}},
		Credential:  &syscall.Credential{Uid: 0, Gid: 0, NoSetGroups: true},
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRoleNested") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRoleNested(t *testing.T) {
	dir := os.Getenv(nestedEnv)
	if dir == "" {
		return
	}
	must(t, ran(t, &caisson.Engine{Dir: filepath.Join(dir, "state")}, filepath.Join(dir, "root")))
	// There, everybody who has no number could be the one who owns this.
	open := filepath.Join(dir, "open")
	must(t, os.Mkdir(open, 0o700))
	must(t, os.Chmod(open, 0o777))
	if err := ran(t, &caisson.Engine{Dir: filepath.Join(open, "state")}, filepath.Join(dir, "root")); !errors.Is(err, fs.ErrPermission) {
		t.Error(err)
	}
}
