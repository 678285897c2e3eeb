package registry

import (
	"fmt"
	"strings"
)

// parseMirror reads a mirror: a host, maybe with a port and the path below which the mirror has the repositories.
func parseMirror(m string) (host, prefix string, err error) {
	host, path, _ := strings.Cut(strings.TrimSuffix(m, "/"), "/")
	if !validHost(host) || path != "" && !components.MatchString(path) {
		return "", "", fmt.Errorf("%w: mirror %.200q is not host[:port][/path]", ErrReference, m)
	}
	if path != "" {
		path += "/"
	}
	if host == "docker.io" {
		host = dockerHub
	}
	return host, path, nil
}

// checkMirrors refuses what is no mirror before anybody is asked.
func checkMirrors(mirrors map[string][]string) error {
	for _, list := range mirrors {
		for _, m := range list {
			if _, _, err := parseMirror(m); err != nil {
				return err
			}
		}
	}
	return nil
}
