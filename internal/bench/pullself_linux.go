package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-go/caisson"
)

const caissonName = "caisson"

// pullInside is the other side of pullSelf: a program that has the library in it and pulls once for each line that comes,
// and answers with the nanoseconds that it took.
func pullInside(ctx context.Context, dir, ref, profile string) error {
	host, _, _ := strings.Cut(ref, "/")
	engine := &caisson.Engine{Dir: dir, Insecure: []string{host}}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		began := time.Now()
		if _, err := engine.Pull(ctx, ref, &caisson.PullOptions{Policy: caisson.PullAlways}); err != nil {
			return err
		}
		fmt.Println(time.Since(began).Nanoseconds())
	}
	return lines.Err()
}

// pullSelf is the library in a program of its own, so that its memory and processor time can be told. The time of the
// program's start is not in the wall time, but its work is in the processor time.
func (b *bench) pullSelf(ref string) *registrar {
	return &registrar{name: caissonName, begin: func(_ context.Context, dir string) (session, error) {
		cmd := exec.Command(b.room.program, "-pull-into", dir+"/state", "-pull-ref", ref, "-cpuprofile", b.pulls.profile)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return session{}, err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return session{}, err
		}
		if err := cmd.Start(); err != nil {
			return session{}, err
		}
		answers := bufio.NewReader(out)
		pull := func() (used, error) { return pullOnce(cmd.Process.Pid, in, answers) }
		return session{pull, pull, func() error { return errors.Join(in.Close(), cmd.Wait()) }}, nil
	}}
}

// pullOnce asks for a pull and looks at what the process and its children have used for it.
func pullOnce(pid int, in io.Writer, answers *bufio.Reader) (used, error) {
	before, err := processorTime(pid)
	if err != nil {
		return used{}, err
	}
	if _, err := fmt.Fprintln(in, "pull"); err != nil {
		return used{}, err
	}
	line, err := answers.ReadString('\n')
	if err != nil {
		return used{}, fmt.Errorf("the library: %w; its own words are above", err)
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return used{}, err
	}
	after, err := processorTime(pid)
	if err != nil {
		return used{}, err
	}
	resident, err := mostResident(pid)
	return used{time.Duration(ns), after - before, resident}, err
}

// commandPull runs programs one after the other. What they wait for of their own children is in their usage; wait4(2).
func commandPull(ctx context.Context, commands ...[]string) (u used, err error) {
	for _, argv := range commands {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return u, fmt.Errorf("%s: %w: %s", argv[0], err, lastLine(out))
		}
		u.wall += time.Since(began)
		u.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.resident = max(u.resident, usage.Maxrss<<10)
		}
	}
	return u, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
