package caisson_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/caisson-go/caisson"
)

// What a program has changed, as docker diff.
func ExampleContainer_Diff() {
	ctx := context.Background()
	c := pulledImage().Command("sh", "-c", "apk add git")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	for change, err := range c.Diff(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(change.Kind, change.Path)
	}
}

// An image of what a program has left.
func ExampleContainer_Commit() {
	ctx := context.Background()
	c := pulledImage().Command("sh", "-c", "apk add git")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	img, err := c.Commit(ctx, "alpine-git:1", &caisson.CommitOptions{Changes: []string{`ENTRYPOINT ["git"]`}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.ID())
}

// The files of a container as one tar archive.
func ExampleContainer_Export() {
	ctx := context.Background()
	c := pulledImage().Command("sleep", "60")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Export(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// pulledImage is an image that was pulled some time ago.
func pulledImage() *caisson.Image {
	var engine caisson.Engine
	img, err := engine.Image(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	return img
}
