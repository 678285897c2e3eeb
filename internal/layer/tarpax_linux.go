package layer

import (
	"archive/tar"
	"bytes"
	"strconv"
	"strings"
	"time"
)

// The records of GNU's sparse files.
const (
	sparsePrefix  = "GNU.sparse."
	sparseMap     = sparsePrefix + "map"
	sparseOffset  = sparsePrefix + "offset"
	sparseNumber  = sparsePrefix + "numbytes"
	sparseBlocks  = sparsePrefix + "numblocks"
	sparseMajor   = sparsePrefix + "major"
	sparseMinor   = sparsePrefix + "minor"
	sparseName    = sparsePrefix + "name"
	sparseSize    = sparsePrefix + "size"
	sparseReal    = sparsePrefix + "realsize"
	recordMinimum = 5 // "5 a=\n"
)

// parseRecords reads PAX records. Version 0.0 of sparse files repeats two of them for each extent; they become one, as
// version 0.1 has it.
func parseRecords(text []byte) (map[string]string, error) {
	records := map[string]string{}
	var extents []string
	for len(text) > 0 {
		sp := bytes.IndexByte(text, ' ')
		if sp < 0 {
			return nil, tar.ErrHeader
		}
		n, err := strconv.ParseInt(string(text[:sp]), 10, 0)
		if err != nil || n < recordMinimum || n > int64(len(text)) || int(n)-1 <= sp {
			return nil, tar.ErrHeader
		}
		key, value, ok := strings.Cut(string(text[sp+1:n-1]), "=")
		if !ok || text[n-1] != '\n' || !validRecord(key, value) {
			return nil, tar.ErrHeader
		}
		text = text[n:]
		switch key {
		case sparseOffset, sparseNumber:
			if (len(extents)%2 == 0) != (key == sparseOffset) || strings.Contains(value, ",") {
				return nil, tar.ErrHeader
			}
			extents = append(extents, value)
		default:
			records[key] = value
		}
	}
	if len(extents) > 0 {
		records[sparseMap] = strings.Join(extents, ",")
	}
	return records, nil
}

func validRecord(key, value string) bool {
	if key == "" {
		return false
	}
	switch key {
	case "path", "linkpath", "uname", "gname":
		return strings.IndexByte(value, 0) < 0
	}
	return strings.IndexByte(key, 0) < 0
}

// merge puts records in the place of what the block says. An empty one says nothing.
func (f *tarFile) merge(records map[string]string) error {
	var p numbers
	for key, value := range records {
		if value == "" {
			continue
		}
		switch key {
		case "path":
			f.Name = value
		case "linkpath":
			f.Linkname = value
		case "uid":
			f.Uid = int(p.decimal(value))
		case "gid":
			f.Gid = int(p.decimal(value))
		case "size":
			f.Size = p.decimal(value)
		case "mtime":
			f.ModTime = p.time(value)
		case "atime", "ctime":
			p.time(value)
		}
	}
	f.PAXRecords = records
	if p.bad {
		return tar.ErrHeader
	}
	return nil
}

// time is seconds since 1970 with a decimal fraction, of which nine digits count.
func (p *numbers) time(s string) time.Time {
	whole, part, _ := strings.Cut(s, ".")
	sec := p.decimal(whole)
	if strings.Trim(part, "0123456789") != "" {
		p.bad = true
	}
	var nsec int64
	for i := range 9 {
		nsec *= 10
		if i < len(part) && part[i] >= '0' && part[i] <= '9' {
			nsec += int64(part[i] - '0')
		}
	}
	if strings.HasPrefix(whole, "-") {
		nsec = -nsec
	}
	return time.Unix(sec, nsec)
}
