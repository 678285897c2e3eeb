package imageconfig

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

func (a *applier) cmd(args string) error {
	a.c.Cmd, a.c.ArgsEscaped, a.cmdSet = nil, false, true
	if args != "" {
		a.c.Cmd = commandLine(a.c, args)
	}
	return nil
}

// entrypoint removes a command that was meant for the entrypoint before.
func (a *applier) entrypoint(args string) error {
	a.c.Entrypoint = nil
	if args != "" {
		a.c.Entrypoint = commandLine(a.c, args)
	}
	if !a.cmdSet {
		a.c.Cmd = nil
	}
	return nil
}

func (a *applier) env(args string) error {
	return a.pairs(args, func(name, value string) {
		kv := name + "=" + value
		for i, old := range a.c.Env {
			if k, _, _ := strings.Cut(old, "="); k == name {
				a.c.Env[i] = kv
				return
			}
		}
		a.c.Env = append(a.c.Env, kv)
	})
}

func (a *applier) label(args string) error {
	return a.pairs(args, func(name, value string) {
		if a.c.Labels == nil {
			a.c.Labels = map[string]string{}
		}
		a.c.Labels[name] = value
	})
}

// pairs reads name=value pairs, or one "name value". All values are read before the first is set, so that they see the
// variables as they were.
func (a *applier) pairs(args string, set func(name, value string)) error {
	words, err := split(args)
	if err != nil {
		return err
	}
	if !strings.Contains(words[0], "=") {
		if len(words) < 2 {
			return syntax("write name=value", "%.100q has no value", words[0])
		}
		// The old form: everything behind the name is the value, spaces and all.
		words = []string{words[0] + "=" + strings.TrimSpace(args[len(words[0]):])}
	}
	type pair struct{ name, value string }
	var all []pair
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return syntax("write name=value, and quotes around a value with spaces", "%.100q has no value", w)
		}
		var p pair
		if p.name, err = a.expand(name); err == nil {
			p.value, err = a.expand(value)
		}
		if err != nil {
			return err
		}
		if p.name == "" {
			return syntax("write name=value", "%.100q has no name", w)
		}
		all = append(all, p)
	}
	for _, p := range all {
		set(p.name, p.value)
	}
	return nil
}

var portSpec = regexp.MustCompile(`^([0-9]{1,5})(-[0-9]{1,5})?(/(tcp|udp|sctp))?$`)

func (a *applier) expose(args string) error {
	words, err := a.words(args)
	if err != nil {
		return err
	}
	for _, w := range words {
		m := portSpec.FindStringSubmatch(strings.ToLower(w))
		if m == nil {
			return syntax("write port, port/udp or first-last/tcp", "%.100q is no port", w)
		}
		first, _ := strconv.Atoi(m[1])
		last := first
		if m[2] != "" {
			last, _ = strconv.Atoi(m[2][1:])
		}
		if first < 1 || last < first || last > 65535 {
			return syntax("ports are 1 to 65535", "%.100q is no port", w)
		}
		proto := m[4]
		if proto == "" {
			proto = "tcp"
		}
		if a.c.ExposedPorts == nil {
			a.c.ExposedPorts = map[string]struct{}{}
		}
		for p := first; p <= last; p++ {
			a.c.ExposedPorts[fmt.Sprintf("%d/%s", p, proto)] = struct{}{}
		}
	}
	return nil
}

// words expands the words of an argument.
func (a *applier) words(args string) ([]string, error) {
	words, err := split(args)
	if err != nil {
		return nil, err
	}
	for i, w := range words {
		if words[i], err = a.expand(w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func (a *applier) onbuild(args string) error {
	switch trigger, _, _ := strings.Cut(args, " "); strings.ToUpper(trigger) {
	case "ONBUILD", "FROM", "MAINTAINER":
		return syntax("", "%s can not be a trigger", strings.ToUpper(trigger))
	}
	a.c.OnBuild = append(a.c.OnBuild, args)
	return nil
}

var signalSpec = regexp.MustCompile(`^([0-9]{1,2}|(SIG)?[A-Z][A-Z0-9]*([+-][0-9]{1,2})?)$`)

func (a *applier) stopsignal(args string) error {
	s, err := a.expand(args)
	if err != nil {
		return err
	}
	n, nerr := strconv.Atoi(s)
	if !signalSpec.MatchString(s) || nerr == nil && (n < 1 || n > 64) {
		return syntax("write SIGTERM, TERM or 15", "%.100q is no signal", s)
	}
	a.c.StopSignal = s
	return nil
}

func (a *applier) user(args string) error {
	words, err := a.words(args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return syntax("write user, user:group or numbers", "%d words", len(words))
	}
	a.c.User = words[0]
	return nil
}

func (a *applier) volume(args string) error {
	list, ok := jsonForm(args)
	if !ok {
		var err error
		if list, err = a.words(args); err != nil {
			return err
		}
	}
	for _, v := range list {
		if strings.TrimSpace(v) == "" {
			return syntax("name a directory", "an empty name")
		}
		if a.c.Volumes == nil {
			a.c.Volumes = map[string]struct{}{}
		}
		a.c.Volumes[v] = struct{}{}
	}
	return nil
}

// workdir is relative to the one before.
func (a *applier) workdir(args string) error {
	dir, err := a.expand(args)
	if err != nil {
		return err
	}
	if !path.IsAbs(dir) {
		dir = path.Join("/", a.c.WorkingDir, dir)
	}
	a.c.WorkingDir = path.Clean(dir)
	return nil
}
