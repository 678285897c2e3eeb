package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestStoreBlob(t *testing.T) {
	s := open(t)
	content := []byte("content")
	if err := s.PutBlob(t.Context(), digest(content), 7, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	// There already: the reader is not read.
	if err := s.PutBlob(t.Context(), digest(content), 7, iotest.ErrReader(errors.New("read"))); err != nil {
		t.Error(err)
	}
	rc, err := s.Blob(digest(content))
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if got, err := io.ReadAll(rc); err != nil || !bytes.Equal(got, content) {
		t.Errorf("Blob = %q, %v", got, err)
	}
}

// T41: nothing with a wrong digest, size or name becomes visible, and nothing is left behind.
func TestStoreBlobRefused(t *testing.T) {
	s := open(t)
	content := []byte("content")
	broken := errors.New("broken")
	good := digest(content)
	if err := s.PutBlob(t.Context(), digest(nil), 0, bytes.NewReader(nil)); err != nil {
		t.Fatal(err)
	}
	before := files(t, s.Dir())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name string
		ctx  context.Context
		hash v1.Hash
		size int64
		r    io.Reader
		err  error
	}{
		{"other content", nil, digest([]byte("other")), 7, bytes.NewReader(content), ErrDigest},
		{"size too large", nil, good, 8, bytes.NewReader(content), ErrSize},
		{"size too small", nil, good, 6, bytes.NewReader(content), ErrSize},
		{"negative size", nil, good, -1, bytes.NewReader(content), ErrSize},
		{"endless", nil, good, 7, zeros{}, ErrSize},
		{"sha512", nil, v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("a", 128)}, 7, bytes.NewReader(content), errors.ErrUnsupported},
		{"upper case", nil, v1.Hash{Algorithm: "sha256", Hex: strings.ToUpper(good.Hex)}, 7, bytes.NewReader(content), ErrDigest},
		{"path", nil, v1.Hash{Algorithm: "sha256", Hex: "../../" + good.Hex[6:]}, 7, bytes.NewReader(content), ErrDigest},
		{"empty", nil, v1.Hash{}, 7, bytes.NewReader(content), errors.ErrUnsupported},
		{"reader fails", nil, good, 7, io.MultiReader(bytes.NewReader(content[:3]), iotest.ErrReader(broken)), broken},
		{"cancelled", cancelled, good, 7, bytes.NewReader(content), context.Canceled},
	} {
		ctx := tc.ctx
		if ctx == nil {
			ctx = t.Context()
		}
		err := s.PutBlob(ctx, tc.hash, tc.size, tc.r)
		var e *Error
		if !errors.Is(err, tc.err) || !errors.As(err, &e) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
		if after := files(t, s.Dir()); !slices.Equal(after, before) {
			t.Errorf("%s: store changed to %v", tc.name, after)
		}
		if tc.hash != good {
			if _, err := s.Blob(tc.hash); err == nil {
				t.Errorf("%s: Blob finds it", tc.name)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// files lists a directory, without the lock files.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == "locks" {
			return fs.SkipDir
		}
		rel, _ := filepath.Rel(dir, path)
		out = append(out, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// T29: nobody else gets into the store.
func TestStoreDirectoryMode(t *testing.T) {
	if !permissions {
		t.Skip("needs permission bits (remedy: run on Linux or another Unix)")
	}
	putOne := func(dir string) error {
		return openAt(t, dir).PutBlob(t.Context(), digest(nil), 0, bytes.NewReader(nil))
	}
	mode := func(dir string) fs.FileMode {
		fi, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return fi.Mode().Perm()
	}
	top := t.TempDir()
	made := filepath.Join(top, "data", "caisson")
	if err := putOne(made); err != nil || mode(made) != 0o700 || mode(filepath.Dir(made)) != 0o700 {
		t.Errorf("made: %v, %v", err, mode(made))
	}
	if err := os.Chmod(made, 0o755); err != nil { // by mistake, later
		t.Fatal(err)
	}
	if _, err := openAt(t, made).Blob(digest(nil)); err != nil || mode(made) != 0o700 {
		t.Errorf("a store opened up: %v, %v", err, mode(made))
	}
	empty := filepath.Join(top, "empty")
	if err := errors.Join(os.Mkdir(empty, 0o755), os.Chmod(empty, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := putOne(empty); err != nil || mode(empty) != 0o700 {
		t.Errorf("an empty directory: %v, %v", err, mode(empty))
	}
	home := filepath.Join(top, "home")
	if err := os.MkdirAll(filepath.Join(home, "Documents"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(home, 0o755); err != nil { // whatever the umask
		t.Fatal(err)
	}
	if err := putOne(home); !errors.Is(err, fs.ErrPermission) || mode(home) != 0o755 {
		t.Errorf("somebody's directory: %v, %v", err, mode(home))
	}
	private := filepath.Join(top, "private")
	if err := os.MkdirAll(filepath.Join(private, "containers"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := putOne(private); err != nil {
		t.Errorf("a private directory with other things: %v", err)
	}
	if err := putOne(filepath.Join(made, "oci-layout")); err == nil {
		t.Error("a file was taken for a directory")
	}
}
