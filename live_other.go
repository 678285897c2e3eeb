//go:build !linux

package caisson

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// live is what a container is on Linux. Elsewhere there is none.
type live struct {
	id      string
	timings []Timing
}

// hostViews is what an engine has seen of its host.
type hostViews struct{}

// imageUses are the images that containers use.
type imageUses struct{}

var errNotLinux = &Error{"clone", "container", errors.ErrUnsupported, "containers need Linux; images work here"}

func (c *Container) start(context.Context) (*live, error) { return nil, errNotLinux }
func (p *Process) start(context.Context) (*live, error)   { return nil, errNotLinux }
func (l *live) ended() bool                               { return true }
func (l *live) pid() int                                  { return 0 }
func (l *live) signal(os.Signal) error                    { return errNotLinux }
func (l *live) resize(Winsize) error                      { return errNotLinux }
func (l *live) wait(context.Context) error                { return errNotLinux }
func (l *live) attend(context.Context) error              { return errNotLinux }
func (l *live) stop(context.Context) error                { return errNotLinux }
func (l *live) close() error                              { return nil }
func (l *live) cgroup() *Cgroup                           { return nil }

func (l *live) snapshot(context.Context) (*Snapshot, error)   { return nil, errNotLinux }
func (l *live) diff(context.Context, func(Change) bool) error { return errNotLinux }
func (l *live) export(context.Context, io.Writer) error       { return errNotLinux }
func (l *live) commit(context.Context, string, *CommitOptions) (*Image, error) {
	return nil, errNotLinux
}
func (l *live) restart(context.Context, *Snapshot) (*live, error) { return l, errNotLinux }
func (e *Engine) openSnapshot(string) (*Snapshot, error)          { return nil, errNotLinux }
func (e *Engine) removeSnapshot(string) error                     { return errNotLinux }
func (e *Engine) standsOn(v1.Hash) bool                           { return false }
func (e *Engine) snapshotIDs() ([]string, error)                  { return nil, nil }

func (l *live) socket(context.Context, int, int) (*os.File, error)      { return nil, errNotLinux }
func (n *Namespace) socket(context.Context, int, int) (*os.File, error) { return nil, errNotLinux }

type socketMaker func(ctx context.Context, domain, kind int) (*os.File, error)

func dialIn(context.Context, socketMaker, string, string) (net.Conn, error) { return nil, errNotLinux }
func listenIn(context.Context, socketMaker, string, string) (net.Listener, error) {
	return nil, errNotLinux
}
func newNamespace(*os.File) (*Namespace, error) { return nil, errNotLinux }
func makeNamespaces(context.Context, []NamespaceKind) ([]*Namespace, error) {
	return nil, errNotLinux
}
func inode(fs.FileInfo) uint64        { return 0 }
func (o *Overlay) mount(string) error { return errors.ErrUnsupported }
func unmount(string) error            { return errors.ErrUnsupported }
func overlayHint(error) string        { return "" }
