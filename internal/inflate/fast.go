package inflate

const (
	// One turn of the loop loads a word, which words wants wordRoom bytes for, up to twice, the second time seven bytes on.
	inputSlack = wordRoom + 8

	// One turn writes three literals or two and a match, and with a match up to two words too much.
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
//
// It is one function, with the same few lines in several places, because here a call would cost as much as what it does.
// A turn begins with at least 56 bits and the entry of the next code: looking it up at the end of the turn before, and
// before the match is copied, saves an eighth.
func (d *decoder) fast(out []byte, pos int) (int, verdict) {
	buf, ip, acc, have := d.in.buf, d.in.pos, d.in.acc, d.in.have
	lastIn, lastOut := len(buf)-inputSlack, len(out)-outputSlack
	if ip > lastIn || pos > lastOut {
		return pos, goOn
	}
	t, src, dst, why := d.now, wordsOf(buf), wordsOf(out), goOn
	acc |= src.load64(ip) << (have & 63)
	ip += int((63 - have) >> 3)
	have |= 56
	e := t.literals[acc&(1<<literalIndex-1)]
	for ip <= lastIn && pos <= lastOut {
		if e&isLiteral != 0 {
			dst.store8(pos, byte(e>>16))
			pos++
			acc >>= e & 63
			have -= uint(e & 63)
			e = t.literals[acc&(1<<literalIndex-1)]
			if e&isLiteral != 0 {
				dst.store8(pos, byte(e>>16))
				pos++
				acc >>= e & 63
				have -= uint(e & 63)
				e = t.literals[acc&(1<<literalIndex-1)]
				if e&isLiteral != 0 {
					dst.store8(pos, byte(e>>16))
					pos++
					acc >>= e & 63
					have -= uint(e & 63)
					acc |= src.load64(ip) << (have & 63)
					ip += int((63 - have) >> 3)
					have |= 56
					e = t.literals[acc&(1<<literalIndex-1)]
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
				dst.store8(pos, byte(e>>16))
				pos++
				acc >>= e & 63
				have -= uint(e & 63)
				acc |= src.load64(ip) << (have & 63)
				ip += int((63 - have) >> 3)
				have |= 56
				e = t.literals[acc&(1<<literalIndex-1)]
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
		if have < maxCode+13 { // what a distance can take
			acc |= src.load64(ip) << (have & 63)
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
		acc |= src.load64(ip) << (have & 63)
		ip += int((63 - have) >> 3)
		have |= 56
		e = t.literals[acc&(1<<literalIndex-1)]
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
			dst.move16(pos, from)
			dst.move16(pos+16, from+16)
			for pos += 32; pos < end; pos += 16 {
				from += 16
				dst.move16(pos, from+16)
			}
		} else if distance >= 8 {
			for ; pos < end; pos += 8 {
				dst.store64(pos, dst.load64(from))
				from += 8
			}
		} else if distance == 1 {
			word := uint64(dst.load8(from)) * 0x0101010101010101
			for ; pos < end; pos += 8 {
				dst.store64(pos, word)
			}
		} else {
			// Of each word as many bytes are right as the two places are apart.
			for ; pos < end; pos += distance {
				dst.store64(pos, dst.load64(from))
				from += distance
			}
		}
		pos = end
	}
	d.in.pos, d.in.acc, d.in.have = ip, acc, have
	return pos, why
}
