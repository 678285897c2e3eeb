package guardian_test

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
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/guardian"
	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// The test binary is its own host program: with this variable set it guards processes, says their ids,
// and then ends in the way that the variable names.
const hostMode = "CAISSON_TEST_GUARDIAN"

func TestMain(m *testing.M) {
	if mode := os.Getenv(hostMode); mode != "" {
		host(mode)
		return // the normal way to end
	}
	os.Exit(m.Run())
}

const guarded = 50

func host(mode string) {
	g := guardian.New(os.TempDir())
	for range guarded {
		start := sleep
		if mode == "user" {
			start = container
		}
		pid, err := start()
		if err == nil && mode != "control" {
			_, err = g.Add(pid)
		}
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println(pid)
	}
	if mode == "copied" {
		if err := copied(); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	fmt.Println("ready")
	if mode == "user" {
		select {} // the input is for what it guards
	}
	_, _ = io.ReadAll(os.Stdin)
	switch mode {
	case "panic":
		panic("as the test wants it")
	case "exit":
		os.Exit(3)
	case "exec": // the process goes on as another program
		_ = syscall.Exec("/bin/sleep", []string{"sleep", "600"}, nil)
	}
}

// copied leaves copies of all sockets to a child that outlives the host program for some seconds, as a child has that
// was forked and executes nothing.
func copied() error {
	cmd := exec.Command("sleep", "5")
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range fds {
		target, _ := os.Readlink("/proc/self/fd/" + e.Name())
		n, err := strconv.Atoi(e.Name())
		if err != nil || !strings.HasPrefix(target, "socket:") {
			continue
		}
		fd, err := syscall.Dup(n)
		if err != nil {
			return err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(fd), target))
	}
	if len(cmd.ExtraFiles) == 0 {
		return errors.New("there are no sockets")
	}
	return cmd.Start()
}

func sleep() (int, error) {
	cmd := exec.Command("sleep", "600")
	err := cmd.Start()
	return cmd.Process.Pid, err
}

// container starts a process that makes a user namespace, waits until it has ids and becomes one of
// them, which is when the kernel would forget a PR_SET_PDEATHSIG.
func container() (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	t := tape.New()
	fail := t.Label("fail")
	t.OnError(fail)
	t.Unshare(sys.CLONE_NEWUSER)
	t.Write(tape.Int(1), "u")
	t.Read(tape.Int(0), t.Zero(1))
	t.Setresuid(5)
	t.Sigwait(0)
	t.Mark(fail)
	t.ExitGroup(tape.Int(1))
	prog, err := t.Link()
	if err != nil {
		return 0, err
	}
	p, err := launch.Start(prog, launch.Options{Files: []*os.File{os.Stdin, w}})
	if err != nil {
		return 0, err
	}
	_, err = r.Read(make([]byte, 1))
	return p.Pid, err
}

// startHost starts the test binary as a host program and returns it, its input, and the pidfds of what
// it guards.
func startHost(t *testing.T, mode string, attr *syscall.SysProcAttr, each func(pid int)) (*exec.Cmd, io.Closer, []*os.File) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), hostMode+"="+mode, "GOTRACEBACK=none")
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = stdin.Close(); _ = stdout.Close() })
	var pidfds []*os.File
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("the host program says %q", lines.Text())
		}
		fd, err := sys.PidfdOpen(pid)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), strconv.Itoa(pid))
		t.Cleanup(func() { _ = sys.PidfdSignal(f, syscall.SIGKILL); _ = f.Close() })
		pidfds = append(pidfds, f)
		if each != nil {
			each(pid)
		}
	}
	if len(pidfds) != guarded {
		t.Fatalf("the host program guards %d processes", len(pidfds))
	}
	return cmd, stdin, pidfds
}

// running counts the processes that have not ended.
func running(t *testing.T, pidfds []*os.File) int {
	t.Helper()
	n := 0
	for _, f := range pidfds {
		ended, err := sys.Ready(f)
		if err != nil {
			t.Fatal(err)
		}
		if !ended {
			n++
		}
	}
	return n
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// children lists the children of a process that have a name, by /proc.
func children(t *testing.T, parent int, name string) []int {
	t.Helper()
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + d.Name() + "/stat")
		if err != nil {
			continue // ended meanwhile
		}
		open, end := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
		f := strings.Fields(string(b[end+1:]))
		if string(b[open+1:end]) == name && f[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}
