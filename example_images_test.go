package caisson_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/caisson-go/caisson"
)

// All images, as docker image ls lists them.
func ExampleEngine_Images() {
	engine, remove := exampleEngine() // one with an image
	defer remove()
	for img, err := range engine.Images(context.Background()) {
		if err != nil {
			log.Print(err) // one that is damaged; the others follow
			continue
		}
		fmt.Println(img.Ref())
	}
	// Output: docker.io/library/alpine:3.20
}

// The settings of an image.
func ExampleImage_Config() {
	img, remove := exampleImage()
	defer remove()
	c := img.Config()
	fmt.Println(c.OS, c.Architecture, c.Config.Cmd, c.Config.ExposedPorts)
	// Output: linux amd64 [/bin/sh] map[80/tcp:{}]
}

// Everything that is known of an image, and some of it as JSON.
func ExampleImage_Inspect() {
	img, remove := exampleImage()
	defer remove()
	info, err := img.Inspect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Platform, info.Created.Year(), len(info.Layers), "layer,", info.History[0].Comment)
	e := json.NewEncoder(os.Stdout)
	if err := e.Encode(info.Config.Cmd); err != nil {
		log.Fatal(err)
	}
	// Output:
	// linux/amd64 2024 1 layer, an example
	// ["/bin/sh"]
}

// The names that an image has now.
func ExampleImage_Names() {
	ctx := context.Background()
	img, remove := exampleImage()
	defer remove()
	if err := img.Tag(ctx, "localhost:5000/base"); err != nil {
		log.Fatal(err)
	}
	names, err := img.Names(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		log.Fatal("it has been removed")
	}
	fmt.Println(names, err)
	// Output: [docker.io/library/alpine:3.20 localhost:5000/base:latest] <nil>
}

// A name of one's own for what a test needs. It is the same image.
func ExampleImage_Tag() {
	ctx := context.Background()
	engine, remove := exampleEngine()
	defer remove()
	img, err := engine.Image(ctx, "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	if err := img.Tag(ctx, "base"); err != nil {
		log.Fatal(err)
	}
	base, err := engine.Image(ctx, "base")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(base.Ref(), base.ID() == img.ID())
	// Output: docker.io/library/base:latest true
}

// The name goes; the image stays, here without one.
func ExampleEngine_Untag() {
	ctx := context.Background()
	engine, remove := exampleEngine()
	defer remove()
	if err := engine.Untag(ctx, "alpine:3.20"); err != nil {
		log.Fatal(err)
	}
	for img, err := range engine.Images(ctx) {
		fmt.Printf("%q %v\n", img.Ref(), err)
	}
	// Output: "" <nil>
}

// As docker image rm.
func ExampleEngine_RemoveImage() {
	engine, remove := exampleEngine()
	defer remove()
	r, err := engine.RemoveImage(context.Background(), "alpine:3.20", nil)
	switch {
	case errors.Is(err, caisson.ErrInUse):
		log.Fatal("a container uses it: ", err)
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(r.Untagged, len(r.Deleted) > 0, r.Freed > 0)
	// Output: [docker.io/library/alpine:3.20] true true
}

// As docker image prune --all, for images that are older than a day and not marked to be kept.
func ExampleEngine_PruneImages() {
	engine, remove := exampleEngine()
	defer remove()
	r, err := engine.PruneImages(context.Background(), &caisson.PruneImagesOptions{
		All: true, Before: time.Now().AddDate(0, 0, -1), Without: []string{"keep"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Untagged)
	// Output: [docker.io/library/alpine:3.20]
}

// As docker system df.
func ExampleEngine_DiskUsage() {
	engine, remove := exampleEngine()
	defer remove()
	u, err := engine.DiskUsage(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, i := range u.Images {
		fmt.Println(i.Names, "shares", i.Shared, "bytes")
	}
	fmt.Println(u.Blobs.Number, "blobs;", "to be freed:", u.Reclaimable == u.Blobs.Bytes+u.Layers.Bytes)
	// Output:
	// [docker.io/library/alpine:3.20] shares 0 bytes
	// 3 blobs; to be freed: true
}

// Everything is read again. What is damaged is removed, and can be pulled anew.
func ExampleEngine_Check() {
	engine, remove := exampleEngine()
	defer remove()
	spoilBlob(engine.Dir)
	for p, err := range engine.Check(context.Background(), &caisson.CheckOptions{Repair: true}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.What, p.Images, p.Repaired, p.Pull)
	}
	// Output: content does not match its digest [docker.io/library/alpine:3.20] true true
}

// exampleEngine is an engine with the image alpine:3.20, or what could be it, in a directory of its own.
func exampleEngine() (engine *caisson.Engine, remove func()) {
	dir, err := os.MkdirTemp("", "caisson-example-")
	if err != nil {
		log.Fatal(err)
	}
	engine = &caisson.Engine{Dir: filepath.Join(dir, "state")}
	_, err = engine.ImportRootFS(context.Background(), exampleRoot(), "alpine:3.20", &caisson.ImportOptions{
		Changes: []string{`CMD ["/bin/sh"]`, "EXPOSE 80"}, Message: "an example", Platform: "linux/amd64",
		Created: time.Date(2024, 5, 22, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		log.Fatal(err)
	}
	return engine, func() { _ = os.RemoveAll(dir) }
}

// exampleImage is the image of exampleEngine.
func exampleImage() (img *caisson.Image, remove func()) {
	engine, remove := exampleEngine()
	img, err := engine.Image(context.Background(), "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	return img, remove
}

// exampleRoot is a root filesystem, as debootstrap and tar would make it, only smaller.
func exampleRoot() *bytes.Buffer {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	const content = "3.20.0\n"
	err := errors.Join(
		w.WriteHeader(&tar.Header{Name: "etc/alpine-release", Mode: 0o644, Size: int64(len(content))}),
		errorOf(w.Write([]byte(content))), w.Close())
	if err != nil {
		log.Fatal(err)
	}
	return &b
}

// spoilBlob changes a byte of the largest blob, as a bad disk would.
func spoilBlob(dir string) {
	blobs, _ := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	var name string
	var size int64
	for _, b := range blobs {
		if fi, err := os.Stat(b); err == nil && fi.Size() > size {
			name, size = b, fi.Size()
		}
	}
	content, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	content[0]++
	if err := errors.Join(os.Chmod(name, 0o600), os.WriteFile(name, content, 0o600)); err != nil {
		log.Fatal(err)
	}
}
