package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Nobody else may be able to exchange what is above the store, or to have made what is in it.
func TestStoreDirectoryAbove(t *testing.T) {
	top := t.TempDir()
	open := filepath.Join(top, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Join(open, "state"))
	var e *Error
	if _, err := tryPut(t.Context(), s, "a:1"); !errors.Is(err, fs.ErrPermission) || !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("below a directory that everybody may write to: %v", err)
	}
	if err := os.Chmod(open, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a:1")
	if err := os.Chmod(open, 0o777); err != nil { // by mistake, later
		t.Fatal(err)
	}
	if _, err := s.Resolve("a:1"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("reading there: %v", err)
	}
	if err := os.Symlink("state", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(top, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, openAt(t, filepath.Join(top, "link")), "a:1")
	if _, err := openAt(t, filepath.Join(top, "state")).Resolve("a:1"); err != nil {
		t.Errorf("behind a link of the user's own: %v", err)
	}
}
