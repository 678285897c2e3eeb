package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/caisson-go/caisson"
)

func containerCommands() []command {
	return []command{
		{"commit", "IMAGE REFERENCE COMMAND...", "run a command, and make an image of what it leaves", 3, (*app).commit},
		{"diff", "IMAGE COMMAND...", "run a command, and list what it has changed", 2, (*app).diff},
		{"snapshot", "IMAGE COMMAND...", "run a command, and keep what it leaves until the machine restarts", 2, (*app).snapshot},
		{"snapshots", "", "list the snapshots; each is an IMAGE too", 0, (*app).snapshots},
	}
}

// ran runs a command in a container, which is still there when the command has ended, and lets it be used.
func (a *app) ran(ctx context.Context, image string, args []string, use func(*caisson.Container) error) (err error) {
	img, err := a.engine.Image(ctx, image) // which knows "snapshot:ID", "dir:PATH" and "host" too
	if err != nil {
		return err
	}
	c := img.Command(args...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stderr, os.Stderr // standard output is for the result
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Start(ctx); err != nil {
		return err
	}
	if err := c.Wait(ctx); err != nil {
		return err
	}
	return use(c)
}

func (a *app) commit(ctx context.Context, args []string) error {
	return a.ran(ctx, args[0], args[2:], func(c *caisson.Container) error {
		img, err := c.Commit(ctx, args[1], &caisson.CommitOptions{Changes: a.changes, Message: a.message})
		if err == nil {
			fmt.Println(img.Ref(), img.ID())
		}
		return err
	})
}

func (a *app) diff(ctx context.Context, args []string) error {
	letters := map[caisson.ChangeKind]string{caisson.ChangeAdded: "A", caisson.ChangeModified: "C", caisson.ChangeDeleted: "D"}
	return a.ran(ctx, args[0], args[1:], func(c *caisson.Container) error {
		for change, err := range c.Diff(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(letters[change.Kind], change.Path)
		}
		return nil
	})
}

func (a *app) snapshot(ctx context.Context, args []string) error {
	return a.ran(ctx, args[0], args[1:], func(c *caisson.Container) error {
		s, err := c.Snapshot(ctx)
		if err == nil {
			fmt.Println(s.Image().ID())
		}
		return err
	})
}

func (a *app) snapshots(ctx context.Context, _ []string) error {
	for s, err := range a.engine.Snapshots(ctx) {
		if err != nil {
			return err
		}
		fmt.Println(s.Image().ID())
	}
	return nil
}

// removeSnapshot removes what the command snapshot has made, if that is what is named.
func (a *app) removeSnapshot(ctx context.Context, name string) (is bool, err error) {
	id, is := strings.CutPrefix(name, "snapshot:")
	if !is {
		return false, nil
	}
	s, err := a.engine.Snapshot(ctx, id)
	if err != nil {
		return true, err
	}
	return true, s.Remove(ctx)
}
