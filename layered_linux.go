package caisson

import (
	"errors"
	"io/fs"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// identityOf finds who a user is by the passwd and group file of an image in layers: of each file, the
// one in the topmost layer that has it counts.
func identityOf(layers []string, user string, groups []string) (account.Identity, error) {
	var f account.Files
	var err error
	if f.Passwd, err = topmost(layers, "/etc/passwd"); err != nil {
		return account.Identity{}, err
	}
	if f.Group, err = topmost(layers, "/etc/group"); err != nil {
		return account.Identity{}, err
	}
	return f.Resolve(user, groups)
}

// topmost reads a file of an image, nil if there is none. A whiteout is a device, not a regular file,
// and ends the search; so does a file too large to be believed.
func topmost(layers []string, name string) ([]byte, error) {
	for i := len(layers) - 1; i >= 0; i-- {
		b, err := readIn(layers[i], name)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, nil
}

func readIn(dir, name string) ([]byte, error) {
	root, err := sys.OpenBlocking(dir, sys.O_PATH)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return inroot.ReadFile(root, name, account.MaxFile)
}
