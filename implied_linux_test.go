package caisson_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testroot"
)

// tarLayer is a layer of an image.
func tarLayer(t *testing.T, entries ...*tar.Header) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		h.Format = tar.FormatPAX
		if strings.HasSuffix(h.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
		var content []byte
		if h.Name == "bin/probe" {
			var err error
			if content, err = os.ReadFile(testroot.Program(t)); err != nil {
				t.Fatal(err)
			}
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// looksIn tells of the directories of a tar archive.
func looksIn(t *testing.T, export func(w io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := export(&b); err != nil {
		t.Fatal(err)
	}
	looks := map[string]string{} // an archive may have one twice, the second time for its time
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			var list []string
			for _, name := range slices.Sorted(maps.Keys(looks)) {
				list = append(list, name+" "+looks[name])
			}
			return strings.Join(list, ", ")
		}
		if err != nil {
			t.Fatal(err)
		}
		if name := strings.Trim(h.Name, "./"); h.Typeflag == tar.TypeDir && (strings.HasPrefix(name, "tmp") || strings.HasPrefix(name, "srv")) {
			looks[name] = fmt.Sprintf("%o %d:%d %d", h.Mode, h.Uid, h.Gid, h.ModTime.UnixNano())
		}
	}
}

// A directory that only lower layers have an entry for looks as they say: in a container, in what is made of one, and in
// what is read of the image without one.
func TestImpliedDirectories(t *testing.T) {
	e := engine(t)
	at := func(sec int64) time.Time { return time.Unix(sec, 5) }
	image, err := mutate.AppendLayers(empty.Image,
		tarLayer(t, &tar.Header{Name: "bin/probe", Mode: 0o755}, &tar.Header{Name: "tmp/", Mode: 0o1777, ModTime: at(1)},
			&tar.Header{Name: "srv/", Mode: 0o711, ModTime: at(2)}, &tar.Header{Name: "srv/closed/", Mode: 0o750, Uid: 33, Gid: 44, ModTime: at(3)}),
		tarLayer(t, &tar.Header{Name: "tmp/foo", Mode: 0o644, ModTime: at(10)}, &tar.Header{Name: "srv/closed/f", Mode: 0o644, ModTime: at(11)}),
		tarLayer(t, &tar.Header{Name: "srv/new/f", Mode: 0o644, ModTime: at(20)}))
	if err != nil {
		t.Fatal(err)
	}
	img, err := e.Import(t.Context(), image, "implied:1")
	if err != nil {
		t.Fatal(err)
	}
	want := looksIn(t, func(w io.Writer) error { return img.Export(t.Context(), w) })
	if !strings.Contains(want, "tmp 1777 0:0 1000000005") || !strings.Contains(want, "srv/closed 750 33:44 3000000005") {
		t.Fatalf("the image has %s", want)
	}
	support, err := caisson.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	owner := "33:44"
	if !support.Privileged && len(support.SubUIDs) == 0 {
		owner = "0:0"
		want = strings.ReplaceAll(want, "33:44", "0:0") // the files' owners are ignored
	}
	c := img.Command("/bin/probe", "hold")
	started(t, c)
	out, err := c.Exec("/bin/probe", "stat", "/tmp", "/srv", "/srv/closed", "/srv/new").Output(t.Context())
	for _, look := range []string{"/tmp mode=41777 owner=0:0 ", "/srv mode=40711 owner=0:0 ", "/srv/closed mode=40750 owner=" + owner + " ", "/srv/new mode=40755 owner=0:0 "} {
		if err != nil || !strings.Contains(string(out), look) {
			t.Errorf("a program sees %q, %v, and not %q", out, err, look)
		}
	}
	same := func(what string, c *caisson.Container) {
		t.Helper()
		if got := looksIn(t, func(w io.Writer) error { return c.Export(t.Context(), w) }); got != want {
			t.Errorf("%s has\n%s, the image\n%s", what, got, want)
		}
	}
	same("the container", c)
	for change, err := range c.Diff(t.Context()) {
		t.Errorf("%v %v", change, err)
	}
	if err := c.Exec("/bin/probe", "put", "/bin/new", "x").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	made, err := c.Commit(t.Context(), "made:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	again := made.Command("/bin/probe", "hold")
	started(t, again)
	same("the image made of it", again)
	snap, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	on := snap.Image().Command("/bin/probe", "hold")
	started(t, on)
	same("the snapshot", on)
	for p, err := range e.Check(t.Context(), nil) {
		t.Errorf("%v %v", p, err)
	}
	if _, err := e.PruneImages(t.Context(), &caisson.PruneImagesOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	same("the container after a prune", again)
}

// What has to be unpacked anew, as after a restart of the machine, looks the same: by Start, and by a pull.
func TestImpliedDirectoriesUnpackedAnew(t *testing.T) {
	e := engine(t)
	image, err := mutate.AppendLayers(empty.Image,
		tarLayer(t, &tar.Header{Name: "bin/probe", Mode: 0o755}, &tar.Header{Name: "tmp/", Mode: 0o1777}),
		tarLayer(t, &tar.Header{Name: "tmp/foo", Mode: 0o644}))
	if err != nil {
		t.Fatal(err)
	}
	for what, find := range map[string]func() (*caisson.Image, error){
		"Start": func() (*caisson.Image, error) { return e.Image(t.Context(), "implied:1") },
		"Pull": func() (*caisson.Image, error) {
			return e.Pull(t.Context(), "implied:1", &caisson.PullOptions{Policy: caisson.PullNever})
		},
	} {
		if _, err := e.Import(t.Context(), image, "implied:1"); err != nil {
			t.Fatal(err)
		}
		layers, err := filepath.Glob(filepath.Join(e.Dir, "layers", "*"))
		if err != nil || len(layers) != 3 {
			t.Fatalf("%d layers, %v: want two and a cover", len(layers), err)
		}
		for _, l := range layers {
			must(t, os.RemoveAll(l))
		}
		img, err := find()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		out, err := img.Command("/bin/probe", "stat", "/tmp").Output(t.Context())
		if err != nil || !strings.Contains(string(out), "/tmp mode=41777 ") {
			t.Errorf("%s: %q, %v", what, out, err)
		}
	}
}
