// Package subid reads which subordinate ids a user of this host may map into user namespaces.
//
// The files are subuid(5) and subgid(5), lines of owner:first:count. They are the administrator's, but a slip in
// them must not be read as something else. (The usual parser takes "alice:1oo000:65536" for a range that begins
// with 0, the host's root.) So a line of another user may be anything, and a line of this user must be right.
//
// Ranges that come from elsewhere, through subid: in nsswitch.conf(5), are not seen.
package subid

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

const (
	// maxID is the greatest id: 4294967295 means "none" to the kernel and can not be mapped.
	maxID = 1<<32 - 2

	// maxRanges leaves one line of the kernel's UID_GID_MAP_MAX_EXTENTS to the user's own id: since Linux 4.15,
	// /proc/PID/uid_map takes 340 lines.
	maxRanges = 340 - 1

	// maxFile and maxLine bound what is read; a file for 100,000 users has 3 MB.
	maxFile = 16 << 20
	maxLine = 4096
)

// Range is Count ids from Start up. It never holds 0 or 4294967295.
type Range struct{ Start, Count uint32 }

// Error reports a line of the user's that is not right, or a file that can not be taken.
type Error struct {
	File   string // "/etc/subuid" or "/etc/subgid"
	Line   int    // from 1; 0 if it is about the whole file
	Reason string // "" if Err says it
	Err    error  // of the reader, or nil
}

// Error names the file, the line, the reason and the remedy.
func (e *Error) Error() string {
	at := e.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", at, e.Err)
	}
	return fmt.Sprintf("%s: %s; write name:first:count, as in alice:100000:65536 (usermod --add-subuids, --add-subgids)", at, e.Reason)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// For returns the ranges of the user with these numbers and this name, in the order of the files, no id twice, and
// without the user's own uid and gid: those are mapped by themselves, and the kernel refuses a map that has an id twice
// (user_namespaces(7), EINVAL). Lines name their owner by uid or name, which may be empty if it is not known. The readers
// are the contents of /etc/subuid and /etc/subgid; a nil one is a file that does not exist. No ranges is no error.
//
// Errors: *Error; fs.ErrInvalid for a uid or gid that is none, as os.Getuid gives on systems without users.
func For(uid, gid int, name string, subuid, subgid io.Reader) (uids, gids []Range, err error) {
	for _, id := range []int{uid, gid} {
		if id < 0 || uint64(id) > maxID {
			return nil, nil, fmt.Errorf("subordinate ids of user %d, group %d: %w: an id is from 0 to %d; pass os.Getuid and os.Getgid",
				uid, gid, fs.ErrInvalid, uint32(maxID))
		}
	}
	o := owner{uid: strconv.Itoa(uid), name: name}
	if uids, err = usable("/etc/subuid", subuid, o, uint32(uid)); err != nil {
		return nil, nil, err
	}
	if gids, err = usable("/etc/subgid", subgid, o, uint32(gid)); err != nil {
		return nil, nil, err
	}
	return uids, gids, nil
}

// usable reads the ranges of a file and leaves out the user's own id.
func usable(file string, r io.Reader, o owner, own uint32) ([]Range, error) {
	ranges, err := read(file, r, o)
	if err != nil {
		return nil, err
	}
	ranges = without(ranges, own)
	if len(ranges) > maxRanges {
		return nil, &Error{File: file, Reason: fmt.Sprintf("without the user's own id %d there are more than the %d ranges that the kernel takes", own, maxRanges)}
	}
	return ranges, nil
}

// Total is how many ids the ranges have together.
func Total(ranges []Range) uint64 {
	var n uint64
	for _, r := range ranges {
		n += uint64(r.Count)
	}
	return n
}

// without returns the ranges less one id.
func without(ranges []Range, id uint32) []Range {
	var out []Range
	for _, r := range ranges {
		out = append(out, subtract(r, Range{id, 1})...)
	}
	return out
}

// owner is a user, as the first field of a line may have it.
type owner struct{ uid, name string }

// is reports whether field means the owner. A number is always a uid: a user whose name is another's number is
// found by its own number only.
func (o owner) is(field []byte) bool {
	if string(field) == o.uid {
		return true
	}
	return o.name != "" && string(field) == o.name && len(bytes.Trim(field, "0123456789")) > 0
}

func read(file string, r io.Reader, o owner) ([]Range, error) {
	if r == nil {
		return nil, nil
	}
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	lines := bufio.NewReaderSize(limited, maxLine)
	var ranges []Range
	own := 0 // lines, which bounds the work; splitting can make more ranges of them
	for n := 1; ; n++ {
		line, long, err := nextLine(lines)
		switch {
		case errors.Is(err, io.EOF) && limited.N > 0:
			return ranges, nil
		case limited.N <= 0:
			return nil, &Error{File: file, Reason: fmt.Sprintf("it has more than %d bytes", maxFile)}
		case err != nil:
			return nil, &Error{File: file, Err: err}
		}
		field, rest, _ := bytes.Cut(line, []byte{':'})
		if !o.is(field) {
			continue
		}
		one, reason := parseRange(rest)
		if long {
			reason = fmt.Sprintf("longer than %d bytes", maxLine)
		}
		if reason == "" {
			ranges = add(ranges, one)
		}
		if own++; reason == "" && max(own, len(ranges)) > maxRanges {
			reason = fmt.Sprintf("more than the %d ranges that the kernel takes", maxRanges)
		}
		if reason != "" {
			return nil, &Error{File: file, Line: n, Reason: reason}
		}
	}
}

// nextLine returns a line without its end, valid until the next call. Of a long one it returns the beginning. It
// returns io.EOF only when there is nothing before it.
func nextLine(r *bufio.Reader) (line []byte, long bool, err error) {
	line, err = r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		long = true
		line = bytes.Clone(line)
		for err == bufio.ErrBufferFull {
			_, err = r.ReadSlice('\n')
		}
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	return bytes.TrimSuffix(line, []byte{'\n'}), long, err
}

// parseRange reads first:count. It returns the reason if that is not what rest is.
func parseRange(rest []byte) (Range, string) {
	first, count, ok := bytes.Cut(rest, []byte{':'})
	if !ok || bytes.IndexByte(count, ':') >= 0 {
		return Range{}, "not three fields"
	}
	start, ok := parseNumber(first)
	if !ok {
		return Range{}, "the first id is not a number from 1 to 4294967294"
	}
	n, ok := parseNumber(count)
	if !ok || n == 0 {
		return Range{}, "the count is not a number from 1 to 4294967294"
	}
	switch {
	case start == 0:
		return Range{}, "it begins with 0, which would give away the host's root"
	case start+n-1 > maxID:
		return Range{}, "it ends beyond 4294967294"
	}
	return Range{uint32(start), uint32(n)}, ""
}

// parseNumber reads decimal digits, and nothing else, up to maxID.
func parseNumber(b []byte) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = n*10 + uint64(c-'0'); n > maxID {
			return 0, false
		}
	}
	return n, true
}

// add appends the part of r that is in no range yet: a user often has the same line by name and by number.
func add(ranges []Range, r Range) []Range {
	fresh := []Range{r}
	for _, have := range ranges {
		var rest []Range
		for _, f := range fresh {
			rest = append(rest, subtract(f, have)...)
		}
		fresh = rest
	}
	return append(ranges, fresh...)
}

// subtract returns what of r is not in cut: nothing, one range or two.
func subtract(r, cut Range) []Range {
	from, to := uint64(r.Start), uint64(r.Start)+uint64(r.Count)
	cutFrom, cutTo := uint64(cut.Start), uint64(cut.Start)+uint64(cut.Count)
	if cutTo <= from || to <= cutFrom {
		return []Range{r}
	}
	var out []Range
	if from < cutFrom {
		out = append(out, Range{r.Start, uint32(cutFrom - from)})
	}
	if cutTo < to {
		out = append(out, Range{uint32(cutTo), uint32(to - cutTo)})
	}
	return out
}
