package layer

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"
)

// maxSpecial bounds, in bytes, what a header may say beside its block: long names, PAX records, maps of sparse files.
const maxSpecial = 1 << 20

// tarReader reads the headers of a tar stream: ustar, PAX, GNU, star and what was before them. It takes what the
// standard library's takes and says the same of it, but leaves the files where the source has read them to, and tells
// where a sparse file has holes.
//
// Formats: POSIX.1-2017 pax, "pax Interchange Format" and "ustar Interchange Format"; the GNU tar manual, "Basic Tar
// Format" and "Storing Sparse Files".
type tarReader struct {
	src  *source
	left int64 // of the current file in the stream
	pad  int64 // behind it
	raw  [block]byte
	text []byte // memory for what is read beside blocks
	file tarFile
}

// extent is a stretch of data in a sparse file.
type extent struct{ off, size int64 }

// tarFile is an entry.
type tarFile struct {
	tar.Header
	sparse  bool
	extents []extent // of a sparse file: where its data goes, in order
}

// special is what earlier blocks say of an entry.
type special struct {
	records    map[string]string
	name, link string
}

// next reads on to the next entry, which is valid until the one behind it is read. io.EOF is the end mark, or the end of the stream in its place.
func (r *tarReader) next() (*tarFile, error) {
	if err := r.src.skip(r.left + r.pad); err != nil {
		return nil, err
	}
	r.left, r.pad = 0, 0
	var sp special
	for {
		if err := r.header(); err != nil {
			return nil, err
		}
		f := &r.file
		*f = tarFile{extents: f.extents[:0]}
		form, err := f.parse(&r.raw)
		if err != nil {
			return nil, err
		}
		switch f.Typeflag {
		case tar.TypeXHeader, tar.TypeXGlobalHeader:
			text, err := r.special(f.Size)
			if err != nil {
				return nil, err
			}
			records, err := parseRecords(text)
			if err != nil {
				return nil, err
			}
			if f.Typeflag == tar.TypeXGlobalHeader {
				f.PAXRecords = records
				return f, nil
			}
			sp.records = records
		case tar.TypeGNULongName, tar.TypeGNULongLink:
			text, err := r.special(f.Size)
			if err != nil {
				return nil, err
			}
			if f.Typeflag == tar.TypeGNULongName {
				sp.name = cstring(text)
			} else {
				sp.link = cstring(text)
			}
		default:
			return f, r.complete(f, form, &sp)
		}
	}
}

// header reads a block that is not the end mark.
func (r *tarReader) header() error {
	if err := r.src.full(r.raw[:]); err != nil {
		return err
	}
	if r.raw != [block]byte{} {
		return nil
	}
	if err := r.src.full(r.raw[:]); err != nil {
		return err
	}
	if r.raw == [block]byte{} {
		return io.EOF
	}
	return tar.ErrHeader
}

// special reads what follows a header about the next header. It is valid until the next one is read.
func (r *tarReader) special(size int64) ([]byte, error) {
	if size < 0 {
		return nil, tar.ErrHeader
	}
	if size > maxSpecial {
		return nil, fmt.Errorf("%d bytes: %w", size, tar.ErrFieldTooLong)
	}
	if int64(cap(r.text)) < size {
		r.text = make([]byte, size)
	}
	text := r.text[:size]
	if err := r.src.full(text); err != nil {
		return nil, unexpected(err)
	}
	return text, r.src.skip(-size & (block - 1))
}

// complete puts together what the blocks say of an entry.
func (r *tarReader) complete(f *tarFile, form format, sp *special) error {
	if err := f.merge(sp.records); err != nil {
		return err
	}
	if sp.name != "" {
		f.Name = sp.name
	}
	if sp.link != "" {
		f.Linkname = sp.link
	}
	if f.Typeflag == 0 { // of old: a file, or with a slash a directory
		f.Typeflag = tar.TypeReg
		if strings.HasSuffix(f.Name, "/") {
			f.Typeflag = tar.TypeDir
		}
	}
	if f.Size < 0 {
		return tar.ErrHeader
	}
	if !headerOnly(f.Typeflag) {
		r.left, r.pad = f.Size, -f.Size&(block-1)
	}
	return r.sparse(f, form)
}

// headerOnly reports the types that have no content, whatever their size.
func headerOnly(typ byte) bool {
	switch typ {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return true
	}
	return false
}

// data gives the next part of the current file's content as it lies in the stream, n bytes at most.
func (r *tarReader) data(n int64) ([]byte, error) {
	p, err := r.src.next(min(n, r.left))
	r.left -= int64(len(p))
	return p, unexpected(err)
}
