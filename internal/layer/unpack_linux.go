package layer

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/inroot"
	"github.com/caisson-go/caisson/internal/sys"
)

// Supported reports whether this system can unpack layers.
const Supported = true

// Defaults returns the Options that fit the calling user: the zero value for root; for anybody else attributes in
// the user namespace, and every file the caller's own.
func Defaults() Options {
	rootless := os.Geteuid() != 0
	return Options{UserXattr: rootless, IgnoreOwners: rootless}
}

// Unpack applies the tar stream r, read to its end, to the empty directory dst. No directory above dst may let
// another user in. On error dst holds part of the layer and the caller removes it with RemoveAll.
//
// Errors: *Error naming the entry, around a *LimitError, ErrName, ErrType, ErrOwner, the error of r, or the errno;
// ctx.Err() when ctx ends.
func Unpack(ctx context.Context, dst *os.File, r io.Reader, o Options) (Stats, error) {
	o.Limits = o.Limits.withDefaults()
	u := &unpacker{root: dst, o: &o, restricted: map[string]uint32{}}
	defer u.close()
	err := u.run(&stream{ctx: ctx, r: r, left: o.Limits.Bytes, max: o.Limits.Bytes})
	return u.stats, err
}

// unpacker applies one layer.
type unpacker struct {
	root  *os.File
	o     *Options
	stats Stats
	at    place    // the directory that entries are being made in
	now   sys.Time // the time of the current entry, for directories that it implies
	moved int      // directories moved aside by remover
	buf   []byte   // for copying
	bytes int64    // memory held by restricted
	// restricted holds the modes that would keep the owner out of a directory, until everything is in it.
	restricted map[string]uint32
}

func (u *unpacker) run(s *stream) error {
	if err := u.begin(); err != nil {
		return err
	}
	tr := tar.NewReader(s)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		// The name is judged by parseName, whatever GODEBUG=tarinsecurepath says.
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return readError(err)
		}
		if err := s.ctx.Err(); err != nil {
			return &Error{Op: "read", Path: h.Name, Err: err}
		}
		if err := u.entry(h, tr); err != nil {
			var e *Error
			if errors.As(err, &e) && e.Path == "" {
				e.Path = h.Name
			}
			return err
		}
	}
	// What follows the end mark belongs to the layer's digest.
	if _, err := io.Copy(io.Discard, s); err != nil {
		return readError(err)
	}
	return u.finish()
}

// readError wraps an error of the stream. The tar package has a limit of its own for headers.
func readError(err error) error {
	if errors.Is(err, tar.ErrFieldTooLong) {
		err = errors.Join(&LimitError{"bytes in a tar header", 1 << 20}, err)
	}
	return &Error{Op: "read", Err: err}
}

// begin makes sure that the directory is empty and gives it the look of a root without an entry.
func (u *unpacker) begin() error {
	d, err := inroot.Open(u.root, "/", sys.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", err)
	}
	defer d.Close()
	if names, _ := d.Readdirnames(1); len(names) > 0 {
		return &Error{Op: "open", Err: syscall.ENOTEMPTY, Hint: "unpack into an empty directory"}
	}
	return u.dress(int(d.Fd()), plainDir(sys.Time{}))
}

// entry applies one tar entry.
func (u *unpacker) entry(h *tar.Header, body io.Reader) error {
	if err := u.count(); err != nil {
		return err
	}
	for _, v := range h.PAXRecords {
		if len(v) > u.o.Limits.Record {
			return fail("read", &LimitError{"bytes in a PAX record", int64(u.o.Limits.Record)})
		}
	}
	if h.Typeflag == tar.TypeXGlobalHeader { // a comment of git archive
		return nil
	}
	n, err := parseName(h.Name, u.o.Limits)
	if err != nil {
		return fail("name", err)
	}
	u.now = sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	switch n.kind {
	case kindIgnored:
		u.stats.skip(h.Name, "aufs bookkeeping", "means nothing to overlayfs")
		return nil
	case kindOpaque:
		return u.opaque(n)
	case kindWhiteout:
		return u.whiteout(n, h)
	}
	if n.base == "" && h.Typeflag != tar.TypeDir {
		return fail("name", ErrName) // the root is a directory
	}
	return u.make(n, h, body)
}

// count takes one entry from the limit.
func (u *unpacker) count() error {
	if u.stats.Entries++; u.stats.Entries > u.o.Limits.Entries {
		return fail("read", &LimitError{"entries", u.o.Limits.Entries})
	}
	return nil
}

// finish gives the directories their last modes, children first: a mode without search permission hides them.
func (u *unpacker) finish() error {
	if err := u.leave(); err != nil {
		return err
	}
	paths := make([]string, 0, len(u.restricted))
	for p := range u.restricted {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) })
	for _, p := range paths {
		d, err := inroot.Open(u.root, "/"+p, sys.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		switch {
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
			continue // replaced since
		case err != nil:
			return &Error{Op: "open", Path: p, Err: err}
		}
		err = sys.Fchmod(int(d.Fd()), u.restricted[p])
		d.Close()
		if err != nil {
			return &Error{Op: "chmod", Path: p, Err: err}
		}
	}
	return nil
}

// close gives back what an error left open.
func (u *unpacker) close() {
	if u.at.f != nil {
		u.at.f.Close()
	}
}

// fail makes an error of this package; the entry's name is added on the way out.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}
