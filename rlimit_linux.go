package caisson

import (
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
)

// descriptorLimit is the limit of open files that programs get: 1024, as select(2) wants it, with this program's own
// hard limit. The Go runtime has raised this program's soft limit as far as it goes, which is meant for no other.
func descriptorLimit() plan.Rlimit {
	var own syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own); err != nil {
		return plan.Rlimit{}
	}
	return plan.Rlimit{Soft: min(1024, own.Max), Hard: own.Max}
}
