package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// mountPoints is a directory below the layers of every container, with an empty file for each file that is generated
// for one: something to mount it on where the image has none. Without it every start would make these files in the
// container's own layer, where they would show as changes, and every end remove them.
type mountPoints struct {
	mu   sync.Mutex
	made string // "": not yet
}

// generatedFiles are the names in /etc that a container's generated files are mounted on.
func generatedFiles() []string { return []string{"hostname", "hosts", "resolv.conf"} }

// open makes the directory, once, in a state directory. Other programs may do so at the same time.
func (m *mountPoints) open(state string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == "" {
		dir := filepath.Join(state, "mountpoints")
		if err := makeMountPoints(dir); err != nil {
			return "", err
		}
		m.made = dir
	}
	return m.made, nil
}

// forget has the directory made anew: the state directory is another one.
func (m *mountPoints) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made = ""
}

func makeMountPoints(top string) error {
	etc := filepath.Join(top, "etc")
	for _, dir := range []string{top, etc} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return &Error{"mkdir", dir, err, ""}
		}
	}
	// Where an image has no /etc this one shows, whatever the host program's umask is.
	if err := os.Chmod(etc, 0o755); err != nil {
		return &Error{"chmod", etc, err, ""}
	}
	for _, name := range generatedFiles() {
		file := filepath.Join(etc, name)
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return &Error{"open", file, err, ""}
		}
		if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
			return &Error{"chmod", file, err, ""}
		}
	}
	return nil
}
