package main

import (
	"context"

	"github.com/caisson-go/caisson/internal/testimage"
)

// pullDocker is dockerd, by its client.
func (b *bench) pullDocker(ref string) *registrar {
	return &registrar{name: "docker", begin: func(ctx context.Context, dir string) (session, error) {
		d, err := testimage.StartDocker(ctx, dir)
		if err != nil {
			return session{}, err
		}
		return daemonSession(ctx, d, "pull", "--quiet", ref), nil
	}}
}

// pullContainerd is containerd, by a client that unpacks what it pulls.
func (b *bench) pullContainerd(ref string) *registrar {
	return &registrar{name: "containerd", begin: func(ctx context.Context, dir string) (session, error) {
		d, err := testimage.StartContainerd(ctx, dir)
		if err != nil {
			return session{}, err
		}
		return daemonSession(ctx, d, "images", "pull", "--plain-http", ref), nil
	}}
}

// daemonSession pulls by a command of the client.
func daemonSession(ctx context.Context, d *testimage.Daemon, command ...string) session {
	once := func() (used, error) {
		return daemonPull(ctx, d, append(d.Client[:len(d.Client):len(d.Client)], command...))
	}
	return session{once, once, d.Stop}
}

// daemonPull adds what the daemon and its children use meanwhile to what the client uses.
func daemonPull(ctx context.Context, d *testimage.Daemon, argv []string) (used, error) {
	before, err := processorTime(d.Pid())
	if err != nil {
		return used{}, err
	}
	u, err := commandPull(ctx, argv)
	if err != nil {
		return u, err
	}
	after, err := processorTime(d.Pid())
	if err != nil {
		return u, err
	}
	u.cpu += after - before
	u.resident, err = mostResident(d.Pid())
	return u, err
}
