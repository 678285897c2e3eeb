// Command explain prints what the start of a container does, without doing it: the plan, a line for each step with
// where to read about it, and with -syscalls every system call.
//
//	go run ./examples/explain                              as root, from an image in layers
//	go run ./examples/explain -one-id -tty -- bash         as an ordinary user, with a terminal
//	go run ./examples/explain -here -syscalls -- uname     on this very machine, from its own root
//
// It teaches Spec.Plan: a spec and what is known of a host become a plan by computation alone, which needs no rights,
// no image, and no Linux. To see the difference that a flag makes, compare two plans with diff.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/caisson-go/caisson"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "explain:", err)
		os.Exit(1)
	}
}

func run() error {
	spec := caisson.Spec{Image: "alpine"}
	tty := flag.Bool("tty", false, "with a terminal")
	joined := flag.Bool("joined", false, "in the network and the message queues of another container")
	flag.BoolVar(&spec.Init, "init", false, "with an init as PID 1")
	flag.BoolVar(&spec.ReadOnly, "read-only", false, "with a read-only root filesystem")
	flag.StringVar(&spec.Hostname, "hostname", "", "with this host `name`")
	host := hostFlags()
	syscalls := flag.Bool("syscalls", false, "print every system call too")
	flag.Parse()

	spec.Args = flag.Args()
	if len(spec.Args) == 0 {
		spec.Args = []string{"/bin/true"}
	}
	if *tty {
		spec.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
	}
	if *joined {
		spec.Namespaces.Net, spec.Namespaces.IPC = caisson.NamespaceOf(4711), caisson.NamespaceOf(4711)
	}
	support, err := host.support()
	if err != nil {
		return err
	}
	if host.here {
		spec.Image = "host"
	}
	return explain(&spec, support, *syscalls)
}

func explain(spec *caisson.Spec, support *caisson.Support, syscalls bool) error {
	plan, err := spec.Plan(support)
	if err != nil {
		return err
	}
	set, err := json.Marshal(spec) // the fields that are set: JSON leaves out what is zero
	if err != nil {
		return err
	}
	fmt.Printf("The spec\n\n%s\n\nThe plan\n\n%s", set, plan)
	if syscalls {
		fmt.Printf("\nThe system calls\n\n%s", plan.Syscalls())
	}
	return nil
}

// host says for which host the plan is.
type host struct{ rootless, oneID, old, here bool }

func hostFlags() *host {
	h := &host{}
	flag.BoolVar(&h.rootless, "rootless", false, "as an ordinary user with subordinate ids")
	flag.BoolVar(&h.oneID, "one-id", false, "as an ordinary user without")
	flag.BoolVar(&h.old, "old", false, "on a kernel without any optional ability")
	flag.BoolVar(&h.here, "here", false, "on this machine, as it is, from its own root filesystem")
	return h
}

// support is what is known of the host. Nil is a privileged program on a new kernel.
func (h *host) support() (*caisson.Support, error) {
	if h.here {
		return caisson.Probe(context.Background())
	}
	if !h.rootless && !h.oneID && !h.old {
		return nil, nil
	}
	s := &caisson.Support{Privileged: true, Kernel: caisson.KernelSupport{PivotRoot: true, ProcMount: true}}
	if !h.old {
		s.Kernel.OverlayFsconfig, s.Kernel.OverlayLowerAdd = true, true
		s.Kernel.Cgroup2, s.Kernel.Mqueue = true, true
	}
	if h.rootless || h.oneID {
		s.Privileged, s.UID, s.GID = false, 1000, 1000
	}
	if h.rootless {
		s.SubUIDs = []caisson.IDRange{{Start: 100000, Count: 65536}}
		s.SubGIDs = s.SubUIDs
	}
	return s, nil
}
