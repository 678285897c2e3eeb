package testimage

import (
	"archive/tar"
	"path"
	"time"
)

// entry is one entry of a layer, written as its tar header.
type entry struct {
	tar.Header
	content string
}

// made is the time of whatever does not ask for another one.
var made = time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC) // never changed

func of(kind byte, name string, mode int64) entry {
	return entry{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: made}}
}

func dir(name string, mode int64) entry { return of(tar.TypeDir, name+"/", mode) }

func file(name, content string) entry {
	e := of(tar.TypeReg, name, 0o644)
	e.Size, e.content = int64(len(content)), content
	return e
}

func symlink(name, target string) entry {
	e := of(tar.TypeSymlink, name, 0o777)
	e.Linkname = target
	return e
}

func hardlink(name, target string) entry {
	e := of(tar.TypeLink, name, 0o644)
	e.Linkname = target
	return e
}

func fifo(name string) entry { return of(tar.TypeFifo, name, 0o640) }

// whiteout removes a name of the layers below; OCI image-spec, layer.md, "Whiteouts".
func whiteout(name string) entry { return file(path.Join(path.Dir(name), ".wh."+path.Base(name)), "") }

// opaque removes all that the layers below have in a directory; OCI image-spec, layer.md, "Opaque Whiteout".
func opaque(dir string) entry { return file(path.Join(dir, ".wh..wh..opq"), "") }

func (e entry) owned(uid, gid int) entry {
	e.Uid, e.Gid = uid, gid
	return e
}

func (e entry) perm(mode int64) entry {
	e.Mode = mode
	return e
}

func (e entry) at(t time.Time) entry {
	e.ModTime = t
	return e
}

// with adds an extended attribute, in the record that both GNU tar and the builders of images write.
func (e entry) with(attribute, value string) entry {
	records := map[string]string{"SCHILY.xattr." + attribute: value}
	for k, v := range e.PAXRecords {
		records[k] = v
	}
	e.PAXRecords = records
	return e
}
