package caisson_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/caisson-go/caisson"
)

// The images of one engine for another one, which needs a password to push.
func ExampleEngine_RegistryHandler() {
	engine, remove := exampleEngine()
	defer remove()
	handler, err := engine.RegistryHandler(&caisson.RegistryOptions{
		Push: true,
		Auth: func(r *http.Request, repository string, action caisson.RegistryAction) error {
			if _, password, _ := r.BasicAuth(); action == caisson.RegistryPush && password != "secret" {
				return &caisson.RegistryChallenge{Header: `Basic realm="images"`}
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer handler.Close()
	server := httptest.NewServer(handler) // or http.ListenAndServe("localhost:5000", handler)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	other, remove := exampleEngine()
	defer remove()
	other.Insecure = []string{host}
	img, err := other.Pull(context.Background(), host+"/library/alpine:3.20", nil)
	if err != nil {
		log.Fatal(err)
	}
	err = img.Push(context.Background(), host+"/mine:1", nil)
	fmt.Println(len(img.Config().RootFS.DiffIDs), "layer;", "may not push:", errors.Is(err, fs.ErrPermission))
	// Output: 1 layer; may not push: true
}

// The handler is one for http.Server, behind whatever else a program serves.
func ExampleRegistryHandler_ServeHTTP() {
	engine, remove := exampleEngine()
	defer remove()
	registry, err := engine.RegistryHandler(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	mux := http.NewServeMux()
	mux.Handle("/v2/", registry)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v2/library/alpine/tags/list", nil))
	fmt.Println(answer.Code, answer.Body)
	// Output: 200 {"name":"library/alpine","tags":["3.20"]}
}

// What happens to each layer of a pull, and how far it is.
func ExampleEngine_Pull_progress() {
	host, stop := exampleRegistry()
	defer stop()
	dir, err := os.MkdirTemp("", "caisson-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	engine := caisson.Engine{Dir: dir, Insecure: []string{host}}
	var phase caisson.Phase
	_, err = engine.Pull(context.Background(), host+"/library/alpine:3.20", &caisson.PullOptions{
		Progress: func(p caisson.Progress) {
			if p.Phase != phase { // else only p.Done has changed
				fmt.Println(p.Phase, "of", p.Total, "bytes")
			}
			phase = p.Phase
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// waiting of 2048 bytes
	// downloading of 2048 bytes
	// unpacking of 2048 bytes
	// done of 2048 bytes
}

// A further name, and a push under it.
func ExampleImage_Push() {
	ctx := context.Background()
	host, stop := exampleRegistry()
	defer stop()
	engine, remove := exampleEngine()
	defer remove()
	engine.Insecure = []string{host}
	img, err := engine.Image(ctx, "alpine:3.20")
	if err != nil {
		log.Fatal(err)
	}
	err = img.Push(ctx, host+"/team/base:3", nil)
	if errors.Is(err, fs.ErrPermission) {
		log.Fatal("docker login would help: ", err)
	}
	if err != nil {
		log.Fatal(err)
	}
	for tag, err := range engine.Tags(ctx, host+"/team/base") {
		fmt.Println(tag, err)
	}
	// Output: 3 <nil>
}

// What a registry has that goes by a name. Without a registry before the term it is Docker Hub that is asked.
func ExampleEngine_Search() {
	host, stop := exampleRegistry()
	defer stop()
	engine := caisson.Engine{Insecure: []string{host}}
	for r, err := range engine.Search(context.Background(), host+"/alp", 10) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(strings.TrimPrefix(r.Name, host))
	}
	// Output: /library/alpine
}

// The newest tags are not always the last ones.
func ExampleEngine_Tags() {
	host, stop := exampleRegistry()
	defer stop()
	engine := caisson.Engine{Insecure: []string{host}}
	for tag, err := range engine.Tags(context.Background(), host+"/library/alpine") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(tag)
	}
	// Output: 3.20
}

// What is in a registry of one's own.
func ExampleEngine_Catalog() {
	host, stop := exampleRegistry()
	defer stop()
	engine := caisson.Engine{Insecure: []string{host}}
	for name, err := range engine.Catalog(context.Background(), host) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name)
	}
	// Output: library/alpine
}

// exampleRegistry is a registry on this machine without TLS, which has what exampleEngine has.
func exampleRegistry() (host string, stop func()) {
	engine, remove := exampleEngine()
	handler, err := engine.RegistryHandler(&caisson.RegistryOptions{Push: true})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(handler)
	return strings.TrimPrefix(server.URL, "http://"), func() {
		server.Close()
		_ = handler.Close()
		remove()
	}
}
