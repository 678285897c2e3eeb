package account

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
)

// User is a line of a passwd file.
type User struct {
	Name     string
	UID, GID uint32
	Home     string // absolute; "/" if the line has no absolute one
}

// Group is a line of a group file.
type Group struct {
	Name    string
	GID     uint32
	Members []string // user names, in the order of the line
}

// ParsePasswd reads a whole passwd file. Every line must be of the format; see parseUser. Resolve is milder: it
// asks that only of the lines that its answer depends on, for one bad line must not spoil an image.
//
// Errors: *FileError, naming the first line that is not.
func ParsePasswd(data []byte) ([]User, error) {
	return parse(passwdPath, data, parseUser)
}

// ParseGroup reads a whole group file, as ParsePasswd does a passwd file.
func ParseGroup(data []byte) ([]Group, error) {
	return parse(groupPath, data, parseGroup)
}

func parse[T any](file string, data []byte, one func(fields) (T, string)) ([]T, error) {
	if err := checkSize(file, data); err != nil {
		return nil, err
	}
	var all []T
	for n, f := range entries(data) {
		t, reason := one(f)
		if reason != "" {
			return nil, &FileError{File: file, Line: n, Reason: reason}
		}
		all = append(all, t)
	}
	return all, nil
}

// checkSize refuses a file that only somebody who wants to do harm has made.
func checkSize(file string, data []byte) error {
	switch {
	case len(data) > MaxFile:
		return &FileError{File: file, Reason: fmt.Sprintf("it has %d bytes, more than %d", len(data), MaxFile)}
	case bytes.Count(data, []byte{'\n'}) > MaxLines:
		return &FileError{File: file, Reason: fmt.Sprintf("it has more than %d lines", MaxLines)}
	}
	return nil
}

// fields are the parts of a line between its colons. No line has more than passwd's seven; an eighth is the rest of the
// line, colons and all.
type fields struct {
	at   [8][]byte
	n    int
	line []byte
}

func (f *fields) name() []byte { return f.at[0] }

// entries yields the number and fields of each line that is an entry: not empty, not a comment, and not an
// instruction for NIS (+ or -), which nsswitch.conf(5) gives a meaning that images do not have.
func entries(data []byte) iter.Seq2[int, fields] {
	return func(yield func(int, fields) bool) {
		n := 0
		for line := range bytes.Lines(data) {
			n++
			line = bytes.TrimSuffix(line, []byte{'\n'})
			line = bytes.TrimSuffix(line, []byte{'\r'}) // from an editor that ends lines so
			if len(line) == 0 || bytes.IndexByte([]byte("#+-"), line[0]) >= 0 {
				continue
			}
			if !yield(n, split(line)) {
				return
			}
		}
	}
}

func split(line []byte) fields {
	f := fields{line: line}
	for rest, more := line, true; more; f.n++ {
		if f.n == len(f.at)-1 {
			f.at[f.n], more = rest, false
			continue
		}
		f.at[f.n], rest, more = bytes.Cut(rest, []byte{':'})
	}
	return f
}

// parseUser reads name:password:uid:gid:comment:home:shell, of which the last three may be missing. It returns
// the reason if the line is not of that format.
func parseUser(f fields) (User, string) {
	if f.n < 4 || f.n > 7 {
		return User{}, "not the fields of name:password:uid:gid:comment:home:shell"
	}
	if reason := checkText(f); reason != "" {
		return User{}, reason
	}
	uid, ok := parseID(string(f.at[2]))
	if !ok {
		return User{}, "the uid is not a number from 0 to 4294967294"
	}
	gid, ok := parseID(string(f.at[3]))
	if !ok {
		return User{}, "the gid is not a number from 0 to 4294967294"
	}
	u := User{Name: string(f.name()), UID: uid, GID: gid, Home: string(f.at[5])}
	if !strings.HasPrefix(u.Home, "/") {
		u.Home = "/"
	}
	return u, ""
}

// parseGroup reads name:password:gid:members, of which the last may be missing.
func parseGroup(f fields) (Group, string) {
	gid, reason := parseGID(f)
	if reason != "" {
		return Group{}, reason
	}
	g := Group{Name: string(f.name()), GID: gid}
	for m := range members(f) {
		g.Members = append(g.Members, string(m))
	}
	return g, ""
}

// parseGID is parseGroup without the members, which may be half a million.
func parseGID(f fields) (uint32, string) {
	if f.n < 3 || f.n > 4 {
		return 0, "not the fields of name:password:gid:members"
	}
	if reason := checkText(f); reason != "" {
		return 0, reason
	}
	gid, ok := parseID(string(f.at[2]))
	if !ok {
		return 0, "the gid is not a number from 0 to 4294967294"
	}
	return gid, ""
}

// members yields the names between the commas of a group's fourth field.
func members(f fields) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for m := range bytes.SplitSeq(f.at[3], []byte{','}) {
			if m = bytes.Trim(m, " "); len(m) > 0 && !yield(m) {
				return
			}
		}
	}
}

// checkText refuses names that are empty or have a space, and control bytes anywhere: names and homes go into
// environments and messages.
func checkText(f fields) string {
	if len(f.name()) == 0 || bytes.IndexByte(f.name(), ' ') >= 0 {
		return "the name is empty or has a space"
	}
	for _, c := range f.line {
		if c < ' ' || c == 0x7f {
			return "a control byte"
		}
	}
	return ""
}
