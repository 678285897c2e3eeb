package store

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

// hookDisk calls before with every step that changes something, and does not take it if that fails.
type hookDisk struct {
	disk
	before func(step string) error
	noSync bool // for speed, where nothing depends on it
}

type hookOutput struct {
	output
	d    *hookDisk
	name string
}

// withHook makes a store call before.
func withHook(s *Store, before func(step string) error) *Store {
	return withDisk(s, func(d disk) disk { return &hookDisk{disk: d, before: before} })
}

// withoutSync makes a store that is not durable, and fast.
func withoutSync(s *Store) *Store {
	return withDisk(s, func(d disk) disk {
		return &hookDisk{disk: d, before: func(string) error { return nil }, noSync: true}
	})
}

func withDisk(s *Store, wrap func(disk) disk) *Store {
	inner := s.open
	s.open = func() (disk, error) {
		d, err := inner()
		if err != nil {
			return nil, err
		}
		return wrap(d), nil
	}
	return s
}

func (h *hookDisk) Create(name string) (output, error) {
	if err := h.before("create " + name); err != nil {
		return nil, err
	}
	f, err := h.disk.Create(name)
	return &hookOutput{f, h, name}, err
}

func (h *hookDisk) Rewrite(name string) (output, error) {
	if err := h.before("rewrite " + name); err != nil {
		return nil, err
	}
	f, err := h.disk.Rewrite(name)
	return &hookOutput{f, h, name}, err
}

func (h *hookDisk) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	if flag&os.O_CREATE != 0 {
		if _, err := h.disk.Lstat(name); err != nil {
			if err := h.before("lock " + name); err != nil {
				return nil, err
			}
		}
	}
	return h.disk.OpenFile(name, flag, perm)
}

func (h *hookDisk) Mkdir(name string, perm fs.FileMode) error {
	if err := h.before("mkdir " + name); err != nil {
		return err
	}
	return h.disk.Mkdir(name, perm)
}

func (h *hookDisk) MkdirAll(name string, perm fs.FileMode) error {
	if _, err := h.disk.Lstat(name); err == nil {
		return nil
	}
	if up := path.Dir(name); up != "." {
		if err := h.MkdirAll(up, perm); err != nil {
			return err
		}
	}
	err := h.Mkdir(name, perm)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (h *hookDisk) Rename(from, to string) error {
	if _, err := h.disk.Lstat(from); err == nil {
		if err := h.before("rename " + from + " " + to); err != nil {
			return err
		}
	}
	return h.disk.Rename(from, to)
}

func (h *hookDisk) Remove(name string) error {
	if err := h.before("remove " + name); err != nil {
		return err
	}
	return h.disk.Remove(name)
}

func (h *hookDisk) RemoveTree(name string) error {
	if err := h.before("removetree " + name); err != nil {
		return err
	}
	return h.disk.RemoveTree(name)
}

func (h *hookDisk) SyncDir(name string) error {
	if err := h.before("syncdir " + name); err != nil || h.noSync {
		return err
	}
	return h.disk.SyncDir(name)
}

func (h *hookDisk) SyncAll(name string) error {
	if err := h.before("syncall " + name); err != nil || h.noSync {
		return err
	}
	return h.disk.SyncAll(name)
}

func (o *hookOutput) Write(p []byte) (int, error) {
	if err := o.d.before("write " + o.name); err != nil {
		return 0, err
	}
	return o.output.Write(p)
}

func (o *hookOutput) Sync() error {
	if err := o.d.before("sync " + o.name); err != nil || o.d.noSync {
		return err
	}
	return o.output.Sync()
}

// verify fails if anything that can be seen in the store is damaged: an image, a blob or a layer that is not whole.
func verify(t testing.TB, s *Store, what string) (names []string) {
	t.Helper()
	names = verifyPlain(t, s, what)
	for p, err := range s.Check(t.Context(), CheckOptions{Layer: layer.Defaults()}) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else {
			t.Errorf("%s: %s", what, p)
		}
	}
	return names
}

// verifyPlain is verify where modes and times are those of the test: of the layers only the content is looked at.
func verifyPlain(t testing.TB, s *Store, what string) (names []string) {
	t.Helper()
	return verifyWith(t, s, what, false)
}

// verifyWith is verifyPlain, and may be after a restart, when layers that were not settled are gone.
func verifyWith(t testing.TB, s *Store, what string, restarted bool) (names []string) {
	t.Helper()
	for img, err := range s.Images() {
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if img.Ref != "" {
			names = append(names, img.Ref)
		}
		if layer.Supported && !restarted && img.Layers == nil && len(img.Config.RootFS.DiffIDs) > 0 {
			t.Errorf("%s: %s has a layer that is not unpacked", what, img.Ref)
		}
		for i, dir := range img.Layers {
			sameContent(t, s, img.Manifest.Layers[i].Digest, dir, what)
		}
	}
	for p, err := range s.Check(t.Context(), CheckOptions{Decompress: notAtAll}) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else {
			t.Errorf("%s: %s", what, p)
		}
	}
	return names
}

func notAtAll(types.MediaType, io.ReadCloser) (io.ReadCloser, error) {
	return nil, errors.ErrUnsupported
}

// sameContent compares the files of a layer with those in its tar.
func sameContent(t testing.TB, s *Store, blob v1.Hash, dir, what string) {
	t.Helper()
	rc, err := s.Blob(blob)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer rc.Close()
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		want, _ := io.ReadAll(tr)
		if got, err := os.ReadFile(filepath.Join(dir, h.Name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %s of a layer: %v", what, h.Name, err)
		}
	}
}

// clean fails if something is left that nothing refers to, once it was pruned.
func clean(t testing.TB, s *Store, what string) {
	t.Helper()
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Errorf("%s: Prune: %v", what, err)
		return
	}
	root, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	index, err := readIndex(root)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	kept := newReach()
	for _, d := range index.Manifests {
		if err := kept.add(root, d.Digest, true); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	there := map[string]bool{}
	for _, o := range objects(t, s) {
		there[o] = true
	}
	for h := range kept.blobs {
		if !there["blobs/sha256/"+h.Hex] {
			t.Errorf("%s: %s is missing", what, h)
		}
		delete(there, "blobs/sha256/"+h.Hex)
	}
	for h := range kept.layers {
		delete(there, "layers/"+h.Hex)
	}
	for o := range there {
		t.Errorf("%s: left: %s", what, o)
	}
}

// R9: every step of every kind fails once. What was there before is there as it was, and the next try succeeds.
func TestStoreStepFails(t *testing.T) {
	full := errors.New("no room for this step")
	steps := map[string]bool{}
	for n := 0; ; n++ {
		s := fast(t)
		work(t, s)
		at, failed := 0, ""
		var mu sync.Mutex
		bad := withHook(withoutSync(openAt(t, s.Dir())), func(step string) error {
			mu.Lock()
			defer mu.Unlock()
			if at++; at != n+1 || strings.HasPrefix(step, "remove") { // a disk may be full, and yet take removals
				return nil
			}
			failed = step
			return full
		})
		err := workMore(t, bad)
		if failed == "" && at <= n {
			break
		}
		if failed == "" {
			continue
		}
		steps[strings.Fields(failed)[0]] = true
		if err != nil && !errors.Is(err, full) {
			t.Errorf("%s fails: %v", failed, err)
		}
		got := verify(t, s, failed)
		for _, name := range []string{"old:1", "old:2"} {
			if !strings.Contains(fmt.Sprint(got), name) {
				t.Errorf("%s fails: %s is gone", failed, name)
			}
		}
		if err := workMore(t, withoutSync(openAt(t, s.Dir()))); err != nil {
			t.Errorf("%s fails; again: %v", failed, err)
		}
		verify(t, s, failed)
		clean(t, s, failed)
	}
	if len(steps) < 7 {
		t.Errorf("only %v failed", steps)
	}
}

// work makes images that nothing happens to afterwards.
func work(t testing.TB, s *Store) {
	t.Helper()
	put(t, s, "old:1", tarOf(t, "shared", "1"))
	put(t, s, "old:2", tarOf(t, "shared", "1"), tarOf(t, "old", "2"))
	put(t, s, "moved:1", tarOf(t, "moved", "1"))
	put(t, s, "gone:1", tarOf(t, "gone", "1"))
}

// workMore does everything that there is to do with a store.
func workMore(t testing.TB, s *Store) error {
	ctx := t.Context()
	if _, err := tryPut(ctx, s, "new:1", tarOf(t, "shared", "1"), manyFiles(t, 5, 2000)); err != nil {
		return err
	}
	if _, err := tryPut(ctx, s, "moved:1", tarOf(t, "moved", "2")); err != nil {
		return err
	}
	img, err := s.Resolve("new:1")
	if err != nil {
		return err
	}
	if err := s.Tag(ctx, "new:2", img.Descriptor); err != nil {
		return err
	}
	if err := s.Untag(ctx, "new:1"); err != nil {
		return err
	}
	if _, err := s.Remove(ctx, "gone:1", RemoveOptions{}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := s.Prune(ctx, PruneOptions{}); err != nil {
		return err
	}
	_, err = s.Remove(ctx, "new:2", RemoveOptions{})
	return err
}

// fast makes a store that is not durable, in memory where there is a place for that.
func fast(t testing.TB) *Store {
	t.Helper()
	return withoutSync(openAt(t, filepath.Join(memory(t), "state")))
}

func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "caisson-store-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
