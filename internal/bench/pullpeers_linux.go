package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-go/caisson/internal/testimage"
)

// registrars are the library and its peers, and tar with the layers uncompressed and on the disk already, which is what
// no pull can do without.
func (b *bench) registrars(image *testimage.Image, ref string) []*registrar {
	return []*registrar{b.pullSelf(ref), b.pullTar(image.Tars), b.pullPodman(ref), b.pullUmoci(ref), b.pullDocker(ref), b.pullContainerd(ref)}
}

func nothing() error { return nil }

// pullTar extracts each layer into a directory of its own.
func (b *bench) pullTar(tars []string) *registrar {
	return &registrar{name: "tar -x", begin: func(ctx context.Context, dir string) (session, error) {
		var commands [][]string
		for _, t := range tars {
			to := filepath.Join(dir, strings.TrimSuffix(filepath.Base(t), ".tar"))
			if err := os.Mkdir(to, 0o755); err != nil {
				return session{}, err
			}
			commands = append(commands, []string{"tar", "-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-f", t, "-C", to})
		}
		return session{func() (used, error) { return commandPull(ctx, commands...) }, nil, nothing}, nil
	}}
}

func (b *bench) pullPodman(ref string) *registrar {
	return &registrar{name: "podman", begin: func(ctx context.Context, dir string) (session, error) {
		pull := podman(dir, "pull", "--quiet", "--tls-verify=false", "docker://"+ref)
		once := func() (used, error) { return commandPull(ctx, pull) }
		return session{once, once, nothing}, nil
	}}
}

// podman is a command line with all state in a directory.
func podman(dir string, args ...string) []string {
	return append([]string{"podman", "--root", dir + "/root", "--runroot", dir + "/run", "--tmpdir", dir + "/tmp",
		"--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "file"}, args...)
}

// pullUmoci copies the image to a layout and makes a bundle of that.
func (b *bench) pullUmoci(ref string) *registrar {
	return &registrar{name: "skopeo+umoci", begin: func(ctx context.Context, dir string) (session, error) {
		layout := dir + "/layout:image"
		copying := []string{"skopeo", "copy", "--quiet", "--src-tls-verify=false", "docker://" + ref, "oci:" + layout}
		unpack := []string{"umoci", "unpack", "--image", layout, dir + "/bundle"}
		return session{
			func() (used, error) { return commandPull(ctx, copying, unpack) },
			func() (used, error) { return commandPull(ctx, copying) }, nothing,
		}, nil
	}}
}
