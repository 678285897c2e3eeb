package inflate

// step decodes one literal or match with whatever input there is; out has room for it. It is for the last bytes of the
// input.
func (d *decoder) step(out []byte, pos int) (int, verdict, error) {
	in := &d.in
	in.want(8)
	in.refill()
	e, err := in.symbol(d.now.literals[:], literalIndex)
	if err != nil {
		return pos, goOn, err
	}
	switch {
	case e&isLiteral != 0:
		in.drop(uint(e & 63))
		out[pos] = byte(e >> 16)
		return pos + 1, goOn, nil
	case e&isEnd != 0:
		in.drop(uint(e & 63))
		return pos, blockEnds, nil
	case e&isInvalid != 0:
		return pos, badCode, nil
	}
	length := in.value(e)
	in.refill()
	if e, err = in.symbol(d.now.distances[:], distanceIndex); err != nil {
		return pos, goOn, err
	}
	if e&isInvalid != 0 {
		return pos, badCode, nil
	}
	distance := in.value(e)
	if distance > pos+d.hist {
		return pos, badDistance, nil
	}
	d.recall(out, pos, distance, length)
	return pos + length, goOn, nil
}

// symbol finds the entry of the next code. What the entry takes is there, and is not taken yet.
func (in *input) symbol(table []entry, index uint) (entry, error) {
	e := table[in.acc&(1<<index-1)]
	if e&isLink != 0 && in.have >= index {
		in.drop(index)
		e = table[e>>16+entry(in.acc)&(1<<(e>>8&15)-1)]
	}
	if uint(e&63) > in.have {
		return e, in.short()
	}
	return e, nil
}

// value takes a length or distance.
func (in *input) value(e entry) int {
	v := int(e>>16) + int(in.acc&(1<<(e&63)-1)>>(e>>8&15))
	in.drop(uint(e & 63))
	return v
}

// recall copies a match that may begin before out, and may overlap itself.
func (d *decoder) recall(out []byte, pos, distance, length int) {
	end := pos + length
	if before := distance - pos; before > 0 {
		pos += copy(out[pos:end], d.window[len(d.window)-before:])
	}
	for ; pos < end; pos++ {
		out[pos] = out[pos-distance]
	}
}
