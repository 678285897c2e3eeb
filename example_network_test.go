package caisson_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/caisson-go/caisson"
)

// A web server in the container is reached without publishing a port: Dial fits http.Transport.
func ExampleContainer_Dial() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("python3", "-m", "http.server", "--directory", "/usr/share", "80")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: c.Dial}}
	r, err := client.Get("http://localhost:80/")
	for ; errors.Is(err, syscall.ECONNREFUSED); r, err = client.Get("http://localhost:80/") {
		time.Sleep(10 * time.Millisecond) // it does not listen yet
	}
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	fmt.Println(r.Status)
}

// The other way round: a service of the host program for the container alone. Nobody outside can connect
// to it.
func ExampleContainer_Listen() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:8080")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from outside")
	}))
	out, err := c.Exec("curl", "-s", "http://127.0.0.1:8080/").Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A namespace of a container outlives it while it is open, and can be used in its own right.
func ExampleContainer_Namespace() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	network, err := c.Namespace(caisson.NetNamespace)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	conn, err := network.Dial(ctx, "tcp", "localhost:80")
	if errors.Is(err, syscall.ECONNREFUSED) {
		fmt.Println("nobody listens in", network)
		return
	}
	defer conn.Close()
	fmt.Println("connected to", conn.RemoteAddr().(*net.TCPAddr))
}
