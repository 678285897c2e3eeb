package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/caisson-go/caisson"
)

// show runs a container with its output as it comes, and then says how it was isolated and where the time went.
func show(ctx context.Context, c *caisson.Container) error {
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.Trace = true // for Timings, at the price of a system call for each step
	hold := io.Closer(io.NopCloser(nil))
	if c.Stdin == nil {
		pipe, err := c.StdinPipe()
		if err != nil {
			return err
		}
		hold = pipe
	}
	seen := outside()
	began := time.Now()
	if err := c.Start(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	started := time.Now()
	seen.look(c)
	_ = hold.Close()
	ended := c.Wait(ctx)
	done := time.Now()
	timings := c.Timings()
	if err := c.Close(); err != nil {
		return errors.Join(ended, err)
	}
	closed := time.Now()

	seen.print()
	if c.Image == "host" {
		printHidden(ctx)
	}
	fmt.Println("\nTime")
	printSteps(timings, started.Sub(began))
	fmt.Printf("  %-38s %9s\n", "the program", millis(done.Sub(started)))
	fmt.Printf("  %-38s %9s\n", "close: nothing is left", millis(closed.Sub(done)))
	fmt.Printf("  %-38s %9s\n", "from start to exit", millis(done.Sub(began)))
	return ended
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1000) }

// phases are what the steps of a plan belong to, by their verbs. For each step by itself, see the example explain.
var phases = []struct {
	name  string
	verbs []string
}{
	{"user namespace and its ids", []string{"unshare", "map"}},
	{"first process, in its namespaces", []string{"clone", "setns"}},
	{"mounts, overlays, /dev, /proc, /sys", []string{"mount", "overlay", "pivot_root", "chroot", "move_mount", "bind"}},
	{"masked and read-only paths", []string{"mask", "read-only"}},
	{"loopback and host name", []string{"ioctl", "sethostname"}},
}

// printSteps sums up the steps of the start by phase. What is not measured from within is the host program's part.
func printSteps(timings []caisson.Timing, start time.Duration) {
	left := start
	var rest time.Duration
	sums := make([]time.Duration, len(phases))
	for _, t := range timings {
		left -= t.Took
		i := 0
		for i < len(phases) && !slices.Contains(phases[i].verbs, t.Step.Verb) {
			i++
		}
		if i == len(phases) {
			rest += t.Took
			continue
		}
		sums[i] += t.Took
	}
	fmt.Printf("  %-38s %9s\n", "this host's facts, plan, clone, execve", millis(left))
	for i, p := range phases {
		if sums[i] > 0 {
			fmt.Printf("  %-38s %9s\n", p.name, millis(sums[i]))
		}
	}
	fmt.Printf("  %-38s %9s\n", "session, user and capabilities", millis(rest))
}

// again runs the smallest program several times, unmeasured from within.
func again(ctx context.Context, image *caisson.Image) error {
	const times = 10
	var took []time.Duration
	for range times {
		began := time.Now()
		if err := image.Command("true").Run(ctx); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	fmt.Printf("  %-38s %9s\n", fmt.Sprintf("and of true, the median of %d", times), millis(took[times/2]))
	return nil
}
