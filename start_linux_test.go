package caisson_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// A container has one start, however that ends.
func TestFailedStartIsTheOnlyOne(t *testing.T) {
	c := engine(t).Host().Command("no-such-program")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if c.ID() != "" || c.State() != caisson.StateClosed || c.Pid() != 0 {
		t.Error(c.ID(), c.State(), c.Pid())
	}
	if _, err := out.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Error("the pipe is open:", err)
	}
	c.Args = []string{"true"}
	for what, err := range map[string]error{"Start": c.Start(t.Context()), "Run": c.Run(t.Context())} {
		if !errors.Is(err, caisson.ErrStarted) {
			t.Errorf("a second %s: %v", what, err)
		}
	}
	if err := c.Wait(t.Context()); !errors.Is(err, caisson.ErrNotStarted) {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// A second Run of a container leaves the first one alone.
func TestSecondRunLeavesTheFirstAlone(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "echo up; exec sleep 1000")
	started(t, c)
	if err := c.Run(t.Context()); !errors.Is(err, caisson.ErrStarted) {
		t.Fatal(err)
	}
	if c.State() != caisson.StateRunning {
		t.Fatal(c.State())
	}
	p := c.Exec("no-such-program")
	if err := p.Start(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	p.Args = []string{"true"}
	if err := p.Start(t.Context()); !errors.Is(err, caisson.ErrStarted) {
		t.Fatal(err)
	}
}

// While a container starts, every question is answered at once, and Close ends the start.
func TestCloseDuringStart(t *testing.T) {
	e := engine(t)
	// What an earlier program left is cleared, and logged, by the first start.
	if err := os.MkdirAll(filepath.Join(e.Dir, "containers", "left"), 0o700); err != nil {
		t.Fatal(err)
	}
	reached, release := make(chan struct{}), make(chan struct{})
	e.Logger = slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		close(reached)
		<-release
		return len(p), nil
	}), nil))
	c := e.Host().Command("sleep", "1000")
	start, closed := make(chan error, 1), make(chan error, 1)
	go func() { start <- c.Start(context.Background()) }()
	<-reached
	within(t, "a question", func() {
		if c.State() != caisson.StateNew || c.ID() != "" || c.Pid() != 0 {
			t.Error(c.State(), c.ID(), c.Pid())
		}
		if err := c.Signal(syscall.SIGTERM); !errors.Is(err, caisson.ErrNotStarted) {
			t.Error(err)
		}
		if err := c.Exec("true").Run(t.Context()); !errors.Is(err, caisson.ErrNotStarted) {
			t.Error(err)
		}
		if _, err := c.StdinPipe(); !errors.Is(err, caisson.ErrStarted) {
			t.Error(err)
		}
	})
	go func() { closed <- c.Close() }()
	if !poll(func() bool { return errors.Is(c.Signal(syscall.SIGTERM), caisson.ErrClosed) }) {
		t.Error("Close does not begin")
	}
	close(release)
	if err := <-start; !errors.Is(err, caisson.ErrClosed) {
		t.Error(err)
	}
	if err := <-closed; err != nil || c.State() != caisson.StateClosed {
		t.Error(c.State(), err)
	}
}

// All methods may be called at any time, from anywhere.
func TestMethodsAtTheSameTime(t *testing.T) {
	img := smallImage(t, engine(t))
	for range many(20, 3) {
		c := img.Command("/bin/hold")
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() { _ = c.Start(t.Context()) },
			func() { _ = c.Wait(t.Context()) },
			func() { _ = c.Exec("/bin/true").Run(t.Context()) },
			func() { _ = c.Signal(syscall.SIGWINCH) },
			func() { _ = c.Resize(caisson.Winsize{Rows: 1, Cols: 1}) },
			func() { _ = c.Stop(t.Context()) },
			func() { _, _, _, _ = c.State(), c.ID(), c.Pid(), c.Timings() },
			func() { _, _ = c.Cgroup() },
			func() { _, _ = c.Namespace(caisson.NetNamespace) },
			func() { _, _ = c.Dial(t.Context(), "tcp", "127.0.0.1:1") },
			func() { _ = c.Close() },
		} {
			wg.Go(f)
		}
		within(t, "everything", wg.Wait)
		if err := c.Close(); err != nil || c.State() != caisson.StateClosed {
			t.Error(c.State(), err)
		}
	}
}

// What the fields say counts until Start, in the slices too.
func TestFieldsCountUntilStart(t *testing.T) {
	c := engine(t).Host().Command("sh", "-c", "trap 'exit 7' INT; echo up; while :; do sleep 1000 & wait; done")
	c.Env, c.StopSignal, c.StopTimeout = []string{"WHEN=before"}, "INT", time.Minute
	started(t, c)
	c.Env[0], c.StopSignal, c.StopTimeout, c.Args[2] = "WHEN=after", "KILL", time.Nanosecond, "exit 1"
	c.Hostname, c.Dir, c.TTY = "later", "/nowhere", &caisson.Winsize{}
	out, err := c.Exec("sh", "-c", "echo $WHEN").Output(t.Context())
	if err != nil || string(out) != "WHEN=before\n"[5:] {
		t.Errorf("%q %v", out, err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := caisson.ExitCode(c.Wait(t.Context())); code != 7 {
		t.Error(code)
	}
}

// The image's stop signal is that of the image that Spec.Image names, however the container was made.
func TestStopSignalOfAnImage(t *testing.T) {
	e := engine(t)
	for signal, want := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "2": syscall.SIGINT, "": syscall.SIGTERM} {
		img := pushed(t, e, v1.Config{StopSignal: signal})
		c := e.New(caisson.Spec{Image: img.ID(), Args: []string{"/bin/probe", "cwd", "--", "hold"}, Init: true})
		started(t, c)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		var exit *caisson.ExitError
		if err := c.Wait(t.Context()); !errors.As(err, &exit) || exit.Signal != want {
			t.Errorf("%q: %v", signal, err)
		}
	}
}

// A signal that is none is refused by Start, or does not keep Stop from its work.
func TestStopSignalThatIsNone(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{StopSignal: "SIGNONE"})
	c := e.New(caisson.Spec{Image: img.ID(), Args: []string{"/bin/probe", "hold"}, StopTimeout: time.Millisecond})
	defer func() { _ = c.Close() }()
	if err := c.Start(t.Context()); err != nil {
		return
	}
	if err := c.Stop(t.Context()); err != nil || c.State() != caisson.StateExited {
		t.Error(c.State(), err)
	}
}

// pushed is an image of a registry of the test's own, with the probe in it.
func pushed(t *testing.T, e *caisson.Engine, config v1.Config) *caisson.Image {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return probeLayer(testroot.Program(t)) })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	if image, err = mutate.Config(image, config); err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	to, err := name.ParseReference(host+"/probe:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	e.Insecure = append(e.Insecure, host)
	img, err := e.Pull(t.Context(), to.Name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func probeLayer(program string) (io.ReadCloser, error) {
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "bin/probe", Mode: 0o755, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	return io.NopCloser(&b), w.Close()
}

// Every error says which container or program it is about, and what of it.
func TestErrorsNameWhatTheyAreAbout(t *testing.T) {
	e := engine(t)
	ctx := t.Context()
	fresh := func() *caisson.Container { return e.Host().Command("some-program") }
	ended := e.Host().Command("true")
	closed := e.Host().Command("true")
	withTerminal := e.Host().Command("true")
	withTerminal.TTY = &caisson.Winsize{}
	for _, c := range []*caisson.Container{ended, closed, withTerminal} {
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ended.Close(); _ = withTerminal.Close() }()
	process := ended.Exec("other-program")
	output := fresh()
	output.Stdout = io.Discard
	both := fresh()
	if _, err := both.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	_, errBoth := both.StdinPipe()
	_, errOutput := output.Output(ctx)
	_, errLate := ended.StdoutPipe()
	_, errDial := fresh().Dial(ctx, "tcp", "127.0.0.1:80")
	_, errListen := closed.Listen(ctx, "tcp", "127.0.0.1:80")
	_, errSocket := ended.Dial(ctx, "tcp", "127.0.0.1:80")
	_, errNamespace := ended.Namespace(caisson.NetNamespace)
	_, errCgroup := ended.Cgroup()
	id := func(c *caisson.Container) string { return c.ID()[:12] }
	for what, c := range map[string]struct {
		err  error
		is   error
		name string
	}{
		"signal a new one":       {fresh().Signal(os.Interrupt), caisson.ErrNotStarted, "some-program"},
		"signal an ended one":    {ended.Signal(os.Interrupt), os.ErrProcessDone, id(ended)},
		"signal a closed one":    {closed.Signal(os.Interrupt), caisson.ErrClosed, id(closed)},
		"resize a new one":       {fresh().Resize(caisson.Winsize{}), caisson.ErrNotStarted, "some-program"},
		"resize an ended one":    {withTerminal.Resize(caisson.Winsize{}), os.ErrProcessDone, id(withTerminal)},
		"resize no terminal":     {ended.Resize(caisson.Winsize{}), errors.ErrUnsupported, id(ended)},
		"wait for a new one":     {fresh().Wait(ctx), caisson.ErrNotStarted, "some-program"},
		"stop a new one":         {fresh().Stop(ctx), caisson.ErrNotStarted, "some-program"},
		"start a running one":    {ended.Start(ctx), caisson.ErrStarted, id(ended)},
		"start a closed one":     {closed.Start(ctx), caisson.ErrClosed, id(closed)},
		"start one of no engine": {(&caisson.Container{Spec: caisson.Spec{Args: []string{"some-program"}}}).Start(ctx), nil, "some-program"},
		"exec in a new one":      {fresh().Exec("other-program").Run(ctx), caisson.ErrNotStarted, "some-program"},
		"exec in an ended one":   {process.Run(ctx), os.ErrProcessDone, id(ended)},
		"exec in a closed one":   {closed.Exec("other-program").Run(ctx), caisson.ErrClosed, id(closed)},
		"exec in none":           {(&caisson.Process{Args: []string{"other-program"}}).Start(ctx), nil, "other-program"},
		"signal a new process":   {ended.Exec("other-program").Signal(os.Interrupt), caisson.ErrNotStarted, "other-program"},
		"pipe twice":             {errBoth, nil, "Stdin"},
		"pipe late":              {errLate, caisson.ErrStarted, "Stdout"},
		"output":                 {errOutput, nil, "Stdout"},
		"dial from a new one":    {errDial, caisson.ErrNotStarted, "some-program"},
		"dial from an ended one": {errSocket, os.ErrProcessDone, id(ended)},
		"listen in a closed one": {errListen, caisson.ErrClosed, id(closed)},
		"namespace":              {errNamespace, os.ErrProcessDone, id(ended)},
		"cgroup without limits":  {errCgroup, fs.ErrNotExist, id(ended)},
	} {
		var typed *caisson.Error
		if !errors.As(c.err, &typed) || c.is != nil && !errors.Is(c.err, c.is) || !strings.Contains(typed.Path, c.name) {
			t.Errorf("%s: %v (%s)", what, c.err, reflect.TypeOf(c.err))
		}
		t.Logf("%-22s %v", what, c.err)
	}
}

// Whatever an Exec meets in a container that ends meanwhile, its error says that it has ended.
func TestExecWhileTheContainerEnds(t *testing.T) {
	img := smallImage(t, engine(t))
	for i := range many(200, 30) {
		c := img.Command("/bin/hold")
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		killed := make(chan struct{})
		time.AfterFunc(time.Duration(i)*50*time.Microsecond, func() {
			defer close(killed)
			if err := c.Signal(os.Kill); err != nil {
				t.Error(err)
			}
		})
		err := c.Exec("/bin/true").Run(t.Context())
		var exit *caisson.ExitError
		if err != nil && !errors.As(err, &exit) && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		<-killed
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a start was traced for can be asked for as long as there is the Container.
func TestTimingsStay(t *testing.T) {
	c := engine(t).Host().Command("true")
	c.Trace = true
	if err := c.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.Timings()) == 0 {
		t.Error("no timings of a closed container")
	}
}

func TestExampleOfACgroup(t *testing.T) {
	limits(t, caisson.Limits{Processes: 10})
	if got := printed(t, ExampleContainer_Cgroup); got != "1 of 10 processes\n" {
		t.Errorf("%q", got)
	}
}

// The cgroup that limits made for a container is the one that its processes are in.
func TestCgroupOfAContainer(t *testing.T) {
	l := caisson.Limits{Processes: 10}
	limits(t, l)
	c := engine(t).Host().Command("sleep", "1000")
	c.Limits = l
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	group, err := c.Cgroup()
	if err != nil {
		t.Fatal(err)
	}
	if pids, err := group.Procs(); err != nil || len(pids) != 1 || pids[0] != c.Pid() {
		t.Error(pids, err)
	}
	if !strings.HasSuffix(group.String(), c.ID()) || group.Path("pids") == "" {
		t.Error(group, group.Path("pids"))
	}
	same, err := caisson.OpenCgroup(group.String())
	if err != nil || same.Path("pids") != group.Path("pids") {
		t.Error(same, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cgroup(); !errors.Is(err, caisson.ErrClosed) {
		t.Error(err)
	}
	if _, err := group.Procs(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
