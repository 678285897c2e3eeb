// Command quickstart runs a program isolated from this machine, and shows what that means: which namespaces
// are its own, who it is, what it cannot see, and how long it took.
//
//	go run ./examples/quickstart                                      a small tour of this machine, from inside
//	go run ./examples/quickstart -- make test                         a program of this machine
//	go run ./examples/quickstart docker.io/library/alpine:3.20        an image, pulled the first time
//	go run ./examples/quickstart docker.io/library/alpine:3.20 -- ls  a program of the image
//
// It teaches the beginning: an Engine, an Image, a Command. Nothing has to be installed and no right is needed but
// that of making namespaces. Without an image the container sees this machine's own programs, below a writable
// layer that is thrown away.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/caisson-go/caisson"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(caisson.ExitCode(err))
	}
}

// run does everything: the lines with engine, image and container in them are what a program needs.
func run(ctx context.Context, args []string) error {
	ref, command, err := parse(args)
	if err != nil {
		return err
	}
	var engine caisson.Engine
	if ref == "" {
		// This machine's root needs no store of images: what little is written can go.
		if engine.Dir, err = os.MkdirTemp("", "caisson-quickstart-"); err != nil {
			return err
		}
		defer os.RemoveAll(engine.Dir)
	}
	image, err := open(ctx, &engine, ref)
	if err != nil {
		return err
	}
	container := image.Command(command...)
	container.Stdin = os.Stdin
	if ref == "" && len(command) == 0 {
		container.Args, container.Stdin = tour(), nil
	}
	err = show(ctx, container)
	var exit *caisson.ExitError
	if err != nil && !errors.As(err, &exit) {
		return explain(ctx, err)
	}
	if ref == "" {
		return errors.Join(err, again(ctx, image))
	}
	return err
}

// parse splits the command line: an image or none, and a command behind "--" or none.
func parse(args []string) (ref string, command []string, err error) {
	before := args
	if i := slices.Index(args, "--"); i >= 0 {
		before, command = args[:i], args[i+1:]
	}
	switch {
	case len(before) == 1 && before[0] != "" && before[0][0] != '-':
		return before[0], command, nil
	case len(before) == 0:
		return "", command, nil
	}
	return "", nil, errors.New("usage: quickstart [IMAGE] [-- COMMAND ARGUMENT...]")
}

// open is this machine's own root filesystem, or an image of a registry.
func open(ctx context.Context, engine *caisson.Engine, ref string) (*caisson.Image, error) {
	if ref == "" {
		return engine.Host(), nil
	}
	if host, _, ok := strings.Cut(ref, "/"); ok && local(host) {
		engine.Insecure = []string{host}
	}
	began := time.Now()
	image, err := engine.Pull(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%s\n  %s, here after %v\n\n", image.Ref(), image.ID(), time.Since(began).Round(time.Millisecond))
	return image, nil
}

// local tells whether a registry is on this machine itself: what is said to it needs no secrecy, so it may be plain HTTP.
func local(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	if err != nil {
		host = registry
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tour is a look around that needs nothing but a shell and a few of its friends. In the end it waits for the end of
// its input: until show has had its own look.
func tour() []string {
	return []string{"sh", "-c", `
		look() { echo "\$ $*"; "$@"; }
		look id
		look hostname
		look ls -C /
		look ls -A /home /root
		look ls /sys/class/net
		echo '$ every process'
		for p in /proc/[0-9]*; do read -r name <$p/comm && echo "${p#/proc/} $name"; done
		read -r _
		exit 0`}
}

// explain adds to an error of the start what this host would need.
func explain(ctx context.Context, err error) error {
	support, probeErr := caisson.Probe(ctx)
	if probeErr != nil || support.Container.State != caisson.FeatureFails {
		return err
	}
	return fmt.Errorf("%w\nThis host cannot run containers: %v\nFor all that it can and cannot do: go run ./examples/probe", err, support.Container)
}
