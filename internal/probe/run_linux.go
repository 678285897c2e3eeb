package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// running is a script in its process.
type running struct {
	script  *script
	program *tape.Program
	process *launch.Process
	status  *os.File // read end
	leash   *os.File // write end
	stop    func() bool
	stopped chan struct{}
}

// grace is how long a script may go on when nobody wants it any more. It ends by itself within that:
// killing it would leave its children to whoever reaps the orphans of this system.
const grace = 200 * time.Millisecond

// start starts a script. When ctx is done its process ends soon.
func (p *prober) start(ctx context.Context, s *script, cgroup *os.File, extra ...*os.File) (*running, error) {
	program, err := s.program()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &running{script: s, program: program, stopped: make(chan struct{})}
	var statusEnd, leashEnd *os.File
	if r.status, statusEnd, err = os.Pipe(); err != nil {
		return nil, err
	}
	defer func() { _ = statusEnd.Close() }()
	if leashEnd, r.leash, err = os.Pipe(); err != nil {
		return nil, errors.Join(err, r.status.Close())
	}
	defer func() { _ = leashEnd.Close() }()
	r.process, err = launch.Start(program, launch.Options{
		Files: append([]*os.File{nil, nil, nil, statusEnd, leashEnd}, extra...), Cgroup: cgroup, Dir: p.scratch,
	})
	if err != nil {
		_, _ = r.status.Close(), r.leash.Close()
		return nil, err
	}
	r.stop = context.AfterFunc(ctx, r.kill)
	return r, nil
}

// kill lets the script go, and kills its process if it does not go.
func (r *running) kill() {
	defer close(r.stopped)
	_ = r.leash.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-r.process.Done():
	case <-timer.C:
		_ = r.process.Signal(syscall.SIGKILL)
		_ = r.status.SetReadDeadline(time.Unix(1, 0))
	}
}

// next reads one record: the number of a trial and what came of it.
func (r *running) next() (n int, failure error, err error) {
	buf := make([]byte, tape.FailureSize)
	if _, err := io.ReadFull(r.status, buf); err != nil {
		return 0, nil, err
	}
	if binary.LittleEndian.Uint32(buf[4:]) == 0 {
		return int(binary.LittleEndian.Uint32(buf)), nil, nil
	}
	f := r.program.DecodeFailure(buf)
	n = r.script.SectionOf(f.Op)
	if n < 0 {
		return 0, nil, fmt.Errorf("operation %d failed, which there is not: %w", f.Op, f.Errno)
	}
	return n, failed(r.script, f), nil
}

// failed says which system call failed, on what and why.
func failed(s *script, f tape.Failure) error {
	call, on := s.CallOf(f.Op).String(), s.NoteOf(f.Op)
	if on == "" {
		return os.NewSyscallError(call, f.Errno)
	}
	return &os.PathError{Op: call, Path: on, Err: f.Errno}
}

// collect reads the records until the script has ended.
func (r *running) collect(rep *recorder) {
	missing := map[ID]bool{}
	for _, id := range r.script.trials {
		missing[id] = true
	}
	var reason error
	for {
		n, failure, err := r.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				reason = err
			}
			break
		}
		if n == 0 {
			reason = failure
			continue
		}
		id := r.script.trials[n-1]
		rep.record(id, "", failure)
		delete(missing, id)
	}
	if status, err := r.end(); reason == nil && err == nil && status.Signaled() {
		reason = fmt.Errorf("killed by a signal, %s; does a seccomp filter kill?", status.Signal())
	}
	for id := range missing {
		rep.unknown(id, reason)
	}
}

// end lets go of what waits, waits for the process and gives everything back.
func (r *running) end() (syscall.WaitStatus, error) {
	_ = r.leash.Close()
	status, _, err := r.process.Wait()
	if !r.stop() {
		<-r.stopped
	}
	r.process.Close()
	_ = r.status.Close()
	return status, err
}

// run runs a script to its end.
func (p *prober) run(ctx context.Context, s *script, extra ...*os.File) {
	r, err := p.start(ctx, s, nil, extra...)
	if err != nil {
		for _, id := range s.trials {
			p.unknown(id, err)
		}
		return
	}
	r.collect(&p.recorder)
}

// calls runs the script of the same name, and sees in passing whether a process can be executed from
// memory and waited for by descriptor.
func (p *prober) calls(ctx context.Context) {
	s := calls()
	memory := p.memory()
	r, err := p.start(ctx, s, nil)
	if memory {
		p.record(MemfdExec, "", err)
	}
	if err != nil {
		for _, id := range append(s.trials, WaitPidfd) {
			p.unknown(id, err)
		}
		return
	}
	var waited error
	_, _, err = r.process.WaitThen(func() { waited = sys.WaitPidfdNow(r.process.Pidfd()) })
	if err == nil {
		p.record(WaitPidfd, "", waited)
	}
	r.collect(&p.recorder)
}
