package tape

import "encoding/binary"

// The ELF file: one header, three program headers, the interpreter, and from byte 512 on the tape's
// memory. See elf(5). Code is mapped read-only and executable, the tape writable and not executable.
// Segment addresses equal their file offsets modulo 64 KiB, the largest page size of arm64, so that
// the kernel maps the file as it lies.
const (
	elfHeaderSize  = 64
	elfSegmentSize = 56
	elfSegments    = 3
	elfHeaders     = elfHeaderSize + elfSegments*elfSegmentSize
	elfCodeEnd     = 512
	elfAlign       = 0x10000
)

// Segment types and permissions of elf(5).
const (
	ptLoad     = 1
	ptGNUStack = 0x6474e551
	pfX        = 1
	pfW        = 2
	pfR        = 4
)

// ELF is the program as a static executable. It is the program's own: read it only.
func (p *Program) ELF() []byte { return p.file }

// putELF writes headers and interpreter before the tape's memory.
func putELF(b, code []byte) {
	copy(b, "\x7fELF\x02\x01\x01") // 64 bit, little endian, version 1
	le := binary.LittleEndian
	le.PutUint16(b[16:], 2) // ET_EXEC
	le.PutUint16(b[18:], elfMachine(Native))
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], codeAddr+elfHeaders) // entry
	le.PutUint64(b[32:], elfHeaderSize)       // program headers
	le.PutUint16(b[52:], elfHeaderSize)
	le.PutUint16(b[54:], elfSegmentSize)
	le.PutUint16(b[56:], elfSegments)
	le.PutUint16(b[58:], 64) // size of a section header, of which there is none
	n := uint64(len(b) - elfCodeEnd)
	segment(b[elfHeaderSize:], ptLoad, pfR|pfX, 0, codeAddr, elfCodeEnd)
	segment(b[elfHeaderSize+elfSegmentSize:], ptLoad, pfR|pfW, elfCodeEnd, headerAddr, n)
	segment(b[elfHeaderSize+2*elfSegmentSize:], ptGNUStack, pfR|pfW, 0, 0, 0)
	copy(b[elfHeaders:elfCodeEnd], code)
}

func segment(b []byte, kind, perm uint32, off, addr, size uint64) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], kind)
	le.PutUint32(b[4:], perm)
	le.PutUint64(b[8:], off)
	le.PutUint64(b[16:], addr)
	le.PutUint64(b[24:], addr)
	le.PutUint64(b[32:], size)
	le.PutUint64(b[40:], size)
	le.PutUint64(b[48:], elfAlign)
}

// elfMachine is e_machine: EM_X86_64 or EM_AARCH64.
func elfMachine(a Arch) uint16 {
	if a == ARM64 {
		return 183
	}
	return 62
}
