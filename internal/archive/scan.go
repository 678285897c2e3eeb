package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/flow"
	"github.com/caisson-go/caisson/internal/store"
)

// Limits bounds what an archive may cost. Reaching one is ErrTooLarge.
type Limits struct {
	// Entries counts the entries of the tar file. Zero: 65,536.
	Entries int
	// Bytes bounds what the archive's files have together, and so the room that loading takes beside that of the
	// unpacked layers. Zero: 128 GiB.
	Bytes int64
	// Images counts the images of the archive, those for several platforms each. Zero: 1,000. With each come 4
	// manifests or indexes and 256 KiB of documents that there may be, and in any case 4,096 and 256 MiB.
	Images int
}

func (l Limits) withDefaults() Limits {
	if l.Entries <= 0 {
		l.Entries = 65_536
	}
	if l.Bytes <= 0 {
		l.Bytes = store.MaxImage
	}
	if l.Images <= 0 {
		l.Images = 1000
	}
	return l
}

const (
	maxNames   = 16 << 20 // bytes of all names together
	maxTrailer = 16 << 20 // bytes behind the end of the archive; tar pads to 10 KiB
)

// file is a regular file of an archive, which is kept by its digest.
type file struct {
	digest v1.Hash // SHA-256
	size   int64
}

// scan is an archive that was read from its beginning to its end.
type scan struct {
	ctx   context.Context
	in    *store.Intake
	left  Limits
	names int // bytes of names so far

	seen  map[string]bool   // every name, with whether it is a directory
	files map[string]file   // what may be a configuration or a layer
	links map[string]string // by the text of the target, cleaned
	docs  map[string][]byte // manifest.json and the like
}

// read reads a whole archive, packed or not, and stages what it has.
func read(ctx context.Context, r io.Reader, in *store.Intake, l Limits) (*scan, error) {
	s := &scan{ctx: ctx, in: in, left: l.withDefaults(), seen: map[string]bool{}, files: map[string]file{},
		links: map[string]string{}, docs: map[string][]byte{}}
	u, _, err := unpackAny(flow.While(ctx, r))
	if err != nil {
		return nil, err
	}
	defer u.Close()
	tr := tar.NewReader(u)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF && n > 0 {
			break
		}
		if err == io.EOF {
			return nil, fail("", fmt.Errorf("%w: it is empty", ErrFormat), "give it a file made by save")
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // cleanName judges the name
			return nil, streamError("", err)
		}
		if err := s.entry(h, tr); err != nil {
			return nil, err
		}
	}
	return s, s.trailer(u)
}

// trailer reads on to the end: a writer that is cut off takes that for an error.
func (s *scan) trailer(r io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r, maxTrailer+1))
	if err == nil && n > maxTrailer {
		err = fmt.Errorf("%w: more than %d bytes behind the end of the archive", ErrFormat, maxTrailer)
	}
	return err
}

// streamError explains what the tar reader says.
func streamError(name string, err error) error {
	switch {
	case errors.Is(err, tar.ErrHeader):
		return fail(name, fmt.Errorf("%w: %w", ErrFormat, err), "give it a file made by save; a tar file of a root file system is for import")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fail(name, fmt.Errorf("the archive ends too early: %w", err), "save or copy it again")
	case errors.Is(err, tar.ErrFieldTooLong):
		return fail(name, fmt.Errorf("%w: a tar header: %w", ErrTooLarge, err), "")
	}
	return fail(name, err, "")
}

// entry takes in one entry.
func (s *scan) entry(h *tar.Header, body io.Reader) error {
	if s.left.Entries--; s.left.Entries < 0 {
		return fail(h.Name, fmt.Errorf("%w: entries", ErrTooLarge), "if the archive is trusted, raise the limits")
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if err := s.once(name, h.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return nil
	case tar.TypeReg:
		return s.regular(name, h, body)
	case tar.TypeSymlink, tar.TypeLink:
		return s.link(name, h)
	case tar.TypeGNUSparse:
		return fail(name, fmt.Errorf("sparse file: %w", ErrEntry), "pack it without holes")
	}
	return fail(name, fmt.Errorf("type %q: %w", h.Typeflag, ErrEntry), "")
}

// once refuses a name that came before: two readers could take two entries for it. Directories mean nothing here.
func (s *scan) once(name string, dir bool) error {
	if was, ok := s.seen[name]; ok {
		if was && dir {
			return nil
		}
		return fail(name, fmt.Errorf("the name comes twice: %w", ErrEntry), "pack the archive anew")
	}
	if s.names += len(name) + 1; s.names > maxNames {
		return fail(name, fmt.Errorf("%w: the names of the entries", ErrTooLarge), "")
	}
	s.seen[name] = dir
	return nil
}
