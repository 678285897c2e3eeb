package store

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testimage/treediff"
	"github.com/caisson-go/caisson/internal/testneed"
)

// stacked are layers in which directories have no entry that others have one for. Times are told apart by the hour.
func stacked(t testing.TB) [][]byte {
	hour := func(h int) time.Time { return time.Unix(1_600_000_000+int64(h)*3600, 5) }
	at := func(h int, name string, mode int64, uid, gid int, pax ...string) *tar.Header {
		hdr := &tar.Header{Format: tar.FormatPAX, Name: name, Mode: mode, Uid: uid, Gid: gid, ModTime: hour(h), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			hdr.Typeflag = tar.TypeDir
		}
		for i := 0; i < len(pax); i += 2 {
			hdr.PAXRecords = map[string]string{"SCHILY.xattr." + pax[i]: pax[i+1]}
		}
		return hdr
	}
	var all [][]byte
	for _, list := range [][]*tar.Header{
		{
			at(1, "tmp/", 0o1777, 0, 0), at(2, "var/", 0o755, 0, 0), at(3, "var/log/", 0o2775, 0, 4), at(4, "home/", 0o711, 0, 0, "user.x", "y"),
			at(5, "home/a/", 0o700, 500, 501), at(6, "home/a/deep/", 0o750, 500, 501), at(7, "opt/", 0o750, 0, 7), at(8, "usr/", 0o755, 0, 0),
			at(9, "closed/", 0o700, 33, 33, "user.kept", "to itself"), at(10, "closed/in/", 0o111, 33, 33), at(11, "link/", 0o701, 0, 0),
		},
		{
			at(20, "tmp/foo", 0o644, 0, 0), at(21, "var/log/x", 0o644, 0, 0), at(22, "home/a/.profile", 0o600, 500, 501),
			at(23, "new/dir/f", 0o644, 0, 0), at(24, "closed/in/f", 0o644, 33, 33), at(25, "late/f", 0o644, 0, 0), at(26, "late/", 0o703, 1, 1),
		},
		{at(30, "var/log/", 0o710, 3, 3), at(31, "new/dir/g", 0o644, 0, 0), at(32, "opt/x", 0o644, 0, 0), at(33, "late/g", 0o644, 0, 0)},
		{at(40, "var/log/z", 0o644, 0, 0), at(41, "home/a/deep/er/f", 0o644, 0, 0), at(42, "usr/f", 0o644, 0, 0), at(43, "home/", 0o700, 0, 0, "user.x", "y")},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range list {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Bytes())
	}
	return all
}

const coverEnv = "CAISSON_TEST_COVER" // a directory: for the overlay and the extracted layers

// coverScene is what TestCoverChild is told.
type coverScene struct {
	Options string // of the mount
	Tars    []string
	Owners  bool // are extracted
}

// A directory that a layer has no entry for looks as it does when GNU tar extracts the layers one over the other.
func TestCoverIsLikeTar(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Run("root", func(t *testing.T) {
			testneed.Root(t)
			likeTarOver(t, layer.Options{}, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
		})
	}
	t.Run("user namespace", func(t *testing.T) {
		testneed.UserNamespaces(t)
		likeTarOver(t, layer.Options{UserXattr: true, IgnoreOwners: true}, &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		})
	})
}

func likeTarOver(t *testing.T, o layer.Options, attr *syscall.SysProcAttr) {
	testneed.Program(t, "tar", "install GNU tar")
	s, layers := open(t), stacked(t)
	diffIDs := putAll(t, s, o, layers)
	dirs, err := s.stack(diffIDs)
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) != len(layers)+1 {
		t.Fatalf("%d directories for %d layers and a cover", len(dirs), len(layers))
	}
	scene := coverScene{Options: "lowerdir=", Owners: !o.IgnoreOwners}
	for i, d := range slices.Backward(dirs) {
		scene.Options += d
		if i > 0 {
			scene.Options += ":"
		}
	}
	if o.UserXattr {
		scene.Options += ",userxattr"
	}
	work := t.TempDir()
	t.Cleanup(func() { // there are directories without permissions
		for _, dir := range []string{s.Dir(), work} {
			removeTree(t, dir)
		}
	})
	for i, l := range layers {
		scene.Tars = append(scene.Tars, filepath.Join(work, fmt.Sprint(i)))
		if err := os.WriteFile(scene.Tars[i], l, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(scene)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(work, "scene"), b, 0o644), os.Mkdir(filepath.Join(work, "mnt"), 0o755), os.Mkdir(filepath.Join(work, "tar"), 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestCoverChild$", "-test.v")
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), coverEnv+"="+work), attr
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestCoverChild")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func removeTree(t *testing.T, dir string) {
	t.Helper()
	above, err := os.Open(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer above.Close()
	if err := layer.RemoveAll(above, filepath.Base(dir)); err != nil {
		t.Error(err)
	}
}

// putAll unpacks layers and makes their cover.
func putAll(t *testing.T, s *Store, o layer.Options, layers [][]byte) (diffIDs []v1.Hash) {
	t.Helper()
	for _, l := range layers {
		diffIDs = append(diffIDs, digest(l))
		if err := s.PutLayer(t.Context(), digest(l), reader(l), o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.stack(diffIDs); !errors.Is(err, ErrIncomplete) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the cover: %v", err)
	}
	for range 2 {
		if err := s.Cover(t.Context(), diffIDs, o); err != nil {
			t.Fatal(err)
		}
	}
	return diffIDs
}

// TestCoverChild runs in namespaces of its own, where the mount ends with it.
func TestCoverChild(t *testing.T) {
	work := os.Getenv(coverEnv)
	if work == "" {
		return // run by itself it is no test
	}
	b, err := os.ReadFile(filepath.Join(work, "scene"))
	if err != nil {
		t.Fatal(err)
	}
	var scene coverScene
	if err := json.Unmarshal(b, &scene); err != nil {
		t.Fatal(err)
	}
	syscall.Umask(0o22)
	mnt, extracted := filepath.Join(work, "mnt"), filepath.Join(work, "tar")
	owner := "--same-owner"
	if !scene.Owners {
		owner = "--no-same-owner"
	}
	for _, name := range scene.Tars {
		out, err := exec.CommandContext(t.Context(), "tar", "-x", "--numeric-owner", owner, "--same-permissions",
			"--delay-directory-restore", "--xattrs", "--xattrs-include=*", "-f", name, "-C", extracted).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("overlay", mnt, "overlay", syscall.MS_RDONLY, scene.Options); err != nil {
		t.Fatalf("mount overlay %s: %v", scene.Options, err)
	}
	var trees [2]treediff.Tree
	for i, dir := range []string{extracted, mnt} {
		if trees[i], err = treediff.Read(dir, treediff.Merged); err != nil {
			t.Fatal(err)
		}
	}
	for name, hour := range map[string]int64{"tmp": 1, "var/log": 30, "home": 43, "home/a": 5, "opt": 7, "closed/in": 10, "late": 26, "new": 23} {
		if got := trees[1][name].Time; !got.Equal(time.Unix(1_600_000_000+hour*3600, 5)) {
			t.Errorf("%s is of %v, not of hour %d", name, got, hour)
		}
	}
	for _, tree := range trees { // tar has changed the times of the directories it made files in, and the root has no entry
		for name, e := range tree {
			if e.Kind == treediff.Dir {
				e.Time = time.Time{}
			}
			if tree[name] = e; name == "." {
				delete(tree, name)
			}
		}
	}
	for _, d := range treediff.Diff(trees[0], trees[1]) {
		t.Error(d)
	}
	if len(trees[1]) < 24 {
		t.Errorf("only %d names", len(trees[1]))
	}
}

// An ordinary image has no cover, and one whose layers only seem to need one has an empty one, that is not mounted.
func TestCoverOnlyWhereNeeded(t *testing.T) {
	s := open(t)
	put(t, s, "plain", tarOf(t, "a", ""), tarOf(t, "b", ""))
	put(t, s, "lowest", tarOf(t, "d/a", ""), tarOf(t, "b", ""))
	if n := layersIn(t, s); n != 3 {
		t.Errorf("%d unpacked, want the layers", n)
	}
	d := put(t, s, "apart", tarOf(t, "d/a", ""), tarOf(t, "e/f/a", ""))
	img, err := s.Resolve("apart")
	if err != nil || len(img.Layers) != 2 || layersIn(t, s) != 5 {
		t.Errorf("%v, %v, %d unpacked", img.Layers, err, layersIn(t, s))
	}
	u, err := s.DiskUsage(t.Context())
	if err != nil || u.Layers.Number != 5 {
		t.Errorf("%+v %v", u.Layers, err)
	}
	r, err := s.Remove(t.Context(), d.Digest.String(), RemoveOptions{Force: true})
	if err != nil || layersIn(t, s) != 3 || len(r.Layers) != 2 {
		t.Errorf("%v, %v, %d left", r.Layers, err, layersIn(t, s))
	}
}

func layersIn(t *testing.T, s *Store) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.Dir(), "layers"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// emptyFiles is a layer.
func emptyFiles(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A cover that is damaged is found and made again by pulling again; one of a damaged layer is not blamed.
func TestCoverCheck(t *testing.T) {
	s := open(t)
	pull := func() string {
		put(t, s, "name", emptyFiles(t, "d/a", "d/e/a"), emptyFiles(t, "d/b", "d/e/b"))
		img, err := s.Resolve("name")
		if err != nil || len(img.Layers) != 3 {
			t.Fatal(img.Layers, err)
		}
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		return img.Layers[2]
	}
	for what, damage := range map[string]func(cover string) error{
		"mode":   func(cover string) error { return os.Chmod(filepath.Join(cover, "d"), 0o700) },
		"more":   func(cover string) error { return os.WriteFile(filepath.Join(cover, "d/x"), nil, 0o644) },
		"less":   func(cover string) error { return os.Remove(filepath.Join(cover, "d/e")) },
		"record": func(cover string) error { return os.Truncate(filepath.Join(cover, "../record.json"), 9) },
		"list": func(cover string) error {
			id := digest(emptyFiles(t, "d/b", "d/e/b"))
			return os.Truncate(filepath.Join(s.LayerDir(id), "../implied"), 79)
		},
	} {
		cover := pull()
		if p := check(t, s); len(p) > 0 {
			t.Fatalf("whole, and %v", p)
		}
		if err := damage(cover); err != nil {
			t.Fatal(err)
		}
		p := check(t, s)
		if len(p) == 0 || p[0].Kind != ProblemLayer || !p[0].Pull || !slices.Equal(p[0].Images, []string{"name"}) {
			t.Errorf("%s: %+v", what, p)
		}
		for _, p := range p {
			if err := s.Repair(t.Context(), p); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := s.Resolve("name"); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%s: after the repair %v", what, err)
		}
	}
	pull()
	if p := check(t, s); len(p) > 0 {
		t.Errorf("in the end %v", p)
	}
}
