package caisson_test

import (
	"context"
	"fmt"
	"log"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/caisson-go/caisson"
)

// Limits for any program of this machine, without a container.
func ExampleNewCgroup() {
	group, err := caisson.NewCgroup("jobs", caisson.Limits{Memory: 256 << 20, Processes: 50})
	if err != nil {
		log.Fatal(err)
	}
	defer group.Remove(context.Background())
	cmd := exec.Command("make")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	if err := group.Add(cmd.Process.Pid); err != nil {
		log.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
}

// A group that another program made.
func ExampleOpenCgroup() {
	group, err := caisson.OpenCgroup("system.slice/ssh.service")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(group.Procs())
}

// Whatever else the kernel tells about a group is in files.
func ExampleCgroup_Path() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(filepath.Join(group.Path("memory"), "memory.stat"))
}

// Other limits than before. The zero value lifts them all.
func ExampleCgroup_Apply() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := group.Apply(caisson.Limits{CPU: 1.5}); err != nil {
		log.Fatal(err)
	}
}

// A process that already runs, and all that it will start.
func ExampleCgroup_Add() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := group.Add(4711); err != nil {
		log.Fatal(err)
	}
}

// Who is in a group.
func ExampleCgroup_Procs() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	pids, err := group.Procs()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(pids), "processes")
}

// While a group is frozen nothing in it changes: a good moment for a copy of its files.
func ExampleCgroup_Freeze() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := group.Freeze(ctx); err != nil {
		log.Fatal(err)
	}
	defer group.Thaw()
}

// Going on where Freeze stopped.
func ExampleCgroup_Thaw() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := group.Thaw(); err != nil {
		log.Fatal(err)
	}
}

// Every process of a group at once: none can escape by making children.
func ExampleCgroup_Kill() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := group.Kill(); err != nil {
		log.Fatal(err)
	}
}

// The end of a group: kill, then wait until the last process is gone.
func ExampleCgroup_Remove() {
	group, err := caisson.OpenCgroup("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := group.Kill(); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := group.Remove(ctx); err != nil {
		log.Fatal(err)
	}
}
