package caisson_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/caisson-go/caisson"
)

// Images in one file, which docker load reads too. Here it is memory; an *os.File, a pipe or a connection will do.
func ExampleEngine_Save() {
	engine, remove := exampleEngine()
	defer remove()
	var file bytes.Buffer
	if err := engine.Save(context.Background(), &file, []string{"alpine:3.20"}, nil); err != nil {
		log.Fatal(err)
	}
	for r := tar.NewReader(&file); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && len(h.Name) < 20 {
			fmt.Println(h.Name)
		}
	}
	// Unordered output:
	// oci-layout
	// index.json
	// manifest.json
}

// What Save, or docker save, has written. The image is removed in between, and is the same again.
func ExampleEngine_Load() {
	ctx := context.Background()
	engine, remove := exampleEngine()
	defer remove()
	var file bytes.Buffer
	if err := engine.Save(ctx, &file, []string{"alpine:3.20"}, nil); err != nil {
		log.Fatal(err)
	}
	if _, err := engine.RemoveImage(ctx, "alpine:3.20", nil); err != nil {
		log.Fatal(err)
	}
	images, err := engine.Load(ctx, &file, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, img := range images {
		fmt.Println(img)
	}
	// Output: docker.io/library/alpine:3.20
}

// A root filesystem, as debootstrap and tar make it, becomes an image.
func ExampleEngine_ImportRootFS() {
	engine, remove := exampleEngine()
	defer remove()
	img, err := engine.ImportRootFS(context.Background(), exampleRoot(), "mine:1", &caisson.ImportOptions{
		Changes: []string{`CMD ["bash"]`, "ENV LANG=C.UTF-8"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Ref(), img.Config().Config.Cmd, img.Config().Config.Env)
	// Output: docker.io/library/mine:1 [bash] [LANG=C.UTF-8]
}

// An image that another library has made, or changed.
func ExampleEngine_Import() {
	ctx := context.Background()
	engine, remove := exampleEngine()
	defer remove()
	made := mutate.MediaType(empty.Image, "application/vnd.oci.image.manifest.v1+json")
	img, err := engine.Import(ctx, made, "nothing:1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(img.Ref(), len(img.Config().RootFS.DiffIDs), "layers")
	// Output: docker.io/library/nothing:1 0 layers
}

// An image for another library.
func ExampleImage_V1() {
	img, remove := exampleImage()
	defer remove()
	v, err := img.V1()
	if err != nil {
		log.Fatal(err)
	}
	layers, err := v.Layers()
	fmt.Println(len(layers), err)
	// Output: 1 <nil>
}

// The files of an image, without unpacking it: one by hand, and all as a web site.
func ExampleImage_FS() {
	img, remove := exampleImage()
	defer remove()
	files := img.FS()
	b, err := fs.ReadFile(files, "etc/alpine-release")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", b)

	site := httptest.NewServer(http.FileServerFS(files))
	defer site.Close()
	r, err := http.Get(site.URL + "/etc/alpine-release")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	fmt.Println(r.Status, r.ContentLength)
	// Output:
	// 3.20.0
	// 200 OK 7
}

// The files of an image as one tar archive.
func ExampleImage_Export() {
	img, remove := exampleImage()
	defer remove()
	var file bytes.Buffer
	if err := img.Export(context.Background(), &file); err != nil {
		log.Fatal(err)
	}
	r := tar.NewReader(&file)
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		if h.Typeflag == tar.TypeReg {
			fmt.Println(h.Name, h.Size)
		}
	}
	// Output: etc/alpine-release 7
}
