package caisson_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/caisson-go/caisson"
)

// How far a pull is, as it goes.
func ExampleEngine_Pull_progress() {
	var engine caisson.Engine
	_, err := engine.Pull(context.Background(), "docker.io/library/alpine:3.20", &caisson.PullOptions{
		Progress: func(p caisson.Progress) { fmt.Printf("%.19s %s %d of %d\n", p.Digest, p.Phase, p.Done, p.Total) },
	})
	if err != nil {
		log.Fatal(err)
	}
}

// All images, as docker image ls lists them.
func ExampleEngine_Images() {
	ctx := context.Background()
	var engine caisson.Engine
	for img, err := range engine.Images(ctx) {
		if err != nil {
			log.Print(err) // one that is damaged; the others follow
			continue
		}
		fmt.Println(img.Ref(), img.ID())
	}
}

// The settings of an image.
func ExampleImage_Config() {
	img := exampleImage()
	c := img.Config()
	fmt.Println(c.Architecture, c.Config.User, c.Config.ExposedPorts, c.Config.Healthcheck)
}

// Everything that is known of an image, as JSON.
func ExampleImage_Inspect() {
	info, err := exampleImage().Inspect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(info); err != nil {
		log.Fatal(err)
	}
}

// The names that an image has now.
func ExampleImage_Names() {
	names, err := exampleImage().Names(context.Background())
	if errors.Is(err, fs.ErrNotExist) {
		log.Fatal("it has been removed")
	}
	fmt.Println(names, err)
}

// A further name, and a push under it.
func ExampleImage_Push() {
	ctx := context.Background()
	img := exampleImage()
	if err := img.Tag(ctx, "registry.example.com/team/alpine:3"); err != nil {
		log.Fatal(err)
	}
	err := img.Push(ctx, "registry.example.com/team/alpine:3", nil)
	if errors.Is(err, fs.ErrPermission) {
		log.Fatal("docker login registry.example.com would help: ", err)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// A name of one's own for what a test needs.
func ExampleImage_Tag() {
	if err := exampleImage().Tag(context.Background(), "base"); err != nil {
		log.Fatal(err)
	}
}

// The name goes; the image stays as long as it has others.
func ExampleEngine_Untag() {
	var engine caisson.Engine
	if err := engine.Untag(context.Background(), "base"); err != nil {
		log.Fatal(err)
	}
}

// As docker image rm.
func ExampleEngine_RemoveImage() {
	var engine caisson.Engine
	r, err := engine.RemoveImage(context.Background(), "alpine:3.20", nil)
	switch {
	case errors.Is(err, caisson.ErrInUse):
		log.Fatal("a container uses it")
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(r.Untagged, len(r.Deleted), "deleted,", r.Freed, "bytes freed")
}

// As docker image prune --all.
func ExampleEngine_PruneImages() {
	var engine caisson.Engine
	r, err := engine.PruneImages(context.Background(), &caisson.PruneImagesOptions{All: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Freed, "bytes freed")
}

// As docker system df.
func ExampleEngine_DiskUsage() {
	var engine caisson.Engine
	u, err := engine.DiskUsage(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range u.Images {
		fmt.Println(i.Names, i.Size, "bytes, of which", i.Unique, "are in no other image")
	}
	fmt.Println(u.Reclaimable, "bytes could be freed")
}

// Everything is read again. What is damaged is removed, and pulled anew.
func ExampleEngine_Check() {
	ctx := context.Background()
	var engine caisson.Engine
	for p, err := range engine.Check(ctx, &caisson.CheckOptions{Repair: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.Object, p.What)
		for _, ref := range p.Images {
			if _, err := engine.Pull(ctx, ref, nil); err != nil {
				log.Print(err)
			}
		}
	}
}

// Two images in one file, which docker load reads too.
func ExampleEngine_Save() {
	var engine caisson.Engine
	if err := engine.Save(context.Background(), os.Stdout, []string{"alpine:3.20", "busybox"}, nil); err != nil {
		log.Fatal(err)
	}
}

// What docker save has written, from standard input.
func ExampleEngine_Load() {
	var engine caisson.Engine
	images, err := engine.Load(context.Background(), os.Stdin, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, img := range images {
		fmt.Println(img)
	}
}

// A root filesystem that debootstrap has made becomes an image.
func ExampleEngine_ImportRootFS() {
	var engine caisson.Engine
	img, err := engine.ImportRootFS(context.Background(), os.Stdin, "debian:mine", &caisson.ImportOptions{
		Changes: []string{`CMD ["bash"]`, "ENV LANG=C.UTF-8"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.ID())
}

// An image that another library has made.
func ExampleEngine_Import() {
	ctx := context.Background()
	var engine caisson.Engine
	made, err := random.Image(1<<10, 2)
	if err != nil {
		log.Fatal(err)
	}
	img, err := engine.Import(ctx, made, "random:1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.ID())
}

// An image for another library.
func ExampleImage_V1() {
	img, err := exampleImage().V1()
	if err != nil {
		log.Fatal(err)
	}
	layers, err := img.Layers()
	fmt.Println(len(layers), err)
}

// The files of an image, without unpacking it: here as a web site.
func ExampleImage_FS() {
	files := exampleImage().FS()
	b, err := fs.ReadFile(files, "etc/alpine-release")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", b)
	log.Fatal(http.ListenAndServe("localhost:8080", http.FileServerFS(files)))
}

// The files of an image as one tar archive.
func ExampleImage_Export() {
	if err := exampleImage().Export(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// Docker Hub knows more than one can remember.
func ExampleEngine_Search() {
	var engine caisson.Engine
	for r, err := range engine.Search(context.Background(), "postgres", 10) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Name, r.Stars, r.Description)
	}
}

// The newest tags are not always the last ones.
func ExampleEngine_Tags() {
	var engine caisson.Engine
	for tag, err := range engine.Tags(context.Background(), "docker.io/library/alpine") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(tag)
	}
}

// What is in a registry of one's own.
func ExampleEngine_Catalog() {
	engine := caisson.Engine{Insecure: []string{"localhost:5000"}}
	for name, err := range engine.Catalog(context.Background(), "localhost:5000") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name)
	}
}

// The images of this engine for other hosts, which need a password to push.
func ExampleEngine_RegistryHandler() {
	var engine caisson.Engine
	handler, err := engine.RegistryHandler(&caisson.RegistryOptions{
		Push: true,
		Auth: func(r *http.Request, repository string, action caisson.RegistryAction) error {
			if _, password, _ := r.BasicAuth(); password != "secret" {
				return &caisson.RegistryChallenge{Header: `Basic realm="images"`}
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer handler.Close()
	log.Print(http.ListenAndServe("localhost:5000", handler))
}

// The handler is one for http.Server, behind whatever else a program serves.
func ExampleRegistryHandler_ServeHTTP() {
	var engine caisson.Engine
	registry, err := engine.RegistryHandler(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry)
	log.Print(http.ListenAndServe("localhost:8080", mux))
}

// exampleImage is an image that was pulled some time ago.
func exampleImage() *caisson.Image {
	var engine caisson.Engine
	img, err := engine.Image(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	return img
}
