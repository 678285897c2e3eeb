package examples_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/caisson-go/caisson/caissontest"
)

// An image of a registry, which has nothing in it but one program: a container needs no shell, and no libc.
func TestImageOfARegistry(t *testing.T) {
	caissontest.Need(t)
	ref := push(t, v1.Config{
		Entrypoint: []string{"/explain"}, Cmd: []string{"--", "/by/default"}, Env: []string{"A=1"}, WorkingDir: "/work",
	})
	host, _, _ := strings.Cut(ref, "/")
	flags := []string{"--state", t.TempDir(), "--insecure", host}

	check(t, program(t, "run", append(flags, ref)...), 0, "execve     /by/default")
	check(t, program(t, "run", append(flags, "--pull", "never", ref, "-tty", "--", "/by/hand")...), 0, "execve     /by/hand", "terminal")
	check(t, program(t, "run", append(flags, strings.Replace(ref, "tool", "none", 1))...), 125, "none")

	if os.Geteuid() != 0 { // root's state directory is the machine's, and not this test's
		check(t, program(t, "quickstart", ref), 0, "execve     /by/default", "from start to exit", "sha256:")
	}
}

// push puts an image with the program explain into a registry of the test's own.
func push(t *testing.T, config v1.Config) (ref string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return archive("explain", "put") })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	if image, err = mutate.Config(image, config); err != nil {
		t.Fatal(err)
	}
	ref = strings.TrimPrefix(server.URL, "http://") + "/tool:1"
	to, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return ref
}

// archive is a layer with programs at its root.
func archive(programs ...string) (io.ReadCloser, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, program := range programs {
		content, err := os.ReadFile(filepath.Join(dir, program))
		if err != nil {
			return nil, err
		}
		if err := w.WriteHeader(&tar.Header{Name: program, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&b), w.Close()
}
