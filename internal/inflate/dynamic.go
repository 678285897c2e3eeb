package inflate

// lengthOrder is the order in which the lengths of the codes of code lengths come, RFC 1951 section 3.2.7.
func lengthOrder() [19]uint8 {
	return [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
}

// dynamic reads the codes of a block.
func (d *decoder) dynamic() error {
	in := &d.in
	b, err := in.bits(14)
	if err != nil {
		return err
	}
	literals, distances, lengths := int(b&31)+257, int(b>>5&31)+1, int(b>>10)+4
	if literals > maxLiterals || distances > maxDistances {
		return ErrFormat
	}
	var of [19]uint8
	order := lengthOrder()
	for _, sym := range order[:lengths] {
		n, err := in.bits(3)
		if err != nil {
			return err
		}
		of[sym] = uint8(n)
	}
	var table [1 << lengthIndex]entry
	if !d.builder.build(table[:], lengthIndex, of[:], d.kinds.lengths[:]) {
		return ErrFormat
	}
	all := d.lengths[:literals+distances]
	if err := in.runs(all, &table); err != nil {
		return err
	}
	if !d.builder.build(d.own.literals[:], literalIndex, all[:literals], d.kinds.literals[:]) ||
		!d.builder.build(d.own.distances[:], distanceIndex, all[literals:], d.kinds.distances[:]) {
		return ErrFormat
	}
	return nil
}

// runs reads code lengths, of which repeated ones are given once.
func (in *input) runs(all []uint8, table *[1 << lengthIndex]entry) error {
	for i := 0; i < len(all); {
		if in.have < lengthIndex+7 {
			in.want(8)
			in.refill()
		}
		e := table[in.acc&(1<<lengthIndex-1)]
		if e&isInvalid != 0 {
			return ErrFormat
		}
		if uint(e&63) > in.have {
			return in.short()
		}
		in.drop(uint(e & 63))
		sym := uint8(e >> 16)
		if sym < 16 {
			all[i] = sym
			i++
			continue
		}
		value, extra, least := uint8(0), uint(7), 11
		switch {
		case sym == 16 && i == 0:
			return ErrFormat
		case sym == 16:
			value, extra, least = all[i-1], 2, 3
		case sym == 17:
			extra, least = 3, 3
		}
		more, err := in.bits(extra)
		if err != nil {
			return err
		}
		end := i + least + int(more)
		if end > len(all) {
			return ErrFormat
		}
		for ; i < end; i++ {
			all[i] = value
		}
	}
	return nil
}
