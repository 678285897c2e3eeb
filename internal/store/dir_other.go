//go:build !linux

package store

import (
	"os"
)

// makeDir makes the state directory, if it is missing.
func makeDir(dir string) error { return os.MkdirAll(dir, 0o700) }

// openDir opens the state directory. If others may enter it, it is closed to them, provided that is its own to decide.
func openDir(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	fi, err := root.Stat(".")
	if err == nil && permissions && fi.Mode().Perm()&0o077 != 0 && disposable(root) {
		err = root.Chmod(".", 0o700)
	}
	if err == nil {
		err = checkOwner(root, dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// disposable reports a directory that may be closed to others: it is empty, or a store.
func disposable(root *os.Root) bool {
	if _, err := root.Lstat("oci-layout"); err == nil {
		return true
	}
	d, err := root.Open(".")
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(1)
	return len(names) == 0
}
