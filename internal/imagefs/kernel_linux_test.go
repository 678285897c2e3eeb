package imagefs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
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
)

const overlayRounds = "CAISSON_TEST_IMAGEFS_ROUNDS" // per line: lower directories, the uppermost first, and a mount point last

// What a path shows here is what overlayfs makes of the same layers, unpacked, below their cover: for layers of entries that
// are in each other's way as often as can be.
func TestShowsWhatTheKernelShows(t *testing.T) {
	testneed.Root(t)
	const rounds = 60
	var all []*FS
	var lines []string
	top := t.TempDir()
	for round := range rounds {
		r := rand.New(rand.NewPCG(uint64(round), 7))
		var b blobs
		var layers []Layer
		var dirs []string
		var implied [][]string
		for i := range 3 {
			content, entries, dst, paths := randomLayer(t, r, filepath.Join(top, fmt.Sprintf("%d-%d", round, i)), int64(i))
			if testing.Verbose() {
				t.Logf("round %d layer %d: %q", round, i, entries)
			}
			layers, dirs = append(layers, b.plain(content)), append([]string{dst}, dirs...)
			implied = append(implied, paths)
		}
		dirs = append([]string{cover(t, dirs, implied, filepath.Join(top, fmt.Sprintf("%d-cover", round)))}, dirs...)
		mnt := filepath.Join(top, fmt.Sprintf("%d", round))
		if err := os.Mkdir(mnt, 0o700); err != nil {
			t.Fatal(err)
		}
		all, lines = append(all, New(layers, nil)), append(lines, strings.Join(append(dirs, mnt), ":"))
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestShowsChild$")
	cmd.Env = append(os.Environ(), overlayRounds+"="+strings.Join(lines, "\n"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child: %v\n%s%s", err, out, complaints.String())
	}
	in := json.NewDecoder(bytes.NewReader(out))
	for round, f := range all {
		var want map[string]string
		if err := in.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := looks(t, f); !maps.Equal(got, want) {
			t.Errorf("round %d: %v, the kernel shows %v", round, got, want)
		}
	}
}

// randomLayer makes a layer of few names, and unpacks it. Entries that are refused are left out.
func randomLayer(t *testing.T, r *rand.Rand, dst string, sec int64) (content []byte, said []string, dir string, implied []string) {
	t.Helper()
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	path := func() string {
		return strings.Join([]string{pick("a", "b", "c"), pick("a", "b", "c"), pick("a", "b", "c")}[:1+r.IntN(3)], "/")
	}
	var good []entry
	for range 1 + r.IntN(10) {
		p, e := path(), entry{}
		d, base := filepath.Split(p)
		switch r.IntN(8) {
		case 0, 1:
			e = file(p, fmt.Sprint(r.IntN(1000)))
		case 2:
			e = entry{name: p, typ: '5', mode: int64(0o700 + r.IntN(64))}
		case 3:
			e = link(p, pick("", "/", "../", "/x/../")+path())
		case 4:
			e = hard(p, path())
		case 5, 6:
			e = file(d+".wh."+base, "")
		case 7:
			e = file(d+".wh..wh..opq", "")
		}
		if e.name == ".wh..wh..opq" { // what comes of an opaque root is for the caller of package layer
			continue
		}
		e.sec = sec*100 + int64(len(good))
		if _, refused := imageOf(t, append(good, e)).Stat("."); refused == nil {
			good, said = append(good, e), append(said, fmt.Sprintf("%c %s %s", e.header().Typeflag, e.name, e.link))
		} else if _, err := unpack(t, t.TempDir(), append(good, e)); err == nil {
			t.Errorf("refused here and unpacked there: %q, then %s: %v", said, e.name, refused)
		}
	}
	if err := os.Mkdir(dst, 0o700); err != nil {
		t.Fatal(err)
	}
	implied, err := unpack(t, dst, good)
	if err != nil {
		t.Fatalf("%q: %v", said, err)
	}
	return pack(t, good...), said, dst, implied
}

// cover makes the cover of layers, the uppermost first.
func cover(t *testing.T, dirs []string, implied [][]string, dst string) string {
	t.Helper()
	var tree changes.Tree
	for _, dir := range slices.Backward(dirs) {
		d, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		tree.Lower = append(tree.Lower, d)
	}
	var b bytes.Buffer
	if _, err := changes.WriteCover(t.Context(), &b, tree, implied); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dst, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := layer.Unpack(t.Context(), d, &b, layer.Options{}); err != nil {
		t.Fatal(err)
	}
	return dst
}

// unpack tells the directories without an entry.
func unpack(t *testing.T, dst string, entries []entry) (implied []string, err error) {
	t.Helper()
	d, err := os.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	st, err := layer.Unpack(t.Context(), d, bytes.NewReader(pack(t, entries...)), layer.Options{})
	return st.ImpliedPaths, err
}

// looks maps paths to kinds, modes, times and contents. The root is left out, which a container has a directory of its own
// for.
func looks(t *testing.T, f fs.FS) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := fs.WalkDir(f, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // overlayfs lists a whiteout that hides nothing, and finds nothing under its name
		}
		if err != nil {
			return err
		}
		switch {
		case path == ".":
		case d.IsDir():
			got[path] = fmt.Sprint(fi.Mode(), " ", fi.ModTime().Unix())
		case d.Type() == fs.ModeSymlink:
			target, err := fs.ReadLink(f, path)
			got[path] = "-> " + target
			return err
		default:
			b, err := fs.ReadFile(f, path)
			got[path] = fmt.Sprint(fi.Mode(), " ", fi.ModTime().Unix(), " ", string(b))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestShowsChild runs in a mount namespace of its own, where the mounts end with it.
func TestShowsChild(t *testing.T) {
	rounds := os.Getenv(overlayRounds)
	if rounds == "" {
		return // run by itself it is no test
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	out := json.NewEncoder(os.Stdout)
	for line := range strings.SplitSeq(rounds, "\n") {
		dirs := strings.Split(line, ":")
		mnt := dirs[len(dirs)-1]
		opts := "lowerdir=" + strings.Join(dirs[:len(dirs)-1], ":")
		if err := syscall.Mount("overlay", mnt, "overlay", syscall.MS_RDONLY, opts); err != nil {
			t.Fatalf("mount overlay %s: %v", opts, err)
		}
		if err := out.Encode(looks(t, os.DirFS(mnt))); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Unmount(mnt, 0); err != nil {
			t.Fatal(err)
		}
	}
}
