// Command images does to images what docker image, commit and diff do, each command in a few lines of the library.
//
//	go run ./examples/images pull docker.io/library/alpine:3.20
//	go run ./examples/images ls
//	go run ./examples/images save alpine:3.20 busybox > images.tar
//
// Without arguments it lists its commands. It teaches the life of an image: from a registry or a file to the store, under
// its names, and out again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/caisson-go/caisson"
)

// app is the engine, and what flags say.
type app struct {
	engine   caisson.Engine
	platform string
	all      bool // platforms, images, names: by command
	force    bool
	changes  []string
	message  string
	format   string
	listen   string
}

// command is one of the commands.
type command struct {
	name, args, does string
	least            int // arguments
	run              func(a *app, ctx context.Context, args []string) error
}

func commands() []command {
	return slices.Concat(registryCommands(), listCommands(), fileCommands(), storeCommands(), containerCommands())
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	a := &app{}
	f := flag.NewFlagSet("images", flag.ContinueOnError)
	f.StringVar(&a.engine.Dir, "state", "", "the state `directory`")
	f.BoolVar(&a.engine.Offline, "offline", false, "ask no registry")
	f.Func("insecure", "a `registry` that may be plain HTTP", func(v string) error { a.engine.Insecure = append(a.engine.Insecure, v); return nil })
	f.StringVar(&a.platform, "platform", "", "a `platform` such as linux/arm64")
	f.BoolVar(&a.all, "all", false, "pull, push: every platform; prune: every unused image; load: every name")
	f.BoolVar(&a.force, "force", false, "rm: by digest, with all names; check: repair")
	f.Func("change", "import, commit: an `instruction` of a Dockerfile", func(v string) error { a.changes = append(a.changes, v); return nil })
	f.StringVar(&a.message, "message", "", "import, commit: a `comment`")
	f.StringVar(&a.format, "format", "", "save: docker or oci")
	f.StringVar(&a.listen, "listen", "localhost:5000", "serve: the `address`")
	f.Usage = func() { usage(f) }
	if err := f.Parse(args); err != nil {
		return err
	}
	args = f.Args()
	if len(args) == 0 {
		usage(f)
		return flag.ErrHelp
	}
	for _, c := range commands() {
		if c.name == args[0] && len(args)-1 >= c.least {
			return c.run(a, ctx, args[1:])
		}
		if c.name == args[0] {
			return fmt.Errorf("usage: images [FLAG...] %s %s", c.name, c.args)
		}
	}
	return fmt.Errorf("there is no command %q; without arguments the commands are listed", args[0])
}

func usage(f *flag.FlagSet) {
	fmt.Fprintln(f.Output(), "usage: images [FLAG...] COMMAND [ARGUMENT...]")
	for _, c := range commands() {
		fmt.Fprintf(f.Output(), "  %-36s %s\n", c.name+" "+c.args, c.does)
	}
	f.PrintDefaults()
}
