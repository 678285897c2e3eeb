package inflate

import "encoding/binary"

const (
	// One turn of the loop loads eight bytes at most twice, the second after at most seven.
	inputSlack = 16

	// One turn writes a few literals and one match, which may be followed by what is left of a word.
	outputSlack = maxLength + 62
)

// verdict is why the decoding of a block paused.
type verdict int

const (
	goOn        verdict = iota // the input or the room is nearly used up
	blockEnds                  // the code for it was taken
	badCode                    // a code without a meaning
	badDistance                // a distance to before the beginning
)

// fast decodes into out[pos:] while much of both is left. It returns the new pos.
func (d *decoder) fast(out []byte, pos int) (int, verdict) {
	buf, ip, acc, have := d.in.buf, d.in.pos, d.in.acc, d.in.have
	t := d.now
	why := goOn
	for ip <= len(buf)-inputSlack && pos <= len(out)-outputSlack {
		acc |= binary.LittleEndian.Uint64(buf[ip:]) << (have & 63)
		ip += int((63 - have) >> 3)
		have |= 56
		e := t.literals[acc&(1<<literalIndex-1)]
		if e&isLiteral != 0 {
			binary.LittleEndian.PutUint16(out[pos:], uint16(e>>16))
			pos += int(e >> 8 & 15)
			acc >>= e & 63
			have -= uint(e & 63)
			e = t.literals[acc&(1<<literalIndex-1)]
			if e&isLiteral != 0 {
				binary.LittleEndian.PutUint16(out[pos:], uint16(e>>16))
				pos += int(e >> 8 & 15)
				acc >>= e & 63
				have -= uint(e & 63)
				e = t.literals[acc&(1<<literalIndex-1)]
				if e&isLiteral != 0 {
					binary.LittleEndian.PutUint16(out[pos:], uint16(e>>16))
					pos += int(e >> 8 & 15)
					acc >>= e & 63
					have -= uint(e & 63)
					continue
				}
			}
		}
		if e&isRare != 0 {
			if e&isLink != 0 {
				acc >>= literalIndex
				have -= literalIndex
				e = t.literals[(e>>16+entry(acc)&(1<<(e>>8&15)-1))%literalEntries]
			}
			if e&isLiteral != 0 {
				out[pos] = byte(e >> 16)
				pos++
				acc >>= e & 63
				have -= uint(e & 63)
				continue
			}
			if e&isRare != 0 {
				acc >>= e & 63
				have -= uint(e & 63)
				why = badCode
				if e&isEnd != 0 {
					why = blockEnds
				}
				break
			}
		}
		length := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc >>= e & 63
		have -= uint(e & 63)
		if have < 28 {
			acc |= binary.LittleEndian.Uint64(buf[ip:]) << (have & 63)
			ip += int((63 - have) >> 3)
			have |= 56
		}
		e = t.distances[acc&(1<<distanceIndex-1)]
		if e&isRare != 0 {
			if e&isLink != 0 {
				acc >>= distanceIndex
				have -= distanceIndex
				e = t.distances[(e>>16+entry(acc)&(1<<(e>>8&15)-1))%distanceEntries]
			}
			if e&isRare != 0 {
				why = badCode
				break
			}
		}
		distance := int(e>>16) + int(acc&(1<<(e&63)-1)>>(e>>8&15))
		acc >>= e & 63
		have -= uint(e & 63)
		from, end := pos-distance, pos+length
		if from < 0 {
			if -from > d.hist {
				why = badDistance
				break
			}
			d.recall(out, pos, distance, length)
			pos = end
			continue
		}
		if distance >= 16 {
			for {
				*(*[16]byte)(out[pos:]) = *(*[16]byte)(out[from:])
				pos += 16
				from += 16
				if pos >= end {
					break
				}
			}
		} else if distance >= 8 {
			for ; pos < end; pos += 8 {
				binary.LittleEndian.PutUint64(out[pos:], binary.LittleEndian.Uint64(out[from:]))
				from += 8
			}
		} else if distance == 1 {
			word := uint64(out[from]) * 0x0101010101010101
			for ; pos < end; pos += 8 {
				binary.LittleEndian.PutUint64(out[pos:], word)
			}
		} else {
			// Of each word as many bytes are right as the two places are apart.
			for ; pos < end; pos += distance {
				binary.LittleEndian.PutUint64(out[pos:], binary.LittleEndian.Uint64(out[from:]))
				from += distance
			}
		}
		pos = end
	}
	d.in.pos, d.in.acc, d.in.have = ip, acc, have
	return pos, why
}
