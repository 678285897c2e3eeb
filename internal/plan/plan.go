package plan

import (
	"fmt"
	"strings"
	"sync"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Plan is a compiled container.
type Plan struct {
	Steps      []Step
	Tape       *tape.Tape
	CloneFlags uintptr  // namespaces the process starts in
	Staged     bool     // the container's process is made by the tape, and reported by Ready
	Maps       bool     // the tape waits on the control socket until the id maps are written
	Hands      bool     // the tape sends its mount namespace over the control socket
	Joins      []string // namespaces that are passed open, in this order, first
	IDMaps     int      // user namespaces for idmapped mounts, passed behind them
	FDs        FDs
	LastExec   int // the operation that tries the last place where the program may lie
	Marks      int // how many times of MarkSize bytes follow the ready record
}

// FDs are the descriptor numbers that a tape expects.
type FDs struct {
	Status  int // a pipe that records are written to
	Control int // a UNIX socket, if Maps, a terminal, Hands or a supervisor needs one, else -1
	Exit    int // a pipe for the exit status, if there is an init, else -1
	Told    int // the other end of that pipe, if a supervisor reads it, else -1
	Kept    int // a file for the exit status, if there is a supervisor, else -1
	Lock    int // the locked directory of a detached container, else -1
	Joins   int // the first of the namespaces, and behind them the id maps
	Empty   int // an empty mount namespace, or -1
	Count   int // how many descriptors there are in all
}

// Step is one thing a plan does. Verbs are the kernel's.
type Step struct {
	Verb   string
	Object string
	Why    string // where it is written: a manual page or a document of the kernel's
	First  int    // its first operation on the tape
}

// String prints the step on one line.
func (s Step) String() string {
	return strings.TrimRight(fmt.Sprintf("%-10s %-44s # %s", s.Verb, s.Object, s.Why), " #")
}

// builder is a plan under construction.
type builder struct {
	*tape.Tape
	c    *Config
	p    *Plan
	fail tape.Label
	// The overlay of the container's layers, and how fsconfig(2) is told of it, nil if it cannot be.
	stack  Overlay
	params []param
	// The process is among the host's mounts until enterEmpty.
	empty bool
	// Slots that later steps use.
	tmpfs   tape.Arg   // the container's own memory: its writable layer
	root    tape.Arg   // the detached root
	dev     tape.Arg   // the detached /dev
	sources []tape.Arg // detached mounts, one for each of Config.Mounts
	proc    tape.Arg
	sysfs   tape.Arg
	mqueue  tape.Arg
	nodes   []tape.Arg // device files of the host, where mknod is forbidden
	peer    tape.Arg   // the terminal
	shown   []tape.Arg // overlays of the host's directories that shall be read-only in the end
	marks   tape.Ref   // when each step began
}

// Compile turns a description into a plan.
func Compile(c *Config) (*Plan, error) {
	b := newBuilder(c)
	b.numbers()
	b.begin()
	b.namespaces()
	b.detach()
	b.pivot()
	b.handOver()
	b.api()
	b.null()
	b.hide()
	b.etc()
	b.attach()
	b.forget()
	b.terminal()
	b.network()
	b.workdir()
	b.session()
	b.identity()
	b.execute()
	b.end()
	return b.p, nil
}

// tapes are empty tapes with room for a plan. Growing a new one costs a start more than filling it.
var tapes = sync.Pool{New: func() any { return tape.New() }}

// Recycle gives the plan's tape to the next plan. The plan must not be used any more.
func (p *Plan) Recycle() {
	if p.Tape != nil {
		p.Tape.Reset()
		tapes.Put(p.Tape)
		p.Tape = nil
	}
}

func newBuilder(c *Config) *builder {
	b := &builder{Tape: tapes.Get().(*tape.Tape), c: c, p: &Plan{Steps: make([]Step, 0, 40)}}
	b.p.Tape = b.Tape
	b.fail = b.Label("fail")
	b.OnError(b.fail)
	return b
}

// numbers decides which descriptors there are: the program's own first, so that they need not move.
func (b *builder) numbers() {
	b.p.Maps = b.c.Namespaces.User.Mode == UserRanges
	b.p.Hands = b.c.Namespaces.PID.Mode != New && b.c.Namespaces.Mount.Mode == New
	b.p.Joins = joins(&b.c.Namespaces)
	for _, m := range b.c.Mounts {
		if len(m.IDMap) > 0 {
			b.p.IDMaps++
		}
	}
	if b.c.Namespaces.Mount.Mode == New && b.c.Root.Kind == Layers {
		b.stack = b.overlay()
		b.params, _ = b.stack.Params(b.c.Features)
	}
	b.empty = b.startsEmpty()
	b.assign()
}

// assignControl is assign with a control socket behind all others but the namespaces, for a plan that sends or waits
// over it and runs no program.
func (b *builder) assignControl() {
	b.assign()
	b.p.FDs.Control, b.p.FDs.Joins = b.p.FDs.Joins, b.p.FDs.Joins+1
	b.p.FDs.Count++
}

// assign gives each descriptor its number.
func (b *builder) assign() {
	n := 3 + b.c.ExtraFiles
	fds := FDs{Status: n, Control: -1, Exit: -1, Told: -1, Kept: -1, Lock: -1, Empty: -1}
	n++
	if b.p.Maps || b.p.Hands || b.c.TTY != nil || b.c.Detach {
		fds.Control = n
		n++
	}
	if b.c.Init {
		fds.Exit = n
		n++
	}
	if b.c.Init && b.c.Detach {
		fds.Told = n
		n++
	}
	if b.c.Detach {
		fds.Kept, fds.Lock = n, n+1
		n += 2
	}
	fds.Joins = n
	fds.Count = n + len(b.p.Joins) + b.p.IDMaps
	if b.empty {
		fds.Empty = fds.Count
		fds.Count++
	}
	b.p.FDs = fds
}

// step starts a step: the operations that follow are its.
func (b *builder) step(verb, object, why string) {
	b.p.Steps = append(b.p.Steps, Step{verb, object, why, b.Len()})
	b.Section(len(b.p.Steps) - 1)
	if b.c.Trace {
		b.mark()
	}
}

// MarkSize is the size of the time of one step: seconds and nanoseconds, in eight bytes each.
const MarkSize = 16

// maxMarks bounds how many steps are timed.
const maxMarks = 256

// mark stores the time at which a step begins; ready sends them all.
func (b *builder) mark() {
	i := len(b.p.Steps) - 1
	if b.marks.Len() == 0 {
		b.marks = b.Zero(maxMarks * MarkSize)
	}
	if i < maxMarks {
		b.ClockGettime(sys.CLOCK_MONOTONIC, b.marks.At(i*MarkSize))
		b.p.Marks = i + 1
	}
}

// begin forgets what the process has from the host program.
func (b *builder) begin() {
	b.step("close", "descriptors of the host program", "close_range(2)")
	b.CloseRange(uint32(b.p.FDs.Count), ^uint32(0), 0)
	b.Umask(0)
	for _, f := range b.c.Tasks {
		b.step("cgroup", f, "Documentation/admin-guide/cgroup-v1/cgroups.rst; tasks moves one thread without a global lock")
		fd := b.Slot("tasks")
		b.Openat(tape.Cwd, f, sys.O_WRONLY|sys.O_CLOEXEC, 0).To(fd)
		b.Write(fd, "0")
		b.Close(fd)
	}
}

// end is where failing operations go: it reports which and why, and ends the process.
func (b *builder) end() {
	b.Section(-1)
	b.Mark(b.fail)
	b.WriteMem(tape.Int(b.p.FDs.Status), tape.FailureRecord, tape.FailureSize).Ignore()
	b.ExitGroup(tape.Int(125))
}
