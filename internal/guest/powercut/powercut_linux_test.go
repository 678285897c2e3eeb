package powercut

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/guest/protocol"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

// cuts is 300 before a release: go run ./internal/guest ... -timeout 30m -testflags -cuts=300 ./internal/guest/powercut.
var cuts = flag.Int("cuts", 25, "how often the power is cut")

// R6: the power fails while images are pulled, committed, tagged, removed and pruned. Every image that can be seen
// afterwards is whole, every name is what it was when the power failed or what it was about to become, and the next
// writer goes on without anybody's help.
func TestPowerCut(t *testing.T) {
	b := newBench(t, false)
	for i := range *cuts {
		b.round(i)
		for _, problem := range append(b.found.damages, b.broken...) {
			t.Errorf("cut %d: %s", i, problem)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	b.powered("", b.prune)
	t.Logf("%d cuts, after each of which all is well; %d names were promised, %d in doubt; %d files were compared",
		*cuts, b.promised, b.doubted, b.files)
	if b.promised < *cuts || b.doubted < *cuts/2 {
		t.Error("so little happened that it proves nothing")
	}
}

// The same finds a store that does not wait for the disk: the test can fail. Where another program makes the file system
// write its journal there are damaged objects, and where none does, names are lost.
func TestPowerCutFindsDamage(t *testing.T) {
	const tries = 8
	b := newBench(t, true)
	damages, broken := 0, 0
	for i := 0; i < tries && (damages == 0 || broken == 0); i++ {
		b.alone = damages > 0
		b.round(i)
		damages += len(b.found.damages)
		broken += len(b.broken)
		for _, problem := range append(b.found.damages, b.broken...) {
			t.Logf("cut %d, as it has to be: %s", i, problem)
		}
		b.empty()
	}
	if damages == 0 || broken == 0 {
		t.Errorf("%d cuts of a store that does not wait for the disk damaged %d objects and broke %d promises", tries, damages, broken)
	}
}

// bench is a disk, a registry and what was promised.
type bench struct {
	t      *testing.T
	dev    *device
	mount  string
	forget bool // the writer does not wait for the disk
	alone  bool // and nobody else does
	source *source
	p      *promises

	found                    *seen // of the last round
	broken                   []string
	promised, doubted, files int
}

func newBench(t *testing.T, forget bool) *bench {
	testneed.Root(t)
	b := &bench{t: t, mount: t.TempDir(), forget: forget, p: newPromises()}
	under, err := os.Getenv(protocol.SpareEnv), error(nil)
	if under == "" {
		err = fmt.Errorf("%s names no block device with an ext4 file system to spare", protocol.SpareEnv)
	} else {
		b.dev, err = openDevice(under)
	}
	testneed.Feature(t, "powercut", err, "run this package's tests with internal/guest")
	b.source = newSource(t, rand.New(rand.NewPCG(6, 6)))
	b.empty()
	return b
}

// empty removes the store.
func (b *bench) empty() {
	b.t.Helper()
	b.powered("", func() { b.must(os.RemoveAll(b.dir())) })
	clear(b.p.is)
}

func (b *bench) dir() string { return filepath.Join(b.mount, "state") }

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// powered does something with the file system mounted.
func (b *bench) powered(options string, do func()) {
	b.t.Helper()
	path, err := b.dev.on()
	b.must(err)
	defer func() {
		if err := b.dev.off(); err != nil {
			b.t.Error(err)
		}
	}()
	b.must(syscall.Mount(path, b.mount, "ext4", 0, options))
	defer func() {
		if err := letGo(func() error { return syscall.Unmount(b.mount, 0) }); err != nil {
			b.t.Errorf("unmount: %v; it is used by %q", err, users(b.mount))
		}
	}()
	do()
}

// users are the processes that use something below a directory, with what that is.
func users(dir string) (found []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	cwds, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range append(links, cwds...) {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, dir) {
			found = append(found, link+" "+at)
		}
	}
	return found
}

// round cuts the power once, at a moment that depends on the number, and looks at what is there afterwards. The next
// writer has to live with it.
func (b *bench) round(number int) {
	b.t.Helper()
	r := rand.New(rand.NewPCG(6, uint64(number)))
	// Without an order between data and metadata, and with more commits of the journal, more can go wrong.
	options := []string{"", "data=writeback", "commit=1"}[number%3]
	offers := b.source.shuffle(r)
	b.powered(options, func() { b.write(r, order{b.dir(), fmt.Sprint(number), r.Uint64(), b.forget, offers}) })
	replay, _, err := b.dev.journal()
	b.must(err)
	if !replay {
		b.t.Fatalf("cut %d: the file system was unmounted in order: the power was not cut", number)
	}
	b.promised += len(b.p.is)
	b.doubted += len(b.p.may)
	b.powered("", func() {
		b.found = look(b.t.Context(), b.dir(), fmt.Sprint("after ", number))
		b.files += b.found.files
	})
	if _, damaged, err := b.dev.journal(); err != nil || damaged {
		b.t.Fatalf("cut %d: the file system itself is damaged: %v", number, err)
	}
	lines, doubted := len(b.p.lines), len(b.p.may)
	b.broken = b.p.compare(b.found.names)
	b.t.Logf("cut %d (%q): %d names in doubt, %d lines not waited for, %d names there, %d problems", number, options, doubted, lines,
		len(b.found.names), len(b.found.damages)+len(b.broken))
}

// write lets a writer do its work for some time, and cuts the power.
func (b *bench) write(r *rand.Rand, o order) {
	b.t.Helper()
	text, err := json.Marshal(o)
	b.must(err)
	cmd := exec.CommandContext(b.t.Context(), "/proc/self/exe", "-test.run=^TestPowerCutWriter$")
	cmd.Env = append(os.Environ(), orderEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	b.must(err)
	b.p.begin()
	b.must(cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(b.p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			b.p.hear(s.Text())
			b.p.lines <- struct{}{}
		}
	}()
	stop := func() {}
	if !b.alone {
		stop = b.bystander()
	}
	b.wait(r)
	b.p.freeze()
	cutErr := b.dev.cut()
	_ = cmd.Process.Kill()
	<-ended
	waitErr := cmd.Wait()
	stop()
	b.must(cutErr)
	var exit *exec.ExitError
	if !errors.As(waitErr, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		b.t.Fatalf("the writer ended by itself: %v", waitErr)
	}
	if len(b.p.failed) > 0 {
		b.t.Errorf("the writer failed before the cut:\n%s", strings.Join(b.p.failed, "\n"))
	}
}

// wait returns at some time after some of the writer's lines.
func (b *bench) wait(r *rand.Rand) {
	b.t.Helper()
	limit := time.After(testneed.Patience(20 * time.Second))
	for range 1 + r.IntN(16) {
		select {
		case _, more := <-b.p.lines:
			if !more {
				return
			}
		case <-limit:
			b.t.Error("the writer hangs")
			return
		}
	}
	<-time.After(testneed.Patience(time.Duration(r.IntN(12_000)) * time.Microsecond))
}

// prune collects what no image refers to; then there is nothing left of all the crashes.
func (b *bench) prune() {
	s, err := store.Open(b.dir())
	b.must(err)
	_, err = s.Prune(b.t.Context(), store.PruneOptions{All: true})
	b.must(err)
	for _, dir := range []string{"staging", "layers", "blobs/sha256"} {
		left, err := os.ReadDir(filepath.Join(b.dir(), dir))
		if err != nil || len(left) > 0 {
			b.t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

// bystander is another program, which waits for its own file to be on the disk again and again. That makes ext4 write
// its journal, with what others have done to names and have not written of contents.
func (b *bench) bystander() (stop func()) {
	f, err := os.Create(filepath.Join(b.mount, "bystander"))
	b.must(err)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer f.Close()
		for tick := time.NewTicker(testneed.Patience(5 * time.Millisecond)); ; {
			select {
			case <-quit:
				tick.Stop()
				return
			case <-tick.C:
			}
			if _, err := f.WriteAt([]byte(time.Now().String()), 0); err == nil {
				_ = f.Sync()
			}
		}
	}()
	return func() { close(quit); <-done }
}
