package registry

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
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

// Options of a Pull, Push or another call. The zero value is useful.
type Options struct {
	// Platform to choose from an image for several; its OS and Architecture, and Variant if set. Nil: Linux on the
	// architecture of this program.
	Platform *v1.Platform

	// Policy says when the registry is asked. Zero: Missing.
	Policy Policy

	// AllPlatforms fetches every image of an index, not only the one for Platform, and gives the name to the index. Only
	// the image for Platform is unpacked, if there is one. With Missing, a name that is that of an image in the store is
	// asked for, as there may be more of it.
	AllPlatforms bool

	// Offline asks no registry whatever the policy is: what the store has is all there is.
	Offline bool

	// Mirrors lists for a registry, named as in Reference.Host, what is asked before it, in this order: hosts, as
	// host[:port][/path], with the path below which the mirror has the registry's repositories. A mirror that fails is
	// left out, see Breaker; the registry itself is asked last. Content that is named by its digest is verified whoever
	// brings it; what a tag means the mirror decides. Credentials are those for the mirror's own host.
	Mirrors map[string][]string

	// Breaker remembers mirrors that failed. Whoever pulls often keeps one for all pulls. Nil: one for this call alone.
	Breaker *Breaker

	// TokenHosts lists servers, as host or host:port, that may be asked for tokens, with the credentials, when a registry
	// says so, beside those of the registry's own site.
	TokenHosts []string

	// Progress is called with what happens to each layer, on one goroutine at a time, at most ten times a second for each
	// beside every change of its phase. It holds up no transfer: what it has no time for is left out, except for changes
	// of phase. The last call has returned when Pull or Push does. Nil: nobody wants to know.
	Progress func(Progress)

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

	// pace is the least that an answer must bring; zero fields have defaults.
	pace pace

	// reachOf is how near an address is; nil is the function of that name.
	reachOf func(netip.Addr) reach

	// chunk is the size of the parts in which a blob is uploaded when it does not go at once; zero is uploadChunk.
	chunk int64

	// documents bounds those of a pull together, in bytes; zero is maxDocuments.
	documents int64

	// unpacked bounds the unpacked layers of an image together; zero is what BudgetFor says.
	unpacked int64
}

func (o Options) withDefaults() Options {
	if o.Platform == nil {
		o.Platform = store.Here()
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
	if o.Breaker == nil {
		o.Breaker = &Breaker{}
	}
	if o.chunk <= 0 {
		o.chunk = uploadChunk
	}
	o.pace = o.pace.withDefaults()
	if o.documents <= 0 {
		o.documents = maxDocuments
	}
	return o
}
