package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/testneed"
)

const (
	childDir = "CAISSON_TEST_STORE_DIR"
	childJob = "CAISSON_TEST_STORE_JOB"
)

// child starts this test binary for a job on the store.
func child(t *testing.T, s *Store, job string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestStoreChild$")
	cmd.Env = append(os.Environ(), childDir+"="+s.Dir(), childJob+"="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestStoreChild is the other process of the tests below.
func TestStoreChild(t *testing.T) {
	dir, job := os.Getenv(childDir), os.Getenv(childJob)
	if job == "" {
		return // run by itself it is no test
	}
	s := openAt(t, dir)
	if n, ok := strings.CutPrefix(job, "churn"); ok {
		for i := range 10 {
			put(t, s, fmt.Sprintf("p%s:%d", n, i), tarOf(t, "shared", fmt.Sprint(i)), tarOf(t, "own", n))
			if _, err := s.Resolve(fmt.Sprintf("p%s:%d", n, i)); err != nil {
				t.Error(err)
			}
		}
		return
	}
	hang := func() (io.ReadCloser, error) { // unpacks one file and then waits to be killed
		half := bytes.NewReader(tarOf(t, "file", strings.Repeat("x", 1<<20))[:1<<19])
		tell := readerFunc(func([]byte) (int, error) { fmt.Println("unpacking"); select {} })
		return io.NopCloser(io.MultiReader(half, tell)), nil
	}
	_ = s.PutLayer(t.Context(), digest([]byte(job)), hang, layer.Defaults())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Processes that share a directory lose nothing to each other.
func TestStoreProcesses(t *testing.T) {
	s := open(t)
	var cmds []*exec.Cmd
	const n = 4
	for i := range n {
		cmd := child(t, s, fmt.Sprint("churn", i))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	images := 0
	for img, err := range s.Images() {
		if err != nil || len(img.Layers) != 2 {
			t.Errorf("%+v, %v", img, err)
		}
		images++
	}
	if images != n*10 {
		t.Errorf("%d images, want %d", images, n*10)
	}
	layers, err := os.ReadDir(filepath.Join(s.Dir(), "layers"))
	if err != nil || len(layers) != 10+n {
		t.Errorf("%d layers, %v", len(layers), err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "staging")); len(left) != 0 {
		t.Errorf("left in staging: %v", left)
	}
}

// What a killed process leaves is removed by the next that writes; what a living one is at is not touched.
func TestStoreCrash(t *testing.T) {
	s := open(t)
	cmd := child(t, s, "hang")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "unpacking\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	staged := func() int {
		t.Helper()
		names, err := os.ReadDir(filepath.Join(s.Dir(), "staging"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	for _, debris := range []string{"empty", ".rm-X-1/deep/lock"} { // of other crashes
		if err := os.MkdirAll(filepath.Join(s.Dir(), "staging", debris), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, openAt(t, s.Dir()), "while:alive", tarOf(t, "a", ""))
	if n := staged(); n != 1 {
		t.Errorf("%d stages beside a living process, want 1", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
	if n := staged(); n != 1 {
		t.Errorf("%d stages after the crash, want 1", n)
	}
	put(t, openAt(t, s.Dir()), "after:crash", tarOf(t, "b", ""))
	if n := staged(); n != 0 {
		t.Errorf("%d stages after the next write, want none", n)
	}
}

// T29: not even a program of the image with the set-user-id bit can be reached by another user.
func TestStoreClosedToOthers(t *testing.T) {
	testneed.Root(t)
	top, err := os.MkdirTemp("", "caisson") // t.TempDir's parents may be closed themselves
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, filepath.Join(top, "state"))
	l := tarOf(t, "su", "#!/bin/sh\n")
	put(t, s, "name", l)
	su := filepath.Join(s.LayerDir(digest(l)), "su")
	if err := os.Chmod(su, 0o4755); err != nil {
		t.Fatal(err)
	}
	other := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	for _, path := range []string{"/bin/true", su} {
		cmd := exec.Command(path)
		cmd.Dir, cmd.SysProcAttr = "/", other
		err := cmd.Run()
		if path == su && !errors.Is(err, syscall.EACCES) {
			t.Errorf("running %s as another user: %v", path, err)
		}
		if path != su && err != nil {
			t.Fatalf("the control does not run: %v", err)
		}
	}
}
