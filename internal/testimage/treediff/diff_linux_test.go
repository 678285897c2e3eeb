package treediff_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/testimage/treediff"
	"github.com/caisson-go/caisson/internal/testneed"
)

// tree is a directory that a test changes.
type tree struct {
	t   *testing.T
	dir string
}

func newTree(t *testing.T) tree {
	t.Helper()
	r := tree{t, t.TempDir()}
	r.mkdir("d")
	r.write("d/file", "content")
	r.write("d/other", "content")
	r.must(os.Link(r.at("d/file"), r.at("d/link")))
	r.must(os.Symlink("file", r.at("d/symlink")))
	r.must(syscall.Mkfifo(r.at("d/queue"), 0o600))
	r.mkdir("e")
	r.write("e/alone", "")
	r.settle()
	return r
}

func (r tree) at(name string) string { return filepath.Join(r.dir, name) }

func (r tree) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r tree) mkdir(name string) {
	r.t.Helper()
	r.must(os.Mkdir(r.at(name), 0o755))
}

func (r tree) write(name, content string) {
	r.t.Helper()
	r.must(os.WriteFile(r.at(name), []byte(content), 0o644))
}

func (r tree) remove(name string) {
	r.t.Helper()
	r.must(os.RemoveAll(r.at(name)))
}

// settle gives all files one time, so that only what a test changes differs.
func (r tree) settle() {
	r.t.Helper()
	var paths []string
	r.must(filepath.WalkDir(r.dir, func(p string, _ os.DirEntry, err error) error {
		paths = append(paths, p)
		return err
	}))
	slices.Reverse(paths)
	for _, p := range paths {
		r.must(lutimes(p, 5))
	}
}

func (r tree) read(form treediff.Form) treediff.Tree {
	r.t.Helper()
	got, err := treediff.Read(r.dir, form)
	r.must(err)
	return got
}

func TestEqualTreesDoNotDiffer(t *testing.T) {
	a, b := newTree(t), newTree(t)
	if d := treediff.Diff(a.read(treediff.Merged), b.read(treediff.Merged)); len(d) > 0 {
		t.Error(d)
	}
	if n := len(a.read(treediff.Merged)); n != 9 {
		t.Errorf("%d entries", n)
	}
}

func TestEachDifferenceIsFound(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(tree)
		want   []string
	}{
		{"missing", func(r tree) { r.remove("e/alone") }, []string{"e/alone missing"}},
		{"extra", func(r tree) { r.write("e/more", "") }, []string{"e/more extra"}},
		{"kind", func(r tree) { r.remove("e/alone"); r.must(os.Symlink("x", r.at("e/alone"))) }, []string{"e/alone kind"}},
		{"fifo", func(r tree) { r.remove("d/queue"); r.write("d/queue", ""); r.must(os.Chmod(r.at("d/queue"), 0o600)) }, []string{"d/queue kind"}},
		{"mode", func(r tree) { r.must(os.Chmod(r.at("e/alone"), 0o640)) }, []string{"e/alone mode"}},
		{"mode of a directory", func(r tree) { r.must(os.Chmod(r.at("e"), 0o700)) }, []string{"e mode"}},
		{"setuid", func(r tree) { r.must(os.Chmod(r.at("e/alone"), 0o644|os.ModeSetuid)) }, []string{"e/alone mode"}},
		{"content", func(r tree) { r.write("e/alone", "x") }, []string{"e/alone content"}},
		{"content of one size", func(r tree) { r.write("d/other", "CONTENT") }, []string{"d/other content"}},
		{"target", func(r tree) { r.remove("d/symlink"); r.must(os.Symlink("other", r.at("d/symlink"))) }, []string{"d/symlink target"}},
		{"no link", func(r tree) { r.remove("d/link"); r.write("d/link", "content") }, []string{"d/file link", "d/link link"}},
		{"another link", func(r tree) {
			r.remove("d/other")
			r.must(os.Link(r.at("d/file"), r.at("d/other")))
		}, []string{"d/other link"}},
		{"attribute", func(r tree) { r.must(syscall.Setxattr(r.at("e/alone"), "user.x", []byte("1"), 0)) }, []string{"e/alone xattr user.x"}},
		{"attribute of a directory", func(r tree) { r.must(syscall.Setxattr(r.at("e"), "user.x", []byte("1"), 0)) }, []string{"e xattr user.x"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			a, b := newTree(t), newTree(t)
			c.change(b)
			b.settle()
			expect(t, treediff.Diff(a.read(treediff.Merged), b.read(treediff.Merged)), c.want...)
		})
	}
}

func TestTimesDiffer(t *testing.T) {
	for _, name := range []string{"e/alone", "e", "d/symlink"} {
		a, b := newTree(t), newTree(t)
		b.must(lutimes(b.at(name), 6))
		expect(t, treediff.Diff(a.read(treediff.Merged), b.read(treediff.Merged)), name+" time")
	}
}

func TestOwnersAndDevicesDiffer(t *testing.T) {
	testneed.Root(t)
	a, b := newTree(t), newTree(t)
	b.must(os.Lchown(b.at("d/symlink"), 0, 7))
	b.must(os.Chown(b.at("e"), 7, 0))
	for i, r := range []tree{a, b} {
		err := syscall.Mknod(r.at("e/null"), syscall.S_IFCHR|0o600, 1<<8|3+i)
		testneed.Feature(t, "mknod", err, "run as the real root")
		r.settle()
	}
	expect(t, treediff.Diff(a.read(treediff.Merged), b.read(treediff.Merged)), "d/symlink owner", "e owner", "e/null device")
}

// The same removal told in two ways is the same; told of another name it is not.
func TestFormsOfRemoval(t *testing.T) {
	testneed.Root(t)
	named, overlay := newTree(t), newTree(t)
	named.write("d/.wh.gone", "")
	named.write("d/.wh.file", "") // has the file itself: says nothing more
	named.write("e/.wh..wh..opq", "")
	named.mkdir("back")
	named.write(".wh.back", "")
	overlay.mkdir("back")
	err := errors.Join(syscall.Mknod(overlay.at("d/gone"), syscall.S_IFCHR, 0),
		syscall.Setxattr(overlay.at("e"), "trusted.overlay.opaque", []byte("y"), 0),
		syscall.Setxattr(overlay.at("back"), "trusted.overlay.opaque", []byte("y"), 0))
	testneed.Feature(t, "whiteouts", err, "run as the real root on a filesystem that is no overlay")
	named.settle()
	overlay.settle()
	expect(t, treediff.Diff(named.read(treediff.Named), overlay.read(treediff.Overlay)))
	overlay.remove("d/gone")
	overlay.must(syscall.Removexattr(overlay.at("e"), "trusted.overlay.opaque"))
	overlay.settle()
	expect(t, treediff.Diff(named.read(treediff.Named), overlay.read(treediff.Overlay)), "d/gone missing", "e opaque")
}

func TestDrop(t *testing.T) {
	a := newTree(t).read(treediff.Merged)
	if n := a.Drop(func(_ string, e treediff.Entry) bool { return e.Kind == treediff.Fifo }); n != 1 || len(a) != 8 {
		t.Errorf("%d dropped, %d left", n, len(a))
	}
}

func expect(t *testing.T, got []treediff.Difference, want ...string) {
	t.Helper()
	var found []string
	for _, d := range got {
		found = append(found, fmt.Sprint(d.Path, " ", d.What))
	}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q\n%v", found, want, got)
	}
}

// lutimes sets the time of a file, not of what a link points to.
func lutimes(path string, nsec int64) error {
	const atFDCWD = -100 // the directory's descriptor does not matter for an absolute path; openat(2)
	return sys.Lutimesat(atFDCWD, path, sys.Time{Sec: 1_700_000_000, Nsec: nsec})
}
