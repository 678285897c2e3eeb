package serve

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// Options say what a Handler does. The zero value lets everybody pull and nobody push.
type Options struct {
	// Push allows pushing.
	Push bool

	// Delete allows removing names and images.
	Delete bool

	// Host is the registry in the names of what is pushed, "localhost" or "localhost:5000" for example. Empty:
	// "localhost".
	Host string

	// Unpack unpacks the layers of what is pushed before its name is given, so that it can be run at once. A push
	// takes longer then, and one whose layers can not be unpacked is refused. Images for other platforms and those in
	// indexes are kept packed. Linux only.
	Unpack bool

	// Layer says how layers are unpacked. Nil: as layer.Defaults has it.
	Layer *layer.Options

	// Auth, if not nil, is asked whether a request may do something, before anything is looked up for it. The
	// repository is always the whole name in the store, "docker.io/library/alpine" or Host + "/" + what was asked
	// for, so that what is forbidden has one name only; it is "" for Ping and Catalog. What it forbids is neither
	// served nor listed. An error is the answer 403, or 401 if it is a *Challenge.
	Auth func(r *http.Request, repository string, action Action) error

	// Logger gets a line for each push and for each failure that is not the client's. Nil: none.
	Logger *slog.Logger

	// Uploads bounds the uploads in progress. Zero: 64.
	Uploads int

	// UploadBytes bounds one upload. Zero, and at most: store.MaxBlob, 64 GiB.
	UploadBytes int64

	// UploadIdle is how long an upload in progress may be left alone before it is dropped, and how long blobs that no
	// manifest names yet are kept from being collected after the last request of a push. Zero: 10 minutes.
	UploadIdle time.Duration
}

// Action is what a request wants to do.
type Action string

// The actions that Options.Auth is asked about.
const (
	Ping    Action = "ping"    // see whether this is a registry, which is where clients learn that they need credentials
	Pull    Action = "pull"    // read a repository
	Push    Action = "push"    // add to a repository
	Delete  Action = "delete"  // remove from a repository
	Catalog Action = "catalog" // list the repositories, of which those are shown that may be pulled
)

// Challenge is an error of Options.Auth for a client that should come back with credentials.
type Challenge struct {
	Header string // WWW-Authenticate, RFC 9110: `Basic realm="images"`
}

// Error says so.
func (c *Challenge) Error() string { return "credentials are needed" }

func (o Options) withDefaults() Options {
	if o.Host == "" {
		o.Host = "localhost"
	}
	if o.Layer == nil {
		l := layer.Defaults()
		o.Layer = &l
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Uploads <= 0 {
		o.Uploads = 64
	}
	if o.UploadBytes <= 0 || o.UploadBytes > store.MaxBlob {
		o.UploadBytes = store.MaxBlob
	}
	if o.UploadIdle <= 0 {
		o.UploadIdle = 10 * time.Minute
	}
	return o
}
