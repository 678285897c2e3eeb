package layer

import (
	"archive/tar"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"os"
	"slices"
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
// another user in. On error dst holds part of the layer and the caller removes it with RemoveAllAs.
//
// Another process does it, as confined as the host allows; Stats.Confined tells.
//
// Errors: *Error naming the entry, around a *LimitError, ErrName, ErrType, ErrOwner, the error of r, or the errno;
// ctx.Err() when ctx ends.
func Unpack(ctx context.Context, dst *os.File, r io.Reader, o Options) (Stats, error) {
	return unpackBy(ctx, dst, r, o, takers(&o))
}

func unpackBy(ctx context.Context, dst *os.File, r io.Reader, o Options, by []taker) (Stats, error) {
	o.Limits = o.Limits.withDefaults()
	u := &unpacker{root: dst, o: &o, known: map[string]*directory{}, implied: map[string]bool{}, links: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
	if err := u.begin(by); err != nil {
		return u.stats, err
	}
	defer u.h.close()
	err := u.run(ctx, stream(ctx, r, o.Limits))
	u.stats.ImpliedPaths = slices.Sorted(maps.Keys(u.implied))
	return u.stats, err
}

// unpacker applies one layer.
type unpacker struct {
	root  *os.File
	o     *Options
	h     hands
	tar   *tarReader
	step  step // the one being handed over
	stats Stats
	uid   uint32 // whose what the hands make is
	gid   uint32

	entry string   // the current entry's name as the layer has it
	now   sys.Time // and its time, for directories that it implies

	top        *directory            // of the layer
	known      map[string]*directory // by resolved path
	cost       int                   // bytes of memory for known
	restricted int                   // bytes of names of directories whose mode keeps their owner out
	forgot     bool                  // known does not hold every directory any more

	implied     map[string]bool // resolved paths of directories without an entry, some of them gone again
	impliedCost int             // bytes of memory for them

	open  [handles]*directory // whose descriptors there are
	used  [handles]int        // when each was used last
	clock int

	seed      maphash.Seed
	links     map[uint64]struct{} // hashes of the resolved paths of the links made so far
	aliases   map[string]*directory
	crossed   map[string]struct{} // resolved paths of the links that aliases go through
	whiteouts bool                // there are some
	late      []string            // resolved paths of directories that whiteouts turned out to name, and that are not known
	opaque    []string            // resolved paths of directories to mark by this program's own calls
}

// begin takes on hands, makes sure that the directory is empty, and gives it the look of a root without an entry.
func (u *unpacker) begin(by []taker) error {
	d, err := inroot.Open(u.root, "/", sys.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fail("open", err)
	}
	defer func() { _ = d.Close() }()
	if names, _ := d.Readdirnames(1); len(names) > 0 {
		return &Error{Op: "open", Err: syscall.ENOTEMPTY, Hint: "unpack into an empty directory"}
	}
	// What is made in it takes its group, if it says so, and its default access control list.
	fd := int(d.Fd())
	if u.o.User == nil { // who is the caller's to know
		u.uid, u.gid = uint32(os.Geteuid()), uint32(os.Getegid())
		if err := sys.Fchown(fd, u.uid, u.gid); err != nil {
			return chownError(err)
		}
	}
	if err := sys.Fchmod(fd, 0o700); err != nil {
		return fail("chmod", err)
	}
	_ = sys.Fremovexattr(fd, "system.posix_acl_default")
	l, err := u.plain()
	if err != nil {
		return err
	}
	u.top = &directory{made: 0o700, look: l, full: true}
	u.known[""] = u.top
	u.stats.RootImplied = true
	return u.takeHands(by)
}

// takeHands tries the ways in their order.
func (u *unpacker) takeHands(by []taker) (err error) {
	for _, take := range by {
		if u.h, err = take(u.root, u.o, u.judge); err == nil {
			u.stats.Confined = u.h.confined()
			return nil
		}
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return fail("proxy", err)
}

func (u *unpacker) run(ctx context.Context, r io.Reader) error {
	u.tar = &tarReader{src: &source{r: r, chunk: u.h.chunk}}
	for {
		f, err := u.tar.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return u.after(err)
		}
		if err := ctx.Err(); err != nil {
			return &Error{Op: "read", Path: f.Name, Err: err}
		}
		u.entry = f.Name
		if err := u.apply(f); err != nil {
			return named(err, f.Name)
		}
	}
	// What follows the end mark belongs to the layer's digest.
	if err := u.tar.src.drain(); err != nil {
		return u.after(err)
	}
	u.entry = ""
	return u.finish()
}

// after is an error of the stream, unless something went wrong before it.
func (u *unpacker) after(err error) error {
	if e, ok := errors.AsType[*Error](err); ok { // of the hands
		return e
	}
	if earlier := u.h.settle(); earlier != nil {
		return earlier
	}
	return readError(err)
}

// readError wraps an error of the stream.
func readError(err error) error {
	if errors.Is(err, tar.ErrFieldTooLong) {
		err = errors.Join(&LimitError{"bytes in a tar header", maxSpecial}, err)
	}
	return &Error{Op: "read", Err: err}
}

// apply applies one tar entry.
func (u *unpacker) apply(f *tarFile) error {
	h := &f.Header
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
	if err := u.trim(); err != nil {
		return err
	}
	u.now = sys.Time{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	switch n.kind {
	case kindIgnored:
		u.stats.skip(h.Name, "aufs bookkeeping", "means nothing to overlayfs")
		return nil
	case kindOpaque:
		return u.opaqueEntry(n)
	case kindWhiteout:
		return u.whiteout(n, h)
	}
	if n.base == "" && h.Typeflag != tar.TypeDir {
		return fail("name", ErrName) // the root is a directory
	}
	return u.make(n, f)
}

// count takes one entry from the limit.
func (u *unpacker) count() error {
	if u.stats.Entries++; u.stats.Entries > u.o.Limits.Entries {
		return fail("read", &LimitError{"entries", u.o.Limits.Entries})
	}
	return nil
}

// fail makes an error of this package; the entry's name is added on the way out.
func fail(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

// named adds the entry's name to an error that has none.
func named(err error, entry string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Path == "" {
		e.Path = entry
	}
	return err
}
