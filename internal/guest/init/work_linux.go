package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

// work runs the manifest's programs one after the other, and reports.
func work() error {
	m, err := readManifest()
	if err != nil {
		return err
	}
	port, err := openPort()
	if err != nil {
		return err
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	port.send(protocol.Event{Kernel: strings.TrimSpace(string(release))})
	for i, run := range m.Runs {
		before := takeStock()
		start := time.Now()
		problem := execute(run, &output{port, i})
		if problem == "" {
			problem = before.leftovers()
		}
		port.send(protocol.Event{Run: i, Ended: true, Problem: problem, Seconds: time.Since(start).Seconds()})
	}
	return port.send(protocol.Event{Done: true})
}

// execute runs one program to its end and says what was wrong with how it ended.
func execute(run protocol.Run, out *output) string {
	cgroup, err := os.Open(session(run.User))
	if err != nil {
		return err.Error()
	}
	defer cgroup.Close()
	cmd := exec.Command(run.Argv[0], run.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = run.Dir, run.Env, out, out
	cmd.WaitDelay = 10 * time.Second // a process left behind may hold the pipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	if run.User {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: protocol.UserID, Gid: protocol.UserID}
	}
	if err := cmd.Run(); err != nil {
		return err.Error()
	}
	return ""
}

// port is the serial line to the host.
type port struct{ f *os.File }

func openPort() (*port, error) {
	f, err := os.OpenFile(protocol.EventPort, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("event port: %w", err)
	}
	return &port{f}, nil
}

func (p *port) send(e protocol.Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = p.f.Write(append(b, '\n'))
	return err
}

// output sends what a program writes.
type output struct {
	port *port
	run  int
}

func (o *output) Write(b []byte) (int, error) {
	return len(b), o.port.send(protocol.Event{Run: o.run, Output: b})
}
