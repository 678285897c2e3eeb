package inflate

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// complete returns the lengths of a code for n symbols that uses up all codes, of at most maxCode bits. The deeper it
// goes, the more second tables there are.
func complete(r *rand.Rand, n int, deep bool) []uint8 {
	lengths := []uint8{1, 1}
	for len(lengths) < n {
		i := r.IntN(len(lengths))
		if deep {
			i = len(lengths) - 1 - r.IntN(min(2, len(lengths)))
		}
		if lengths[i] == maxCode {
			if i = r.IntN(len(lengths)); lengths[i] == maxCode {
				continue
			}
		}
		lengths[i]++
		lengths = append(lengths, lengths[i])
	}
	r.Shuffle(n, func(i, j int) { lengths[i], lengths[j] = lengths[j], lengths[i] })
	return lengths
}

// Every code is found in the tables, whatever bits follow it, with its symbol and length; the obvious way to assign
// codes, RFC 1951 section 3.2.2, says what they are.
func TestTablesHoldAllCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	kinds := make([]entry, fixedCodes)
	for i := range kinds {
		kinds[i] = entry(i) << 16
	}
	var b builder
	for range 300 {
		for _, tc := range []struct {
			symbols, entries int
			index            uint
		}{{2 + r.IntN(maxLiterals-1), literalEntries, literalIndex}, {2 + r.IntN(maxDistances-1), distanceEntries, distanceIndex}} {
			lengths := complete(r, tc.symbols, r.IntN(2) == 0)
			table := make([]entry, tc.entries)
			if !b.build(table, tc.index, lengths, kinds) {
				t.Fatalf("not taken: %v", lengths)
			}
			code := uint(0)
			for n := uint(1); n <= maxCode; n++ {
				for sym, l := range lengths {
					if uint(l) != n {
						continue
					}
					in := input{acc: r.Uint64()<<n | uint64(bits.Reverse64(uint64(code))>>(64-n)), have: 64}
					e, err := in.symbol(table, tc.index)
					in.drop(uint(e & 63))
					if err != nil || e&isRare != 0 || int(e>>16) != sym || in.have != 64-n {
						t.Fatalf("symbol %d of %d bits: entry %#x, %d bits taken, %v", sym, n, e, 64-in.have, err)
					}
					code++
				}
				code <<= 1
			}
		}
	}
}

func TestTablesRefuse(t *testing.T) {
	var b builder
	table := make([]entry, literalEntries)
	kinds := make([]entry, fixedCodes)
	for _, tc := range []struct {
		lengths []uint8
		taken   bool
	}{
		{[]uint8{}, true}, {[]uint8{0, 0}, true}, {[]uint8{0, 1}, true}, {[]uint8{1, 1}, true}, {[]uint8{1, 2, 2}, true},
		{[]uint8{2}, false}, {[]uint8{1, 1, 1}, false}, {[]uint8{1, 2}, false}, {[]uint8{15}, false}, {[]uint8{1, 1, 15}, false},
		{slices.Repeat([]uint8{1}, 256), false}, {slices.Repeat([]uint8{8}, 255), false}, {slices.Repeat([]uint8{8}, 256), true},
	} {
		if b.build(table, literalIndex, tc.lengths, kinds) != tc.taken {
			t.Errorf("%v: taken is %v", tc.lengths, !tc.taken)
		}
	}
}
