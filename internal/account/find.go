package account

import "bytes"

// findUser finds the first entry of a name or number, as getpwnam(3) and getpwuid(3) do. A line that would be it
// but is not of the format is an error, never skipped: the next line could give more rights.
func findUser(data []byte, p principal) (u User, found bool, err error) {
	if err := checkSize(passwdPath, data); err != nil {
		return User{}, false, err
	}
	for n, f := range entries(data) {
		if !isEntryOf(f, p) {
			continue
		}
		u, reason := parseUser(f)
		if reason != "" {
			return User{}, false, &FileError{File: passwdPath, Line: n, Reason: reason}
		}
		return u, true, nil
	}
	return User{}, false, nil
}

func isEntryOf(f fields, p principal) bool {
	if !p.numeric {
		return string(f.name()) == p.name
	}
	id, ok := parseID(string(f.at[2]))
	return ok && id == p.id
}

// answer is the group that a principal stands for.
type answer struct {
	gid   uint32
	found bool // always for numbers, which need no entry
}

// findGroups goes through a group file once. It returns the group of each principal asked for, the first entry
// of a name counting, and the groups that list member; none do if member is "".
func findGroups(data []byte, asked []principal, member string) (found []answer, listed []uint32, err error) {
	if err := checkSize(groupPath, data); err != nil {
		return nil, nil, err
	}
	found = make([]answer, len(asked))
	byName := map[string][]int{} // indices of found that still wait for their name
	for i, p := range asked {
		if p.numeric {
			found[i] = answer{gid: p.id, found: true}
		} else {
			byName[p.name] = append(byName[p.name], i)
		}
	}
	for n, f := range entries(data) {
		waiting := byName[string(f.name())]
		lists := member != "" && hasMember(f, member)
		if len(waiting) == 0 && !lists {
			continue
		}
		gid, reason := parseGID(f)
		if reason != "" {
			return nil, nil, &FileError{File: groupPath, Line: n, Reason: reason}
		}
		for _, i := range waiting {
			found[i] = answer{gid: gid, found: true}
		}
		delete(byName, string(f.name()))
		if lists {
			listed = append(listed, gid)
		}
	}
	return found, listed, nil
}

func hasMember(f fields, name string) bool {
	if !bytes.Contains(f.at[3], []byte(name)) { // quick for most lines
		return false
	}
	for m := range members(f) {
		if string(m) == name {
			return true
		}
	}
	return false
}
