package changes_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// scene is an overlay on directories of its own, which is mounted by a child of the test in namespaces of its own.
type scene struct {
	t     testing.TB
	dir   string
	lower []string // bottom to top
	user  bool     // in a user namespace with one id, marks in user.overlay.*
}

// both runs a test as root does it and as an ordinary user does.
func both(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Run("root", func(t *testing.T) {
		testneed.Root(t)
		test(t, newScene(t, false))
	})
	t.Run("user namespace", func(t *testing.T) {
		testneed.UserNamespaces(t)
		test(t, newScene(t, true))
	})
}

func newScene(t testing.TB, user bool) *scene {
	t.Helper()
	s := &scene{t: t, dir: t.TempDir(), user: user}
	for _, d := range []string{"upper", "work", "mnt"} {
		must(t, os.Mkdir(s.at(d), 0o755))
	}
	t.Cleanup(func() {
		f, err := os.Open(s.dir)
		must(t, err)
		defer f.Close()
		names, _ := f.Readdirnames(-1)
		for _, n := range names {
			must(t, layer.RemoveAll(f, n))
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scene) at(name string) string { return filepath.Join(s.dir, name) }

// addLower makes one more layer, on top of the others.
func (s *scene) addLower(fill func(dir string)) {
	s.t.Helper()
	dir := s.at(fmt.Sprint("lower", len(s.lower)))
	must(s.t, os.Mkdir(dir, 0o755))
	fill(dir)
	s.lower = append(s.lower, dir)
}

// tree is the scene for the functions under test.
func (s *scene) tree() changes.Tree {
	s.t.Helper()
	t := changes.Tree{Upper: s.open("upper"), UserXattr: s.user}
	for _, l := range s.lower {
		t.Lower = append(t.Lower, s.open(filepath.Base(l)))
	}
	if s.user {
		fallback := &changes.Fallback{Start: oneID}
		s.t.Cleanup(fallback.Close)
		t.Owner, t.Opener = squash, fallback
	}
	return t
}

// squash is the map of a user namespace with one id.
func squash(uid, gid int) (int, int, error) {
	if uid != os.Geteuid() || gid != os.Getegid() {
		return 0, 0, fmt.Errorf("%d:%d has no place in the container", uid, gid)
	}
	return 0, 0, nil
}

func (s *scene) open(name string) *os.File {
	s.t.Helper()
	f, err := os.Open(s.at(name))
	must(s.t, err)
	s.t.Cleanup(func() { _ = f.Close() })
	return f
}

const (
	childEnv   = "CAISSON_TEST_CHANGES"
	childSteps = "CAISSON_TEST_CHANGES_STEPS"
)

// inside mounts an overlay, above the scene's layers, and runs a shell script in it. The overlay has the writable layer
// if that is asked for; otherwise the upper directory named is its topmost layer.
func (s *scene) inside(upper, script string) string {
	s.t.Helper()
	opts := "lowerdir="
	layers := slices.Clone(s.lower)
	if upper != "" {
		layers = append(layers, s.at(upper))
	}
	slices.Reverse(layers)
	opts += strings.Join(layers, ":")
	if upper == "" {
		opts += ",upperdir=" + s.at("upper") + ",workdir=" + s.at("work")
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if s.user {
		opts += ",userxattr"
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	cmd := exec.CommandContext(s.t.Context(), "/proc/self/exe", "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childEnv+"="+s.at("mnt")+" "+opts, childSteps+"="+script)
	cmd.SysProcAttr = attr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("child: %v\n%s", err, out)
	}
	_, out2, _ := strings.Cut(string(out), "BEGIN\n")
	text, _, _ := strings.Cut(out2, "END\n")
	return text
}

// TestChild runs in namespaces of its own, where the mount ends with it.
func TestChild(t *testing.T) {
	mnt, opts, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return // run by itself it is no test
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	if err := syscall.Mount("overlay", mnt, "overlay", 0, opts); err != nil {
		t.Fatalf("mount overlay %s: %v", opts, err)
	}
	must(t, os.Chdir(mnt))
	fmt.Println("BEGIN")
	if script := os.Getenv(childSteps); script == "view" {
		must(t, json.NewEncoder(os.Stdout).Encode(view(t, ".")))
	} else {
		sh := exec.CommandContext(t.Context(), "/bin/sh", "-ec", script)
		sh.Stdout, sh.Stderr = os.Stdout, os.Stderr
		must(t, sh.Run())
	}
	fmt.Println("END")
}

// view is what an overlay shows, the scene's own or with the upper directory of that name.
func (s *scene) view(upper string) map[string]string {
	s.t.Helper()
	var m map[string]string
	must(s.t, json.Unmarshal([]byte(s.inside(upper, "view")), &m))
	return m
}

// view describes everything below a directory.
func view(t testing.TB, top string) map[string]string {
	t.Helper()
	out := map[string]string{}
	links := map[uint64]string{}
	must(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		text := fmt.Sprintf("%o %d:%d %d.%09d %d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, st.Rdev)
		switch {
		case fi.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d %q", len(b), b[:min(len(b), 64)])
		case fi.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(path)
			text += " -> " + target
		}
		if st.Nlink > 1 && !fi.IsDir() {
			if first := links[st.Ino]; first != "" {
				text += " = " + first
			} else {
				links[st.Ino] = path
			}
		}
		out[fmt.Sprintf("%q", path)] = text + attributes(path)
		return nil
	}))
	return out
}

func attributes(path string) string {
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return ""
	}
	names := strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(names)
	text := ""
	for _, name := range names {
		if name == "" || strings.HasPrefix(name, "trusted.") || strings.Contains(name, "overlay") || name == "security.selinux" {
			continue
		}
		value := make([]byte, 4096)
		n, _ := unix.Lgetxattr(path, name, value)
		text += fmt.Sprintf(" %s=%x", name, value[:max(n, 0)])
	}
	return text
}

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

// fill is a layer with a little of everything that the changes below need.
func fill(t testing.TB) func(dir string) {
	return func(dir string) {
		for _, n := range []string{
			"etc/passwd", "etc/hosts", "usr/bin/a", "usr/bin/b", "usr/lib/x/deep/file", "gone/one", "gone/two/three",
			"again/old1", "again/old2", "again/sub/old3", "tofile/x", "todir", "mode", "owner", "same", "linked1", "kept/a", "kept/b",
			"opened", "touched",
		} {
			put(t, dir, n, "lower "+n)
		}
		must(t, os.Link(filepath.Join(dir, "linked1"), filepath.Join(dir, "linked2")))
		must(t, os.Symlink("usr/bin", filepath.Join(dir, "bin")))
	}
}

// script changes it.
const script = `
umask 022
echo new > usr/bin/c
echo changed > usr/bin/a
rm usr/bin/b
rm -r gone
rm -r again; mkdir again; echo n > again/new; mkdir again/sub; echo o > again/old2
rm -r tofile; echo file > tofile
rm todir; mkdir todir; echo in > todir/x
chmod 4711 mode
: >> opened
touch -d '2001-02-03 04:05:06.789012345' touched
mkdir -p fresh/dir/empty; echo a > fresh/dir/f; ln fresh/dir/f fresh/second; ln fresh/second fresh/dir/third
ln -s /etc/passwd fresh/link; ln -s nowhere bin2
mkfifo fresh/fifo
rm linked1; echo x > linked1
mkdir secret; echo s > secret/file; chmod 000 secret secret/file
dd if=/dev/zero of=sparse bs=1 count=0 seek=3000000 2>/dev/null; printf end >> sparse
printf 'x' > "$(printf 'odd\n\377name')"
printf long > "$(printf 'n%.0s' $(seq 1 250))"
mkdir opaque; echo 1 > opaque/a; rm -r opaque; mkdir opaque
chmod 1777 kept
`
