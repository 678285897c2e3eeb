package caisson_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"

	"github.com/caisson-go/caisson"
)

// An image of a registry. It is pulled the first time, and there from then on.
func ExampleEngine_Pull() {
	ctx := context.Background()
	var engine caisson.Engine
	img, err := engine.Pull(ctx, "docker.io/library/alpine:3.20", nil)
	if err != nil {
		log.Fatal(err)
	}
	out, err := img.Command("cat", "/etc/alpine-release").Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// The newest image of a tag, for another processor, from a registry on this machine without TLS.
func ExampleEngine_Pull_options() {
	engine := caisson.Engine{Insecure: []string{"localhost:5000"}}
	img, err := engine.Pull(context.Background(), "localhost:5000/tool:latest", &caisson.PullOptions{
		Policy:   caisson.PullAlways,
		Platform: "linux/arm64",
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		log.Fatal("there is no such image, or none for arm64: ", err)
	case errors.Is(err, fs.ErrPermission):
		log.Fatal("docker login would help: ", err)
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(img.ID())
}

// An image that is here already. No registry is asked.
func ExampleEngine_Image() {
	var engine caisson.Engine
	img, err := engine.Image(context.Background(), "alpine:3.20")
	if errors.Is(err, fs.ErrNotExist) {
		log.Fatal("pull it first")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Ref(), img.ID())
}

// What this host can do, for people.
func ExampleProbe() {
	support, err := caisson.Probe(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if !support.Container.Works() {
		log.Fatal("no containers here: ", support.Container.Remedy)
	}
	fmt.Println(support)
}

// What this host cannot do, for a program.
func ExampleSupport_Features() {
	support, err := caisson.Probe(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for group, feature := range support.Features() {
		if feature.State == caisson.FeatureFails {
			fmt.Printf("%s: %s: %s\n", group, feature.Name, feature.Remedy)
		}
	}
}
