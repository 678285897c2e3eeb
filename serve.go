package caisson

import (
	"errors"
	"net/http"

	"github.com/caisson-go/caisson/internal/serve"
)

// RegistryAction is what a request to a RegistryHandler wants to do.
type RegistryAction string

// The actions that RegistryOptions.Auth is asked about.
const (
	RegistryPing    RegistryAction = "ping"    // see whether this is a registry; here clients learn that they need credentials
	RegistryPull    RegistryAction = "pull"    // read a repository
	RegistryPush    RegistryAction = "push"    // add to a repository
	RegistryDelete  RegistryAction = "delete"  // remove from a repository
	RegistryCatalog RegistryAction = "catalog" // list the repositories, of which those are shown that may be pulled
)

// RegistryOptions say what a RegistryHandler does. With the zero value, and nil, everybody may pull and nobody push.
type RegistryOptions struct {
	// Push lets clients push, Delete lets them remove names and images.
	Push, Delete bool

	// Host is the registry in the names of what is pushed. Empty: "localhost".
	Host string

	// Auth is asked whether a request may do something, before anything is looked up for it. The repository is the
	// whole name in the engine, "docker.io/library/alpine" for example; it is "" for RegistryPing and RegistryCatalog. What
	// it forbids is neither served nor listed: the answer is 403, and 401 for a *RegistryChallenge. Nil: all is allowed.
	Auth func(r *http.Request, repository string, action RegistryAction) error
}

// RegistryChallenge is an error of RegistryOptions.Auth for a client that should come back with credentials.
type RegistryChallenge struct {
	Header string // WWW-Authenticate, RFC 9110: `Basic realm="images"`
}

// Error says so.
func (c *RegistryChallenge) Error() string { return "credentials are needed" }

// RegistryHandler serves the images of an engine as a registry. Engine.RegistryHandler makes one; the zero value does
// not work.
type RegistryHandler struct{ handler *serve.Handler }

// RegistryHandler is an http.Handler that serves the engine's images as a registry, so that other hosts and programs can
// pull them, and push if that is allowed. An image is found by its whole name, host included, and by its name without
// the host as long as that is the only one: /v2/library/alpine and /v2/docker.io/library/alpine are the same. What is pushed
// is verified as if it had been pulled, and unpacked by its first container.
//
// The handler bounds what a client can make it keep; how fast a client must be is for the http.Server to say. Close
// it when the server has been shut down.
//
// Errors: *Error for a Host that cannot stand in a name. Source: OCI distribution-spec v1.1.
func (e *Engine) RegistryHandler(o *RegistryOptions) (*RegistryHandler, error) {
	if o == nil {
		o = &RegistryOptions{}
	}
	s, err := e.images()
	if err != nil {
		return nil, err
	}
	so := serve.Options{Push: o.Push, Delete: o.Delete, Host: o.Host, Logger: e.log()}
	if o.Auth != nil {
		so.Auth = func(r *http.Request, repository string, action serve.Action) error {
			err := o.Auth(r, repository, RegistryAction(action))
			var c *RegistryChallenge
			if errors.As(err, &c) {
				return &serve.Challenge{Header: c.Header}
			}
			return err
		}
	}
	h, err := serve.New(s, so)
	if err != nil {
		return nil, imageError("serve", o.Host, err)
	}
	return &RegistryHandler{h}, nil
}

// ServeHTTP answers a request.
func (h *RegistryHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.handler.ServeHTTP(w, r)
}

// Close drops the uploads in progress, and ends the requests that are sending them. It may be called more than once.
//
// Errors: *Error.
func (h *RegistryHandler) Close() error { return imageError("close", "registry", h.handler.Close()) }
