package caisson_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/caisson-go/caisson"
)

// served is an image for two platforms, this one and another, in a registry of the test's own.
func served(t *testing.T) (host, ref string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{runtime.GOARCH, "s390x"} {
		add := mutate.IndexAddendum{Add: imageFor(t, arch), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}}
		index = mutate.AppendManifests(index, add)
	}
	to, err := name.ParseReference(host+"/both:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(to, index, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return host, to.Name()
}

// imageFor is a random image for an architecture.
func imageFor(t *testing.T, arch string) v1.Image {
	t.Helper()
	img := randomImage(t)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// A name that is pulled for one platform, then for all, then for one again, is one image all the time.
func TestAllPlatformsAfterOne(t *testing.T) {
	host, ref := served(t)
	e := &caisson.Engine{Dir: t.TempDir(), Insecure: []string{host}}
	var id string
	for _, o := range []caisson.PullOptions{
		{}, {AllPlatforms: true}, {}, {Policy: caisson.PullAlways}, {Policy: caisson.PullAlways, Platform: "s390x"}, {AllPlatforms: true},
	} {
		img, err := e.Pull(t.Context(), ref, &o)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if o.Platform == "" && id != "" && img.ID() != id {
			t.Errorf("%+v: %s is another image", o, img.ID())
		}
		if id == "" {
			id = img.ID()
		}
		if got := names(t, e); !slices.Equal(got, []string{ref}) {
			t.Errorf("%+v: the images are %q", o, got)
		}
	}
	img, err := e.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := img.Inspect(t.Context()); err != nil || info.Index == "" || info.ID != id {
		t.Errorf("%+v, %v", info, err)
	}
	if r, err := e.RemoveImage(t.Context(), ref, nil); err != nil || !slices.Contains(r.Deleted, id) {
		t.Errorf("%+v, %v", r, err)
	}
}

// What was pushed here, and so is only packed, is unpacked by a pull, which asks nobody for what is here.
func TestPullUnpacksWhatIsHere(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // there is nothing to unpack
	}
	for what, policy := range map[string]caisson.PullPolicy{"missing": caisson.PullMissing, "never": caisson.PullNever, "offline": caisson.PullAlways} {
		e := &caisson.Engine{Dir: t.TempDir(), Offline: what == "offline"}
		handler, err := e.RegistryHandler(&caisson.RegistryOptions{Push: true, Host: "images.invalid"})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		host := strings.TrimPrefix(server.URL, "http://")
		from := &caisson.Engine{Dir: t.TempDir(), Insecure: []string{host}}
		if err := imported(t, from).Push(t.Context(), host+"/x:1", nil); err != nil {
			t.Fatal(err)
		}
		server.Close()
		must(t, handler.Close())
		if n := unpackedLayers(t, e); n != 0 {
			t.Fatalf("%d layers are unpacked before", n)
		}
		var done []string
		img, err := e.Pull(t.Context(), "images.invalid/x:1", &caisson.PullOptions{Policy: policy, Progress: func(p caisson.Progress) {
			if p.Phase == caisson.PhaseDone {
				done = append(done, p.Digest)
			}
		}})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		info, err := img.Inspect(t.Context())
		if n := unpackedLayers(t, e); err != nil || n != 2 || info.Layers[1].Size == 0 || len(done) != 2 {
			t.Errorf("%s: %d layers are unpacked, %d told; %+v, %v", what, n, len(done), info, err)
		}
	}
}

// A packed layer that is damaged is got from the registry, or is the error if that is not to be asked.
func TestPullUnpacksNothingDamaged(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	host, ref := served(t)
	e := &caisson.Engine{Dir: t.TempDir(), Insecure: []string{host}}
	img, err := e.Pull(t.Context(), ref, nil)
	must(t, err)
	info, err := img.Inspect(t.Context())
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(e.Dir, "layers")))
	must(t, os.Mkdir(filepath.Join(e.Dir, "layers"), 0o700))
	blob := filepath.Join(e.Dir, "blobs", "sha256", strings.TrimPrefix(info.Layers[0].Digest, "sha256:"))
	must(t, os.Chmod(blob, 0o600))
	must(t, os.WriteFile(blob, make([]byte, info.Layers[0].PackedSize), 0o600))
	if _, err := e.Pull(t.Context(), ref, &caisson.PullOptions{Policy: caisson.PullNever}); err == nil {
		t.Error("what is damaged was unpacked")
	}
	if _, err := e.Pull(t.Context(), ref, nil); err != nil {
		t.Error(err)
	}
	if n := unpackedLayers(t, e); n != 2 {
		t.Errorf("%d layers", n)
	}
}

// unpackedLayers is how many there are.
func unpackedLayers(t *testing.T, e *caisson.Engine) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(e.Dir, "layers", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}
