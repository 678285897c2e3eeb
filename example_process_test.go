package caisson_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson"
)

// box is a running container for the examples: something that stays until it is closed.
func box() *caisson.Container {
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "1000")
	c.Env = []string{"PLACE=inside"}
	if err := c.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	return c
}

// A process has fields to set before Start, as a container has. What is not set is the container's.
func ExampleProcess() {
	c := box()
	defer c.Close()
	p := c.Exec("sh", "-c", "echo $PLACE $MORE; pwd; id -u")
	p.Env = []string{"MORE=and more"}
	p.Dir = "/usr"
	p.Stdout, p.Stderr = os.Stdout, os.Stderr
	if err := p.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// A process ends with its container at the latest.
func ExampleProcess_Start() {
	c := box()
	p := c.Exec("sleep", "1000")
	if err := p.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Wait(context.Background())) // signal: killed
}

// Several processes at once, each waited for.
func ExampleProcess_Wait() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	var list []*caisson.Process
	for i := range 3 {
		p := c.Exec("sh", "-c", fmt.Sprint("exit ", i))
		if err := p.Start(ctx); err != nil {
			log.Fatal(err)
		}
		list = append(list, p)
	}
	for _, p := range list {
		fmt.Println(caisson.ExitCode(p.Wait(ctx)))
	}
	// 0, 1, 2
}

// The context bounds the process, and leaves the container alone.
func ExampleProcess_Run() {
	c := box()
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fmt.Println(c.Exec("sleep", "1000").Run(ctx))
	fmt.Println(c.State())
	// context deadline exceeded: signal: killed, running
}

// What a process writes.
func ExampleProcess_Output() {
	c := box()
	defer c.Close()
	out, err := c.Exec("cat", "/etc/hostname").Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// What a process writes, and what it complains of.
func ExampleProcess_CombinedOutput() {
	c := box()
	defer c.Close()
	out, err := c.Exec("ls", "/etc/hostname", "/nowhere").CombinedOutput(context.Background())
	fmt.Printf("%s%v\n", out, err)
}

// Writing a file in the container through a process that reads it from its standard input.
func ExampleProcess_StdinPipe() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	p := c.Exec("tee", "/tmp/greeting")
	in, err := p.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(in, "hello\n"); err != nil {
		log.Fatal(err)
	}
	if err := in.Close(); err != nil {
		log.Fatal(err)
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}

// Following what a process writes.
func ExampleProcess_StdoutPipe() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	p := c.Exec("ls", "/dev")
	out, err := p.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Println("device:", lines.Text())
	}
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}

// Following what a process complains of.
func ExampleProcess_StderrPipe() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	p := c.Exec("ls", "/nowhere")
	complaints, err := p.StderrPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	b, err := io.ReadAll(complaints)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", b)
}

// A signal for one process of a container. Not being PID 1, it need not handle it to be ended by it.
func ExampleProcess_Signal() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	p := c.Exec("sleep", "1000")
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := p.Signal(syscall.SIGINT); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Wait(ctx)) // signal: interrupt
}

// A process with a terminal of its own, of another size than it began with.
func ExampleProcess_Resize() {
	ctx := context.Background()
	c := box()
	defer c.Close()
	p := c.Exec("sh", "-c", "read go; stty size")
	p.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
	in, out := io.Pipe()
	p.Stdin, p.Stdout = in, os.Stdout
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := p.Resize(caisson.Winsize{Rows: 30, Cols: 100}); err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(out, "go")
	if err := p.Wait(ctx); err != nil {
		log.Fatal(err)
	}
}
