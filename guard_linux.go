package caisson

import (
	"os"
	"sync"

	"github.com/caisson-go/caisson/internal/guardian"
)

// theGuardian ends every attached container of this program when the program dies, however it dies. It is
// with theEmptyMounts the only global state of the package: a process for the whole program, not one for each engine.
// There is none while there are no containers.
var theGuardian = sync.OnceValue(func() *guardian.Guardian { return guardian.New(os.TempDir()) })

// guard has a process killed when this program dies, until it is reaped.
func (s *startup) guard(pid int) error {
	if !s.guarded {
		return nil
	}
	entry, err := theGuardian().Add(pid)
	if err != nil {
		return &Error{"guard", itoa(pid), err, "without it the container would outlive this program"}
	}
	s.entry = entry
	return nil
}
