package registry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// Policy says when the registry is asked.
type Policy int

const (
	// Missing asks the registry only for an image that the store does not have for the platform.
	Missing Policy = iota
	// Always asks the registry what the reference means now. Layers that the store has are not fetched again.
	Always
	// Never takes what the store has.
	Never
)

// Options of a Pull. The zero value is useful.
type Options struct {
	// Platform to choose from an image for several; its OS and Architecture, and Variant if set. Nil: Linux on the
	// architecture of this program.
	Platform *v1.Platform

	// Policy says when the registry is asked. Zero: Missing.
	Policy Policy

	// Insecure lists the registries, as host or host:port, exactly as references name them, that may be spoken to by
	// plain HTTP or with an unverified certificate. No host is exempt by being local.
	Insecure []string

	// Keychain has the credentials. Nil: those of Docker's config.json and its credential helpers.
	Keychain authn.Keychain

	// Transport carries the requests. Nil: one that honours the proxy settings of the environment. With one of your
	// own, TLS is verified as that one does it.
	Transport http.RoundTripper

	// Jobs is how many layers are worked on at once. Zero: 3.
	Jobs int

	// Layer says how layers are unpacked. Nil: layer.Defaults.
	Layer *layer.Options

	// retryPause is the pause before the first repetition of a request; zero is a second.
	retryPause time.Duration

	// idle is how long an answer may bring nothing; zero is idleTimeout.
	idle time.Duration

	// unpacked bounds the unpacked layers of an image together; zero is maxUnpacked.
	unpacked int64
}

func (o Options) withDefaults() Options {
	if o.Platform == nil {
		o.Platform = &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Jobs <= 0 {
		o.Jobs = 3
	}
	if o.Layer == nil {
		d := layer.Defaults()
		o.Layer = &d
	}
	if o.retryPause <= 0 {
		o.retryPause = time.Second
	}
	if o.idle <= 0 {
		o.idle = idleTimeout
	}
	if o.unpacked <= 0 {
		o.unpacked = maxUnpacked
	}
	return o
}
