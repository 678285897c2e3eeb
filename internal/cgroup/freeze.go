package cgroup

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
)

// Freeze stops every process in the group and in the groups below it, and returns when all stand still.
// On error they run on.
func (g *Group) Freeze(ctx context.Context) error {
	d, file, value, err := g.state(true)
	if err != nil {
		return err
	}
	if err := write(file, value); err != nil {
		return fail("freeze", file, err)
	}
	if d.v2 {
		err = awaitEvent(ctx, d.path, "frozen", "1")
	} else {
		err = awaitFrozen(ctx, d.path)
	}
	if err != nil {
		return errors.Join(fail("freeze", file, err), g.Thaw())
	}
	return nil
}

// Thaw lets them go on.
func (g *Group) Thaw() error {
	_, file, value, err := g.state(false)
	if err != nil {
		return err
	}
	return fail("thaw", file, write(file, value))
}

// state is the file that freezes, and what to write there.
func (g *Group) state(frozen bool) (d dir, file, value string, err error) {
	values := map[bool]string{true: "1", false: "0"}
	name := "cgroup.freeze"
	d, ok := g.unified()
	if !ok {
		d, ok = g.freezer()
		name, values = "freezer.state", map[bool]string{true: "FROZEN", false: "THAWED"}
	}
	if !ok {
		return d, "", "", &Error{"freeze", "the group", errors.ErrUnsupported, "it is neither in version 2 nor with version 1's freezer; one that NewCgroup made is"}
	}
	return d, filepath.Join(d.path, name), values[frozen], nil
}

// awaitFrozen waits for version 1, which announces nothing and looks after its tasks only when it is
// asked; cgroup-v1/freezer-subsystem.rst.
func awaitFrozen(ctx context.Context, dir string) error {
	var pause backoff
	for !slices.Contains(words(dir, "freezer.state"), "FROZEN") {
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
