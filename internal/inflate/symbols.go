package inflate

const (
	maxLiterals  = 286 // literals, the end of a block and lengths, RFC 1951 section 3.2.5
	maxDistances = 30
	fixedCodes   = 288 // of the fixed code, which has two that mean nothing
	endOfBlock   = 256

	maxLength   = 258
	maxDistance = 32 << 10
)

// kinds are the entries of all symbols, without codes.
type kinds struct {
	literals  [fixedCodes]entry
	distances [32]entry
	lengths   [19]entry // the code of code lengths
}

func (k *kinds) init() {
	for i := range endOfBlock {
		k.literals[i] = isLiteral | entry(i)<<16
	}
	k.literals[endOfBlock] = isEnd
	// Four codes for each number of extra bits, and eight for none; the last length is an exception.
	base := entry(3)
	for i := range 28 {
		extra := entry(max(0, i/4-1))
		k.literals[endOfBlock+1+i] = base<<16 | extra
		base += 1 << extra
	}
	k.literals[endOfBlock+29] = maxLength << 16
	k.literals[286], k.literals[287] = isInvalid, isInvalid
	base = 1
	for i := range maxDistances {
		extra := entry(max(0, i/2-1))
		k.distances[i] = base<<16 | extra
		base += 1 << extra
	}
	k.distances[30], k.distances[31] = isInvalid, isInvalid
	for i := range k.lengths {
		k.lengths[i] = entry(i) << 16
	}
}

// tables are what a block is decoded with.
type tables struct {
	literals  [literalEntries]entry
	distances [distanceEntries]entry
}

// fixed makes the tables of RFC 1951 section 3.2.6.
func (t *tables) fixed(b *builder, k *kinds) {
	var lengths [fixedCodes]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	b.build(t.literals[:], literalIndex, lengths[:], k.literals[:])
	for i := range 32 {
		lengths[i] = 5
	}
	b.build(t.distances[:], distanceIndex, lengths[:32], k.distances[:])
}
