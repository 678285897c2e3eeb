package registry

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Reference is a parsed reference to an image in a registry.
type Reference struct {
	ref name.Reference
}

// components is the grammar of a repository name; distribution specification, "Pulling manifests".
var components = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// hosts is the grammar of a registry: a name, an IPv4 address or a bracketed IPv6 address, and maybe a port.
var hosts = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)

// dockerHub is the host of the API of docker.io.
const dockerHub = name.DefaultRegistry

// validHost reports a registry with a port that there can be, if it has one.
func validHost(host string) bool {
	if !hosts.MatchString(host) {
		return false
	}
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") {
		return true
	}
	port, err := strconv.Atoi(host[i+1:])
	return err == nil && port > 0 && port < 1<<16
}

// Parse reads a reference by Docker's rules: the part before the first slash is a registry if it is "localhost" or has
// a dot or a colon, else the registry is docker.io, where a single component stands for library/component; the tag is
// latest unless there is a tag or a digest; of both the digest counts.
func Parse(ref string) (Reference, error) {
	refuse := func(err error) (Reference, error) {
		return Reference{}, &Error{Op: "parse", Ref: ref, Err: &classError{ErrReference, err}, Hint: "write it as name:tag or name@sha256:..."}
	}
	if len(ref) > 512 {
		return refuse(ErrReference)
	}
	var parsed name.Reference
	var err error
	if base, _, ok := strings.Cut(ref, "@"); ok {
		if i := strings.LastIndexByte(base, ':'); i > strings.LastIndexByte(base, '/') && !validTag(base[i+1:]) {
			return refuse(ErrReference) // also if it does not count
		}
		parsed, err = name.NewDigest(ref)
	} else {
		parsed, err = name.NewTag(ref)
	}
	if err != nil {
		return refuse(err)
	}
	// The library is laxer than the specification, for instance with "a/../b".
	repo := parsed.Context()
	if !components.MatchString(repo.RepositoryStr()) || !validHost(repo.RegistryStr()) {
		return refuse(ErrReference)
	}
	if tag, ok := parsed.(name.Tag); ok && !validTag(tag.TagStr()) {
		return refuse(ErrReference)
	}
	return Reference{parsed}, nil
}

// String is the full reference: "docker.io/library/alpine:latest" for "alpine".
func (r Reference) String() string {
	s := r.ref.Name()
	if rest, ok := strings.CutPrefix(s, dockerHub+"/"); ok {
		return "docker.io/" + rest
	}
	return s
}

// Name is the reference without its tag or digest: "docker.io/library/alpine" for "alpine".
func (r Reference) Name() string { return r.Host() + "/" + r.ref.Context().RepositoryStr() }

// Host is the registry's host and port, as Options.Insecure lists it. That of Docker Hub is docker.io.
func (r Reference) Host() string {
	if h := r.ref.Context().RegistryStr(); h != dockerHub {
		return h
	}
	return "docker.io"
}
