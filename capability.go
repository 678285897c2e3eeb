package caisson

import (
	"errors"
	"strings"

	"github.com/caisson-go/caisson/internal/plan"
)

// capabilities is the set that the profile leaves.
func capabilities(s *Security) (uint64, error) {
	set := uint64(0)
	for _, n := range defaultCapabilities {
		bit, _ := capability(n)
		set |= bit
	}
	for _, change := range []struct {
		names []string
		apply func(bit uint64)
	}{{s.DropCapabilities, func(b uint64) { set &^= b }}, {s.AddCapabilities, func(b uint64) { set |= b }}} {
		for _, n := range change.names {
			bit, err := capability(n)
			if err != nil {
				return 0, err
			}
			change.apply(bit)
		}
	}
	return set, nil
}

func capability(name string) (uint64, error) {
	short := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	if short == "ALL" {
		return plan.AllCaps, nil
	}
	for i, n := range plan.CapNames {
		if n == short {
			return 1 << i, nil
		}
	}
	return 0, &Error{"capabilities", name, errors.New("no such capability"), "capabilities(7) lists them"}
}
