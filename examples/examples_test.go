// Package examples_test builds and runs every example.
package examples_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/caissontest"
)

// dir is where the programs are.
var dir string

// The examples are built as their users get them, without cgo; one of them serves as the content of an image, with a
// program that writes.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if dir, err = os.MkdirTemp("", "caisson-examples-"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./...", "./testdata/put")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// program is a command of an example. Its temporary files and its state are the test's.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "XDG_DATA_HOME="+t.TempDir(), "GREETING=from outside")
	return cmd
}

// check runs a program and looks at its exit status and its output, of both kinds.
func check(t *testing.T, cmd *exec.Cmd, status int, contains ...string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		t.Fatalf("%v, want status %d\n%s", err, status, out)
	}
	for _, want := range contains {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestExamples(t *testing.T) {
	caissontest.Need(t)
	for _, c := range []struct {
		name     string
		args     []string
		status   int
		contains []string
	}{
		{"quickstart", nil, 0, []string{"$ id", "\n1 sh\n", "net    network devices, ports", "  new", "/etc/shadow", "from start to exit", "median"}},
		{"quickstart", []string{"--", "sh", "-c", "echo one; sleep 0.1; exit 3"}, 3, []string{"one\n", "  new", "exit status 3"}},
		{"quickstart", []string{"--", "no-such-program"}, 127, []string{"no-such-program"}},
		{"quickstart", []string{"one", "two"}, 125, []string{"usage"}},
		{"exec", nil, 0, []string{"workshop, inside, in a directory of its own: /usr", "written from outside", "status 0 status 1 status 2", "it read typed"}},
		{"namespaces", nil, 0, []string{"inner\n", "hello", "outside the directory is still empty", "by-verb\n"}},
		{"sandbox", []string{"-besteffort"}, 3, []string{"Read-only file system", "it ended by itself, with status 3"}},
		{"sandbox", []string{"-besteffort", "-time", "100ms", "--", "sleep", "100"}, 124, []string{"its 100ms were up"}},
		{"explain", []string{"-here", "--", "true"}, 0, []string{`"Image":"host"`, "overlay", "execve"}},
		{"probe", nil, 0, []string{"namespaces", "works"}},
	} {
		t.Run(strings.Join(append([]string{c.name}, c.args...), " "), func(t *testing.T) {
			check(t, program(t, c.name, c.args...), c.status, c.contains...)
		})
	}
}

// The plan needs no containers, and so neither does its test.
func TestExplainAnywhere(t *testing.T) {
	for _, flags := range []string{"", "-rootless", "-one-id", "-old", "-tty -init -read-only", "-joined", "-syscalls"} {
		t.Run(flags, func(t *testing.T) {
			check(t, program(t, "explain", append(strings.Fields(flags), "--", "/bin/thing")...), 0, "pivot_root", "execve", "/bin/thing")
		})
	}
}

func TestRun(t *testing.T) {
	caissontest.Need(t)
	shared := t.TempDir()
	if err := os.WriteFile(filepath.Join(shared, "file"), []byte("shared\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   string // as flags; the rest is a script
		script string
		status int
		want   string
	}{
		{"output", "--rm", "echo out; echo err >&2", 0, "out\nerr\n"},
		{"status", "", "exit 7", 7, ""},
		{"environment", "-e A=1 --env=GREETING -e NOT_SET_ANYWHERE", "echo $A, $GREETING, ${NOT_SET_ANYWHERE-unset}", 0, "1, from outside, unset\n"},
		{"directory", "-w /usr", "pwd", 0, "/usr\n"},
		{"host name", "--hostname web", "hostname", 0, "web\n"},
		{"user", "--user 0:0", "id -u", 0, "0\n"},
		{"volume", "-v " + shared + ":/data", "cat /data/file; echo more >/data/new", 0, "shared\n"},
		{"read-only volume", "-v " + shared + ":/data:ro", "echo >/data/file || echo refused", 0, "refused\n"},
		{"read-only root", "--read-only --tmpfs /scratch:size=1m", "echo >/usr/x || echo refused; echo >/scratch/x && echo written", 0, "refused\nwritten\n"},
		{"capabilities", "--cap-drop ALL --cap-add CHOWN", "grep CapEff /proc/self/status", 0, "CapEff:\t0000000000000001\n"},
		{"init", "--init", "cat /proc/1/comm", 0, "init\n"},
		{"network", "--network none", "ls /sys/class/net", 0, "lo\n"},
		{"no input", "", "cat", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := program(t, "run", append(strings.Fields(c.args), "--host", "sh", "-c", c.script)...)
			cmd.Stdin = strings.NewReader("not asked for")
			out, _ := cmd.CombinedOutput()
			got := string(out)
			if strings.HasPrefix(c.want, "refused") { // what the shell says before is the shell's
				got = got[max(0, strings.Index(got, "refused")):]
			}
			if cmd.ProcessState.ExitCode() != c.status || got != c.want {
				t.Errorf("status %d and %q, want %d and %q", cmd.ProcessState.ExitCode(), out, c.status, c.want)
			}
		})
	}
	if b, err := os.ReadFile(filepath.Join(shared, "new")); err != nil || string(b) != "more\n" {
		t.Errorf("through the volume came %q, %v", b, err)
	}
}

func TestRunPassesInputOn(t *testing.T) {
	caissontest.Need(t)
	cmd := program(t, "run", "-i", "--host", "tr", "a-z", "A-Z")
	cmd.Stdin = strings.NewReader("loud\n")
	check(t, cmd, 0, "LOUD\n")
}

func TestRunStatusOfWhatDoesNotRun(t *testing.T) {
	caissontest.Need(t)
	check(t, program(t, "run", "--host", "no-such-program"), 127, "no-such-program")
	check(t, program(t, "run", "--host", "/etc/passwd"), 126, "permission denied")
	check(t, program(t, "run", "--no-such-flag"), 125, "no-such-flag")
	check(t, program(t, "run"), 125, "no image")
	check(t, program(t, "run", "--help"), 0, "--host COMMAND")
}

// A signal that run gets is the program's.
func TestRunPassesSignalsOn(t *testing.T) {
	caissontest.Need(t)
	cmd := up(t, "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 9 {
		t.Errorf("status %d, want 9", got)
	}
}

// Whoever asks for the end again and again means it.
func TestRunKillsWhatIgnoresSignals(t *testing.T) {
	caissontest.Need(t)
	cmd := up(t, "trap '' TERM; echo up; exec sleep 1000")
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	again := time.NewTicker(20 * time.Millisecond) // signals that wait are not counted: signal(7)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			continue
		case <-ended:
		}
		break
	}
	if got := cmd.ProcessState.ExitCode(); got != 137 {
		t.Errorf("status %d, want 137", got)
	}
}

// up starts a script in a container of the example run, and waits for it to say that it is up.
func up(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := program(t, "run", "--host", "sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 3)
	if n, err := io.ReadFull(out, said); err != nil {
		t.Fatalf("%q %v", said[:n], err)
	}
	return cmd
}

// The table of README.md has every example, and each begins by saying what it teaches.
func TestReadmeListsEveryExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	mains, err := filepath.Glob("*/main.go")
	if err != nil || len(mains) < 7 {
		t.Fatal(mains, err)
	}
	for _, file := range mains {
		name := filepath.Dir(file)
		for _, want := range []string{fmt.Sprintf("| [%s](%s) |", name, name), "`go run ./examples/" + name} {
			if !bytes.Contains(readme, []byte(want)) {
				t.Errorf("README.md does not say %q", want)
			}
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(source, []byte("\npackage main"))
		for _, want := range []string{"// Command " + name + " ", "//\tgo run ./examples/" + name, "teaches"} {
			if !bytes.Contains(head, []byte(want)) {
				t.Errorf("the head of %s does not say %q", file, want)
			}
		}
	}
}
