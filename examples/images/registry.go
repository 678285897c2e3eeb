package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/examples/internal/progress"
)

func registryCommands() []command {
	return []command{
		{"pull", "IMAGE...", "get images from registries", 1, (*app).pull},
		{"push", "IMAGE [REFERENCE]", "send an image to a registry", 1, (*app).push},
		{"tags", "REPOSITORY", "list the tags of a repository", 1, (*app).tags},
		{"catalog", "REGISTRY", "list the repositories of a registry", 1, (*app).catalog},
		{"search", "TERM", "look for repositories", 1, (*app).search},
		{"serve", "", "serve the images as a registry, for pulling and pushing", 0, (*app).serve},
	}
}

func (a *app) pull(ctx context.Context, args []string) error {
	for _, ref := range args {
		show, done := progress.Show(os.Stderr)
		img, err := a.engine.Pull(ctx, ref, &caisson.PullOptions{
			Policy: caisson.PullAlways, Platform: a.platform, AllPlatforms: a.all, Progress: show,
		})
		done()
		if err != nil {
			return err
		}
		fmt.Println(img.Ref(), img.ID())
	}
	return nil
}

func (a *app) push(ctx context.Context, args []string) error {
	img, err := a.engine.Image(ctx, args[0])
	if err != nil {
		return err
	}
	to := img.Ref()
	if len(args) > 1 {
		to = args[1]
	}
	show, done := progress.Show(os.Stderr)
	defer done()
	return img.Push(ctx, to, &caisson.PushOptions{AllPlatforms: a.all, Progress: show})
}

func (a *app) tags(ctx context.Context, args []string) error {
	for tag, err := range a.engine.Tags(ctx, args[0]) {
		if err != nil {
			return err
		}
		fmt.Println(tag)
	}
	return nil
}

func (a *app) catalog(ctx context.Context, args []string) error {
	for name, err := range a.engine.Catalog(ctx, args[0]) {
		if err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

func (a *app) search(ctx context.Context, args []string) error {
	for r, err := range a.engine.Search(ctx, args[0], 0) {
		if err != nil {
			return err
		}
		fmt.Printf("%-40s %6d  %s\n", r.Name, r.Stars, r.Description)
	}
	return nil
}

func (a *app) serve(ctx context.Context, _ []string) error {
	h, err := a.engine.RegistryHandler(&caisson.RegistryOptions{Push: true, Delete: true})
	if err != nil {
		return err
	}
	server := &http.Server{Addr: a.listen, Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err = server.ListenAndServe(); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, h.Close())
}
