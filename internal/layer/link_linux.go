package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// hardLink gives a file of this layer another name. Its look is that of the file, whatever the entry says.
func (u *unpacker) hardLink(n entryName, h *tar.Header) error {
	t, err := parseName(h.Linkname, u.o.Limits)
	if err == nil && (t.kind != kindPlain || t.base == "") {
		err = ErrName
	}
	if err != nil {
		return fail("link", fmt.Errorf("to %.300q: %w", h.Linkname, err))
	}
	parent, dir, err := u.enter(n)
	if err != nil {
		return err
	}
	source, err := u.sourceOf(t.dir)
	if err != nil {
		return linkError(h.Linkname, err)
	}
	path := join(source.path, t.base)
	if u.known[path] != nil {
		return linkError(h.Linkname, syscall.EISDIR)
	}
	from, err := u.handleOf(source)
	if err != nil {
		return err
	}
	if err := u.notWhiteout(from, t.base); err != nil {
		return linkError(h.Linkname, err)
	}
	if _, isLink := u.links[u.hash(path)]; isLink {
		u.noteLink(join(parent.path, n.base))
	}
	return u.do(step{verb: toLink, dir: dir, name: n.base, from: from, target: t.base})
}

// sourceOf is the directory that a hard link's target is in.
func (u *unpacker) sourceOf(path string) (*directory, error) {
	if d := u.remembered(path); d != nil {
		return d, nil
	}
	return u.walk(path, false)
}

// notWhiteout refuses what the layer does not have: a link would be one more whiteout.
func (u *unpacker) notWhiteout(dir handle, base string) error {
	if !u.whiteouts {
		return nil
	}
	if err := u.h.settle(); err != nil {
		return err
	}
	if e, err := u.h.stat(dir, base); err == nil && e.IsWhiteout() {
		return syscall.ENOENT
	}
	return nil
}

func linkError(target string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok { // of the way to it
		err = e.Err
	}
	e := &Error{Op: "link", Err: fmt.Errorf("to %.300q: %w", target, err)}
	if errors.Is(err, fs.ErrNotExist) {
		e.Hint = "a hard link must name a file of the same layer; rebuild the image"
	}
	return e
}
