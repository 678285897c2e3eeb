package account

import "strings"

// maxInput is more than LOGIN_NAME_MAX (256) twice, with a colon.
const maxInput = 1024

// principal is a user or group as it was asked for.
type principal struct {
	name    string // "" if numeric
	id      uint32
	numeric bool
}

// wish is a parsed user argument and its extra groups.
type wish struct {
	input string
	user  principal
	group *principal // nil: none asked for
	extra []principal
}

// needsGroupFile reports whether the answer can depend on the group file.
func (w wish) needsGroupFile() bool {
	if w.group == nil || !w.group.numeric {
		return true
	}
	for _, p := range w.extra {
		if !p.numeric {
			return true
		}
	}
	return false
}

func parseWish(user string, groups []string) (wish, error) {
	w := wish{input: user, user: principal{numeric: true}}
	if user != "" {
		name, group, colon := strings.Cut(user, ":")
		p, err := parsePrincipal(user, name)
		if err != nil {
			return wish{}, err
		}
		w.user = p
		if colon {
			if p, err = parsePrincipal(user, group); err != nil {
				return wish{}, err
			}
			w.group = &p
		}
	}
	if len(groups) > maxGroups {
		return wish{}, &UserError{Input: user, Reason: "more supplementary groups than the kernel's 65536", Remedy: "name fewer groups"}
	}
	for _, g := range groups {
		p, err := parsePrincipal(g, g)
		if err != nil {
			return wish{}, err
		}
		w.extra = append(w.extra, p)
	}
	return w, nil
}

// parsePrincipal reads half of input. What is all digits is a number and never a name: the image must not be
// able to turn the 1000 that was asked for into whatever an entry called "1000" says.
func parsePrincipal(input, half string) (principal, error) {
	bad := func(reason string) (principal, error) {
		return principal{}, &UserError{Input: input, Reason: reason, Remedy: "write name, uid, name:group or uid:gid"}
	}
	switch {
	case len(input) > maxInput:
		return bad("it is too long")
	case half == "":
		return bad("a user or group is empty")
	case isDigits(half):
		id, ok := parseID(half)
		if !ok {
			return bad("the number is not from 0 to 4294967294")
		}
		return principal{id: id, numeric: true}, nil
	case !isName(half):
		return bad("it is neither a number from 0 to 4294967294 nor a name (a letter or _, then letters, digits, _, . and -)")
	}
	return principal{name: half}, nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isName reports whether s is a name that can be asked for. Names that begin with a digit, a sign or a space are
// none: "0x0", "-1" and " 0" are numbers to some readers. Who has such an entry asks for its number.
func isName(s string) bool {
	s = strings.TrimSuffix(s, "$") // as Samba's machine accounts end
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		later := '0' <= c && c <= '9' || c == '.' || c == '-'
		if !letter && (i == 0 || !later) {
			return false
		}
	}
	return s != ""
}

// parseID reads a decimal number up to MaxID, and nothing else.
func parseID(s string) (uint32, bool) {
	if s == "" {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > MaxID {
			return 0, false
		}
	}
	return uint32(n), true
}
