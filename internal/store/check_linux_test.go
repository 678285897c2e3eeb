package store

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

func check(t testing.TB, s *Store) []Problem {
	t.Helper()
	var found []Problem
	for p, err := range s.Check(t.Context(), CheckOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	return found
}

// T47: one flipped bit in any blob, layer, record or mark of the store is found, and pulling again repairs it.
func TestStoreCheck(t *testing.T) {
	s := fast(t)
	if p := check(t, s); len(p) > 0 {
		t.Errorf("of nothing: %v", p)
	}
	restore := func() {
		put(t, s, "one:1", manyFiles(t, 6, 100), tarOf(t, "a/b", "content"))
		put(t, s, "two:1", tarOf(t, "a/b", "content"), tarOf(t, "x", strings.Repeat("y", 3000)))
		if err := s.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	restore()
	if p := check(t, s); len(p) > 0 {
		t.Fatalf("of whole images: %v", p)
	}
	kinds := map[ProblemKind]int{}
	for seed := range uint64(100) {
		what := damageStore(t, s, rand.New(rand.NewPCG(seed, 47)))
		found := check(t, s)
		if len(found) == 0 {
			t.Errorf("seed %d: not found: %s", seed, what)
		}
		for _, p := range found {
			kinds[p.Kind]++
			if p.Kind != ProblemIndex && (!p.Pull || len(p.Images) == 0) {
				t.Errorf("seed %d: %s, and pull is %v, names %q", seed, p, p.Pull, p.Images)
			}
			if err := s.Repair(t.Context(), p); err != nil {
				t.Errorf("seed %d: %s: %v", seed, p, err)
			}
		}
		restore()
		if p := check(t, s); len(p) > 0 {
			t.Fatalf("seed %d: after pulling again: %v (%s)", seed, p, what)
		}
	}
	if kinds[ProblemBlob] < 10 || kinds[ProblemLayer] < 10 {
		t.Errorf("kinds %v", kinds)
	}
}

// damageStore flips one bit of a file, its mode or its name, somewhere in the store.
func damageStore(t testing.TB, s *Store, r *rand.Rand) string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(s.Dir(), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "locks" || d.Name() == "staging":
			return fs.SkipDir
		case d.Name() == spareName || d.Name() == "index.json": // it has no digest: see TestStoreCheckIndex
			return nil
		case d.Type().IsRegular():
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	path := paths[r.IntN(len(paths))]
	inLayer := strings.Contains(path, "/fs/")
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	switch k := r.IntN(4); {
	case k == 0 && inLayer:
		if err := syscall.Chmod(path, uint32(fi.Mode().Perm())^1<<r.IntN(9)); err != nil {
			t.Fatal(err)
		}
		return "mode of " + path
	case k == 1 && inLayer:
		name := []byte(filepath.Base(path))
		name[0] ^= 1
		if err := os.Rename(path, filepath.Join(filepath.Dir(path), string(name))); err != nil {
			t.Fatal(err)
		}
		return "name of " + path
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	if err := os.WriteFile(path, b, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	return "content of " + path
}

// The parts of an image must be there.
func TestStoreCheckMissing(t *testing.T) {
	s := open(t)
	put(t, s, "one:1", tarOf(t, "a", "1"))
	img, err := s.Resolve("one:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{img.Digest.Hex, img.ConfigDigest.Hex, img.Manifest.Layers[0].Digest.Hex} {
		if err := os.Remove(filepath.Join(s.Dir(), "blobs/sha256", h)); err != nil {
			t.Fatal(err)
		}
		p := check(t, s)
		if len(p) != 1 || p[0].Object.Hex != h || p[0].Kind != ProblemImage || !p[0].Pull || !slices.Equal(p[0].Images, []string{"one:1"}) {
			t.Errorf("without %s: %v", h, p)
		}
		put(t, s, "one:1", tarOf(t, "a", "1"))
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(s.LayerDir(img.Config.RootFS.DiffIDs[0]), "../record.json"), 7); err != nil {
		t.Fatal(err)
	}
	if p := check(t, s); len(p) != 1 || p[0].Kind != ProblemLayer {
		t.Errorf("without a whole record: %v", p)
	}
}

// An index.json that can not be read is made anew, with the images that are there.
func TestStoreCheckIndex(t *testing.T) {
	s := open(t)
	d := put(t, s, "one:1", tarOf(t, "a", "1"))
	x := putIndex(t, s, "multi:1", put(t, s, "two:1", tarOf(t, "a", "2")))
	for _, content := range []string{"", "{", "\x00\x00"} {
		if err := os.WriteFile(filepath.Join(s.Dir(), "index.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p := check(t, s)
		if len(p) != 1 || p[0].Kind != ProblemIndex {
			t.Fatalf("index.json is %q: %v", content, p)
		}
		if _, err := s.Prune(t.Context(), PruneOptions{}); !errors.Is(err, ErrDocument) {
			t.Errorf("Prune: %v", err)
		}
		if err := s.Repair(t.Context(), p[0]); err != nil {
			t.Fatal(err)
		}
		if p := check(t, s); len(p) > 0 {
			t.Errorf("repaired: %v", p)
		}
		for _, h := range []string{d.Digest.String(), x.Digest.String()} {
			if _, err := s.Resolve(h); err != nil {
				t.Error(err)
			}
		}
	}
	if got := len(names(t, s)); got != 2 {
		t.Errorf("%d images, want the manifest and the index", got)
	}
}

// A layer that a container runs on is not removed under it.
func TestStoreRepairInUse(t *testing.T) {
	s := open(t)
	d := put(t, s, "one:1", tarOf(t, "a", "1"))
	img, err := s.Resolve("one:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(img.Layers[0], "a"), []byte("2"), 0o644); err != nil {
		t.Fatal(err)
	}
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	p := check(t, s)
	if len(p) != 1 || p[0].Kind != ProblemLayer || !strings.Contains(p[0].What, `"a" `) {
		t.Fatal(p)
	}
	if err := s.Repair(t.Context(), p[0]); !errors.Is(err, ErrInUse) || !isDirAt(img.Layers[0]) {
		t.Errorf("in use: %v", err)
	}
	release()
	if err := s.Repair(t.Context(), p[0]); err != nil || isDirAt(img.Layers[0]) {
		t.Errorf("unused: %v", err)
	}
}

// What the caller gives to decompress blobs is asked for every layer, and may fail.
func TestStoreCheckDecompress(t *testing.T) {
	s := open(t)
	put(t, s, "one:1", tarOf(t, "a", "1"))
	asked := 0
	o := CheckOptions{Layer: layer.Defaults(), Decompress: func(mt types.MediaType, blob io.ReadCloser) (io.ReadCloser, error) {
		if asked++; mt != types.OCIUncompressedLayer {
			t.Errorf("asked for %s", mt)
		}
		return blob, nil
	}}
	for p, err := range s.Check(t.Context(), o) {
		t.Error(p, err)
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
