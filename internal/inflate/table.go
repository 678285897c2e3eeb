package inflate

import "math/bits"

// An entry of a table says what a code means and how many bits that takes.
//
//	bits 0-7    how many bits to take from the input: the code's and the extra ones after it
//	bits 8-11   lengths and distances: the length of the code alone; links: that of the next index
//	bits 12-15  the kind
//	bits 16-31  literals: the byte; lengths and distances: the smallest; links: where the second table begins
//
// Of a code that is longer than the index of the first table, the first table has a link to a second one, whose entries
// count only the rest of the code.
type entry = uint32

const (
	isLiteral entry = 1 << 12
	isLink    entry = 1 << 13
	isEnd     entry = 1 << 14
	isInvalid entry = 1 << 15

	// isRare marks what is neither a literal nor a length or distance.
	isRare = isLink | isEnd | isInvalid
)

const (
	maxCode = 15 // bits of a code, RFC 1951 section 3.2.7

	// The indexes of the first tables, in bits. Wider ones save second look-ups, and cost time to fill and cache.
	literalIndex  = 11
	distanceIndex = 8
	lengthIndex   = 7 // of the code of code lengths, which has no longer codes

	// The second tables need no more than the first: for codes of maxCode bits at most 294 entries for 288 symbols with an
	// index of 11, and 146 for 32 symbols with one of 8. Powers of two need no other check of the index.
	literalEntries  = 1 << (literalIndex + 1)
	distanceEntries = 1 << (distanceIndex + 1)
)

// builder makes tables from the lengths of codes.
type builder struct {
	count  [maxCode + 1]int
	sorted [512]uint16 // symbols in the order of their codes
}

// build fills a table whose first part has 1<<index entries. kinds gives the entries of the symbols as if their codes had
// no bits.
//
// The lengths must use up all codes; a single code of one bit and none at all are taken as well, as zlib and package
// compress/flate do. What has no symbol is isInvalid then.
func (b *builder) build(table []entry, index uint, lengths []uint8, kinds []entry) bool {
	b.count = [maxCode + 1]int{}
	for _, n := range lengths {
		b.count[n&maxCode]++
	}
	b.count[0] = 0
	var at [maxCode + 2]int
	left := 1 // codes without a symbol
	for n := 1; n <= maxCode; n++ {
		left = left<<1 - b.count[n]
		if left < 0 {
			return false
		}
		at[n+1] = at[n] + b.count[n]
	}
	if left > 0 {
		if at[maxCode+1] > 1 || at[maxCode+1] != b.count[1] {
			return false
		}
		single(table[:1<<index], lengths, kinds)
		return true
	}
	for sym, n := range lengths {
		if n != 0 {
			b.sorted[at[n&maxCode]&511] = uint16(sym)
			at[n&maxCode]++
		}
	}
	return b.fill(table, index, kinds)
}

// single fills a table for one code of one bit, or none.
func single(first []entry, lengths []uint8, kinds []entry) {
	for i := range first {
		first[i] = isInvalid | 1
	}
	for sym, n := range lengths {
		for i := 0; n != 0 && i < len(first); i += 2 {
			first[i] = code(kinds[sym], 1)
		}
	}
}

// code adds the length of a code to an entry.
func code(kind entry, n uint) entry {
	return kind + entry(n) | entry(n)<<8
}

// next is the code of n bits after another one. Codes are reversed: the first bit in the stream is the lowest. It is 0
// after the last one.
func next(prev, n uint) uint {
	zeros := prev ^ (1<<n - 1)
	if zeros == 0 {
		return 0
	}
	top := uint(1) << (bits.Len(zeros) - 1)
	return prev&(top-1) | top
}

// fill writes the entries of a complete code. For each length the table is what it was for the one before, twice, with
// the entries of that length in those places that are still free.
func (b *builder) fill(table []entry, index uint, kinds []entry) bool {
	first := table[:1<<index]
	sorted, at := b.sorted[:], uint(0)
	for n := uint(1); n <= index; n++ {
		half := 1 << (n - 1)
		copy(first[half:2*half], first[:half])
		for range b.count[n] {
			first[at] = code(kinds[sorted[0]], n)
			sorted, at = sorted[1:], next(at, n)
		}
	}
	begin, size := len(first), 0
	prefix, width := ^uint(0), uint(0)
	for n := index + 1; n <= maxCode; n++ {
		for left := b.count[n]; left > 0; left-- {
			if p := at & (1<<index - 1); p != prefix {
				prefix, width = p, b.width(index, n, left)
				begin += size
				if size = 1 << width; begin+size > len(table) {
					return false
				}
				first[prefix] = isLink | entry(begin)<<16 | entry(width)<<8 | entry(index)
			}
			e := code(kinds[sorted[0]], n-index)
			for i := at >> index; i < 1<<width; i += 1 << (n - index) {
				table[begin+int(i)] = e
			}
			sorted, at = sorted[1:], next(at, n)
		}
	}
	return true
}

// width is the index of a second table that begins with codes of n bits, of which left are not in a table yet.
func (b *builder) width(index, n uint, left int) uint {
	w := n - index
	for used := left; used < 1<<w && index+w < maxCode; {
		w++
		used = used<<1 + b.count[index+w]
	}
	return w
}
