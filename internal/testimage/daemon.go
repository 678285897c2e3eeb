package testimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Daemon is a daemon of another project, started for one purpose with all its state in one directory.
type Daemon struct {
	// Client is the beginning of a command line that talks to it.
	Client []string

	cmd  *exec.Cmd
	done chan error
	log  string
}

// patience is how long a daemon may take to answer for the first time.
const patience = 30 * time.Second

// start starts a daemon and waits until it is ready.
func start(ctx context.Context, dir string, ready func(context.Context) error, argv ...string) (*Daemon, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	d := &Daemon{cmd: exec.Command(path, argv[1:]...), done: make(chan error, 1), log: filepath.Join(dir, "log")}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.done <- d.cmd.Wait() }()
	if err := d.wait(ctx, ready); err != nil {
		return nil, fmt.Errorf("%s: %w", argv[0], errors.Join(err, d.Stop()))
	}
	return d, nil
}

// wait returns when the daemon is ready, or has ended.
func (d *Daemon) wait(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case ended := <-d.done:
			d.done <- ended
			words, _ := os.ReadFile(d.log)
			return fmt.Errorf("it has ended: %v: %s", ended, bytes.TrimSpace(words))
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// Pid is its process.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Stop ends the daemon and waits for its end. What it has stored stays.
func (d *Daemon) Stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case ended := <-d.done:
		d.done <- ended
		return nil
	case <-time.After(patience):
	}
	err := d.cmd.Process.Kill()
	d.done <- <-d.done
	return errors.Join(errors.New("it had to be killed"), err)
}

// answers tells readiness by a command that succeeds.
func answers(argv ...string) func(context.Context) error {
	return func(ctx context.Context) error { return exec.CommandContext(ctx, argv[0], argv[1:]...).Run() }
}

// StartDocker starts dockerd with a store, a socket and a containerd of its own, and no network to set up. It takes
// registries on the loopback without encryption.
//
// Errors: exec.ErrNotFound if it is not installed (Debian: docker.io); what it printed, if it ends.
func StartDocker(ctx context.Context, dir string) (*Daemon, error) {
	socket := "unix://" + dir + "/sock"
	client := []string{"docker", "-H", socket}
	d, err := start(ctx, dir, answers("docker", "-H", socket, "version"), "dockerd", "--data-root", dir+"/data",
		"--exec-root", dir+"/exec", "-H", socket, "--pidfile", dir+"/pid", "--iptables=false", "--ip6tables=false",
		"--bridge=none", "--storage-driver", "overlay2")
	if err != nil {
		return nil, err
	}
	d.Client = client
	return d, nil
}

// StartContainerd starts containerd with a store and a socket of its own.
//
// Errors: exec.ErrNotFound if it is not installed (Debian: containerd); what it printed, if it ends.
func StartContainerd(ctx context.Context, dir string) (*Daemon, error) {
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, dir), 0o600); err != nil {
		return nil, err
	}
	client := []string{"ctr", "--address", dir + "/sock"}
	d, err := start(ctx, dir, answers("ctr", "--address", dir+"/sock", "version"), "containerd", "--config", config)
	if err != nil {
		return nil, err
	}
	d.Client = client
	return d, nil
}

// containerdConfig is for containerd 1.6 and later; its documentation, "containerd-config.toml".
const containerdConfig = `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "%[1]s/sock"
[ttrpc]
address = "%[1]s/ttrpc"
`
