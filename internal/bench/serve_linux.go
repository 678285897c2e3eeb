package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/caisson-go/caisson"
)

// host is the inside of a worker: a program that has the library in it.
type host struct {
	image *caisson.Image
	held  []*caisson.Container
}

// serve is a worker: it answers each line with the times of what was asked, in nanoseconds, or with an error.
func serve(ctx context.Context, dir string, resident int, unified bool) error {
	if unified {
		if err := mountUnified(); err != nil {
			return err
		}
	}
	if resident > 0 {
		if err := occupy(resident); err != nil {
			return err
		}
	}
	state := "state"
	if os.Geteuid() != 0 {
		state = "user"
	}
	engine := &caisson.Engine{Dir: filepath.Join(dir, state)}
	image, err := engine.RootFS(filepath.Join(dir, "root"))
	if err != nil {
		return err
	}
	h := &host{image: image}
	defer h.drop()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		answer, err := h.answer(ctx, strings.Fields(in.Text()))
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		fmt.Println(strings.Trim(fmt.Sprint(answer), "[]"))
	}
	return in.Err()
}

// occupy makes memory resident. It is no heap, so that the collector works as in a small program.
func occupy(size int) error {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	return err
}

// mountUnified hides cgroups of version 1 in this process's mount namespace, which must be its own.
func mountUnified() error {
	return os.NewSyscallError("mount cgroup2", syscall.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""))
}

func (h *host) answer(ctx context.Context, words []string) ([]int64, error) {
	if words[0] == "run" {
		return command(words[1:])
	}
	var numbers []int
	for _, w := range words[1:] {
		n, err := strconv.Atoi(w)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	switch {
	case words[0] == "start":
		return times(numbers[0], func() error { return h.image.Command("/bin/true").Run(ctx) })
	case words[0] == "rested":
		return timesAfter(rest, numbers[0], func() error { return h.image.Command("/bin/true").Run(ctx) })
	case words[0] == "parallel":
		return h.parallel(ctx, numbers[0], numbers[1])
	case words[0] == "hold":
		return h.hold(ctx, numbers[0])
	case words[0] == "exec" && len(h.held) > 0:
		return times(numbers[0], func() error { return h.held[0].Exec("/bin/true").Run(ctx) })
	case words[0] == "drop":
		return nil, h.drop()
	case words[0] == "heap":
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return []int64{int64(m.HeapAlloc), int64(m.StackInuse)}, nil
	}
	return nil, errors.New("unknown question")
}

// rest is how long a worker does nothing before a start that comes alone: longer than anything is kept for the next one.
const rest = 150 * time.Millisecond

func times(n int, once func() error) ([]int64, error) { return timesAfter(0, n, once) }

// timesAfter is the times of some runs, each of which is preceded by a pause.
func timesAfter(pause time.Duration, n int, once func() error) ([]int64, error) {
	var list []int64
	for range n {
		time.Sleep(pause)
		began := time.Now()
		if err := once(); err != nil {
			return nil, err
		}
		list = append(list, time.Since(began).Nanoseconds())
	}
	return list, nil
}

// parallel runs containers by several starters and answers with the time that all took.
func (h *host) parallel(ctx context.Context, starters, each int) ([]int64, error) {
	var all sync.WaitGroup
	errs := make([]error, starters)
	began := time.Now()
	for i := range starters {
		all.Go(func() {
			_, errs[i] = times(each, func() error { return h.image.Command("/bin/true").Run(ctx) })
		})
	}
	all.Wait()
	return []int64{time.Since(began).Nanoseconds()}, errors.Join(errs...)
}

// hold starts containers that stay, and answers with their processes.
func (h *host) hold(ctx context.Context, n int) ([]int64, error) {
	var pids []int64
	for range n {
		c := h.image.Command("/bin/sleep")
		if err := c.Start(ctx); err != nil {
			return nil, err
		}
		h.held = append(h.held, c)
		pids = append(pids, int64(c.Pid()))
	}
	return pids, nil
}

func (h *host) drop() error {
	var errs []error
	for _, c := range h.held {
		errs = append(errs, c.Close())
	}
	h.held = nil
	return errors.Join(errs...)
}
