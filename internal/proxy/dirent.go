package proxy

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// entry is one directory entry as getdents64(2) writes it.
type entry struct {
	name string
	dir  bool // for certain; not every filesystem tells the type
}

// direntName is the offset of the name in struct linux_dirent64; reclen and type lie before it.
const (
	direntReclen = 16
	direntType   = 18
	direntName   = 19
	typeDir      = 4 // DT_DIR
)

// entries appends the entries in b to list, without "." and "..". What makes no sense ends it: it is the
// kernel that wrote b, but a filesystem in user space may have told it what.
func entries(list []entry, b []byte) []entry {
	for len(b) > direntName {
		n := int(binary.LittleEndian.Uint16(b[direntReclen:]))
		if n <= direntName || n > len(b) {
			return list
		}
		name := b[direntName:n]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if s := string(name); component(s) {
			list = append(list, entry{s, b[direntType] == typeDir})
		}
		b = b[n:]
	}
	return list
}

// component reports that s names an entry of a directory and nothing else.
func component(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxName && !strings.ContainsAny(s, "/\x00")
}

// maxName is NAME_MAX; limits.h.
const maxName = 255
