package caisson_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
)

// What a container has changed is listed while it runs and when it has ended, without what its start made.
func TestDiff(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	dir := t.TempDir()
	c := img.Command("/bin/probe", "hold")
	c.Mounts = []caisson.Mount{{Type: caisson.MountBind, Source: dir, Target: "/a/volume"}}
	started(t, c)
	diff := func() (list []string) {
		t.Helper()
		for change, err := range c.Diff(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(change.Kind)+" "+change.Path)
		}
		return list
	}
	if got := diff(); len(got) > 0 {
		t.Errorf("changed by its start: %q", got)
	}
	for _, args := range [][]string{{"put", "/new", "x"}, {"put", "/bin/more", "x"}, {"rm", "/bin/probe"}} {
		if out, err := c.Exec(append([]string{"/bin/probe"}, args...)...).CombinedOutput(t.Context()); err != nil {
			t.Fatalf("%s %v", out, err)
		}
	}
	want := []string{"modified /bin", "added /bin/more", "deleted /bin/probe", "added /new"}
	if got := diff(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := diff(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for range c.Diff(t.Context()) {
		if err := c.Close(); err != nil { // does not wait for the list
			t.Error(err)
		}
	}
	for _, err := range c.Diff(t.Context()) {
		if !errors.Is(err, caisson.ErrClosed) {
			t.Error(err)
		}
	}
}

// An export is what the container's programs see.
func TestExport(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	c := img.Command("/bin/probe", "hold")
	started(t, c)
	if err := c.Exec("/bin/probe", "put", "/new", "content").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Export(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(content)
	}
	if files["new"] != "content" || len(files["bin/probe"]) < 1<<10 {
		t.Errorf("%d files, new is %q", len(files), files["new"])
	}
	if out, err := c.Exec("/bin/probe", "cat", "/new").Output(t.Context()); err != nil || string(out) != "content" {
		t.Errorf("it does not go on: %q, %v", out, err)
	}
}
