package caisson_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/caisson-go/caisson"
)

// A network of one's own, without a container around it.
func ExampleNewNamespace() {
	network, err := caisson.NewNamespace(context.Background(), caisson.NetNamespace)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	fmt.Println(network)
}

// A network and a host name of one's own, for the same program. As an ordinary user it takes one call for both.
func ExampleNewNamespaces() {
	ctx := context.Background()
	spaces, err := caisson.NewNamespaces(ctx, caisson.NetNamespace, caisson.UTSNamespace)
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range spaces {
		defer n.Close()
	}
	out, err := caisson.CommandIn(spaces, "sh", "-c", "hostname inner; hostname; ip link").Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// The network of another process, by its number.
func ExampleOpenNamespace() {
	network, err := caisson.OpenNamespace("/proc/1/ns/net")
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	fmt.Println(network)
}

// Ordinary programs of this machine, in another network.
func ExampleNamespace_Command() {
	ctx := context.Background()
	network, err := caisson.NewNamespace(ctx, caisson.NetNamespace)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	out, err := network.Command("ip", "address").Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A program with this machine's files in two namespaces of a container: the container need not have it.
func ExampleCommandIn() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	c.Hostname = "inner"
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	var into []*caisson.Namespace
	for _, kind := range []caisson.NamespaceKind{caisson.NetNamespace, caisson.UTSNamespace} {
		n, err := c.Namespace(kind)
		if err != nil {
			log.Fatal(err)
		}
		defer n.Close()
		into = append(into, n)
	}
	p := caisson.CommandIn(into, "hostname")
	p.Stdout, p.Stderr = os.Stdout, os.Stderr
	if err := p.Run(ctx); err != nil {
		log.Fatal(err)
	}
}

// A namespace knows what it is.
func ExampleNamespace_Kind() {
	n, err := caisson.OpenNamespace("/proc/self/ns/uts")
	if err != nil {
		log.Fatal(err)
	}
	defer n.Close()
	fmt.Println(n.Kind())
}

// A conversation in a network that nobody else is in.
func ExampleNamespace_Dial() {
	ctx := context.Background()
	network, err := caisson.NewNamespace(ctx, caisson.NetNamespace)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	l, err := network.Listen(ctx, "tcp", "127.0.0.1:7")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	}()
	conn, err := network.Dial(ctx, "tcp", "127.0.0.1:7")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "echo")
	var word string
	if _, err := fmt.Fscanln(conn, &word); err != nil {
		log.Fatal(err)
	}
	fmt.Println(word)
}

// A port below 1024 for an ordinary user: in a network of one's own, one may.
func ExampleNamespace_Listen() {
	ctx := context.Background()
	network, err := caisson.NewNamespace(ctx, caisson.NetNamespace)
	if err != nil {
		log.Fatal(err)
	}
	defer network.Close()
	l, err := network.Listen(ctx, "tcp", ":80")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	fmt.Println(l.Addr().Network())
}

// A base that stays as it is, and what was changed beside it.
func ExampleOverlay() {
	view := caisson.Overlay{
		Lower: []string{"/srv/base"},
		Upper: "/srv/changes",
		Work:  "/srv/work", // an empty directory on the filesystem of Upper
	}
	if err := view.Mount("/mnt"); err != nil {
		log.Fatal(err)
	}
	defer view.Unmount("/mnt")
	if err := os.WriteFile("/mnt/new", []byte("in /srv/changes\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}

// Two directories as one, for reading only.
func ExampleOverlay_Mount() {
	union := caisson.Overlay{Lower: []string{"/usr/share/doc", "/usr/local/share/doc"}}
	if err := union.Mount("/mnt"); err != nil {
		log.Fatal(err)
	}
	if err := union.Unmount("/mnt"); err != nil {
		log.Fatal(err)
	}
}

// Unmounting works while files are open there: they stay usable until they are closed.
func ExampleOverlay_Unmount() {
	var view caisson.Overlay
	if err := view.Unmount("/mnt"); err != nil {
		log.Fatal(err)
	}
}
