package examples_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/caissontest"
)

// What docker image does, from the command line: an image goes through every command.
func TestImagesExample(t *testing.T) {
	caissontest.Need(t)
	ref := push(t, v1.Config{Entrypoint: []string{"/explain"}, Cmd: []string{"--", "/by/default"}})
	host, _, _ := strings.Cut(ref, "/")
	state := t.TempDir()
	images := func(args ...string) *exec.Cmd {
		return program(t, "images", append([]string{"-state", state, "-insecure", host}, args...)...)
	}
	check(t, images("pull", ref), 0, "downloading", "done", ref+" sha256:")
	check(t, images("tag", ref, "other:2"), 0)
	check(t, images("ls"), 0, ref, "docker.io/library/other:2", "MB")
	check(t, images("inspect", ref), 0, `"Entrypoint"`, `"/explain"`, `"Platform"`)
	check(t, images("history", ref), 0, "CREATED", "MB")
	check(t, images("df"), 0, "reclaimable")
	check(t, images("tags", strings.TrimSuffix(ref, ":1")), 0, "1\n")
	check(t, images("catalog", host), 0, "tool\n")
	check(t, images("push", "other:2", host+"/pushed:3"), 0, "exists")
	check(t, images("check"), 0)

	saved := filepath.Join(t.TempDir(), "saved.tar")
	into(t, images("save", ref, "other:2"), saved)
	exported := filepath.Join(t.TempDir(), "root.tar")
	into(t, images("export", ref), exported)
	check(t, images("rm", ref, "other:2"), 0, "untagged: "+ref, "deleted: sha256:", "freed: ")
	check(t, images("inspect", ref), 1, "not in the store")
	check(t, from(t, images("load"), saved), 0, ref+" sha256:")
	check(t, images("ls"), 0, ref, "docker.io/library/other:2")
	check(t, from(t, images("-change", `CMD ["/explain"]`, "import", "imported"), exported), 0, "docker.io/library/imported:latest")
	check(t, program(t, "run", "--state", state, "--pull", "never", "imported", "/explain", "--", "/in/it"), 0, "execve     /in/it")
	check(t, program(t, "export", "-state", state, "imported", "explain"), 0, "\x7fELF")
	check(t, images("diff", "imported", "/put", "/new", "x"), 0, "A /new\n")
	check(t, images("-message", "why", "commit", "imported", "made", "/put", "/new", "x"), 0, "docker.io/library/made:latest sha256:")
	check(t, images("history", "made"), 0, "/put /new x", "why")
	made := said(t, images("snapshot", "made", "/put", "/newer", "y"))
	check(t, images("snapshots"), 0, made)
	check(t, images("diff", made, "/put", "/newer", "yy"), 0, "C /newer\n")
	check(t, images("rm", "made"), 1, "in use")
	check(t, images("rm", made, "made"), 0, "untagged: docker.io/library/made:latest")
	check(t, images("-all", "prune"), 0, "untagged: docker.io/library/imported:latest", "freed")
	check(t, images("ls"), 0)

	check(t, images(), 0, "usage", "pull IMAGE...")
	check(t, images("tag", "one"), 1, "usage: images [FLAG...] tag IMAGE REFERENCE")
	check(t, images("dance"), 1, "no command")
}

// into runs a program whose standard output is a file.
func into(t *testing.T, cmd *exec.Cmd, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = f, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// said is the line that a program prints.
func said(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// from gives a program a file as its standard input.
func from(t *testing.T, cmd *exec.Cmd, name string) *exec.Cmd {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	cmd.Stdin = f
	return cmd
}
