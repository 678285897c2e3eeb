// Package account says which user and groups a container's process gets, from the image's own passwd and group files.
//
// The files are the image's, so nothing in them is trusted, and what the engine and the image understand by a
// user must not differ: numbers are never looked up as names, every number is checked against the kernel's
// range, and supplementary groups are always given in full, the primary one included. (A missing one is a hole
// too: a file of mode 0604 is closed to its group only.)
//
// The formats are those of passwd(5) and group(5); the meaning of "user:group" is that of Docker's USER.
package account

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/caisson-go/caisson/internal/inroot"
)

const (
	// MaxID is the greatest user or group id. 4294967295 is (uid_t) -1, which setresuid(2) and chown(2) take as
	// "leave it as it is", so a process meant to lose its rights with it would keep them.
	MaxID = 1<<32 - 2

	// MaxFile is the most bytes of a passwd or group file.
	MaxFile = 1 << 20

	// MaxLines is the most lines of a passwd or group file.
	MaxLines = 1 << 15

	// maxGroups is NGROUPS_MAX: setgroups(2) gives EINVAL beyond it.
	maxGroups = 1 << 16

	passwdPath = "/etc/passwd"
	groupPath  = "/etc/group"
)

// Identity is what a process becomes, and what its environment says of it.
type Identity struct {
	UID    uint32
	GID    uint32   // the primary group
	Groups []uint32 // for setgroups(2): GID, then the others in ascending order, none twice
	Home   string   // absolute; "/" if the user has no entry
	Name   string   // "" if the user has no entry
}

// Files are the contents of an image's two files. A nil slice is a file that does not exist.
type Files struct {
	Passwd []byte // /etc/passwd
	Group  []byte // /etc/group
}

// Resolve finds the identity that user asks for, with groups (each a name or a number) added, in the image whose
// root directory is open as root. It reads at most 1 MiB of each file, and only regular files.
//
// User is a name or a number, optionally a colon and a group:
//
//	""            0:0, with root's supplementary groups
//	"app"         the entry of that name, with the groups that list it
//	"1000"        the entry of that number, as above; without one, gid 0, no groups, home "/"
//	"app:staff"   group staff, and no other: asking for a group is asking for only that
//	"1000:1000"   no entry needed
//
// Errors: *UserError for what can not be or is not found (fs.ErrNotExist), else *FileError.
func Resolve(root *os.File, user string, groups []string) (Identity, error) {
	w, err := parseWish(user, groups)
	if err != nil {
		return Identity{}, err
	}
	var f Files
	if f.Passwd, err = readFile(root, passwdPath); err != nil {
		return Identity{}, err
	}
	if w.needsGroupFile() {
		if f.Group, err = readFile(root, groupPath); err != nil {
			return Identity{}, err
		}
	}
	return f.resolve(w)
}

// readFile returns nil for a file that does not exist.
func readFile(root *os.File, path string) ([]byte, error) {
	data, err := inroot.ReadFile(root, path, MaxFile)
	switch {
	case isNotExist(err):
		return nil, nil
	case err != nil:
		return nil, &FileError{File: path, Err: err}
	case data == nil:
		data = []byte{}
	}
	return data, nil
}

// Resolve is the function Resolve on contents that are at hand.
func (f Files) Resolve(user string, groups []string) (Identity, error) {
	w, err := parseWish(user, groups)
	if err != nil {
		return Identity{}, err
	}
	return f.resolve(w)
}

// nobody is the id that the kernel shows for one it has no name for; its overflowuid, user_namespaces(7).
const nobody = 65534

// Foresee is what Resolve will say, as far as that can be told without an image: known is false if the answer depends
// on its files. Then numbers that were given are right, the rest is what there is without an entry, and for a user by
// name it is nobody, with the name.
//
// Errors: *UserError for what can not be in any image.
func Foresee(user string, groups []string) (id Identity, known bool, err error) {
	w, err := parseWish(user, groups)
	if err != nil {
		return Identity{}, false, err
	}
	known = user == "" || w.user.numeric && w.group != nil
	numeric := func(p *principal) {
		if !p.numeric {
			*p, known = principal{id: nobody, numeric: true}, false
		}
	}
	name := w.user.name
	numeric(&w.user)
	switch {
	case w.group != nil:
		numeric(w.group)
	case name != "":
		w.group = &principal{id: nobody, numeric: true}
	}
	for i := range w.extra {
		numeric(&w.extra[i])
	}
	id, err = Files{}.resolve(w)
	id.Name = name
	if user == "" {
		id.Home = "/root"
	}
	return id, known, err
}

func (f Files) resolve(w wish) (Identity, error) {
	u, err := f.user(w)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{UID: u.UID, GID: u.GID, Home: u.Home, Name: u.Name}
	rest, err := f.groups(w, &id)
	if err != nil {
		return Identity{}, err
	}
	slices.Sort(rest)
	rest = slices.Compact(rest)
	id.Groups = []uint32{id.GID}
	for _, g := range rest {
		if g != id.GID {
			id.Groups = append(id.Groups, g)
		}
	}
	if len(id.Groups) > maxGroups {
		return Identity{}, &UserError{Input: w.input, Reason: fmt.Sprintf("it has %d groups, more than the kernel's %d", len(id.Groups), maxGroups), Remedy: "name fewer groups"}
	}
	return id, nil
}

// user finds the entry of the wished user, or makes up the one of a number that has none.
func (f Files) user(w wish) (User, error) {
	u, found, err := findUser(f.Passwd, w.user)
	switch {
	case err != nil:
		return User{}, err
	case !found && !w.user.numeric:
		return User{}, unknown(w.input, w.user.name, passwdPath, f.Passwd == nil)
	case !found:
		u = User{UID: w.user.id, Home: "/"}
	}
	if w.input == "" {
		u.GID = 0
		if !found {
			u.Name = "root" // what the group file calls it
		}
	}
	return u, nil
}

// groups sets id.GID if a group was asked for, and returns the supplementary groups, unsorted.
func (f Files) groups(w wish, id *Identity) ([]uint32, error) {
	asked := w.extra
	member := id.Name
	if w.group != nil {
		asked = append([]principal{*w.group}, asked...)
		member = ""
	}
	ids, listed, err := findGroups(f.Group, asked, member)
	if err != nil {
		return nil, err
	}
	for i, p := range asked {
		if !p.numeric && !ids[i].found {
			return nil, unknown(p.name, p.name, groupPath, f.Group == nil)
		}
		listed = append(listed, ids[i].gid)
	}
	if w.group != nil {
		id.GID = ids[0].gid
	}
	return listed, nil
}

func unknown(input, name, file string, absent bool) error {
	e := &UserError{Input: input, File: file, Reason: fmt.Sprintf("no entry %q in %s", short(name), file), Remedy: "use a number, or add the entry to the image", Err: fs.ErrNotExist}
	if absent {
		e.Reason = fmt.Sprintf("no entry %q: the image has no %s", short(name), file)
	}
	return e
}
