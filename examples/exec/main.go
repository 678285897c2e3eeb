// Command exec starts a container and runs several programs in it.
//
//	go run ./examples/exec
//	go run ./examples/exec -it sh     and in the end a program with this terminal
//
// It teaches Container.Exec: a Process has the verbs of a Container, and its namespaces, limits and rights. What is not
// set is the container's own. Processes run at the same time, and end with the container at the latest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/caisson-go/caisson"
)

func main() {
	interactive := flag.Bool("it", false, "in the end, run the arguments with this terminal")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *interactive, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "exec:", err)
		os.Exit(caisson.ExitCode(err))
	}
}

func run(ctx context.Context, interactive bool, args []string) error {
	var engine caisson.Engine
	c := engine.Host().Command("sleep", "infinity")
	c.Hostname = "workshop"
	c.Env = []string{"PLACE=inside"}
	if err := c.Start(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	defer c.Close() // kills what still runs, the sleep first
	for _, show := range []func(context.Context, *caisson.Container) error{output, input, together, terminal} {
		if err := show(ctx, c); err != nil {
			return err
		}
	}
	if interactive {
		return attach(ctx, c, args)
	}
	return nil
}

// output is the shortest use: what a program writes. It may have another directory and more environment.
func output(ctx context.Context, c *caisson.Container) error {
	p := c.Exec("sh", "-c", "echo $(hostname), $PLACE, $WHERE: $(pwd)")
	p.Env = []string{"WHERE=in a directory of its own"}
	p.Dir = "/usr"
	out, err := p.Output(ctx)
	fmt.Printf("output    %s", out)
	return err
}

// input puts a file into the container through a program that reads it, and looks at it with another.
func input(ctx context.Context, c *caisson.Container) error {
	p := c.Exec("tee", "/tmp/note")
	p.Stdin = strings.NewReader("written from outside\n")
	if err := p.Run(ctx); err != nil {
		return err
	}
	out, err := c.Exec("cat", "/tmp/note").Output(ctx)
	fmt.Printf("input     %s", out)
	return err
}

// together runs three programs at once. Each has a status of its own.
func together(ctx context.Context, c *caisson.Container) error {
	var list []*caisson.Process
	for status := range 3 {
		p := c.Exec("sh", "-c", fmt.Sprint("exit ", status))
		if err := p.Start(ctx); err != nil {
			return err
		}
		list = append(list, p)
	}
	fmt.Print("together ")
	for _, p := range list {
		fmt.Print(" status ", caisson.ExitCode(p.Wait(ctx)))
	}
	fmt.Println()
	return nil
}

// terminal gives a program a terminal that nobody sits at, and types.
func terminal(ctx context.Context, c *caisson.Container) error {
	p := c.Exec("sh", "-c", "tty; stty size; read -r word; echo it read $word")
	p.TTY = &caisson.Winsize{Rows: 24, Cols: 80}
	p.Stdin = strings.NewReader("typed\n")
	out, err := p.Output(ctx)
	// What is typed is echoed by the terminal, and where a newline was written a carriage return goes before.
	fmt.Printf("terminal  %q\n", out)
	return err
}

// attach gives a program this program's own terminal, in raw mode: what is typed is for that program alone.
func attach(ctx context.Context, c *caisson.Container, args []string) error {
	if len(args) == 0 {
		args = []string{"sh"}
	}
	in, out := int(os.Stdin.Fd()), int(os.Stdout.Fd())
	cols, rows, err := term.GetSize(out)
	if err != nil {
		return fmt.Errorf("-it needs a terminal: %w", err)
	}
	p := c.Exec(args...)
	p.TTY = &caisson.Winsize{Rows: uint16(rows), Cols: uint16(cols)}
	p.Stdin, p.Stdout = io.Reader(os.Stdin), os.Stdout
	state, err := term.MakeRaw(in)
	if err != nil {
		return err
	}
	defer term.Restore(in, state)
	return p.Run(ctx)
}
