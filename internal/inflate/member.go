package inflate

import "hash/crc32"

// The flags of a member's header, RFC 1952 section 2.3.1. The one for text says nothing.
const (
	headerSum     = 1 << 1 // FHCRC
	headerExtra   = 1 << 2 // FEXTRA
	headerName    = 1 << 3 // FNAME
	headerComment = 1 << 4 // FCOMMENT

	// maxHeader bounds the fields of a header together. The extra field may have 64 KiB; names and comments as long as
	// that are nobody's.
	maxHeader = 256 << 10
)

// fields reads the header of a member.
type fields struct {
	in  *input
	sum uint32
	n   int
	one [1]byte // what sum is updated with
}

// member reads a header, of which nothing is of use here.
func (in *input) member() error {
	f := fields{in: in}
	if err := f.read(); err != nil {
		return in.fail("header", err)
	}
	return nil
}

func (f *fields) read() error {
	var fixed [10]byte
	for i := range fixed {
		c, err := f.next()
		if err != nil {
			return err
		}
		fixed[i] = c
	}
	if fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != 8 {
		return ErrFormat
	}
	flags := fixed[3]
	if flags&headerExtra != 0 {
		if err := f.extra(); err != nil {
			return err
		}
	}
	for _, flag := range [...]byte{headerName, headerComment} {
		if flags&flag != 0 {
			if err := f.text(); err != nil {
				return err
			}
		}
	}
	if flags&headerSum == 0 {
		return nil
	}
	sum := uint16(f.sum)
	low, err := f.next()
	if err != nil {
		return err
	}
	high, err := f.next()
	if err == nil && uint16(low)|uint16(high)<<8 != sum {
		err = ErrChecksum
	}
	return err
}

func (f *fields) next() (byte, error) {
	c, err := f.in.bits(8)
	if err != nil {
		return 0, err
	}
	if f.n++; f.n > maxHeader {
		return 0, ErrFormat
	}
	f.one[0] = byte(c)
	f.sum = crc32.Update(f.sum, crc32.IEEETable, f.one[:])
	return f.one[0], nil
}

func (f *fields) extra() error {
	low, err := f.next()
	if err != nil {
		return err
	}
	high, err := f.next()
	for range int(low) | int(high)<<8 {
		if err != nil {
			return err
		}
		_, err = f.next()
	}
	return err
}

// text skips a text that ends with a zero.
func (f *fields) text() error {
	for {
		if c, err := f.next(); c == 0 || err != nil {
			return err
		}
	}
}

// trailer reads the end of a member, and compares.
func (in *input) trailer(sum, size uint32) error {
	in.align()
	gotSum, err := in.bits(32)
	if err != nil {
		return in.fail("trailer", err)
	}
	gotSize, err := in.bits(32)
	if err != nil {
		return in.fail("trailer", err)
	}
	if gotSum != sum || gotSize != size {
		return in.fail("trailer", ErrChecksum)
	}
	return nil
}
