package main

import (
	"context"
	"fmt"
	"os"

	"github.com/caisson-go/caisson"
)

func fileCommands() []command {
	return []command{
		{"save", "IMAGE...", "write images as one archive to standard output", 1, (*app).save},
		{"load", "", "read images from an archive on standard input", 0, (*app).load},
		{"import", "[REFERENCE]", "make an image of a root filesystem, a tar archive on standard input", 0, (*app).importRootFS},
		{"export", "IMAGE", "write an image's files as a tar archive to standard output", 1, (*app).export},
	}
}

func (a *app) save(ctx context.Context, args []string) error {
	return a.engine.Save(ctx, os.Stdout, args, &caisson.SaveOptions{Format: caisson.ArchiveFormat(a.format)})
}

func (a *app) load(ctx context.Context, _ []string) error {
	o := &caisson.LoadOptions{Platform: a.platform, Kept: func(name string) {
		fmt.Fprintf(os.Stderr, "images: %s stays with the image that has it; -all moves it\n", name)
	}}
	if a.all {
		o.Names = caisson.AllNames
	}
	images, err := a.engine.Load(ctx, os.Stdin, o)
	for _, img := range images {
		fmt.Println(img.Ref(), img.ID())
	}
	return err
}

func (a *app) importRootFS(ctx context.Context, args []string) error {
	ref := ""
	if len(args) > 0 {
		ref = args[0]
	}
	o := &caisson.ImportOptions{Changes: a.changes, Message: a.message, Platform: a.platform}
	img, err := a.engine.ImportRootFS(ctx, os.Stdin, ref, o)
	if err == nil {
		fmt.Println(img.Ref(), img.ID())
	}
	return err
}

func (a *app) export(ctx context.Context, args []string) error {
	img, err := a.engine.Image(ctx, args[0])
	if err != nil {
		return err
	}
	return img.Export(ctx, os.Stdout)
}
