package caisson_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testimage"
	"github.com/caisson-go/caisson/internal/testneed"
)

// imageTools are this library and its peers, each with a store of its own for the time of the test.
func imageTools(t *testing.T, host string) []imageTool {
	t.Helper()
	for _, p := range []struct{ name, pkg string }{{"dockerd", "docker.io"}, {"podman", "podman"}, {"buildah", "buildah"},
		{"skopeo", "skopeo"}, {"umoci", "umoci"}, {"runc", "runc"}} {
		testneed.Program(t, p.name, "apt-get install "+p.pkg)
	}
	return []imageTool{toolDocker(t), toolPodman(t), toolBuildah(t), toolSkopeo(t), toolUmoci(t), toolCaisson(t, host)}
}

// said runs a program and returns what it prints; what it complains of is in the error.
func said(argv ...string) (string, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", argv[0], err, bytes.TrimSpace(complaint.Bytes()))
	}
	return string(out), err
}

// inTurn runs programs until one fails, and returns what the last has printed.
func inTurn(commands ...[]string) (out string, err error) {
	for _, c := range commands {
		if out, err = said(c...); err != nil {
			return out, err
		}
	}
	return strings.TrimSuffix(out, "\n"), nil
}

// short is a directory with a short name: sockets have little room for theirs.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pairs-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// prefixed makes command lines with the same beginning.
func prefixed(prefix ...string) func(args ...string) []string {
	return func(args ...string) []string { return append(prefix[:len(prefix):len(prefix)], args...) }
}

func toolDocker(t *testing.T) imageTool {
	d, err := testimage.StartDocker(t.Context(), short(t))
	testneed.Feature(t, "docker", err, "run where dockerd works")
	t.Cleanup(func() { must(t, d.Stop()) })
	docker := prefixed(d.Client...)
	id := docker("image", "inspect", "--format", "{{.Id}}", pairName)
	remove := docker("image", "rm", "--force", pairName)
	return imageTool{name: "docker", formats: []string{dockerArchive}, loads: []string{dockerArchive},
		fetch: func(ref string) error {
			_, err := inTurn(docker("pull", "-q", ref), docker("tag", ref, pairName))
			return err
		},
		save: func(file, _ string) error { _, err := said(docker("save", "-o", file, pairName)...); return err },
		load: func(file, _ string) (string, string, error) {
			_, _ = said(remove...)
			got, err := inTurn(docker("load", "-q", "-i", file), id)
			if err != nil {
				return "", "", err
			}
			out, err := said(docker("run", "--rm", "--network", "none", pairName)...)
			return got, out, err
		}}
}

// unified runs a program with nothing but cgroups of version 2 in sight, which podman's runtime wants.
func unified(argv []string) []string {
	return append([]string{"unshare", "--mount", "sh", "-c", `mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"`, "sh"}, argv...)
}

func toolPodman(t *testing.T) imageTool {
	dir := short(t)
	podman := prefixed("podman", "--root", dir+"/root", "--runroot", dir+"/run", "--tmpdir", dir+"/tmp", "--storage-driver", "overlay",
		"--cgroup-manager", "cgroupfs", "--events-backend", "file")
	t.Cleanup(func() { _, _ = said("umount", "-l", dir+"/root/overlay") })
	both := []string{dockerArchive, ociArchive}
	return imageTool{name: "podman", formats: both, loads: both,
		fetch: func(ref string) error {
			_, err := inTurn(podman("pull", "-q", "--tls-verify=false", "docker://"+ref), podman("tag", ref, pairName))
			return err
		},
		save: func(file, format string) error {
			_, err := said(podman("save", "-q", "--format", format, "-o", file, pairName)...)
			return err
		},
		load: func(file, _ string) (string, string, error) {
			_, _ = said(podman("rmi", "--force", pairName)...)
			loaded, err := inTurn(podman("load", "-q", "-i", file))
			if err != nil {
				return "", "", err
			}
			name := loaded[strings.LastIndexByte(loaded, ' ')+1:] // umoci's files have a tag and no name
			got, err := inTurn(podman("image", "inspect", "--format", "{{.Id}}", name))
			if err != nil {
				return "", "", err
			}
			out, err := said(unified(podman("run", "--rm", "--network", "none", "--cgroups=disabled", "--ulimit", "nofile=1024:1024",
				"--ulimit", "nproc=1024:1024", name))...)
			return got, out, err
		}}
}

func toolBuildah(t *testing.T) imageTool {
	dir := short(t)
	buildah := prefixed("buildah", "--root", dir+"/root", "--runroot", dir+"/run", "--storage-driver", "overlay")
	t.Cleanup(func() { _, _ = said("umount", "-l", dir+"/root/overlay") })
	both := []string{dockerArchive, ociArchive}
	return imageTool{name: "buildah", formats: both, loads: both,
		fetch: func(ref string) error {
			_, err := inTurn(buildah("pull", "-q", "--tls-verify=false", "docker://"+ref), buildah("tag", ref, pairName))
			return err
		},
		save: func(file, format string) error {
			_, err := said(buildah("push", "-q", pairName, format+":"+file+":"+pairName)...)
			return err
		},
		load: func(file, format string) (string, string, error) {
			_, _ = said(buildah("rmi", "--force", pairName)...)
			name, err := inTurn(buildah("pull", "-q", format+":"+file))
			if err != nil {
				return "", "", err
			}
			c, err := inTurn(buildah("from", "--pull-never", name))
			if err != nil {
				return "", "", err
			}
			out, err := said(buildah("run", "--isolation", "chroot", c, "--", "sh", "-c", `echo "$GREETING $(id -u) $(pwd)"`)...)
			_, removed := said(buildah("rm", c)...)
			return name, out, errors.Join(err, removed)
		}}
}

// configOf is the identity of an image as skopeo finds it.
func configOf(from string) (string, error) {
	config, err := said("skopeo", "inspect", "--tls-verify=false", "--config", "--raw", from)
	sum := sha256.Sum256([]byte(config))
	return hex.EncodeToString(sum[:]), err
}

// toolSkopeo copies: it has neither a store nor a way to run.
func toolSkopeo(t *testing.T) imageTool {
	var from string
	both := []string{dockerArchive, ociArchive}
	return imageTool{name: "skopeo", formats: both, loads: both,
		fetch: func(ref string) error { from = "docker://" + ref; return nil },
		save: func(file, format string) error {
			_, err := said("skopeo", "copy", "-q", "--src-tls-verify=false", from, format+":"+file+":"+pairName)
			return err
		},
		load: func(file, format string) (string, string, error) {
			dir := t.TempDir()
			if _, err := said("skopeo", "copy", "-q", format+":"+file, "dir:"+dir); err != nil {
				return "", "", err
			}
			id, err := configOf("dir:" + dir)
			return id, "", err
		}}
}

// toolUmoci works on layouts, which are OCI archives when they are packed. What it saves it has changed before.
func toolUmoci(t *testing.T) imageTool {
	var layout string
	return imageTool{name: "umoci", formats: []string{ociArchive}, loads: []string{ociArchive},
		fetch: func(ref string) error {
			layout = filepath.Join(t.TempDir(), "layout")
			_, err := inTurn([]string{"skopeo", "copy", "-q", "--src-tls-verify=false", "docker://" + ref, "oci:" + layout + ":pair"},
				[]string{"umoci", "config", "--image", layout + ":pair", "--config.label", "changed=yes"}, []string{"umoci", "gc", "--layout", layout})
			return err
		},
		save: func(file, _ string) error { _, err := said("tar", "-cf", file, "-C", layout, "."); return err },
		load: func(file, _ string) (string, string, error) {
			dir := t.TempDir()
			if _, err := said("tar", "-xf", file, "-C", dir); err != nil {
				return "", "", err
			}
			if err := retag(dir, "pair"); err != nil {
				return "", "", err
			}
			id, err := configOf("oci:" + dir + ":pair")
			if err != nil {
				return "", "", err
			}
			out, err := runBundle(t, dir+":pair")
			return id, out, err
		}}
}

// retag names the only image of a layout: umoci takes no reference for a tag.
func retag(layout, tag string) error {
	file := filepath.Join(layout, "index.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(text, &index); err != nil {
		return err
	}
	if len(index.Manifests) != 1 {
		return fmt.Errorf("%d images", len(index.Manifests))
	}
	index.Manifests[0].Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	if text, err = json.Marshal(index); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// runBundle has umoci unpack an image, and runs that as umoci has configured it, but without a terminal.
func runBundle(t *testing.T, image string) (string, error) {
	dir := short(t)
	bundle := dir + "/bundle"
	if _, err := said("umoci", "unpack", "--image", image, bundle); err != nil {
		return "", err
	}
	config := bundle + "/config.json"
	text, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(config, bytes.Replace(text, []byte(`"terminal": true`), []byte(`"terminal": false`), 1), 0o600); err != nil {
		return "", err
	}
	return said("runc", "--root", dir+"/runc", "run", "--bundle", bundle, filepath.Base(dir))
}

func toolCaisson(t *testing.T, host string) imageTool {
	ctx := t.Context()
	e := engine(t)
	e.Insecure = []string{host}
	both := []string{dockerArchive, ociArchive}
	return imageTool{name: "caisson", formats: both, loads: both,
		fetch: func(ref string) error {
			img, err := e.Pull(ctx, ref, nil)
			if err != nil {
				return err
			}
			return img.Tag(ctx, pairName)
		},
		save: func(file, format string) error {
			f, err := os.Create(file)
			if err != nil {
				return err
			}
			formats := map[string]caisson.ArchiveFormat{dockerArchive: caisson.DockerArchive, ociArchive: caisson.OCIArchive}
			return errors.Join(e.Save(ctx, f, []string{pairName}, &caisson.SaveOptions{Format: formats[format]}), f.Close())
		},
		load: func(file, _ string) (string, string, error) {
			f, err := os.Open(file)
			if err != nil {
				return "", "", err
			}
			defer func() { _ = f.Close() }()
			fresh := engine(t) // nothing of the image is there
			images, err := fresh.Load(ctx, f, nil)
			if err != nil || len(images) != 1 {
				return "", "", fmt.Errorf("%d images: %w", len(images), err)
			}
			info, err := images[0].Inspect(ctx)
			if err != nil {
				return "", "", err
			}
			out, err := images[0].Command().Output(ctx)
			return info.ConfigDigest, string(out), err
		}}
}
