package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// objects lists what the store holds: blobs, layers and what lies in staging.
func objects(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	for _, dir := range []string{"blobs/sha256", "layers", "staging"} {
		list, err := os.ReadDir(filepath.Join(s.Dir(), dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			out = append(out, dir+"/"+e.Name())
		}
	}
	return out
}

func TestStoreRemove(t *testing.T) {
	s := open(t)
	shared := tarOf(t, "shared", "both")
	put(t, s, "keep:1", shared)
	before := objects(t, s)
	d := put(t, s, "gone:1", shared, tarOf(t, "own", strings.Repeat("x", 10000)))
	if err := s.Tag(t.Context(), "gone:2", d); err != nil {
		t.Fatal(err)
	}
	r, err := s.Remove(t.Context(), "gone:2", RemoveOptions{})
	if err != nil || !slices.Equal(r.Untagged, []string{"gone:2"}) || len(r.Blobs)+len(r.Layers) != 0 || r.Bytes != 0 {
		t.Errorf("one name of two: %+v, %v", r, err)
	}
	r, err = s.Remove(t.Context(), "gone:1", RemoveOptions{})
	want := 0 // manifest, configuration and layer; the tar of 10,000 bytes and its file
	if layer.Supported {
		want = 1
	}
	if err != nil || !slices.Equal(r.Untagged, []string{"gone:1"}) || len(r.Blobs) != 3 || len(r.Layers) != want || r.Bytes < int64(10000*(1+want)) {
		t.Errorf("the last name: %+v, %v", r, err)
	}
	if !slices.Contains(r.Blobs, d.Digest) {
		t.Errorf("the manifest is not among %v", r.Blobs)
	}
	if after := objects(t, s); !slices.Equal(after, before) {
		t.Errorf("left:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := s.Resolve("keep:1"); err != nil {
		t.Error(err)
	}
	if _, err := s.Remove(t.Context(), "gone:1", RemoveOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := open(t).Remove(t.Context(), "x", RemoveOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("from no store: %v", err)
	}
}

func TestStoreRemoveByDigest(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	if err := s.Tag(t.Context(), "a:2", d); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), d.Digest.Hex[:12], RemoveOptions{}); !errors.Is(err, ErrNames) || !strings.Contains(err.Error(), "a:2") {
		t.Errorf("with two names: %v", err)
	}
	if got := names(t, s); len(got) != 2 {
		t.Errorf("names %q", got)
	}
	r, err := s.Remove(t.Context(), d.Digest.Hex[:12], RemoveOptions{Force: true})
	if err != nil || !slices.Equal(r.Untagged, []string{"a:1", "a:2"}) || len(objects(t, s)) != 0 {
		t.Errorf("forced: %+v, %v, left %v", r, err, objects(t, s))
	}
	// A dangling image, by the digest of its configuration.
	put(t, s, "b:1", tarOf(t, "b", "1"))
	img, err := s.Resolve("b:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Untag(t.Context(), "b:1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Untag(t.Context(), "b:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("untagged twice: %v", err)
	}
	r, err = s.Remove(t.Context(), img.ConfigDigest.String(), RemoveOptions{})
	if err != nil || len(r.Untagged) != 0 || len(objects(t, s)) != 0 {
		t.Errorf("dangling: %+v, %v", r, err)
	}
}

func TestStoreUse(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	if err := s.Tag(t.Context(), "a:2", d); err != nil {
		t.Fatal(err)
	}
	release, _, err := openAt(t, s.Dir()).Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := s.Use(d.Digest) // several may
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), "a:2", RemoveOptions{}); err != nil {
		t.Errorf("one name of a used image: %v", err)
	}
	for _, ref := range []string{"a:1", d.Digest.String()} {
		_, err := s.Remove(t.Context(), ref, RemoveOptions{Force: true})
		var e *InUseError
		if !errors.Is(err, ErrInUse) || !errors.As(err, &e) || e.Image != d.Digest {
			t.Errorf("Remove(%s) of a used image: %v", ref, err)
		}
		if e != nil && len(e.Pids) > 0 && !slices.Equal(e.Pids, []int{os.Getpid()}) {
			t.Errorf("used by %v", e.Pids)
		}
	}
	if r, err := s.Prune(t.Context(), PruneOptions{All: true}); err != nil || len(r.Blobs)+len(r.Untagged) != 0 {
		t.Errorf("Prune of a used image: %+v, %v", r, err)
	}
	release()
	if _, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("with one user left: %v", err)
	}
	again()
	if _, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); err != nil || len(objects(t, s)) != 0 {
		t.Errorf("unused: %v, left %v", err, objects(t, s))
	}
	if _, _, err := s.Use(d.Digest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Use of what is gone: %v", err)
	}
}

// An image in use stays even if another program has taken it out of index.json.
func TestStoreUseWithoutEntry(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	before := objects(t, s)
	if err := os.WriteFile(filepath.Join(s.Dir(), "index.json"), []byte(`{"schemaVersion":2,"manifests":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), PruneOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	if after := objects(t, s); !slices.Equal(after, before) {
		t.Errorf("left of a used image: %v", after)
	}
	release()
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil || len(objects(t, s)) != 0 {
		t.Errorf("%v, left %v", err, objects(t, s))
	}
}

func TestStoreRemoveIndex(t *testing.T) {
	s := open(t)
	one, two := put(t, s, "one:1", tarOf(t, "a", "1")), put(t, s, "two:1", tarOf(t, "a", "2"))
	putIndex(t, s, "multi:1", forPlatform(one, "amd64"), forPlatform(two, "arm64"))
	for _, ref := range []string{"one:1", "two:1"} { // the index keeps them
		if r, err := s.Remove(t.Context(), ref, RemoveOptions{}); err != nil || len(r.Blobs) != 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	release, _, err := s.Use(two.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(t.Context(), "multi:1", RemoveOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("an index with a used image: %v", err)
	}
	release()
	if r, err := s.Remove(t.Context(), two.Digest.String(), RemoveOptions{}); err != nil || len(r.Blobs) != 7 || len(objects(t, s)) != 0 {
		t.Errorf("by one of its manifests: %+v, %v; left %v", r, err, objects(t, s))
	}
}

func TestStorePrune(t *testing.T) {
	s := open(t)
	if r, err := s.Prune(t.Context(), PruneOptions{}); err != nil || r.Bytes != 0 {
		t.Errorf("of nothing: %+v, %v", r, err)
	}
	put(t, s, "a:1", tarOf(t, "a", "1"))
	dangling := put(t, s, "b:1", tarOf(t, "b", "1"))
	put(t, s, "b:1", tarOf(t, "b", "2"))
	stray := []byte("nobody's")
	if err := s.PutBlob(t.Context(), digest(stray), 8, bytes.NewReader(stray)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(s.Dir(), "staging/old/deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := s.Prune(t.Context(), PruneOptions{})
	if err != nil || len(r.Untagged) != 0 || len(r.Blobs) != 4 || !slices.Contains(r.Blobs, dangling.Digest) || !slices.Contains(r.Blobs, digest(stray)) {
		t.Errorf("%+v, %v", r, err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"a:1", "b:1"}) {
		t.Errorf("names %q", got)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(left) != 0 {
		t.Errorf("left in staging: %v", left)
	}
	// The images of this test were created in the year 1.
	if r, err := s.Prune(t.Context(), PruneOptions{All: true, Until: time.Time{}.Add(-time.Hour)}); err != nil || len(r.Untagged) != 0 {
		t.Errorf("before they were: %+v, %v", r, err)
	}
	if r, err := s.Prune(t.Context(), PruneOptions{All: true, Labels: []string{"none"}}); err != nil || len(r.Untagged) != 0 {
		t.Errorf("with a label: %+v, %v", r, err)
	}
	if r, err := s.Prune(t.Context(), PruneOptions{All: true, Until: time.Now(), WithoutLabels: []string{"none"}}); err != nil || len(r.Untagged) != 2 || len(objects(t, s)) != 0 {
		t.Errorf("all: %+v, %v; left %v", r, err, objects(t, s))
	}
}

// What a writer has put, or was told to be there, stays until it is done.
func TestStoreBegin(t *testing.T) {
	s := open(t)
	put(t, s, "a:1", tarOf(t, "a", "1"))
	img, err := s.Resolve("a:1")
	if err != nil {
		t.Fatal(err)
	}
	config, l := img.ConfigDigest, img.Manifest.Layers[0]
	release, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh := []byte("fresh")
	if err := s.PutBlob(t.Context(), digest(fresh), 5, bytes.NewReader(fresh)); err != nil {
		t.Fatal(err)
	}
	if !s.HasBlob(l.Digest, l.Size) {
		t.Fatal("the layer is not there")
	}
	if layer.Supported {
		if err := s.PutLayer(t.Context(), img.Config.RootFS.DiffIDs[0], reader(nil), layer.Defaults()); err != nil {
			t.Fatal(err)
		}
	}
	other := openAt(t, s.Dir())
	if _, err := other.Remove(t.Context(), "a:1", RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	release()
	release() // once is enough, twice is no harm
	if _, err := other.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	for h, want := range map[v1.Hash]bool{digest(fresh): true, l.Digest: true, config: false} {
		if _, err := os.Lstat(filepath.Join(s.Dir(), "blobs/sha256", h.Hex)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", h, err, want)
		}
	}
	if layer.Supported && !isDirAt(s.LayerDir(l.Digest)) {
		t.Error("the unpacked layer is gone")
	}
	second()
	if _, err := other.Prune(t.Context(), PruneOptions{}); err != nil || len(objects(t, s)) != 0 {
		t.Errorf("%v, left %v", err, objects(t, s))
	}
}

func isDirAt(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// A damaged image does not cost others what only it could say to be theirs.
func TestStorePruneDamaged(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	put(t, s, "b:1", tarOf(t, "b", "1"))
	before := objects(t, s)
	path := filepath.Join(s.Dir(), "blobs/sha256", d.Digest.Hex)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := s.Prune(t.Context(), PruneOptions{}); !errors.Is(err, ErrDigest) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("Prune: %v", err)
	}
	if after := objects(t, s); !slices.Equal(after, before) {
		t.Errorf("removed something: %v", after)
	}
	if r, err := s.Remove(t.Context(), "b:1", RemoveOptions{}); err != nil || len(r.Untagged) != 1 {
		t.Errorf("Remove of another: %+v, %v", r, err)
	}
	if r, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); err != nil || len(r.Untagged) != 1 {
		t.Errorf("Remove of the damaged: %+v, %v", r, err)
	}
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil || len(objects(t, s)) != 0 {
		t.Errorf("%v, left %v", err, objects(t, s))
	}
}
