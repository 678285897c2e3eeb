package layer

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

// format is a kind of header block.
type format uint8

const (
	formatV7 format = iota
	formatUstar
	formatStar
	formatGNU
)

// parse reads a header block.
func (f *tarFile) parse(b *[block]byte) (format, error) {
	if !checked(b) {
		return 0, tar.ErrHeader
	}
	p := numbers{}
	form := formatOf(b)
	f.Typeflag = b[156]
	f.Name = cstring(b[:100])
	f.Linkname = cstring(b[157:257])
	f.Mode = p.number(b[100:108])
	f.Uid = int(p.number(b[108:116]))
	f.Gid = int(p.number(b[116:124]))
	f.Size = p.number(b[124:136])
	f.ModTime = time.Unix(p.number(b[136:148]), 0)
	if form != formatV7 {
		f.Devmajor, f.Devminor = p.number(b[329:337]), p.number(b[337:345])
	}
	prefix := ""
	switch form {
	case formatUstar:
		prefix = cstring(b[345:500])
	case formatStar:
		prefix = cstring(b[345:476])
		p.number(b[476:488])
		p.number(b[488:500])
	case formatGNU:
		prefix = gnuPrefix(b)
	}
	if prefix != "" {
		f.Name = prefix + "/" + f.Name
	}
	if p.bad {
		return 0, tar.ErrHeader
	}
	return form, nil
}

// gnuPrefix is what some programs, among them what Go 1.7 built, put where GNU has two times.
func gnuPrefix(b *[block]byte) string {
	var p numbers
	if b[345] != 0 {
		p.number(b[345:357])
	}
	if b[357] != 0 {
		p.number(b[357:369])
	}
	if !p.bad {
		return ""
	}
	prefix := cstring(b[345:500])
	for i := range len(prefix) {
		if prefix[i] >= 0x80 {
			return ""
		}
	}
	return prefix
}

// formatOf tells the kinds apart by their magic numbers.
func formatOf(b *[block]byte) format {
	switch magic := string(b[257:265]); {
	case magic[:6] == "ustar\x00" && string(b[508:512]) == "tar\x00":
		return formatStar
	case magic[:6] == "ustar\x00":
		return formatUstar
	case magic == "ustar  \x00":
		return formatGNU
	}
	return formatV7
}

// checked compares the checksum: of unsigned bytes, or of signed ones, as some have computed it.
func checked(b *[block]byte) bool {
	var p numbers
	want := p.octal(b[148:156])
	if p.bad {
		return false
	}
	sum := byteSum(b)
	if want == sum {
		return true
	}
	for i, c := range b {
		if c >= 0x80 && (i < 148 || i >= 156) {
			sum -= 256
		}
	}
	return want == sum
}

// byteSum is the sum of the bytes of a block, those of the checksum taken for spaces.
func byteSum(b *[block]byte) int64 {
	const low = 0x00ff00ff00ff00ff
	var even, odd uint64 // four sums each, of 64 bytes, which fit 16 bits
	for i := 0; i < block; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		even, odd = even+(x&low), odd+(x>>8&low)
	}
	var sum int64
	for i := range 4 {
		sum += int64(even>>(16*i)&0xffff) + int64(odd>>(16*i)&0xffff)
	}
	for _, c := range b[148:156] {
		sum += ' ' - int64(c)
	}
	return sum
}

// cstring is what comes before a NUL.
func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// numbers parses numeric fields, and remembers that one was none.
type numbers struct{ bad bool }

// number is octal digits, or a binary number if the first bit says so: GNU's, of two's complement.
func (p *numbers) number(b []byte) int64 {
	if b[0]&0x80 == 0 {
		return p.octal(b)
	}
	invert := byte(0)
	if b[0]&0x40 != 0 {
		invert = 0xff
	}
	var x uint64
	for i, c := range b {
		c ^= invert
		if i == 0 {
			c &= 0x7f
		}
		if x>>56 != 0 {
			p.bad = true
			return 0
		}
		x = x<<8 | uint64(c)
	}
	if x > math.MaxInt64 {
		p.bad = true
		return 0
	}
	if invert != 0 {
		return ^int64(x)
	}
	return int64(x)
}

// octal is octal digits between spaces and NULs; none are 0.
func (p *numbers) octal(b []byte) (x int64) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == 0) {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	for _, c := range b {
		if c < '0' || c > '7' || x>>60 != 0 {
			p.bad = true
			return 0
		}
		x = x<<3 | int64(c-'0')
	}
	return x
}

// decimal is a decimal number without anything else.
func (p *numbers) decimal(s string) int64 {
	x, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.bad = true
	}
	return x
}
