// Command mirror is a pull-through cache of registries: what is asked for is pulled once, kept, and served from then on.
//
//	go run ./examples/mirror -from docker.io -listen localhost:5000
//	podman pull --tls-verify=false localhost:5000/library/alpine:3.20
//
// It teaches that an engine is a registry too, behind whatever a program does with the requests.
package main

import (
	"flag"
	"log"
	"net/http"
	"strings"

	"github.com/caisson-go/caisson"
)

func main() {
	var engine caisson.Engine
	from := flag.String("from", "docker.io", "the `registry` to mirror")
	listen := flag.String("listen", "localhost:5000", "the `address` to serve on")
	flag.StringVar(&engine.Dir, "state", "", "the state `directory`")
	flag.Func("insecure", "a `registry` that may be plain HTTP", func(v string) error { engine.Insecure = append(engine.Insecure, v); return nil })
	flag.Parse()
	registry, err := engine.RegistryHandler(nil)
	if err != nil {
		log.Fatal(err)
	}
	mirror := func(w http.ResponseWriter, r *http.Request) {
		if name, ref, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/"); ok {
			image, o := *from+"/"+name+":"+ref, caisson.PullOptions{AllPlatforms: true, Policy: caisson.PullAlways}
			if strings.Contains(ref, ":") { // a digest, which means what it means; a tag may mean something else by now
				image, o.Policy = *from+"/"+name+"@"+ref, caisson.PullMissing
			}
			if _, err := engine.Pull(r.Context(), image, &o); err != nil {
				log.Print(err) // what is here is served all the same
			}
		}
		registry.ServeHTTP(w, r)
	}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(mirror)))
}
