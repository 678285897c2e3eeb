package caisson_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
)

// A commit is an image with what the container has changed, and the settings that were asked for.
func TestCommit(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{Env: []string{"A=1"}, Labels: map[string]string{"a": "b"}})
	c := img.Command("/bin/probe", "hold")
	started(t, c)
	for _, args := range [][]string{{"put", "/new", "content"}, {"put", "/bin/other", "x"}} {
		if err := c.Exec(append([]string{"/bin/probe"}, args...)...).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o := &caisson.CommitOptions{Author: "somebody", Message: "why", Changes: []string{"ENV B=2", `CMD ["/bin/probe", "cat", "/new"]`}}
	made, err := c.Commit(t.Context(), "made:1", o)
	if err != nil {
		t.Fatal(err)
	}
	if made.Ref() != "docker.io/library/made:1" {
		t.Error(made.Ref())
	}
	out, err := made.Command().Output(t.Context())
	if err != nil || string(out) != "content" {
		t.Errorf("%q, %v", out, err)
	}
	info, err := made.Inspect(t.Context())
	if err != nil || len(info.Layers) != 2 || !slices.Equal(info.Config.Env, []string{"A=1", "B=2"}) || info.Config.Labels["a"] != "b" {
		t.Errorf("%+v, %v", info, err)
	}
	last := info.History[len(info.History)-1]
	if info.Author != "somebody" || last.Comment != "why" || last.Empty || last.Size != int64(len("contentx")) {
		t.Errorf("%+v", last)
	}
	if out, err := c.Exec("/bin/probe", "cat", "/new").Output(t.Context()); err != nil || string(out) != "content" {
		t.Errorf("it does not go on: %q, %v", out, err)
	}
	if _, err := c.Commit(t.Context(), "UPPER", nil); err == nil {
		t.Error("a name that is none was taken")
	}
	if _, err := c.Commit(t.Context(), "", &caisson.CommitOptions{Changes: []string{"RUN x"}}); err == nil {
		t.Error("an instruction that changes no setting was taken")
	}
	nameless, err := c.Commit(t.Context(), "", nil)
	if err != nil || nameless.Ref() != "" {
		t.Fatal(nameless, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := e.PruneImages(t.Context(), nil)
	if err != nil || !slices.Contains(r.Deleted, nameless.ID()) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Commit(t.Context(), "late", nil); !errors.Is(err, caisson.ErrClosed) {
		t.Error(err)
	}
}

// A directory and the snapshots above it become layers of their own.
func TestCommitOfSnapshots(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	s, err := written(t, img, "/one", "1").Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := written(t, s.Image(), "/two", "2")
	if _, err := c.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := c.Commit(t.Context(), "made", nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(made.Config().RootFS.DiffIDs); n != 3 {
		t.Errorf("%d layers", n)
	}
	holds(t, made, "/one", "1")
	holds(t, made, "/two", "2")
	if err := e.Untag(t.Context(), "made"); err != nil {
		t.Error(err)
	}
	if _, err := e.Image(t.Context(), "made"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	holds(t, made, "/two", "2")
}

// With a time of the caller's, what is the same is the same image.
func TestCommitIsReproducible(t *testing.T) {
	e := engine(t)
	root, err := e.RootFS(smallRoot(t))
	must(t, err)
	c := written(t, root, "/new", "content")
	created := time.Date(2001, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	var ids []string
	for _, o := range []*caisson.CommitOptions{{Created: created}, {Created: created.UTC()}, nil} {
		before := time.Now().Add(-time.Second)
		img, err := c.Commit(t.Context(), "", o)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, img.ID())
		info, err := img.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last := info.History[len(info.History)-1].Created
		if o != nil && (!info.Created.Equal(created) || !last.Equal(created)) || o == nil && (info.Created.Before(before) || last.Before(before)) {
			t.Errorf("made at %v, the last step at %v", info.Created, last)
		}
	}
	if ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("%q", ids)
	}
}

// What reads a container says which one it is about, also when its context is done.
func TestReadersOfAContainerWithAnEndedContext(t *testing.T) {
	e := engine(t)
	root, err := e.RootFS(smallRoot(t))
	must(t, err)
	c := written(t, root, "/new", "content")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for what, err := range map[string]error{
		"Commit": errorOf(c.Commit(ctx, "", nil)), "named": errorOf(c.Commit(ctx, "made", nil)), "Diff": lastError(c.Diff(ctx)),
		"Export": c.Export(ctx, io.Discard), "Snapshot": errorOf(c.Snapshot(ctx)), "Restore": c.Restore(ctx, s), "Remove": s.Remove(ctx),
	} {
		var typed *caisson.Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &typed) || typed.Path == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Restore(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "Container.Snapshot") {
		t.Errorf("Restore of nothing: %v", err)
	}
}
