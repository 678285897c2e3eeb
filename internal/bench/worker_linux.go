package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// worker is a running worker, seen from outside; see serve.
type worker struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// newWorker starts a worker, as the ordinary user if that is asked of root.
func (b *bench) newWorker(resident int, unprivileged bool) (*worker, error) {
	var attr syscall.SysProcAttr
	if unprivileged && b.root {
		attr.Credential = &syscall.Credential{Uid: ordinary, Gid: ordinary}
	}
	return b.launch(&attr, "-resident", strconv.Itoa(resident))
}

// newUnified starts a worker that sees cgroups of version 2 only, which spares the peers what version 1 costs them.
func (b *bench) newUnified() (*worker, error) {
	return b.launch(&syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}, "-unified")
}

func (b *bench) launch(attr *syscall.SysProcAttr, options ...string) (*worker, error) {
	// Not killed with the context: it is needed to take back what was made by it.
	cmd := exec.Command(b.room.program, append([]string{"-worker", b.room.dir}, options...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = attr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &worker{cmd, in, bufio.NewReader(out)}, nil
}

// ask sends a line and returns the numbers of the answer.
func (w *worker) ask(question string, words ...any) ([]int64, error) {
	for _, word := range words {
		question += fmt.Sprint(" ", word)
	}
	if _, err := fmt.Fprintln(w.in, question); err != nil {
		return nil, err
	}
	line, err := w.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	if text, ok := strings.CutPrefix(line, "error "); ok {
		return nil, errors.New(strings.TrimSpace(text))
	}
	var list []int64
	for f := range strings.FieldsSeq(line) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// timed makes the function of a contestant of a question, whose first word is how often.
func (w *worker) timed(question string, words ...any) func(n int) (batch, error) {
	return func(n int) (batch, error) {
		list, err := w.ask(question, append([]any{n}, words...)...)
		if err != nil {
			return batch{}, err
		}
		var runs []time.Duration
		for _, ns := range list {
			runs = append(runs, time.Duration(ns))
		}
		return summarize(runs), nil
	}
}

// program makes a contestant of a program that the worker runs.
func (w *worker) program(name string, runs int, argv ...string) *contestant {
	if err := w.do(argv...); err != nil {
		return failing(name, err)
	}
	return &contestant{name: name, runs: runs, run: w.timed("run", anys(argv)...)}
}

// do runs a program once.
func (w *worker) do(argv ...string) error {
	_, err := w.ask("run", append([]any{1}, anys(argv)...)...)
	return err
}

func anys(words []string) []any {
	var list []any
	for _, word := range words {
		list = append(list, word)
	}
	return list
}

// stop ends the worker by the end of its input.
func (w *worker) stop() error { return errors.Join(w.in.Close(), w.cmd.Wait()) }

func stopAll(workers []*worker) error {
	var errs []error
	for _, w := range workers {
		errs = append(errs, w.stop())
	}
	return errors.Join(errs...)
}
