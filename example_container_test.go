package caisson_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-go/caisson"
)

// A program of this machine, isolated on this machine's own root filesystem.
func Example() {
	var engine caisson.Engine
	out, err := engine.Host().Command("hostname").Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("inside, the host is called %s", out)
}

// A container is a struct with fields to set before Start, like an exec.Cmd.
func ExampleContainer() {
	var engine caisson.Engine
	c := engine.Host().Command("sh", "-c", "pwd; echo $GREETING; cat")
	c.Dir = "/usr"
	c.Env = []string{"GREETING=hello"}
	c.Stdin = strings.NewReader("what goes in comes out\n")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// Start returns when the program runs. Whoever starts a container closes it: Close kills what still runs
// and leaves nothing behind.
func ExampleContainer_Start() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "60")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.State())
}

// The error of Wait says how the program ended. A context bounds the waiting, not the program.
func ExampleContainer_Wait() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var engine caisson.Engine
	c := engine.Host().Command("sh", "-c", "exit 3")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err := c.Wait(ctx)
	var exit *caisson.ExitError
	switch {
	case err == nil:
		fmt.Println("status 0")
	case errors.As(err, &exit) && exit.OOM:
		fmt.Println("it needed more memory than it may have")
	case errors.As(err, &exit):
		fmt.Println("status", exit.Code)
	case errors.Is(err, context.DeadlineExceeded):
		fmt.Println("still at it after a minute")
	}
}

// Run is Start, Wait and Close in one. When its context ends, so does the container.
func ExampleContainer_Run() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	var engine caisson.Engine
	err := engine.Host().Command("sleep", "1000").Run(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
}

// What a failed program wrote to its standard error is in the error.
func ExampleContainer_Output() {
	var engine caisson.Engine
	_, err := engine.Host().Command("ls", "/no/such/directory").Output(context.Background())
	var exit *caisson.ExitError
	if errors.As(err, &exit) {
		fmt.Printf("status %d: %s", exit.Code, exit.Stderr)
	}
}

// Both outputs, in the order in which they were written.
func ExampleContainer_CombinedOutput() {
	var engine caisson.Engine
	out, err := engine.Host().Command("sh", "-c", "echo one; echo two >&2").CombinedOutput(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A program that answers while it is being written to. Closing the pipe is how it learns that there is
// no more.
func ExampleContainer_StdinPipe() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sort")
	c.Stdout = os.Stdout
	in, err := c.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(in, "pear")
	fmt.Fprintln(in, "apple")
	if err := in.Close(); err != nil {
		log.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}

// Reading the output line by line while the program runs. Read to the end before Wait.
func ExampleContainer_StdoutPipe() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sh", "-c", "for i in 1 2 3; do echo step $i; done")
	out, err := c.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Println("it says:", lines.Text())
	}
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}

// Standard error alone.
func ExampleContainer_StderrPipe() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sh", "-c", "echo careful >&2")
	warnings, err := c.StderrPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(warnings)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", b)
}

// PID 1 of a pid namespace gets only the signals that it handles. Under an init the program is not PID 1
// and a plain sleep can be ended as it can be outside.
func ExampleContainer_Signal() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	c.Init = true
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Signal(syscall.SIGTERM); err != nil {
		log.Fatal(err)
	}
	fmt.Println(caisson.ExitCode(c.Wait(ctx))) // 128 and the signal's number: 143
}

// A terminal has a size, which may change. A program that shows a terminal of its own passes each change on.
func ExampleContainer_Resize() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sh")
	c.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
	c.Stdin, c.Stdout = os.Stdin, os.Stdout
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Resize(caisson.Winsize{Rows: 50, Cols: 132}); err != nil {
		log.Fatal(err)
	}
}

// Stop asks first and kills after StopTimeout. It is no error if the container has ended before.
func ExampleContainer_Stop() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	c.Init = true
	c.StopSignal = "SIGINT"
	c.StopTimeout = 2 * time.Second
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.State())
}

// The states of a container's life.
func ExampleContainer_State() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("true")
	fmt.Println(c.State())
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.State())
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.State())
	// new, exited, closed
}

// Where the time of a start goes.
func ExampleContainer_Timings() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("true")
	c.Trace = true
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, t := range c.Timings() {
		fmt.Printf("%8v  %s %s\n", t.Took, t.Step.Verb, t.Step.Object)
	}
}

// The cgroup of a container that runs with limits: who is in it, and whatever else the kernel tells.
func ExampleContainer_Cgroup() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	c.Limits = caisson.Limits{Processes: 10}
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	group, err := c.Cgroup()
	if err != nil {
		log.Fatal(err)
	}
	pids, err := group.Procs()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(pids), "of", c.Limits.Processes, "processes")
}

// A second program in a running container.
func ExampleContainer_Exec() {
	ctx := context.Background()
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	out, err := c.Exec("ps", "-e").Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}
