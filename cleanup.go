package caisson

import "errors"

// undo is a stack of things to take back if a start fails half way.
type undo []func() error

// push adds a thing to take back.
func (u *undo) push(f func() error) { *u = append(*u, f) }

// run takes everything back, the last thing first, and forgets it.
func (u *undo) run() error {
	var errs []error
	for i := len(*u) - 1; i >= 0; i-- {
		errs = append(errs, (*u)[i]())
	}
	*u = nil
	return errors.Join(errs...)
}
