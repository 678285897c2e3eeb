package imageconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var (
	// ErrInstruction reports an instruction that changes no configuration, or that there is not.
	ErrInstruction = errors.New("not an instruction that changes an image's configuration")

	// ErrSyntax reports an instruction whose arguments can not be read.
	ErrSyntax = errors.New("arguments not understood")
)

// Error reports the instruction that could not be applied.
type Error struct {
	Line        int    // counted from 1, over all instructions together
	Instruction string // as it was given
	Err         error
	Hint        string // one remedy, if there is one
}

// Error names the line, the instruction and the remedy.
func (e *Error) Error() string {
	msg := fmt.Sprintf("change in line %d: %.200q: %v", e.Line, e.Instruction, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Apply applies the instructions in turn. Each string is one of them or several on lines of their own; a backslash at the
// end of a line continues it, empty lines and those that begin with "#" are nothing. On error the configuration is as it
// was.
//
// Variables of the configuration's environment, $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}, are put in as in
// a Dockerfile: in the arguments of ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR. An ENTRYPOINT removes the
// CMD that the configuration had before.
//
// Errors: *Error around ErrInstruction or ErrSyntax.
func Apply(c *v1.Config, instructions []string) error {
	changed := clone(c)
	a := applier{c: changed}
	line := 0
	for _, text := range instructions {
		for _, l := range lines(text) {
			if err := a.apply(l.text); err != nil {
				e := &Error{Line: line + l.number, Instruction: l.text, Err: err}
				var h *hinted
				if errors.As(err, &h) {
					e.Err, e.Hint = h.err, h.hint
				}
				return e
			}
		}
		line += strings.Count(text, "\n") + 1
	}
	*c = *changed
	return nil
}

// clone copies what instructions change in place.
func clone(c *v1.Config) *v1.Config {
	d := *c
	d.Env, d.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	d.Labels, d.Volumes, d.ExposedPorts = maps.Clone(c.Labels), maps.Clone(c.Volumes), maps.Clone(c.ExposedPorts)
	return &d
}

// logical is one instruction.
type logical struct {
	number int // of its first line, from 1
	text   string
}

// lines joins continued lines.
func lines(text string) []logical {
	var out []logical
	var parts []string
	start := 0
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, "\r")
		if trimmed := strings.TrimSpace(l); trimmed == "" && len(parts) == 0 || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if len(parts) == 0 {
			start = i + 1
		}
		head, more := strings.CutSuffix(strings.TrimRight(l, " \t"), `\`)
		if parts = append(parts, head); more {
			continue
		}
		out, parts = append(out, logical{start, strings.TrimSpace(strings.Join(parts, ""))}), nil
	}
	if len(parts) > 0 {
		out = append(out, logical{start, strings.TrimSpace(strings.Join(parts, ""))})
	}
	return out
}

// hinted is an error with a remedy.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

func syntax(hint, format string, args ...any) error {
	return &hinted{fmt.Errorf("%w: "+format, append([]any{ErrSyntax}, args...)...), hint}
}

// applier is a configuration that is being changed.
type applier struct {
	c      *v1.Config
	cmdSet bool // by an instruction
}

func (a *applier) apply(text string) error {
	name, args := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		name, args = text[:i], strings.TrimSpace(text[i:])
	}
	if strings.ContainsRune(text, 0) {
		return syntax("", "a NUL byte")
	}
	do := map[string]func(string) error{
		"CMD": a.cmd, "ENTRYPOINT": a.entrypoint, "ENV": a.env, "EXPOSE": a.expose, "HEALTHCHECK": a.healthcheck,
		"LABEL": a.label, "ONBUILD": a.onbuild, "STOPSIGNAL": a.stopsignal, "USER": a.user, "VOLUME": a.volume,
		"WORKDIR": a.workdir,
	}[strings.ToUpper(name)]
	if do == nil {
		return &hinted{ErrInstruction, "there are CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR"}
	}
	if args == "" && !strings.EqualFold(name, "CMD") && !strings.EqualFold(name, "ENTRYPOINT") {
		return syntax("", "there are none")
	}
	return do(args)
}
