package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the command.
type bench struct {
	ctx    context.Context
	room   *room
	rounds int
	short  bool
	root   bool // whether this is root, who can run everything
	given  int  // rounds as the command line has them, or 0
	pulls  pullOptions
}

// part is one thing measured, with its own table.
type part struct {
	name string
	run  func(*bench) error
}

// onlyIfAsked is a part that takes many minutes and programs that few have, so that it is measured only if it is named.
const onlyIfAsked = "pull"

func parts() []part {
	return []part{
		{"start", (*bench).start}, {"parallel", (*bench).parallel}, {"exec", (*bench).exec},
		{"memory", (*bench).memory}, {"import", (*bench).importing}, {onlyIfAsked, (*bench).pull},
	}
}

func main() {
	short := flag.Bool("short", false, "fewer rounds, for continuous integration")
	n := flag.Int("n", 0, "rounds; 0 is 40, and 5 with -short")
	only := flag.String("only", "", "parts to run, separated by commas: start, parallel, exec, memory, import, and pull, which is not among all of them")
	work := flag.String("worker", "", "for the command's own use: be a worker in this directory")
	unified := flag.Bool("unified", false, "for the command's own use: that the worker sees cgroups of version 2 only")
	resident := flag.Int("resident", 0, "for the command's own use: bytes that the worker keeps resident")
	var pulls pullOptions
	flag.StringVar(&pulls.image, "image", "large", "for pull: the image, as internal/testimage names them")
	flag.StringVar(&pulls.tag, "tag", "gzip", "for pull: the compression, gzip or zstd")
	flag.StringVar(&pulls.who, "who", "", "for pull: who takes part, separated by commas; empty is everybody")
	flag.StringVar(&pulls.profile, "cpuprofile", "", "for pull: a file for the processor profile of the library's last pull")
	into := flag.String("pull-into", "", "for the command's own use: pull into this directory")
	ref := flag.String("pull-ref", "", "for the command's own use: what to pull")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *work != "":
		err = serve(ctx, *work, *resident, *unified)
	case *into != "":
		err = pullInside(ctx, *into, *ref, pulls.profile)
	default:
		err = run(ctx, &bench{given: *n, short: *short, pulls: pulls}, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, only string) (err error) {
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	b.ctx, b.rounds, b.root = ctx, b.given, os.Geteuid() == 0
	if b.rounds <= 0 {
		b.rounds = 40
		if b.short {
			b.rounds = 5
		}
	}
	b.room, err = newRoom(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if e := b.room.close(); err == nil {
			err = e
		}
	}()
	printMachine(b.room)
	began := time.Now()
	for _, p := range chosen {
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	fmt.Printf("\n%d rounds, %.0f s; load average at the end: %s\n", b.rounds, time.Since(began).Seconds(), loadAverage())
	return nil
}

func choose(only string) ([]part, error) {
	if only == "" {
		return slices.DeleteFunc(parts(), func(p part) bool { return p.name == onlyIfAsked }), nil
	}
	var chosen []part
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(parts(), func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q", name)
		}
		chosen = append(chosen, parts()[i])
	}
	return chosen, nil
}
