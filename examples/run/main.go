// Command run runs a program in a container, with the flags of docker run that people know by heart.
//
//	go run ./examples/run --rm -it docker.io/library/alpine:3.20 sh
//	go run ./examples/run --host -v "$PWD:/src" -w /src make test
//	go run ./examples/run --rootfs /srv/debian -e TERM bash
//
// It teaches what a command line has to do around a container: turn flags into a Spec, put the terminal into raw
// mode and follow its size, pass signals on, and end with the program's own status.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/examples/internal/progress"
)

func main() {
	err := run(os.Args[1:])
	var exit *caisson.ExitError
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case errors.As(err, &exit) && !exit.OOM: // the program has said itself what there was to say
	case err != nil:
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	os.Exit(caisson.ExitCode(err))
}

func run(args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	// While an image is pulled, a signal means that it is not wanted any more; from then on it is the program's.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := o.container(ctx)
	if err != nil {
		return err
	}
	restore, err := connect(c, o)
	if err != nil {
		return err
	}
	defer restore()
	signals, leave := listen()
	defer leave()
	stop()
	ctx = context.Background()
	if err := c.Start(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	go attend(c, signals)
	err = c.Wait(ctx)
	return errors.Join(err, c.Close())
}

// container is the one that the flags ask for, of the image that they name.
func (o *options) container(ctx context.Context) (*caisson.Container, error) {
	engine := &caisson.Engine{Dir: o.state, Insecure: o.insecure}
	image, err := o.open(ctx, engine)
	if err != nil {
		return nil, err
	}
	// The image knows where its entrypoint belongs; everything else is what the flags have made of the Spec.
	c := image.Command(o.command...)
	o.spec.Image, o.spec.Args = c.Image, c.Args
	c.Spec = o.spec
	return c, nil
}

func (o *options) open(ctx context.Context, engine *caisson.Engine) (*caisson.Image, error) {
	switch {
	case o.host:
		return engine.Host(), nil
	case o.rootfs != "":
		return engine.RootFS(o.rootfs)
	}
	show, done := progress.Show(os.Stderr)
	defer done()
	return engine.Pull(ctx, o.image, &caisson.PullOptions{Policy: o.pull, Platform: o.platform, Progress: show})
}
