package caisson

import (
	"fmt"
	"strings"
	"syscall"
)

// maxPath is PATH_MAX without its NUL, which no system call takes more than. A directory is a step of the
// plan for each of its parts, so that this also bounds the plan.
const maxPath = 4095

// checkPath refuses what the kernel would cut at its first NUL, or not take.
func checkPath(p string) error {
	switch {
	case strings.IndexByte(p, 0) >= 0:
		return fmt.Errorf("the path %q holds a NUL", shorten(p))
	case len(p) > maxPath:
		return fmt.Errorf("the path has %d bytes, more than %d: %w", len(p), maxPath, syscall.ENAMETOOLONG)
	}
	return nil
}

// shorten cuts what is repeated in a message.
func shorten(s string) string {
	if len(s) <= maxPath {
		return s
	}
	return s[:maxPath] + "..."
}
