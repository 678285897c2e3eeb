package testimage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is Debian's docker-registry, on a free port of the loopback, without encryption or users. Its storage stays
// when it is stopped.
type Registry struct {
	// Host is its address and port.
	Host string

	cmd  *exec.Cmd
	done chan error
	log  string
}

// StartRegistry starts a registry whose storage and settings are in a directory of its own. Stop must be called.
//
// Errors: exec.ErrNotFound if the program is not installed (Debian: docker-registry); what it printed, if it ends.
func StartRegistry(ctx context.Context, dir string) (*Registry, error) {
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "storage"), 0o755); err != nil {
		return nil, err
	}
	host, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, filepath.Join(dir, "storage"), host), 0o600); err != nil {
		return nil, err
	}
	r := &Registry{Host: host, done: make(chan error, 1), log: filepath.Join(dir, "log")}
	log, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	r.cmd = exec.Command(program, "serve", config)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.done <- r.cmd.Wait() }()
	if err := r.wait(ctx); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// registryConfig is for version 2.8 of the registry; its documentation, "Configuring a registry".
const registryConfig = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: %q}
`

// freePort is an address that is free now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// wait returns when the registry answers.
func (r *Registry) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Host+"/v2/", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			return answer.Body.Close()
		}
		select {
		case err := <-r.done:
			r.done <- err
			words, _ := os.ReadFile(r.log)
			return fmt.Errorf("docker-registry: %w: %s", err, words)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Stop ends the registry and waits for its end.
func (r *Registry) Stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := <-r.done; err != nil && !strings.Contains(err.Error(), "signal: terminated") {
		return err
	}
	return nil
}

// Ref is how an image is called in a registry.
func (i *Image) Ref(host, tag string) string { return host + "/" + i.Name + ":" + tag }

// Upload puts an image into a registry, under the name that Ref has for it. What the registry has is not sent again.
func (i *Image) Upload(ctx context.Context, host, tag string) error {
	ref, err := name.ParseReference(i.Ref(host, tag), name.Insecure)
	if err != nil {
		return err
	}
	d, err := i.Descriptor(tag)
	if err != nil {
		return err
	}
	index, err := layout.ImageIndexFromPath(i.Layout)
	if err != nil {
		return err
	}
	if d.MediaType.IsIndex() {
		whole, err := index.ImageIndex(d.Digest)
		if err != nil {
			return err
		}
		return remote.WriteIndex(ref, whole, remote.WithContext(ctx))
	}
	one, err := index.Image(d.Digest)
	if err != nil {
		return err
	}
	return remote.Write(ref, one, remote.WithContext(ctx))
}
