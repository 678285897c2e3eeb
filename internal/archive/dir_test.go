package archive

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-go/caisson/internal/store"
)

func TestDirRoundTrip(t *testing.T) {
	w, s, dir := newWorld(t), openStore(t), filepath.Join(t.TempDir(), "layout")
	if err := SaveDir(t.Context(), dir, w.s, []string{oneName, twoName, multiName}, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadDir(t.Context(), dir, s, LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, s), names(t, w.s); !maps.Equal(got, want) {
		t.Errorf("%v became %v", want, got)
	}
	if _, err := s.Resolve(twoName); err != nil {
		t.Error(err)
	}
	if err := SaveDir(t.Context(), dir, w.s, []string{oneName}, SaveOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("into a directory with something in it: %v", err)
	}
	// A store is a layout too.
	again := openStore(t)
	if _, err := LoadDir(t.Context(), s.Dir(), again, LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, again), names(t, w.s); !maps.Equal(got, want) {
		t.Errorf("%v became %v", want, got)
	}
	noStaging(t, s)
}

// T45: blobs that are links, wherever they lead.
func TestDirHostile(t *testing.T) {
	w := newWorld(t)
	img, err := w.s.Resolve(oneName)
	if err != nil {
		t.Fatal(err)
	}
	canary := filepath.Join(t.TempDir(), "canary")
	for _, tc := range []struct {
		name string
		harm func(t *testing.T, dir, config string)
		want error
	}{
		{"absolute link", func(t *testing.T, dir, config string) { relink(t, config, canary) }, ErrEntry},
		{"link inside", func(t *testing.T, dir, config string) { relink(t, config, "../copy") }, ErrEntry},
		{"directory", func(t *testing.T, dir, config string) { must(t, os.Remove(config)); must(t, os.Mkdir(config, 0o700)) }, ErrEntry},
		{"missing", func(t *testing.T, dir, config string) { must(t, os.Remove(config)) }, ErrMissing},
		{"flipped", func(t *testing.T, dir, config string) {
			b := content(t, config)
			b[5] ^= 1
			must(t, os.WriteFile(config, b, 0o600))
		}, store.ErrDigest},
		{"index is a link", func(t *testing.T, dir, config string) { relink(t, dir+"/index.json", "index2.json") }, ErrEntry},
		{"no oci-layout", func(t *testing.T, dir, config string) { must(t, os.Remove(dir+"/oci-layout")) }, ErrMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			must(t, SaveDir(t.Context(), dir, w.s, []string{oneName}, SaveOptions{}))
			config := filepath.Join(dir, "blobs/sha256", img.ConfigDigest.Hex)
			tc.harm(t, dir, config)
			s := openStore(t)
			_, err := LoadDir(t.Context(), dir, s, LoadOptions{})
			var e *Error
			if !errors.Is(err, tc.want) || !errors.As(err, &e) {
				t.Errorf("LoadDir: %v, not %v", err, tc.want)
			}
			if len(names(t, s)) > 0 {
				t.Error("something is visible")
			}
		})
	}
}

// relink moves a file away and puts a link to a copy of it in its place.
func relink(t *testing.T, name, target string) {
	t.Helper()
	b := content(t, name)
	to := target
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(name), target)
	}
	must(t, os.WriteFile(to, b, 0o600))
	must(t, os.Remove(name))
	must(t, os.Symlink(target, name))
}

func content(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
