// Command namespaces builds a container by hand, from the parts that the package is made of.
//
//	go run ./examples/namespaces
//
// It teaches what a container is: no thing of the kernel's, but a process in namespaces of its own with a root
// filesystem of its own. Each step shows one of these alone and names the manual page; the last puts them together.
// No thread of this program ever enters a namespace: what happens in one happens in a small process.
//
// As an ordinary user the steps work in user namespaces, but for those that touch this machine's own mounts.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/caisson-go/caisson"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "namespaces:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	for _, step := range []struct {
		title string
		show  func(context.Context) error
	}{
		{"A host name of its own: uts_namespaces(7)", hostName},
		{"A network of its own: network_namespaces(7)", network},
		{"Mount points of its own: mount_namespaces(7)", mounts},
		{"Users of its own: user_namespaces(7)", users},
		{"A root filesystem in layers: Documentation/filesystems/overlayfs.rst", layers},
		{"All together: a container by hand", together},
		{"And the same with the package's own verb", container},
	} {
		fmt.Printf("\n%s\n", step.title)
		err := step.show(ctx)
		if errors.Is(err, errRoot) {
			fmt.Println("  ", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errRoot is why a step is left out.
var errRoot = errors.New("left out: it changes this machine's mounts, for which it takes root; " +
	"an Engine does it in a user namespace")

// say runs a program in some namespaces and prints what it says. Everything else about the program is this
// machine's: files, users, and every other kind of namespace.
func say(ctx context.Context, in []*caisson.Namespace, args ...string) error {
	out, err := caisson.CommandIn(in, args...).CombinedOutput(ctx)
	fmt.Printf("   $ %s\n", strings.Join(args, " "))
	for line := range strings.Lines(string(out)) {
		fmt.Print("     ", line)
	}
	return err
}
