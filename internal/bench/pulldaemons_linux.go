package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// daemon is a daemon that was started for one round, with all its state in one directory.
type daemon struct {
	cmd  *exec.Cmd
	done chan error
	log  string
}

// startDaemon starts a daemon and waits until a command of its client succeeds.
func startDaemon(ctx context.Context, dir string, ready []string, argv ...string) (*daemon, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	d := &daemon{exec.Command(path, argv[1:]...), make(chan error, 1), filepath.Join(dir, "log")}
	log, err := os.Create(d.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	d.cmd.Stdout, d.cmd.Stderr = log, log
	// A group of its own, so that an interrupt from the terminal does not end it before what was made by it is removed.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.done <- d.cmd.Wait() }()
	deadline := time.After(30 * time.Second)
	for {
		if err = exec.CommandContext(ctx, ready[0], ready[1:]...).Run(); err == nil {
			return d, nil
		}
		select {
		case err := <-d.done:
			d.done <- err
			words, _ := os.ReadFile(d.log)
			return nil, fmt.Errorf("%s: %w: %s", argv[0], err, lastLine(words))
		case <-deadline:
			return nil, errors.Join(fmt.Errorf("%s does not answer: %w", argv[0], err), d.stop())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), d.stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.done:
	case <-time.After(20 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
	return nil
}

// pull runs a command of the client; what the daemon and its children use meanwhile is added.
func (d *daemon) pull(ctx context.Context, argv []string) (used, error) {
	before, err := processorTime(d.cmd.Process.Pid)
	if err != nil {
		return used{}, err
	}
	u, err := commandPull(ctx, argv)
	if err != nil {
		return u, err
	}
	after, err := processorTime(d.cmd.Process.Pid)
	if err != nil {
		return u, err
	}
	u.cpu += after - before
	u.resident, err = mostResident(d.cmd.Process.Pid)
	return u, err
}

// session is one of a daemon whose client pulls by a command.
func (d *daemon) session(ctx context.Context, argv []string) session {
	once := func() (used, error) { return d.pull(ctx, argv) }
	return session{once, once, d.stop}
}

// pullDocker is dockerd with a store, a socket and a containerd of its own, and no network to set up. A registry on the
// loopback may be plain HTTP for it.
func (b *bench) pullDocker(ref string) *registrar {
	return &registrar{name: "docker", begin: func(ctx context.Context, dir string) (session, error) {
		d, client, err := startDocker(ctx, dir)
		if err != nil {
			return session{}, err
		}
		return d.session(ctx, append(client, "pull", "--quiet", ref)), nil
	}}
}

func startDocker(ctx context.Context, dir string) (*daemon, []string, error) {
	client := []string{"docker", "-H", "unix://" + dir + "/sock"}
	d, err := startDaemon(ctx, dir, append(client[:3:3], "version"), "dockerd", "--data-root", dir+"/data", "--exec-root", dir+"/exec",
		"-H", "unix://"+dir+"/sock", "--pidfile", dir+"/pid", "--iptables=false", "--ip6tables=false", "--bridge=none",
		"--storage-driver", "overlay2")
	return d, client[:3:3], err
}

// pullContainerd is containerd with a store and a socket of its own; ctr unpacks what it pulls.
func (b *bench) pullContainerd(ref string) *registrar {
	return &registrar{name: "containerd", begin: func(ctx context.Context, dir string) (session, error) {
		config := filepath.Join(dir, "config.toml")
		if err := os.WriteFile(config, fmt.Appendf(nil, containerdConfig, dir), 0o600); err != nil {
			return session{}, err
		}
		client := []string{"ctr", "--address", dir + "/sock"}
		d, err := startDaemon(ctx, dir, append(client[:3:3], "version"), "containerd", "--config", config)
		if err != nil {
			return session{}, err
		}
		return d.session(ctx, append(client[:3:3], "images", "pull", "--plain-http", ref)), nil
	}}
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
