package testimage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Registry is Debian's docker-registry, on a free port of the loopback, without encryption or users. Its storage stays
// when it is stopped.
type Registry struct {
	*Daemon

	// Host is its address and port.
	Host string
}

// StartRegistry starts a registry whose storage and settings are in a directory of its own. Stop must be called.
//
// Errors: exec.ErrNotFound if the program is not installed (Debian: docker-registry); what it printed, if it ends.
func StartRegistry(ctx context.Context, dir string) (*Registry, error) {
	storage := filepath.Join(dir, "storage")
	if err := os.MkdirAll(storage, 0o755); err != nil {
		return nil, err
	}
	host, err := freePort()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, storage, host), 0o600); err != nil {
		return nil, err
	}
	d, err := start(ctx, dir, func(ctx context.Context) error { return ping(ctx, host) }, "docker-registry", "serve", config)
	return &Registry{d, host}, err
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

func ping(ctx context.Context, host string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v2/", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
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
