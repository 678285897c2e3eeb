package caisson_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
)

// Names come and go as with docker tag and docker image rm, and the image with the last of them.
func TestNamesOfAnImage(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{Labels: map[string]string{"a": "b"}, ExposedPorts: map[string]struct{}{"80/tcp": {}}})
	first := img.Ref()
	if err := img.Tag(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	const second = "docker.io/library/second:latest"
	want := []string{first, second}
	slices.Sort(want)
	if got := names(t, e); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, err := img.Names(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	info, err := img.Inspect(t.Context())
	if err != nil || info.ID != img.ID() || len(info.Layers) != 1 || info.Size == 0 || info.Config.Labels["a"] != "b" || len(info.History) != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	for _, name := range []string{"second", second, img.ID(), info.ConfigDigest, img.ID()[len("sha256:"):][:12], info.ConfigDigest[:17]} {
		if got, err := e.Image(t.Context(), name); err != nil || got.ID() != img.ID() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := e.RemoveImage(t.Context(), img.ID(), nil); err == nil || !strings.Contains(err.Error(), "several names") {
		t.Errorf("removed by its digest: %v", err)
	}
	r, err := e.RemoveImage(t.Context(), "second", nil)
	if err != nil || !slices.Equal(r.Untagged, []string{second}) || len(r.Deleted) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = e.RemoveImage(t.Context(), first, nil)
	if err != nil || len(r.Deleted) != 4 || r.Freed < info.Size {
		t.Errorf("%+v, %v", r, err)
	}
	for what, err := range map[string]error{
		"Inspect": errorOf(img.Inspect(t.Context())), "Run": img.Command("/bin/probe", "true").Run(t.Context()),
		"Image": errorOf(e.Image(t.Context(), first)), "RemoveImage": errorOf(e.RemoveImage(t.Context(), first, nil)),
		"Untag": e.Untag(t.Context(), first), "Tag": img.Tag(t.Context(), "third"),
	} {
		var typed *caisson.Error
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &typed) {
			t.Errorf("%s of what is gone: %v", what, err)
		}
	}
}

// An image stays while a container uses it, whoever asks, and so does one that a snapshot stands on.
func TestImageInUse(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	other := &caisson.Engine{Dir: e.Dir}
	c := img.Command("/bin/probe", "hold")
	started(t, c)
	refused := func(why string) {
		t.Helper()
		for _, e := range []*caisson.Engine{e, other} {
			_, err := e.RemoveImage(t.Context(), img.Ref(), nil)
			if !errors.Is(err, caisson.ErrInUse) || !errors.Is(err, syscall.EBUSY) {
				t.Errorf("%s: %v", why, err)
			}
			r, err := e.PruneImages(t.Context(), &caisson.PruneImagesOptions{All: true})
			if err != nil || len(r.Deleted) > 0 {
				t.Errorf("%s: pruned %+v, %v", why, r, err)
			}
		}
	}
	refused("a container runs")
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused("a container is not closed")
	s, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	refused("a snapshot stands on it")
	if err := s.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := other.PruneImages(t.Context(), &caisson.PruneImagesOptions{All: true})
	if err != nil || len(r.Deleted) != 4 || len(r.Untagged) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A name says where an image came from, and a digest what it is: the one is given, the other is not.
func TestNamesAreNoDigests(t *testing.T) {
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	const lie = "alpine@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for what, err := range map[string]error{"Tag": img.Tag(t.Context(), lie), "no name": img.Tag(t.Context(), "")} {
		var typed *caisson.Error
		if !errors.As(err, &typed) || typed.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	byID, err := e.Image(t.Context(), img.ID())
	if err != nil || byID.Ref() != "" {
		t.Errorf("asked for by digest: %q, %v", byID.Ref(), err)
	}
	if err := byID.Push(t.Context(), "", nil); err == nil {
		t.Error("pushed to nowhere")
	}
	if err := img.Push(t.Context(), "", &caisson.PushOptions{AllPlatforms: true}); err == nil || !strings.Contains(err.Error(), "AllPlatforms") {
		t.Errorf("an index that is not there: %v", err)
	}
	if _, err := e.Pull(t.Context(), img.Ref(), &caisson.PullOptions{Platform: "linux/"}); err == nil || !strings.Contains(err.Error(), "platform") {
		t.Errorf("no platform: %v", err)
	}
}
