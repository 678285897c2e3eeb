package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/caisson-go/caisson"
)

func storeCommands() []command {
	return []command{
		{"tag", "IMAGE REFERENCE", "give an image a further name", 2, (*app).tag},
		{"untag", "REFERENCE...", "take names away", 1, (*app).untag},
		{"rm", "IMAGE...", "remove names, images with their last one, and snapshots", 1, (*app).remove},
		{"prune", "", "remove what nothing refers to", 0, (*app).prune},
		{"check", "", "read everything again and compare it", 0, (*app).check},
	}
}

func (a *app) tag(ctx context.Context, args []string) error {
	img, err := a.engine.Image(ctx, args[0])
	if err != nil {
		return err
	}
	return img.Tag(ctx, args[1])
}

func (a *app) untag(ctx context.Context, args []string) error {
	for _, ref := range args {
		if err := a.engine.Untag(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) remove(ctx context.Context, args []string) error {
	for _, name := range args {
		if is, err := a.removeSnapshot(ctx, name); is {
			if err != nil {
				return err
			}
			continue
		}
		r, err := a.engine.RemoveImage(ctx, name, &caisson.RemoveImageOptions{Force: a.force})
		if err != nil {
			return err
		}
		report(r)
	}
	return nil
}

func (a *app) prune(ctx context.Context, _ []string) error {
	r, err := a.engine.PruneImages(ctx, &caisson.PruneImagesOptions{All: a.all})
	if r != nil {
		report(r)
	}
	return err
}

func report(r *caisson.Removed) {
	for _, name := range r.Untagged {
		fmt.Println("untagged:", name)
	}
	for _, digest := range r.Deleted {
		fmt.Println("deleted:", digest)
	}
	fmt.Println("freed:", size(r.Freed))
}

func (a *app) check(ctx context.Context, _ []string) error {
	found := 0
	for p, err := range a.engine.Check(ctx, &caisson.CheckOptions{Repair: a.force}) {
		if err != nil {
			return err
		}
		found++
		fmt.Printf("%s: %s; images %q; repaired %v; a pull brings it back: %v\n", p.Object, p.What, p.Images, p.Repaired, p.Pull)
	}
	if found > 0 && !a.force {
		return errors.New("damaged; -force removes it, so that a pull fetches it anew")
	}
	return nil
}
