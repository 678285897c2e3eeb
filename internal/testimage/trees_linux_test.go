package testimage_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testimage"
	"github.com/caisson-go/caisson/internal/testimage/treediff"
	"github.com/caisson-go/caisson/internal/testneed"
)

// Every file of every layer is as GNU tar extracts it.
func TestLayersAreAsTarExtractsThem(t *testing.T) {
	testneed.Root(t)
	tar := testneed.Program(t, "tar", "apt-get install tar")
	for _, name := range testimage.Names() {
		t.Run(name, func(t *testing.T) {
			image := testimage.Open(t, name)
			s, pulled := pull(t, image, "gzip")
			for i, id := range pulled.Config.RootFS.DiffIDs {
				dir := t.TempDir()
				run(t, tar, "-x", "--numeric-owner", "--same-permissions", "--delay-directory-restore", "--xattrs", "--xattrs-include=*", "-f", tarOf(t, image, id), "-C", dir)
				want, got := read(t, dir, treediff.Named), read(t, s.LayerDir(id), treediff.Overlay)
				// The root has an entry of its own in few layers; without one tar leaves it as it finds it.
				delete(want, ".")
				delete(got, ".")
				if n := want.Drop(isDevice); n > 0 {
					t.Logf("layer %d: %d device nodes are left out by policy", i, n)
				}
				report(t, i, want, got)
				check(t, os.RemoveAll(dir))
			}
		})
	}
}

// Every compression and both families of media types give the same layers.
func TestVariantsAreOneImage(t *testing.T) {
	testneed.Root(t)
	for _, name := range []string{"busybox", "odd", "minbase"} {
		t.Run(name, func(t *testing.T) {
			image := testimage.Open(t, name)
			tags, err := image.Tags()
			check(t, err)
			_, first := pull(t, image, tags[0])
			for _, tag := range tags[1:] {
				_, other := pull(t, image, tag)
				if !slices.Equal(first.Config.RootFS.DiffIDs, other.Config.RootFS.DiffIDs) {
					t.Errorf("%s and %s differ", tags[0], tag)
				}
			}
		})
	}
}

// What a container sees is what umoci makes of the same image.
func TestMergedTreeIsUmocis(t *testing.T) {
	testneed.Root(t)
	umoci := testneed.Program(t, "umoci", "apt-get install umoci")
	for _, name := range []string{"busybox", "odd", "minbase", "large"} {
		t.Run(name, func(t *testing.T) {
			image := testimage.Open(t, name)
			s, pulled := pull(t, image, "gzip")
			bundle := filepath.Join(t.TempDir(), "bundle")
			run(t, umoci, "unpack", "--image", image.Layout+":gzip", bundle)
			want, got := read(t, filepath.Join(bundle, "rootfs"), treediff.Merged), read(t, overlay(t, s, pulled), treediff.Merged)
			delete(want, ".")
			delete(got, ".")
			want.Drop(isDevice)
			report(t, -1, want, got)
		})
	}
}

// overlay mounts the layers of an image for the time of the test.
func overlay(t *testing.T, s *store.Store, image store.Image) string {
	t.Helper()
	dir := t.TempDir()
	lower := []string{t.TempDir()} // an overlay of one layer is not allowed
	ids := slices.Clone(image.Config.RootFS.DiffIDs)
	slices.Reverse(ids)
	for _, id := range ids {
		lower = append(lower, s.LayerDir(id))
	}
	// One page is the limit for options, so the paths are short: links in one directory.
	links := t.TempDir()
	for i, l := range lower {
		lower[i] = filepath.Join(links, string(rune('a'+i)))
		check(t, os.Symlink(l, lower[i]))
	}
	err := syscall.Mount("overlay", dir, "overlay", syscall.MS_RDONLY, "lowerdir="+strings.Join(lower, ":"))
	testneed.Feature(t, "overlay", err, "run as the real root on a filesystem that overlayfs takes")
	t.Cleanup(func() { check(t, syscall.Unmount(dir, 0)) })
	return dir
}

// pull gets a variant of an image from a registry into a store of its own.
func pull(t *testing.T, image *testimage.Image, tag string) (*store.Store, store.Image) {
	t.Helper()
	host := serve(t)
	check(t, image.Upload(t.Context(), host, tag))
	s, err := store.Open(t.TempDir())
	check(t, err)
	pulled, err := registry.Pull(t.Context(), s, image.Ref(host, tag), registry.Options{Insecure: []string{host}})
	check(t, err)
	return s, pulled
}

func tarOf(t *testing.T, image *testimage.Image, id v1.Hash) string {
	t.Helper()
	for _, file := range image.Tars {
		f, err := os.Open(file)
		check(t, err)
		h, _, err := v1.SHA256(f)
		check(t, err)
		check(t, f.Close())
		if h == id {
			return file
		}
	}
	t.Fatalf("no tar is %s", id)
	return ""
}

func isDevice(_ string, e treediff.Entry) bool {
	return e.Kind == treediff.CharDevice || e.Kind == treediff.BlockDevice
}

func read(t *testing.T, dir string, form treediff.Form) treediff.Tree {
	t.Helper()
	tree, err := treediff.Read(dir, form)
	check(t, err)
	return tree
}

func report(t *testing.T, layer int, want, got treediff.Tree) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("layer %d is empty", layer)
	}
	differences := treediff.Diff(want, got)
	for i, d := range differences {
		if i == 20 {
			t.Errorf("layer %d: and %d more", layer, len(differences)-i)
			break
		}
		t.Errorf("layer %d: %v", layer, d)
	}
	t.Logf("layer %d: %d entries", layer, len(want))
}

func run(t *testing.T, argv ...string) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", argv[0], err, out)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
