package layer

import (
	"archive/tar"
	"bytes"
	"strings"
)

// sparse finds the map of a sparse file, in one of four formats, and checks it.
func (r *tarReader) sparse(f *tarFile, form format) (err error) {
	stored := f.Size
	switch {
	case f.Typeflag == tar.TypeGNUSparse:
		f.sparse = true
		err = r.oldMap(f, form)
	case f.PAXRecords != nil:
		err = r.paxMap(f)
	}
	if err != nil || !f.sparse {
		return err
	}
	if headerOnly(f.Typeflag) || f.Size < 0 {
		return tar.ErrHeader
	}
	end, sum := int64(0), int64(0)
	for _, e := range f.extents {
		if e.off < end || e.size < 0 || e.off > f.Size || e.size > f.Size-e.off {
			return tar.ErrHeader
		}
		end, sum = e.off+e.size, sum+e.size
	}
	if sum != r.left || stored < 0 {
		return tar.ErrHeader
	}
	return nil
}

// Of GNU's own format: four extents in the block, and 21 in each that follows.
const (
	oldExtents   = 386
	oldInBlock   = 4
	oldMore      = 482
	oldRealSize  = 483
	oldInNext    = 21
	oldNextMore  = 504
	extentFields = 24 // two numbers of 12
)

func (r *tarReader) oldMap(f *tarFile, form format) error {
	if form != formatGNU {
		return tar.ErrHeader
	}
	var p numbers
	f.Size = p.number(r.raw[oldRealSize : oldRealSize+12])
	b := r.raw[oldExtents : oldExtents+oldInBlock*extentFields]
	more := r.raw[oldMore] > 0
	var next [block]byte
	for read := 0; ; read += block {
		for ; len(b) >= extentFields && b[0] != 0; b = b[extentFields:] {
			f.extents = append(f.extents, extent{p.number(b[:12]), p.number(b[12:24])})
		}
		if p.bad {
			return tar.ErrHeader
		}
		if !more {
			return nil
		}
		if read >= maxSpecial {
			return tar.ErrFieldTooLong
		}
		if err := r.src.full(next[:]); err != nil {
			return unexpected(err)
		}
		b, more = next[:oldInNext*extentFields], next[oldNextMore] > 0
	}
}

// paxMap reads the map that PAX records have, or announce.
func (r *tarReader) paxMap(f *tarFile) error {
	rec := f.PAXRecords
	inData := false
	switch version := rec[sparseMajor] + "." + rec[sparseMinor]; {
	case version == "1.0":
		inData = true
	case version == "0.0" || version == "0.1" || rec[sparseMap] != "":
	default:
		return nil
	}
	f.sparse = true
	if name := rec[sparseName]; name != "" {
		f.Name = name
	}
	size := rec[sparseSize]
	if size == "" {
		size = rec[sparseReal]
	}
	var p numbers
	if size != "" {
		if f.Size = p.decimal(size); p.bad {
			return tar.ErrHeader
		}
	}
	if inData {
		return r.dataMap(f)
	}
	count := p.decimal(rec[sparseBlocks])
	var list []string
	if rec[sparseMap] != "" {
		list = strings.Split(rec[sparseMap], ",")
	}
	if p.bad || count < 0 || count > maxSpecial || int(count)*2 != len(list) {
		return tar.ErrHeader
	}
	return f.addExtents(list)
}

// dataMap reads the map that version 1.0 puts before the content: lines of decimal numbers in whole blocks.
func (r *tarReader) dataMap(f *tarFile) error {
	var text []byte
	lines, want := 0, int64(-1)
	for want < 0 || int64(lines) < 1+2*want {
		if len(text) >= maxSpecial {
			return tar.ErrFieldTooLong
		}
		at := len(text)
		text = append(text, make([]byte, block)...)
		if r.left < block {
			return tar.ErrHeader
		}
		r.left -= block
		if err := r.src.full(text[at:]); err != nil {
			return unexpected(err)
		}
		lines += bytes.Count(text[at:], []byte("\n"))
		if want < 0 && lines > 0 {
			first, _, _ := strings.Cut(string(text), "\n")
			var p numbers
			if want = p.decimal(first); p.bad || want < 0 || want > maxSpecial {
				return tar.ErrHeader
			}
		}
	}
	list := strings.SplitN(string(text), "\n", int(2*want)+2)
	return f.addExtents(list[1 : 1+2*want])
}

// addExtents reads pairs of offsets and sizes.
func (f *tarFile) addExtents(list []string) error {
	var p numbers
	for ; len(list) > 1; list = list[2:] {
		f.extents = append(f.extents, extent{p.decimal(list[0]), p.decimal(list[1])})
	}
	if p.bad {
		return tar.ErrHeader
	}
	return nil
}
