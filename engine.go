package caisson

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// Engine is one state directory with the images, containers and settings that belong together. The zero
// value works. Several engines in a program, and several programs on one directory, are fine. The methods of
// an Engine may be called from several goroutines. It must not be copied, nor its fields changed, after its
// first use.
type Engine struct {
	// Dir is the state directory, made with mode 0700. Empty: /var/lib/caisson for root, else
	// $XDG_DATA_HOME/caisson, else ~/.local/share/caisson.
	Dir string

	// Keychain finds the credentials of registries. Nil: Docker's config.json and credential helpers.
	Keychain authn.Keychain

	// Insecure are the registries, by host or host:port, that may be plain HTTP or unverified.
	Insecure []string

	// Mirrors lists for a registry, such as "docker.io", what is asked before it, in this order: host[:port], with
	// the path below which the mirror has the registry's repositories if there is one. A mirror that fails is left out for
	// a while, and the registry itself is asked last. Whoever brings content, it is verified by its digest; what
	// a tag means the mirror decides. Credentials are those of the mirror's own host.
	Mirrors map[string][]string

	// TokenHosts are servers, by host or host:port, that may be asked for tokens, with the credentials, when a registry
	// says so, beside those of the registry's own site.
	TokenHosts []string

	// Offline has every call do with what is here. No registry is asked.
	Offline bool

	// Logger receives what the engine does. Nil: silent.
	Logger *slog.Logger

	state engineState
}

// engineState is what an engine finds out once.
type engineState struct {
	support  sync.Once
	host     *Support
	hostErr  error
	opening  sync.Mutex
	store    *store.Store
	breaker  registry.Breaker
	room     room
	sweeping sync.Once
	points   mountPoints
	views    hostViews
	uses     imageUses
	kernelMu sync.Mutex
	kernel   *KernelSupport // what was learnt by failing
}

// dir is the state directory.
func (e *Engine) dir() (string, error) {
	switch {
	case e.Dir != "":
		return filepath.Abs(e.Dir)
	case os.Geteuid() == 0:
		return "/var/lib/caisson", nil
	case os.Getenv("XDG_DATA_HOME") != "":
		return filepath.Join(os.Getenv("XDG_DATA_HOME"), "caisson"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &Error{"open", "state directory", err, "set Engine.Dir"}
	}
	return filepath.Join(home, ".local", "share", "caisson"), nil
}

// log is the logger, never nil.
func (e *Engine) log() *slog.Logger {
	if e.Logger != nil {
		return e.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// New is a container of a spec. Nothing happens before Start. An image that Spec.Image names must be
// known to this engine by then.
func (e *Engine) New(spec Spec) *Container {
	return &Container{Spec: spec, engine: e}
}

// Host is this machine's own root filesystem, read-only below the container's writable layer, which is
// in memory. Every directory of the root directory is there but /home, /media, /mnt, /root, /run and
// /tmp, which are empty; this engine's state directory and what holds the host's secrets, such as
// /etc/shadow and private keys, are not, nor filesystems of the kernel's own that are mounted somewhere.
// The section "This machine as an image" of the manual has the details. What a bind mount should show must
// be asked for in Spec.Mounts.
//
// Nothing is pulled or copied, and nothing can fail before Start. Start looks at the host; that fails, with
// an *Error, if the state directory is the root directory or a path to be hidden cannot be looked at.
func (e *Engine) Host() *Image { return &Image{engine: e, id: hostImage} }

// RootFS is a directory as an image without settings: the root filesystem of a container, read-only
// below its writable layer. The directory must not change while containers use it. The host's own root
// directory does change, and has what a container should not see; Engine.Host is for that.
//
// Errors: *Error if dir is not a directory, or the host's root; fs.ErrNotExist if it is not there.
func (e *Engine) RootFS(dir string) (*Image, error) {
	if dir == "" {
		return nil, &Error{"open", "root filesystem", errors.New("no directory is given"), "name one; . is the working directory"}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &Error{"open", dir, err, ""}
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, &Error{"open", abs, err, "make it first, for instance by debootstrap; Engine.Pull gets images"}
	}
	if !info.IsDir() {
		return nil, &Error{"open", abs, errNotDirectory, "a root filesystem is a directory; Engine.Pull gets images"}
	}
	if root, err := os.Stat("/"); err == nil && os.SameFile(info, root) {
		return nil, &Error{"open", abs, errors.New("the host's own root directory"), "use Engine.Host"}
	}
	return &Image{engine: e, id: dirImage + abs}, nil
}
