#include "textflag.h"

// func vfork(args *[11]uint64, masks *[2]uint64, calls *call) (result int)
//
// Everything that the child needs is in registers before it is made, because the stack is its parent's: it
// pushes nothing, calls nothing and returns nowhere. The kernel keeps all registers but RAX, RCX and R11;
// syscall(2). The masks are: all signals, and where the thread's own mask is kept.
TEXT ·vfork(SB), NOSPLIT|NOFRAME, $0-32
	// No handler of Go's may run in the child, whose memory is the parent's.
	MOVL $14, AX            // rt_sigprocmask
	MOVL $2, DI             // SIG_SETMASK
	MOVQ masks+8(FP), SI
	LEAQ 8(SI), DX
	MOVL $8, R10
	SYSCALL

	MOVQ calls+16(FP), R12
	MOVQ args+0(FP), DI
	MOVL $88, SI
	MOVL $435, AX           // clone3
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, result+24(FP)

	MOVL $14, AX
	MOVL $2, DI
	MOVQ masks+8(FP), SI
	ADDQ $8, SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL
	RET

child:
	// A call is eight words: its number, six arguments, and where an error is left for the parent.
	MOVQ 0(R12), AX
	MOVQ 8(R12), DI
	MOVQ 16(R12), SI
	MOVQ 24(R12), DX
	MOVQ 32(R12), R10
	MOVQ 40(R12), R8
	MOVQ 48(R12), R9
	SYSCALL
	CMPQ AX, $-4095
	JCC  failed
	ADDQ $64, R12
	JMP  child

failed:
	NEGQ AX
	MOVQ AX, 56(R12)
	MOVL $231, AX           // exit_group
	MOVL $125, DI
	SYSCALL
	INT  $3
