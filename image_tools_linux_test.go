package caisson_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

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
