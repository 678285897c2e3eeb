package imageconfig

import (
	"encoding/json"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// jsonForm reads a list of strings, the form that no shell sees. ok is false for anything else.
func jsonForm(args string) (list []string, ok bool) {
	if !strings.HasPrefix(args, "[") {
		return nil, false
	}
	var raw []*string // null is no string
	if json.Unmarshal([]byte(args), &raw) != nil {
		return nil, false
	}
	list = []string{}
	for _, s := range raw {
		if s == nil {
			return nil, false
		}
		list = append(list, *s)
	}
	return list, true
}

// commandLine reads a command in either form.
func commandLine(c *v1.Config, args string) []string {
	if list, ok := jsonForm(args); ok {
		return list
	}
	shell := c.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(append([]string{}, shell...), args)
}

// split cuts a text into words at spaces that are not quoted. Quotes and backslashes stay.
func split(text string) ([]string, error) {
	var words []string
	start, quote := -1, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if start < 0 && c != ' ' && c != '\t' {
			start = i
		}
		switch {
		case start < 0:
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == ' ' || c == '\t':
			words, start = append(words, text[start:i]), -1
		}
	}
	if quote != 0 {
		return nil, syntax("close the quote", "a quote that does not end")
	}
	if start >= 0 {
		words = append(words, text[start:])
	}
	return words, nil
}

// expand takes the quotes off a word and puts variables in.
func (a *applier) expand(word string) (string, error) {
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(word); i++ {
		c := word[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '\\' && quote != '\'' && i+1 < len(word):
			i++
			if quote == '"' && !strings.ContainsRune(`"$\`, rune(word[i])) {
				out.WriteByte('\\')
			}
			out.WriteByte(word[i])
		case c == '$' && quote != '\'':
			value, n, err := a.variable(word[i+1:])
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			i += n
		default:
			out.WriteByte(c)
		}
		if out.Len() > maxValue {
			return "", syntax("", "more than %d bytes", maxValue)
		}
	}
	return out.String(), nil
}

// maxValue bounds a value: a variable may refer to itself twice, and do so again.
const maxValue = 1 << 20

// variable reads what follows a "$", and says how much of it belongs to the variable. A "$" alone is itself.
func (a *applier) variable(rest string) (value string, n int, err error) {
	inner, braced := strings.CutPrefix(rest, "{")
	if !braced {
		n = nameLength(rest)
		if n == 0 {
			return "$", 0, nil
		}
		value, _ = a.lookup(rest[:n])
		return value, n, nil
	}
	end := strings.IndexByte(inner, '}')
	if end < 0 {
		return "", 0, syntax("write ${NAME}", "a ${ that does not end")
	}
	inner = inner[:end]
	name := inner[:nameLength(inner)]
	value, set := a.lookup(name)
	switch op, word := inner[len(name):], ""; {
	case name == "":
		return "", 0, syntax("write ${NAME}", "no name in ${%.100s}", inner)
	case op == "":
	case strings.HasPrefix(op, ":-"):
		if word = op[2:]; !set || value == "" {
			value = word
		}
	case strings.HasPrefix(op, ":+"):
		if word = op[2:]; set && value != "" {
			value = word
		}
	default:
		return "", 0, syntax("there are ${NAME}, ${NAME:-word} and ${NAME:+word}", "${%.100s}", inner)
	}
	return value, end + 2, nil
}

func nameLength(s string) int {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

func (a *applier) lookup(name string) (string, bool) {
	for _, kv := range a.c.Env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}
