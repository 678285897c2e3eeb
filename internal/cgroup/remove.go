package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Remove removes the group and the groups below it, once their last process has ended. It waits for that
// until ctx is done. A group that is gone is no error.
func (g *Group) Remove(ctx context.Context) error {
	return g.remove(ctx, func(dir) error { return nil })
}

// Destroy kills whatever is in the group, and removes it. Whatever is left when ctx is done is an error.
func (g *Group) Destroy(ctx context.Context) error {
	return g.remove(ctx, func(d dir) error {
		if pids, ok := g.dirOf("pids"); ok && !d.v2 {
			// Nobody is to be born any more while they are killed one by one. The group goes anyway.
			_ = write(filepath.Join(pids.path, "pids.max"), "0")
		}
		if err := d.kill(); !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		return nil // some were born all the same; there is another round
	})
}

// remove removes the directories. Killing comes only after the kernel has refused to remove one: it does
// exactly if there is a process in it, and mostly there is none.
func (g *Group) remove(ctx context.Context, kill func(dir) error) error {
	var errs []error
	for _, d := range g.dirs {
		if g.nested {
			_ = syscall.Rmdir(d.inside().path) // or the first try would always be in vain
		}
		errs = append(errs, d.remove(ctx, kill))
	}
	if g.nested {
		g.removeAbove()
	}
	return errors.Join(errs...)
}

func (d dir) remove(ctx context.Context, kill func(dir) error) error {
	var pause backoff
	for {
		err := rmdir(d.path)
		switch {
		case err == nil || gone(err):
			return nil
		case !errors.Is(err, syscall.EBUSY):
			return fail("remove", d.path, err)
		}
		if err := kill(d); err != nil {
			return err
		}
		if d.v2 {
			// Should it fail for another reason than ctx, the pause does.
			_ = awaitEvent(ctx, d.path, "populated", "0")
		}
		// Version 1 does not tell when a group becomes empty, and either version may refuse for a moment more.
		if stopped := pause.wait(ctx); stopped != nil {
			return fail("remove", d.path, fmt.Errorf("%w: %w", err, stopped))
		}
	}
}

// rmdir removes a group with the groups below it.
func rmdir(path string) error {
	err := syscall.Rmdir(path)
	if !errors.Is(err, syscall.EBUSY) {
		return err
	}
	entries, readErr := os.ReadDir(path)
	if readErr != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := rmdir(filepath.Join(path, e.Name())); err != nil && !gone(err) {
			return err
		}
	}
	return syscall.Rmdir(path)
}
