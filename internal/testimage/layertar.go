package testimage

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"strings"
)

// layerTar writes one layer: the files of packages, then the entries beside them.
type layerTar struct {
	w     *tar.Writer
	files map[string]bool // what packages have brought: one may have what it takes another one's place with
	dirs  map[string]bool // directories that are there already: packages repeat those that they share, a layer does not
}

func writeLayer(ctx context.Context, to string, debs []string, extra []entry) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	l := &layerTar{tar.NewWriter(f), map[string]bool{}, map[string]bool{".": true}}
	for _, deb := range debs {
		if err := l.addPackage(ctx, deb); err != nil {
			return err
		}
	}
	for _, e := range extra {
		if err := l.add(&e.Header, strings.NewReader(e.content)); err != nil {
			return err
		}
	}
	return l.w.Close()
}

func (l *layerTar) addPackage(ctx context.Context, deb string) (err error) {
	stream, done, err := filesystem(ctx, deb)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	r := tar.NewReader(stream)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = merged(h.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = merged(h.Linkname)
		}
		if l.files[h.Name] {
			continue
		}
		l.files[h.Name] = h.Typeflag != tar.TypeDir
		if err := l.add(h, r); err != nil {
			return err
		}
	}
}

// add writes an entry, and before it the directories above it that no entry has made: an image has them all.
func (l *layerTar) add(h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag == tar.TypeDir && l.dirs[name] {
		return nil
	}
	if err := l.parents(path.Dir(name)); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		l.dirs[name] = true
		h.Name = name + "/"
	}
	h.Format = tar.FormatPAX
	if h.ModTime.Nanosecond() == 0 && len(h.PAXRecords) == 0 {
		h.Format = tar.FormatUnknown // the plainest that will do, as other builders choose
	}
	if err := l.w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(l.w, content)
	return err
}

func (l *layerTar) parents(dir string) error {
	if l.dirs[dir] {
		return nil
	}
	if err := l.parents(path.Dir(dir)); err != nil {
		return err
	}
	l.dirs[dir] = true
	return l.w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: made})
}

// merged is where a file of a package comes to lie in a Debian whose /bin, /lib and /sbin are links into /usr. A
// directory of the layer would hide those links.
func merged(name string) string {
	name = path.Clean(strings.TrimPrefix(name, "./"))
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "bin", "lib", "lib32", "lib64", "libx32", "sbin":
		return "usr/" + name
	}
	return name
}
