// Command probe prints what this machine can do for containers.
//
// It teaches how to ask beforehand instead of being told by an error: caisson.Probe tries each thing
// once, the whole container among them, and names the remedy of what does not work. Nothing is decided by
// version numbers, and nothing is left behind. The exit status is 1 if containers cannot run here.
//
//	go run ./examples/probe
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/caisson-go/caisson"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	support, err := caisson.Probe(ctx)
	fmt.Print(support)
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
	}
	if !support.Container.Works() {
		os.Exit(1) // what runs later than this, such as cancel, does not matter any more
	}
}
