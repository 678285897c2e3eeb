package caisson

import (
	"errors"
	"os"

	"github.com/caisson-go/caisson/internal/statedir"
	"github.com/caisson-go/caisson/internal/sys"
)

// maxLinks is how many symbolic links the kernel follows on one path; path_resolution(7).
const maxLinks = 40

const hintWritable = statedir.HintWritable

// openStateDir opens the state directory, and makes what is missing of it. Nobody else can change the way there.
func openStateDir(dir string) (*os.File, error) {
	f, err := statedir.Open(dir, true)
	if err != nil {
		return nil, stateDirError(err)
	}
	return f, nil
}

// closeToOthers sees to it that nobody else may enter a directory of this program's own.
func closeToOthers(f *os.File, ours bool) error {
	return stateDirError(statedir.CloseToOthers(f, ours))
}

// stateDirError is the public form of an error about the state directory.
func stateDirError(err error) error {
	e, ok := errors.AsType[*statedir.Error](err)
	if !ok {
		return err
	}
	return &Error{e.Op, e.Path, e.Err, e.Hint}
}

// openDir opens a directory, not a link to one, for listing.
func openDir(at int, name, path string) (*os.File, error) {
	fd, err := sys.OpenDirat(at, name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}
