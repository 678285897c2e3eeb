package registry

import "strings"

// challenge is one way that a server offers to prove who one is. Source: RFC 9110, section 11.6.1.
type challenge struct {
	scheme string            // lower case: "basic", "bearer"
	params map[string]string // names in lower case
}

// maxChallenges bounds what is read of an answer.
const maxChallenges = 8

// challenges reads the WWW-Authenticate headers of an answer. What is malformed ends the header that it is in.
func challenges(headers []string) []challenge {
	var out []challenge
	for _, h := range headers {
		for h = strings.TrimLeft(h, " \t,"); h != "" && len(out) < maxChallenges; h = strings.TrimLeft(h, " \t,") {
			var scheme string
			if scheme, h = token(h); scheme == "" {
				break
			}
			c := challenge{strings.ToLower(scheme), map[string]string{}}
			h = c.parameters(h)
			out = append(out, c)
		}
	}
	return out
}

// parameters reads name=value, name="value" up to the next scheme, and returns the rest.
func (c *challenge) parameters(h string) string {
	for {
		rest := strings.TrimLeft(h, " \t,")
		name, after := token(rest)
		after = strings.TrimLeft(after, " \t")
		if name == "" || !strings.HasPrefix(after, "=") {
			return rest // of another challenge, or nothing
		}
		value, after, ok := value(strings.TrimLeft(after[1:], " \t"))
		if !ok {
			return ""
		}
		if name = strings.ToLower(name); c.params[name] == "" {
			c.params[name] = value
		}
		h = after
	}
}

// token reads a token, as RFC 9110 has it in section 5.6.2.
func token(s string) (tok, rest string) {
	i := strings.IndexFunc(s, func(r rune) bool {
		alnum := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
	if i < 0 {
		i = len(s)
	}
	return s[:i], s[i:]
}

// value reads a token or a quoted string; section 5.6.4.
func value(s string) (val, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		val, rest = token(s)
		return val, rest, val != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
