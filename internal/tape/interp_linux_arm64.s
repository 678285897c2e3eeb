#include "textflag.h"

// The interpreter. It is never called by Go: Link copies its bytes, up to the end mark, into the
// programs that it makes. R20 is the current operation, R19 the tape's header; the kernel keeps every
// register but R0. It uses no stack.
//
// Offsets are those of an operation in encodeOp, link.go: 0 nr, 4..24 arguments, 28 errno that counts as
// success, 32 result, 36 next, 40 next on error.
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVD $0x800200, R19 // headerAddr
	ADD  $16, R19, R20  // headerSize

loop:
	MOVWU 4(R20), R0
	MOVD  (R0), R0
	MOVWU 8(R20), R1
	MOVD  (R1), R1
	MOVWU 12(R20), R2
	MOVD  (R2), R2
	MOVWU 16(R20), R3
	MOVD  (R3), R3
	MOVWU 20(R20), R4
	MOVD  (R4), R4
	MOVWU 24(R20), R5
	MOVD  (R5), R5
	MOVWU 0(R20), R8
	TBNZ  $31, R8, compare
	SVC
	MOVWU 32(R20), R9
	MOVD  R0, (R9)
	CMN   $4095, R0
	BCS   error

next:
	MOVWU 36(R20), R20
	B     loop

error:
	NEG   R0, R0
	MOVWU 28(R20), R9
	CMPW  R9, R0
	BEQ   next
	MOVW  R0, 0(R19)  // header: errno
	MOVW  R20, 4(R19) // header: operation

fail:
	MOVWU 40(R20), R20
	B     loop

compare:
	CMP R0, R1
	BEQ next
	B   fail

	WORD $0x54534943 // endMark, "CISTAPE\0"
	WORD $0x00455041

// func interpreterText() unsafe.Pointer
TEXT ·interpreterText(SB), NOSPLIT, $0-8
	MOVD $·interpreter(SB), R0
	MOVD R0, ret+0(FP)
	RET
