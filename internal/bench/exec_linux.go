package main

import (
	"errors"
	"strconv"
)

// exec measures from start to exit of a static true in a container that runs.
func (b *bench) exec() (err error) {
	w, err := b.newWorker(0, !b.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	pids, err := w.ask("hold", 1)
	if err != nil {
		return err
	}
	runs := 10
	if b.short {
		runs = 4
	}
	all := []*contestant{{name: "caisson", runs: runs, run: w.timed("exec")}}
	pid := strconv.FormatInt(pids[0], 10)
	if b.root {
		if b.room.execFloor != "" {
			all = append(all, program("floor", runs, b.room.execFloor, pid, "/bin/true"))
		}
		all = append(all, program("nsenter", runs, "nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-C", "/bin/true"))
		unified, err := b.newUnified()
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, unified.stop()) }()
		crun, remove := b.crunExec(unified, runs)
		defer remove()
		podman, removePod := b.podmanExec(unified, runs)
		defer removePod()
		all = append(all, crun, podman)
	}
	able, err := compete(b.ctx, b.rounds, all)
	if err != nil {
		return err
	}
	if able[0].name != "caisson" {
		return errors.New("the library itself does not run here; the error stands above")
	}
	report("exec of true in a running container, to its exit", able, "floor", "caisson")
	return nil
}

// crunExec starts a container by crun, to run programs in.
func (b *bench) crunExec(unified *worker, runs int) (c *contestant, remove func()) {
	const name = "crun exec"
	id := b.id() + "-exec"
	bundle, err := b.bundle("exec", "/bin/sleep")
	if err == nil {
		err = unified.do(b.oci("crun", "run", "--detach", "--bundle", bundle, id)...)
	}
	remove = func() { _ = unified.do(b.oci("crun", "delete", "--force", id)...) }
	if err != nil {
		return failing(name, err), remove
	}
	return unified.program(name, max(2, runs/2), b.oci("crun", "exec", id, "/bin/true")...), remove
}

// podmanExec starts a container by podman, if that is installed and works here. Its limits are given, because podman
// otherwise raises them, which root of a guest or container may not.
func (b *bench) podmanExec(unified *worker, runs int) (c *contestant, remove func()) {
	const name = "podman exec"
	id := b.id() + "-podman"
	err := unified.do("podman", "run", "--detach", "--cgroups=disabled", "--network", "none", "--ulimit", "nofile=1024:1024",
		"--ulimit", "nproc=1024:1024", "--name", id, "--rootfs", b.room.root, "/bin/sleep")
	remove = func() { _ = unified.do("podman", "rm", "--force", "--time", "0", id) }
	if err != nil {
		return failing(name, err), remove
	}
	return unified.program(name, 2, "podman", "exec", id, "/bin/true"), remove
}
