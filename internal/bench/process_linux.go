package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// process is a contestant that is a program of its own: the time of one run is from fork to the end. It is started
// by the least that Go has, without pipes or goroutines.
type process struct {
	argv []string
	null int
}

// newProcess finds the program.
func newProcess(argv ...string) (*process, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, err
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &process{append([]string{path}, argv[1:]...), null}, nil
}

func (p *process) once() error {
	fd := uintptr(p.null)
	pid, err := syscall.ForkExec(p.argv[0], p.argv, &syscall.ProcAttr{
		Files: []uintptr{fd, fd, fd}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
	})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err = syscall.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil && (!status.Exited() || status.ExitStatus() != 0) {
		err = fmt.Errorf("wait status %#x", uint32(status))
	}
	return err
}

// check runs the program once and says with its own words why it cannot. The words go to a file, not a pipe, which a
// program in the background would hold.
func (p *process) check() error {
	out, err := os.CreateTemp("", "caisson-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(out.Close(), os.Remove(out.Name())) }()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		words, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", p.argv[0], err, bytes.TrimSpace(words))
	}
	return nil
}

// program makes a contestant of a program.
func program(name string, runs int, argv ...string) *contestant {
	p, err := newProcess(argv...)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return failing(name, err)
	}
	return &contestant{name: name, runs: runs, run: each(p.once)}
}

// command is how a worker runs a program: it answers with the times of as many runs as the first word says. Once is
// a trial, of which only an error counts.
func command(words []string) ([]int64, error) {
	n, err := strconv.Atoi(words[0])
	if err != nil {
		return nil, err
	}
	p, err := newProcess(words[1:]...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(p.null) }()
	if n == 1 {
		return nil, p.check()
	}
	return times(n, p.once)
}
