package caisson_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"

	"github.com/caisson-go/caisson"
)

// The zero value works. Fields change where things are kept and who is told.
func ExampleEngine() {
	engine := caisson.Engine{
		Dir:    "/srv/jobs/caisson",
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if err := engine.Host().Command("true").Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// A spec is plain data: one is the pattern, its copies are the jobs.
func ExampleEngine_New() {
	var engine caisson.Engine
	pattern := caisson.Spec{Image: engine.Host().ID(), ReadOnly: true}
	for _, word := range []string{"one", "two", "three"} {
		job := pattern
		job.Args = []string{"echo", word}
		out, err := engine.New(job).Output(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s", out)
	}
}

// This machine's own programs, without this machine's own files: what the container writes is gone with
// it, and other people's files were never there.
func ExampleEngine_Host() {
	var engine caisson.Engine
	out, err := engine.Host().Command("sh", "-c", "touch /usr/bin/mine; ls -A /home /root /tmp").Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A directory with a whole system in it, for instance one that debootstrap made.
func ExampleEngine_RootFS() {
	var engine caisson.Engine
	debian, err := engine.RootFS("/srv/debian")
	if errors.Is(err, fs.ErrNotExist) {
		log.Fatal("make it with: debootstrap stable /srv/debian")
	}
	if err != nil {
		log.Fatal(err)
	}
	out, err := debian.Command("cat", "/etc/os-release").Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A command of an image is a container that has not been started.
func ExampleImage_Command() {
	var engine caisson.Engine
	c := engine.Host().Command("date", "-u")
	c.Env = []string{"LC_ALL=C"}
	out, err := c.Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// The status with which a command line that ran a program in a container should end itself.
func ExampleExitCode() {
	fmt.Println(caisson.ExitCode(nil))
	fmt.Println(caisson.ExitCode(&caisson.ExitError{Code: 3}))
	fmt.Println(caisson.ExitCode(&caisson.Error{Op: "execve", Path: "/bin/nothing", Err: fs.ErrNotExist}))
	fmt.Println(caisson.ExitCode(&caisson.Error{Op: "execve", Path: "/etc/passwd", Err: fs.ErrPermission}))
	fmt.Println(caisson.ExitCode(&caisson.Error{Op: "pull", Path: "nowhere/image", Err: fs.ErrNotExist}))
	// Output:
	// 0
	// 3
	// 127
	// 126
	// 125
}

// An Error names the step, and errors.Is sees through to its cause.
func ExampleError() {
	var engine caisson.Engine
	_, err := engine.RootFS("/no/such/directory")
	var e *caisson.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op)
	}
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// open
	// true
}
