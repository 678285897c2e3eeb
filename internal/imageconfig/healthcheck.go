package imageconfig

import (
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// healthcheck reads "NONE", or options and "CMD" with a command in either form.
func (a *applier) healthcheck(args string) error {
	if strings.EqualFold(args, "NONE") {
		a.c.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}}
		return nil
	}
	h := &v1.HealthConfig{}
	for strings.HasPrefix(args, "--") {
		option, rest, _ := strings.Cut(args, " ")
		if err := healthOption(h, option); err != nil {
			return err
		}
		args = strings.TrimSpace(rest)
	}
	word, command := args, ""
	if i := strings.IndexAny(args, " \t["); i >= 0 {
		word, command = args[:i], strings.TrimSpace(args[i:])
	}
	if !strings.EqualFold(word, "CMD") || command == "" {
		return syntax("write HEALTHCHECK NONE, or HEALTHCHECK [options] CMD command", "%.100q", args)
	}
	if list, ok := jsonForm(command); ok && len(list) > 0 {
		h.Test = append([]string{"CMD"}, list...)
	} else {
		h.Test = []string{"CMD-SHELL", command}
	}
	a.c.Healthcheck = h
	return nil
}

// healthOption reads one option. A duration is at least a millisecond, as Docker wants it; zero is the default.
func healthOption(h *v1.HealthConfig, option string) error {
	name, value, _ := strings.Cut(option, "=")
	if name == "--retries" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return syntax("write --retries=3", "%.100q", option)
		}
		h.Retries = n
		return nil
	}
	d, ok := map[string]*time.Duration{
		"--interval": &h.Interval, "--timeout": &h.Timeout, "--start-period": &h.StartPeriod,
	}[name]
	if !ok {
		return syntax("there are --interval, --timeout, --start-period and --retries", "%.100q", option)
	}
	v, err := time.ParseDuration(value)
	if err != nil || v != 0 && v < time.Millisecond {
		return syntax("write a duration such as 30s, at least 1ms", "%.100q", option)
	}
	*d = v
	return nil
}
