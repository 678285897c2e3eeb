package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"
)

func listCommands() []command {
	return []command{
		{"ls", "", "list the images", 0, (*app).list},
		{"inspect", "IMAGE...", "show all that is known of images", 1, (*app).inspect},
		{"history", "IMAGE", "show the steps that made an image", 1, (*app).history},
		{"df", "", "show what the images take on the disk", 0, (*app).diskUsage},
	}
}

// table aligns columns.
func table() *tabwriter.Writer { return tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0) }

func (a *app) list(ctx context.Context, _ []string) error {
	t := table()
	fmt.Fprintln(t, "NAME\tID\tCREATED\tSIZE")
	for img, err := range a.engine.Images(ctx) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "images:", err) // the others are listed all the same
			continue
		}
		info, err := img.Inspect(ctx)
		if err != nil {
			return err
		}
		name := img.Ref()
		if name == "" {
			name = "<none>"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, short(info.ID), info.Created.Format(time.DateOnly), size(info.Size))
	}
	return t.Flush()
}

func (a *app) inspect(ctx context.Context, args []string) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	for _, name := range args {
		img, err := a.engine.Image(ctx, name)
		if err != nil {
			return err
		}
		info, err := img.Inspect(ctx)
		if err != nil {
			return err
		}
		if err := e.Encode(info); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) history(ctx context.Context, args []string) error {
	img, err := a.engine.Image(ctx, args[0])
	if err != nil {
		return err
	}
	info, err := img.Inspect(ctx)
	if err != nil {
		return err
	}
	t := table()
	fmt.Fprintln(t, "CREATED\tSIZE\tBY\tCOMMENT")
	for i := len(info.History) - 1; i >= 0; i-- {
		h := info.History[i]
		fmt.Fprintf(t, "%s\t%s\t%.60q\t%s\n", h.Created.Format(time.DateOnly), size(h.Size), h.CreatedBy, h.Comment)
	}
	return t.Flush()
}

func (a *app) diskUsage(ctx context.Context, _ []string) error {
	u, err := a.engine.DiskUsage(ctx)
	if err != nil {
		return err
	}
	t := table()
	fmt.Fprintln(t, "NAMES\tSIZE\tSHARED\tUNIQUE\tIN USE")
	for _, i := range u.Images {
		fmt.Fprintf(t, "%v\t%s\t%s\t%s\t%v\n", i.Names, size(i.Size), size(i.Shared), size(i.Unique), i.InUse)
	}
	fmt.Fprintf(t, "%d blobs\t%s\n%d layers\t%s\nreclaimable\t%s\n",
		u.Blobs.Number, size(u.Blobs.Bytes), u.Layers.Number, size(u.Layers.Bytes), size(u.Reclaimable))
	return t.Flush()
}

// short is as much of a digest as people compare.
func short(digest string) string { return digest[len("sha256:"):][:12] }

// size is a number of bytes for people.
func size(n int64) string {
	const units = "kMGT"
	if n < 1000 {
		return fmt.Sprint(n, " B")
	}
	f, unit := float64(n)/1000, 0
	for ; f >= 1000 && unit < len(units)-1; unit++ {
		f /= 1000
	}
	return fmt.Sprintf("%.1f %cB", f, units[unit])
}
