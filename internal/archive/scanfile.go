package archive

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/caisson-go/caisson/internal/store"
)

// link remembers a link. Docker before version 25 has them between equal layers; a blob of an image layout is none.
func (s *scan) link(name string, h *tar.Header) error {
	if strings.HasPrefix(name, blobsDir) || isDocument(name) {
		return fail(name, fmt.Errorf("a link: %w", ErrEntry), "pack the files themselves")
	}
	target, err := linkTarget(name, h.Linkname, h.Typeflag == tar.TypeSymlink)
	if err != nil || target == "" {
		return fail(name, fmt.Errorf("a link to %.300q: %w", h.Linkname, ErrEntry), "")
	}
	if s.names += len(target); s.names > maxNames {
		return fail(name, fmt.Errorf("%w: the names of the entries", ErrTooLarge), "")
	}
	s.links[name] = target
	return nil
}

func isDocument(name string) bool {
	return name == layoutName || name == indexName || name == manifestName
}

// regular takes in a regular file.
func (s *scan) regular(name string, h *tar.Header, body io.Reader) error {
	for k := range h.PAXRecords { // a hole costs the archive nothing and the disk all
		if strings.HasPrefix(k, "GNU.sparse.") {
			return fail(name, fmt.Errorf("sparse file: %w", ErrEntry), "pack it without holes")
		}
	}
	if h.Size > s.left.Bytes {
		return fail(name, fmt.Errorf("%w: %d bytes", ErrTooLarge, h.Size), "if the archive is trusted, raise the limits")
	}
	s.left.Bytes -= h.Size
	if isDocument(name) {
		return s.document(name, h, body)
	}
	if !strings.HasPrefix(name, blobsDir) && superfluous(name) {
		_, err := io.Copy(io.Discard, body)
		return streamErrorIf(name, err)
	}
	want, isBlob, err := blobName(name)
	if err != nil {
		return err
	}
	if !isBlob && strings.HasPrefix(name, blobsDir) { // of another digest algorithm; an error once something needs it
		_, err := io.Copy(io.Discard, body)
		return streamErrorIf(name, err)
	}
	got, n, err := s.in.Take(s.ctx, body)
	switch {
	case err != nil:
		return streamError(name, err)
	case isBlob && got != want:
		return fail(name, store.ErrDigest, "the archive is damaged; save it again")
	}
	s.files[name] = file{got, n}
	return nil
}

func streamErrorIf(name string, err error) error {
	if err == nil {
		return nil
	}
	return streamError(name, err)
}

// superfluous reports the files that docker save writes for Docker before version 1.10.
func superfluous(name string) bool {
	switch path.Base(name) {
	case "VERSION", "json", "repositories":
		return true
	}
	return false
}

// document reads one of the documents that say what is in the archive.
func (s *scan) document(name string, h *tar.Header, body io.Reader) error {
	if h.Size > store.MaxDocument {
		return fail(name, fmt.Errorf("%w: %d bytes", ErrTooLarge, h.Size), "")
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return streamError(name, err)
	}
	s.docs[name] = b
	return nil
}

// resolve finds the file of a name that manifest.json gives, through links.
func (s *scan) resolve(name string) (file, error) {
	at, err := cleanName(name)
	if err != nil {
		return file{}, err
	}
	for range maxHops {
		if f, ok := s.files[at]; ok {
			return f, nil
		}
		target, ok := s.links[at]
		if !ok {
			return file{}, fail(name, ErrMissing, "save the image again")
		}
		at = target
	}
	return file{}, fail(name, fmt.Errorf("links to links: %w", ErrEntry), "")
}
