package layer

import (
	"os"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/tape"
)

// Reader starts a process that may read all that Unpack has made with these options, as the root of a user namespace in
// which the owners are those that the layer names; of files whose owners were ignored it is the owner. files become its
// descriptors proxy.FirstFile and so on. The caller closes it. It is nil if there is nothing that it could read and the
// caller could not, or, of files that are the caller's own, no such process can be had.
//
// Errors: *Error around that of the proxy.
func Reader(o Options, files ...*os.File) (*proxy.Proxy, error) {
	with := proxy.Options{
		Name: "caisson-read", Files: files, Prelude: func(t *tape.Tape) { t.Setresgid(0); t.Setresuid(0) },
	}
	switch {
	case o.User != nil:
		with.Enter, with.Map = o.User.Enter, o.User.Map
	case os.Geteuid() != 0 && o.IgnoreOwners:
		with.Enter = enterOneID
	default:
		return nil, nil
	}
	p, err := proxy.Start(with)
	switch {
	case err == nil:
		return p, nil
	case o.User == nil:
		return nil, nil
	}
	return nil, namespaceError(err)
}

func namespaceError(err error) error {
	return &Error{Op: "user namespace", Err: err, Hint: "subordinate ids need newuidmap, newgidmap and user namespaces; see the probe"}
}
