package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

const maxRedirects = 10

// accepted are the documents asked for.
var accepted = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
}, ", ")

// client reads from one repository of a registry.
type client struct {
	repo name.Repository
	http http.Client
}

// newClient finds out how the registry wants to be spoken to, and with which credentials.
func newClient(ctx context.Context, repo name.Repository, o *Options, base http.RoundTripper) (*client, error) {
	auth, err := authn.Resolve(ctx, o.Keychain, repo)
	if err != nil {
		return nil, fmt.Errorf("find credentials: %w", err)
	}
	tr, err := transport.NewWithContext(ctx, repo.Registry, auth, base, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		return nil, redact(err)
	}
	return &client{repo, http.Client{Transport: tr, CheckRedirect: checkRedirect}}, nil
}

// get asks for a manifest or blob. The caller closes the body.
func (c *client) get(ctx context.Context, kind, id string) (*http.Response, error) {
	u := url.URL{
		Scheme: c.repo.Scheme(), // the transport puts in what the registry answered to
		Host:   c.repo.RegistryStr(),
		Path:   "/v2/" + c.repo.RepositoryStr() + "/" + kind + "/" + id,
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if kind == "manifests" {
		req.Header.Set("Accept", accepted)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, redact(err)
	}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// manifest fetches a manifest or index, and the media type that the registry gives it.
func (c *client) manifest(ctx context.Context, id string) (body []byte, contentType string, err error) {
	resp, err := c.get(ctx, "manifests", id)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil { // the guard bounds it
		return nil, "", redact(err)
	}
	return body, resp.Header.Get("Content-Type"), nil
}

// blob opens a blob of a known size. Nothing of it is verified yet.
func (c *client) blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	resp, err := c.get(ctx, "blobs", d.Digest.String())
	if err != nil {
		return nil, err
	}
	if resp.ContentLength >= 0 && resp.ContentLength != d.Size {
		resp.Body.Close()
		return nil, fmt.Errorf("%w: blob %s has %d bytes, not %d", store.ErrSize, d.Digest, resp.ContentLength, d.Size)
	}
	return resp.Body, nil
}

// checkRedirect keeps a registry on the internet from sending the client to addresses inside. Where names lead is for
// the network to say.
func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	from, to := via[0].URL.Hostname(), r.URL.Hostname()
	if isInside(to) && !isInside(from) {
		return fmt.Errorf("redirect from %s to the private address %s refused", from, to)
	}
	return nil
}

// isInside reports a host that is an address, not of the internet, or this machine by its name.
func isInside(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	return a.IsPrivate() || !a.IsGlobalUnicast()
}

// redact takes the query out of the address in an error: that of storage behind a registry carries a signature.
func redact(err error) error {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return err
	}
	if u, perr := url.Parse(ue.URL); perr == nil {
		u.RawQuery = ""
		ue.URL = u.Redacted()
	} else {
		ue.URL = "(address)"
	}
	return err
}
