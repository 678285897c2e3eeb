// Command guest runs tests of this module on another kernel: it builds them, boots the kernel under qemu's software
// emulation with an initial root file system that holds nothing but them and a small init, and prints what came of it in
// the way of go test.
//
//	go run ./internal/guest -kernel vmlinuz -modules lib/modules/6.1.0-9-cloud-amd64 ./internal/...
//
// The kernel and its modules come from a distribution's kernel package; nothing of them is run on the host. No privilege
// and no hardware virtualisation is needed. The guest has every cgroup v2 controller, an ext4 disk below /tmp, /var and
// /home, root and one ordinary user, and no network but loopback. A run that leaves a process, mount, cgroup or network
// interface behind has failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// config is the command line.
type config struct {
	kernel, modules string
	wanted          string // kernel modules to load, separated by commas
	busybox         string
	as              identities
	memory, cpus    int // MiB, number
	disk, spare     int // MiB
	timeout         time.Duration
	verbose         bool
	testFlags       string
	packages        []string
}

// defaultModules are what a container needs of a kernel that builds as much as it can as modules.
const defaultModules = "overlay,veth,bridge,br_netfilter,dummy,tun,macvlan,fuse,loop,virtio_pci,virtio_blk,dm_flakey," +
	"nf_tables,nf_conntrack,nft_ct,nft_nat,nft_chain_nat,nft_masq,nft_redir,nft_reject_inet,nft_fib_inet,nft_limit,nft_log," +
	"inet_diag,tcp_diag,udp_diag,unix_diag,netlink_diag,sch_netem,sch_tbf,nfnetlink_queue,xt_conntrack"

func main() {
	c := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(1)
	}
}

func parse() *config {
	c := new(config)
	flag.StringVar(&c.kernel, "kernel", "", "kernel `image` to boot, for amd64")
	flag.StringVar(&c.modules, "modules", "", "`directory` of the kernel's modules")
	flag.StringVar(&c.wanted, "load", defaultModules, "kernel modules to load; what they depend on comes along")
	flag.StringVar(&c.busybox, "busybox", "", "static busybox to give the guest a shell and its programs")
	flag.Var(&c.as, "as", "run the tests as `root or user`; with =needs, set CAISSON_CI to them (may be repeated; default root)")
	flag.IntVar(&c.memory, "memory", 1024, "memory of the guest in `MiB`")
	flag.IntVar(&c.cpus, "cpus", 2, "processors of the guest")
	flag.IntVar(&c.disk, "disk", 1024, "size of the guest's ext4 disk in `MiB`, 0 for none")
	flag.IntVar(&c.spare, "spare", 64, "size in `MiB` of a second ext4 disk, not mounted, for tests that damage one; 0 for none")
	flag.DurationVar(&c.timeout, "timeout", 5*time.Minute, "time for everything that happens in the guest")
	flag.BoolVar(&c.verbose, "v", false, "print the output of tests that pass, too")
	flag.StringVar(&c.testFlags, "testflags", "", "flags for the test binaries, for instance \"-test.short -test.run=Overlay\"")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: guest -kernel image -modules directory [flags] package...")
		flag.PrintDefaults()
	}
	flag.Parse()
	c.packages = flag.Args()
	if len(c.as) == 0 {
		c.as = identities{{name: "root"}}
	}
	if c.kernel == "" || c.modules == "" || len(c.packages) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	return c
}

// run builds, boots and judges.
func (c *config) run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "caisson-guest-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tests, err := buildTests(ctx, dir, c.packages)
	if err != nil {
		return err
	}
	m, err := c.assemble(ctx, dir, tests)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("the guest took longer than %v", c.timeout))
	defer cancel()
	r := &report{out: os.Stdout, runs: m.Runs, verbose: c.verbose}
	err = c.boot(ctx, dir, r.read)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	r.unfinished()
	return errors.Join(err, r.err())
}

// identity is somebody to run the tests as, and what CAISSON_CI promises them.
type identity struct{ name, needs string }

type identities []identity

func (ids *identities) String() string { return fmt.Sprint([]identity(*ids)) }

func (ids *identities) Set(s string) error {
	name, needs, _ := strings.Cut(s, "=")
	if name != "root" && name != "user" {
		return fmt.Errorf("%q is neither root nor user", name)
	}
	*ids = append(*ids, identity{name, needs})
	return nil
}
