#include "textflag.h"

// The interpreter. It is never called by Go: Link copies its bytes, up to the end mark, into the
// programs that it makes. R12 is the current operation, BX the tape's header; neither is touched by
// the kernel (syscall(2) clobbers RAX, RCX and R11 only). It uses no stack.
//
// Offsets are those of an operation in encodeOp, link.go: 0 nr, 4..24 arguments, 28 errno that counts as
// success, 32 result, 36 next, 40 next on error.
TEXT ·interpreter(SB), NOSPLIT|NOFRAME, $0-0
	MOVL $0x800200, BX // headerAddr
	LEAQ 16(BX), R12   // headerSize

loop:
	MOVL 4(R12), DI
	MOVQ (DI), DI
	MOVL 8(R12), SI
	MOVQ (SI), SI
	MOVL 12(R12), DX
	MOVQ (DX), DX
	MOVL 16(R12), R10
	MOVQ (R10), R10
	MOVL 20(R12), R8
	MOVQ (R8), R8
	MOVL 24(R12), R9
	MOVQ (R9), R9
	MOVL 0(R12), AX
	TESTL AX, AX
	JMI  compare
	SYSCALL
	MOVL 32(R12), CX
	MOVQ AX, (CX)
	CMPQ AX, $-4095
	JCC  error

next:
	MOVL 36(R12), R12
	JMP  loop

error:
	NEGL AX
	CMPL AX, 28(R12)
	JEQ  next
	MOVL AX, 0(BX)  // header: errno
	MOVL R12, 4(BX) // header: operation

fail:
	MOVL 40(R12), R12
	JMP  loop

compare:
	CMPQ DI, SI
	JEQ  next
	JMP  fail

	LONG $0x54534943 // endMark, "CISTAPE\0"
	LONG $0x00455041

// func interpreterText() unsafe.Pointer
TEXT ·interpreterText(SB), NOSPLIT, $0-8
	LEAQ ·interpreter(SB), AX
	MOVQ AX, ret+0(FP)
	RET
