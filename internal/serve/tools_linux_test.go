package serve

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/caisson-go/caisson/internal/testneed"
)

// run runs a program with a home directory of the test's, and returns what it says.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	home := t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, complaints.String())
	}
	return string(out)
}

// What skopeo pushes comes back byte for byte, through skopeo and through the library.
func TestSkopeo(t *testing.T) {
	t.Parallel()
	skopeo := testneed.Program(t, "skopeo", "apt-get install skopeo")
	s := newServer(t, Options{Push: true, Delete: true})
	img := ociImage(t, runtime.GOARCH)
	from := t.TempDir()
	dir := must[layout.Path](t)(layout.Write(from, empty.Index))
	if err := dir.AppendImage(img, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "x"})); err != nil {
		t.Fatal(err)
	}
	at := "docker://" + s.host + "/a/b:1"
	run(t, skopeo, "copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false", "oci:"+from+":x", at)
	same(t, "pushed", img, must[v1.Image](t)(remote.Image(s.ref("a/b:1"))))
	raw := run(t, skopeo, "inspect", "--tls-verify=false", "--raw", at)
	if raw != string(must[[]byte](t)(img.RawManifest())) {
		t.Errorf("inspected: %s", raw)
	}
	to := t.TempDir()
	run(t, skopeo, "copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false", at, "dir:"+to)
	if got := must[[]byte](t)(os.ReadFile(filepath.Join(to, "manifest.json"))); !bytes.Equal(got, must[[]byte](t)(img.RawManifest())) {
		t.Errorf("pulled: %s", got)
	}
	tags := run(t, skopeo, "list-tags", "--tls-verify=false", "docker://"+s.host+"/a/b")
	if !strings.Contains(tags, `"1"`) {
		t.Errorf("tags: %s", tags)
	}
	run(t, skopeo, "copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", at, "docker://"+s.host+"/c/d:2")
	same(t, "copied within", img, must[v1.Image](t)(remote.Image(s.ref("c/d:2"))))
	run(t, skopeo, "delete", "--tls-verify=false", at)
	if _, err := remote.Image(s.ref("a/b:1")); err == nil {
		t.Error("deleted, and still there")
	}
	if err := remote.WriteIndex(s.ref("a/b:x"), indexForHere(t)); err != nil {
		t.Fatal(err)
	}
	// Of the index itself skopeo writes anew what it does not know, the artifact types.
	run(t, skopeo, "copy", "--all", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false",
		"docker://"+s.host+"/a/b:x", "docker://"+s.host+"/e/f:x")
	x := must[*v1.IndexManifest](t)(must[v1.ImageIndex](t)(remote.Index(s.ref("a/b:x"))).IndexManifest())
	y := must[*v1.IndexManifest](t)(must[v1.ImageIndex](t)(remote.Index(s.ref("e/f:x"))).IndexManifest())
	for i, d := range x.Manifests {
		if y.Manifests[i].Digest != d.Digest {
			t.Errorf("image %d of the index is another", i)
		}
	}
}

// What podman pushes is what it says that it pushed, and podman can pull it.
func TestPodman(t *testing.T) {
	t.Parallel()
	podman := testneed.Program(t, "podman", "apt-get install podman")
	testneed.Root(t)
	s := newServer(t, Options{Push: true})
	img := must[v1.Image](t)(random.Image(3000, 3))
	cfg := must[*v1.ConfigFile](t)(img.ConfigFile())
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	img = must[v1.Image](t)(mutate.ConfigFile(img, cfg))
	s.put("alpine", img)
	state := t.TempDir()
	do := func(args ...string) string {
		t.Helper()
		return run(t, podman, append([]string{"--root", state + "/root", "--runroot", state + "/run", "--storage-driver", "vfs"}, args...)...)
	}
	from := s.host + "/library/alpine:latest"
	do("pull", "--quiet", "--tls-verify=false", from)
	formats := []string{"oci"}
	if os.Getenv("CAISSON_FULL") != "" {
		formats = append(formats, "v2s2")
	}
	for _, format := range formats {
		to := s.host + "/pushed/by:" + format
		file := filepath.Join(state, "digest")
		do("push", "--quiet", "--tls-verify=false", "--format", format, "--digestfile", file, from, to)
		says := string(must[[]byte](t)(os.ReadFile(file)))
		got := must[v1.Image](t)(remote.Image(s.ref("pushed/by:" + format)))
		if h := must[v1.Hash](t)(got.Digest()); h.String() != says {
			t.Errorf("%s: it pushed %s, and %s is here", format, says, h)
		}
		do("rmi", "--force", to)
		do("pull", "--quiet", "--tls-verify=false", to)
		if id := do("inspect", "--format", "{{.Digest}}", to); strings.TrimSpace(id) != says {
			t.Errorf("%s: it pulled %s", format, id)
		}
	}
	do("rmi", "--all", "--force")
}
