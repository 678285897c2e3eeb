// Command sandbox runs a program that is not trusted: without network, on a root filesystem that cannot be written to,
// without capabilities, as a user that owns nothing of it, and with limits of time, memory and processes. It says how
// the program ended.
//
//	go run ./examples/sandbox -- sh -c 'wget example.org'
//	go run ./examples/sandbox -time 1s -- sleep 10
//	go run ./examples/sandbox -memory 16 -- tail /dev/zero
//	go run ./examples/sandbox -processes 5 -- sh -c 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'
//
// It teaches that strict is the default, what is left to add, and how limits are asked for: one that cannot be applied
// is an error, and going on without it is a decision of yours. Limits need root or a delegated cgroup; everything else
// needs no privilege.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/caisson-go/caisson"
)

// options are what the command line says.
type options struct {
	limits     caisson.Limits
	time       time.Duration
	bestEffort bool
	command    []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, parse())
	stop()
	var exit *caisson.ExitError
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded):
		os.Exit(124) // as timeout(1)
	case !errors.As(err, &exit): // else it has been said
		fmt.Fprintln(os.Stderr, "sandbox:", err)
	}
	os.Exit(caisson.ExitCode(err))
}

func parse() *options {
	o := &options{}
	flag.DurationVar(&o.time, "time", 10*time.Second, "stop the program after this `duration`")
	memory := flag.Int64("memory", 64, "memory in `MiB`")
	flag.Int64Var(&o.limits.Processes, "processes", 50, "`number` of processes")
	flag.BoolVar(&o.bestEffort, "besteffort", false, "go on without limits that this host cannot apply")
	flag.Parse()
	o.limits.Memory = *memory << 20
	if o.command = flag.Args(); len(o.command) == 0 {
		o.command = []string{"sh", "-c", "id; ls /sys/class/net; touch /usr/mine /tmp/mine; ls -l /tmp; exit 3"}
	}
	return o
}

func run(ctx context.Context, o *options) error {
	if err := applicable(ctx, o); err != nil {
		return err
	}
	var engine caisson.Engine
	c := engine.Host().Command(o.command...)
	confine(c)
	c.Limits = o.limits
	c.Stdout, c.Stderr = os.Stdout, os.Stderr

	ctx, cancel := context.WithTimeout(ctx, o.time)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	began := time.Now()
	ended := c.Wait(ctx)
	took := time.Since(began)
	refused := processesRefused(c)
	if err := c.Close(); err != nil { // kills it, if the time was up
		return err
	}
	fmt.Printf("-- after %v: %s\n", took.Round(time.Millisecond), verdict(ended, o, refused))
	return ended
}

// confine takes away what a container of this package has by default and a program like this does not need. The
// network is loopback alone, no_new_privs is set and no device but null and its like is there without a word.
func confine(c *caisson.Container) {
	c.Hostname = "sandbox"
	c.ReadOnly = true
	c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/tmp", Size: 16 << 20, NoExec: true}}
	c.Security.DropCapabilities = []string{"ALL"}
	c.Init = true // reaps what the program leaves, and is killed with everything when the program ends
	if os.Geteuid() == 0 {
		c.User = "65534:65534" // without privilege the container's root is nobody outside already
	}
}

// applicable asks whether this host can apply the limits. Without asking, Start would fail. In the end it is as the
// user wants it: not at all, or without.
func applicable(ctx context.Context, o *options) error {
	support, err := caisson.Probe(ctx)
	if err != nil {
		return err
	}
	groups := &support.Cgroups
	for _, l := range []struct {
		name    string
		value   *int64
		feature caisson.Feature
	}{
		{"memory", &o.limits.Memory, groups.Memory},
		{"processes", &o.limits.Processes, groups.Pids},
	} {
		if *l.value == 0 || l.feature.Works() {
			continue
		}
		why := l.feature
		for _, needed := range []caisson.Feature{groups.Mounted, groups.Make} {
			if needed.State == caisson.FeatureFails {
				why = needed
				break
			}
		}
		if !o.bestEffort {
			return fmt.Errorf("no limit of %s here: %v\n(-besteffort goes on without)", l.name, why)
		}
		fmt.Fprintf(os.Stderr, "sandbox: going on without a limit of %s: %v\n", l.name, why)
		*l.value = 0
	}
	return nil
}

// verdict says how the program ended, and by which limit if by one.
func verdict(err error, o *options, refused int) string {
	var exit *caisson.ExitError
	s := "it ended by itself, with status 0"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		s = fmt.Sprintf("stopped, because its %v were up", o.time)
	case errors.As(err, &exit) && exit.OOM:
		s = fmt.Sprintf("killed, because it wanted more than %d MiB", o.limits.Memory>>20)
	case errors.As(err, &exit) && exit.Signal != 0:
		s = "killed by a signal: " + exit.Signal.String()
	case errors.As(err, &exit):
		s = fmt.Sprintf("it ended by itself, with status %d", exit.Code)
	case err != nil:
		s = err.Error()
	}
	if refused > 0 {
		s += fmt.Sprintf("; %d times it was refused another process than its %d", refused, o.limits.Processes)
	}
	return s
}

// processesRefused counts the processes that the limit has refused, in what the kernel tells about the container's
// cgroup; admin-guide/cgroup-v2.rst, pids.events.
func processesRefused(c *caisson.Container) (n int) {
	group, err := c.Cgroup()
	if err != nil {
		return 0 // no limits, no cgroup
	}
	b, err := os.ReadFile(filepath.Join(group.Path("pids"), "pids.events"))
	if err != nil {
		return 0
	}
	_, _ = fmt.Sscanf(string(b), "max %d", &n)
	return n
}
