package caisson

import (
	"context"
	"os"

	"github.com/caisson-go/caisson/internal/plan"
)

// emptyNamespace is an empty mount namespace for a container to begin in, or nil. It stays there until the
// container's end.
func (e *Engine) emptyNamespace(sup *Support, u *undo) *os.File {
	if !sup.Privileged {
		return nil
	}
	ns, err := theEmptyMounts().take(e.makeEmpty)
	u.push(func() error {
		theEmptyMounts().giveBack()
		return nil
	})
	if err != nil {
		e.log().Debug("containers begin with a copy of the host's mounts", "error", err)
	}
	return ns
}

func (e *Engine) makeEmpty() (ns *os.File, err error) {
	config := &plan.Config{Args: []string{"empty mount namespace"}}
	p := plan.CompileEmpty(config)
	defer p.Recycle()
	err = serveTape(context.Background(), e, p, config, nil, func(_ *startup, f *os.File) error {
		ns = f
		return nil
	})
	return ns, err
}
