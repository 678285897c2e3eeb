package caisson

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/sys"
)

// A snapshot is snapshots/ID below the state directory:
//
//	fs/          the layer: what was a container's upper directory
//	record.json  what it stands on
//
// Whoever uses it holds a shared lock on the directory, whoever removes it the exclusive one; flock(2). It is made
// under a name that begins with a dot and then renamed. One that a killed program left half made has such a name and
// no lock.

// snapshotRecord is record.json.
type snapshotRecord struct {
	Base    string    // the ID of the image
	Below   []string  // the IDs of the snapshots between, bottom to top
	Created time.Time // in UTC
	Boot    string    // what was not synced to the disk does not outlive the machine's run
}

const mostRecord = 1 << 20

// snapshots opens the directory of all snapshots, with the checks of the state directory.
func (e *Engine) snapshots() (*os.File, error) {
	room, err := e.enterRoom()
	if err != nil {
		return nil, err
	}
	defer e.leaveRoom()
	state := filepath.Dir(room.Name())
	path := filepath.Join(state, "snapshots")
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &Error{"mkdir", path, err, hintWritable}
	}
	f, err := openDir(sys.AT_FDCWD, path, path)
	if err != nil {
		return nil, &Error{"open", path, err, hintWritable}
	}
	if err := closeToOthers(f, true); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// snapshotIDs lists what is there, and clears what killed programs left half made, or the machine's last run.
func (e *Engine) snapshotIDs() ([]string, error) {
	dir, err := e.snapshots()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		if checkID(name) == nil {
			if _, err := readSnapshot(dir, name); !errors.Is(err, fs.ErrNotExist) {
				return false
			}
		}
		e.clearSnapshot(dir, name)
		return true
	}), nil
}

// clearSnapshot removes one that nobody holds.
func (e *Engine) clearSnapshot(dir *os.File, name string) {
	lock, err := lockDir(dir, name)
	if err != nil {
		return
	}
	defer func() { _ = lock.Close() }()
	_ = e.removeTree(dir, lock, name)
}

// checkID refuses what is no ID of a container or a snapshot, before it is used as a name.
func checkID(id string) error {
	if len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return errors.New("not an ID of 64 hexadecimal digits")
	}
	return nil
}

// readSnapshot reads the record of a snapshot. One of the machine's last run is not there any more.
func readSnapshot(dir *os.File, id string) (*snapshotRecord, error) {
	const flags = sys.O_RDONLY | sys.O_NOFOLLOW | sys.O_CLOEXEC
	fd, err := sys.Openat2(int(dir.Fd()), id+"/record.json", flags, 0, sys.RESOLVE_NO_SYMLINKS|sys.RESOLVE_BENEATH)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), id+"/record.json")
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, mostRecord))
	if err != nil {
		return nil, err
	}
	var r snapshotRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	if r.Boot != sys.BootID() {
		return nil, fs.ErrNotExist
	}
	return &r, nil
}

// openSnapshot is the handle of a snapshot.
func (e *Engine) openSnapshot(id string) (*Snapshot, error) {
	if err := checkID(id); err != nil {
		return nil, &Error{"snapshot", id, err, "Snapshot.ID gives it"}
	}
	dir, err := e.snapshots()
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	r, err := readSnapshot(dir, id)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = notStored{}
		}
		return nil, &Error{"snapshot", id, err, "it was removed, or the machine has been restarted since"}
	}
	base, err := e.find(r.Base)
	if err != nil {
		return nil, err
	}
	layers := slices.Clone(base.layers)
	if root, ok := directory(base.id); ok {
		layers = []string{root}
	}
	for _, below := range append(slices.Clone(r.Below), id) {
		layers = append(layers, filepath.Join(dir.Name(), below, "fs"))
	}
	img := &Image{engine: e, id: snapshotImage + id, layers: layers, config: base.config, below: append(r.Below, id), base: base}
	return &Snapshot{e, id, img}, nil
}

// removeSnapshot removes a snapshot that nothing uses.
func (e *Engine) removeSnapshot(id string) error {
	dir, err := e.snapshots()
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	lock, err := lockDir(dir, id)
	if err != nil {
		if sys.Held(err) {
			return &Error{"remove", snapshotImage + id[:12], ErrInUse, "close the containers that were started from it"}
		}
		return err
	}
	defer func() { _ = lock.Close() }()
	if e.detachedOn(snapshotLink+id, id) {
		return &Error{"remove", snapshotImage + id[:12], ErrInUse, "end the detached container that was started from it"}
	}
	if above, err := e.snapshotAbove(dir, id); err != nil || above != "" {
		if err == nil {
			err = &Error{"remove", snapshotImage + id[:12], ErrInUse, "remove snapshot " + above[:12] + " first, which stands on it"}
		}
		return err
	}
	// Out of sight at once, and then away.
	gone := "." + id
	if err := sys.Renameat(int(dir.Fd()), id, int(dir.Fd()), gone); err != nil {
		return err
	}
	return e.removeTree(dir, lock, gone)
}

// snapshotAbove is a snapshot that stands on another, or "".
func (e *Engine) snapshotAbove(dir *os.File, id string) (string, error) {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	names, err := dir.Readdirnames(-1)
	for _, name := range names {
		if r, err := readSnapshot(dir, name); err == nil && slices.Contains(r.Below, id) {
			return strings.TrimPrefix(name, "."), nil
		}
	}
	return "", err
}

// snapshotOn tells whether a snapshot stands on an image.
func (e *Engine) snapshotOn(manifest v1.Hash) bool {
	dir, err := e.snapshots()
	if err != nil {
		return true
	}
	defer func() { _ = dir.Close() }()
	names, err := dir.Readdirnames(-1)
	return err != nil || slices.ContainsFunc(names, func(name string) bool {
		r, err := readSnapshot(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			return false
		}
		return err != nil || r.Base == manifest.String()
	})
}
