package caisson

import (
	"context"
	"io"
	"iter"
)

// Change is one path of a container that is different from its image.
type Change struct {
	Path string     // absolute, inside the container
	Kind ChangeKind // how it has changed
}

// ChangeKind says how a path has changed.
type ChangeKind string

// The kinds of changes, for which docker diff prints A, C and D.
const (
	ChangeAdded    ChangeKind = "added"
	ChangeModified ChangeKind = "modified"
	ChangeDeleted  ChangeKind = "deleted"
)

// Diff lists what the container has changed since its start, as docker diff does: each directory before what is in it,
// names in byte order. A directory counts as modified when something in it has changed; a file when its type, owner, mode,
// size, time or an extended attribute has. What is in a directory that was removed is not listed, nor what was made for
// mounts to stand on. The container may run meanwhile.
//
// Errors: *Error; errors.ErrUnsupported for Engine.Host, whose writable layer is in memory; ErrNotStarted; ErrClosed;
// ctx.Err. Source: Documentation/filesystems/overlayfs.rst.
func (c *Container) Diff(ctx context.Context) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		l, err := c.life.running()
		if err == nil {
			err = l.diff(ctx, func(change Change) bool { return yield(change, nil) })
		}
		if err != nil {
			yield(Change{}, c.failed("diff", err))
		}
	}
}

// Export writes the container's root filesystem as one tar archive, as docker export does: what its programs see, without
// what is mounted in it. Sockets are left out. A container that runs stands still meanwhile.
//
// Errors: as those of Diff; fs.ErrInvalid if w is nil; the error of w. Source: POSIX, pax, "pax Interchange Format".
func (c *Container) Export(ctx context.Context, w io.Writer) error {
	if w == nil {
		return c.failed("export", errNoWriter)
	}
	l, err := c.life.running()
	if err == nil {
		err = l.export(ctx, w)
	}
	return c.failed("export", err)
}
