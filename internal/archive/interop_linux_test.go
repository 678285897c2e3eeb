package archive

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

// run runs a program and returns what it prints.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// skopeo reads what Save writes, as both kinds and by every name, and finds the same configuration; Load reads what
// skopeo writes.
func TestSkopeo(t *testing.T) {
	skopeo := testneed.Program(t, "skopeo", "apt-get install skopeo")
	w, dir := newWorld(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.WriteFile(file("docker.tar"), saved(t, w.s, SaveOptions{}, oneName, twoName, multiName), 0o600))
	must(t, os.WriteFile(file("oci.tar"), saved(t, w.s, SaveOptions{Format: OCIArchive}, oneName, twoName, multiName), 0o600))
	must(t, SaveDir(t.Context(), file("layout"), w.s, []string{oneName, twoName, multiName}, SaveOptions{}))
	for _, from := range []string{"docker-archive:" + file("docker.tar"), "oci-archive:" + file("oci.tar"), "oci:" + file("layout"), "oci:" + w.s.Dir()} {
		for _, name := range []string{oneName, twoName, multiName} {
			was, err := w.s.Resolve(name)
			must(t, err)
			out := filepath.Join(t.TempDir(), "out")
			run(t, skopeo, "--insecure-policy", "copy", "-q", from+":"+name, "dir:"+out)
			var m v1.Manifest
			b, err := os.ReadFile(filepath.Join(out, "manifest.json"))
			must(t, err)
			must(t, json.Unmarshal(b, &m))
			if m.Config.Digest != was.ConfigDigest || len(m.Layers) != len(was.Manifest.Layers) {
				t.Errorf("%s of %s has configuration %s, not %s", name, from, m.Config.Digest, was.ConfigDigest)
			}
			if !strings.HasPrefix(from, "docker") && digestOf(b) != was.Digest {
				t.Errorf("%s of %s has manifest %s, not %s", name, from, digestOf(b), was.Digest)
			}
			if name == multiName {
				continue
			}
			to := "oci-archive" // the other kind has another configuration, or has no place for zstd
			if strings.HasPrefix(from, "docker") {
				to = "docker-archive"
			}
			back := filepath.Join(t.TempDir(), "back.tar")
			run(t, skopeo, "--insecure-policy", "copy", "-q", from+":"+name, to+":"+back+":"+name)
			s := openStore(t)
			loaded := loadFile(t, s, back)
			if len(loaded) != 1 || loaded[0].ID != was.ConfigDigest || !slices.Equal(loaded[0].Names, []string{name}) ||
				to == "oci-archive" && name == oneName && loaded[0].Digest != was.Digest { // the layers of two are packed anew
				t.Errorf("%s through %s of skopeo became %+v", name, to, loaded)
			}
			if _, err := s.Resolve(name); err != nil {
				t.Error(err)
			}
		}
	}
}

func loadFile(t *testing.T, s *store.Store, name string) []Loaded {
	t.Helper()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	loaded, err := Load(t.Context(), f, s, LoadOptions{})
	must(t, err)
	return loaded
}

// podman loads what Save writes, several images at once, and Load what podman saves of that.
func TestPodman(t *testing.T) {
	program := testneed.Program(t, "podman", "apt-get install podman")
	testneed.Root(t)
	w := newWorld(t)
	for _, tc := range []struct {
		name  string
		o     SaveOptions
		names []string
	}{
		{"docker-archive", SaveOptions{}, []string{oneName, twoName, multiName}},
		{"oci-archive", SaveOptions{Format: OCIArchive}, []string{twoName}}, // podman takes one from such a file
	} {
		dir := t.TempDir()
		podman := func(args ...string) string {
			t.Helper()
			return run(t, program, append([]string{"--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "vfs"}, args...)...)
		}
		must(t, os.WriteFile(dir+"/ours.tar", saved(t, w.s, tc.o, tc.names...), 0o600))
		podman("load", "-q", "-i", dir+"/ours.tar")
		args := []string{"save", "-q", "--format", tc.name, "-o", dir + "/theirs.tar"}
		if len(tc.names) > 1 {
			args = append(args, "-m")
		}
		podman(append(args, tc.names...)...)
		s := openStore(t)
		loadFile(t, s, dir+"/theirs.tar")
		for _, name := range tc.names {
			was, err := w.s.Resolve(name)
			must(t, err)
			if id := strings.TrimSpace(podman("image", "inspect", "--format", "{{.Id}}", name)); id != was.ConfigDigest.Hex {
				t.Errorf("%s: %s is %s, not %s", tc.name, name, id, was.ConfigDigest)
			}
			img, err := s.Resolve(name)
			must(t, err)
			if img.ConfigDigest != was.ConfigDigest {
				t.Errorf("%s: %s came back as %s, not %s", tc.name, name, img.ConfigDigest, was.ConfigDigest)
			}
		}
	}
}

// umoci unpacks what SaveDir writes, and LoadDir reads what umoci writes, whose names are tags.
func TestUmoci(t *testing.T) {
	umoci := testneed.Program(t, "umoci", "apt-get install umoci")
	testneed.Root(t)
	w, dir := newWorld(t), t.TempDir()
	must(t, w.s.Tag(t.Context(), "latest", w.one))
	must(t, SaveDir(t.Context(), dir+"/ours", w.s, []string{"latest"}, SaveOptions{}))
	run(t, umoci, "unpack", "--image", dir+"/ours:latest", dir+"/bundle")
	if b, err := os.ReadFile(dir + "/bundle/rootfs/hello"); err != nil || string(b) != "hello" {
		t.Errorf("umoci unpacked %q, %v", b, err)
	}
	must(t, os.WriteFile(dir+"/bundle/rootfs/more", []byte("more"), 0o644))
	run(t, umoci, "repack", "--image", dir+"/ours:more", dir+"/bundle")
	s := openStore(t)
	loaded, err := LoadDir(t.Context(), dir+"/ours", s, LoadOptions{})
	must(t, err)
	if len(loaded) != 2 || loaded[0].Digest != w.one.Digest || loaded[1].Tag != "more" || len(loaded[1].Names) > 0 {
		t.Fatalf("loaded %+v", loaded)
	}
	img, err := s.Resolve(loaded[1].Digest.String())
	must(t, err)
	if len(img.Layers) != 2 {
		t.Errorf("layers: %v", img.Layers)
	}
}
