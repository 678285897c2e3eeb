package inflate

import (
	"encoding/binary"
	"unsafe"
)

// words is a buffer that is used by words, at any place of which wordRoom bytes are left.
//
// This is the one place where package unsafe is used. Each access is checked here, against a bound that is computed once:
// one comparison instead of the several, and the arithmetic, that slicing costs at each. It makes a decoder faster by a
// tenth. What is accessed are arrays of bytes, so neither alignment nor byte order matters.
type words struct {
	first unsafe.Pointer
	last  uint // the last place that may be accessed
}

const wordRoom = 16

// wordsOf is the words of a buffer of at least wordRoom bytes.
func wordsOf(b []byte) words {
	return words{unsafe.Pointer(&b[0]), uint(len(b[wordRoom-1:])) - 1}
}

// check keeps the access in the buffer. That it panics would be a mistake in this package, whatever is decoded.
func (w words) check(i int) {
	if uint(i) > w.last {
		panic("inflate: access beyond a buffer")
	}
}

func (w words) load8(i int) byte {
	w.check(i)
	return *(*byte)(unsafe.Add(w.first, i))
}

func (w words) store8(i int, v byte) {
	w.check(i)
	*(*byte)(unsafe.Add(w.first, i)) = v
}

func (w words) load64(i int) uint64 {
	w.check(i)
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(w.first, i))[:])
}

func (w words) store64(i int, v uint64) {
	w.check(i)
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(w.first, i))[:], v)
}

func (w words) move16(to, from int) {
	w.check(to)
	w.check(from)
	*(*[wordRoom]byte)(unsafe.Add(w.first, to)) = *(*[wordRoom]byte)(unsafe.Add(w.first, from))
}
