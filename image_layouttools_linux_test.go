package caisson_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
)

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
