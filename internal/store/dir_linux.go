package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/caisson-go/caisson/internal/statedir"
)

// makeDir makes the state directory, if it is missing, and closes it to others.
func makeDir(dir string) error {
	f, err := statedir.Open(dir, true)
	if err != nil {
		return dirError(dir, err)
	}
	return f.Close()
}

// openDir opens the state directory by its path, once nobody else can change what that leads to.
func openDir(dir string) (*os.Root, error) {
	f, err := statedir.Open(dir, false)
	if err != nil {
		return nil, dirError(dir, err)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(same(root, f), checkOwner(root, dir)); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// same makes sure of what should go without saying: the two were opened one after the other.
func same(root *os.Root, f *os.File) error {
	a, err := root.Stat(".")
	if err != nil {
		return err
	}
	b, err := f.Stat()
	if err == nil && !os.SameFile(a, b) {
		err = fmt.Errorf("%w: it was exchanged", fs.ErrPermission)
	}
	return err
}

// dirError is an error of this package. What is not there yet is no fault.
func dirError(dir string, err error) error {
	var e *statedir.Error
	switch {
	case !errors.As(err, &e):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return &fs.PathError{Op: "open", Path: e.Path, Err: e.Err}
	}
	return &Error{Op: "open", Path: e.Path, Err: e.Err, Hint: e.Hint}
}
