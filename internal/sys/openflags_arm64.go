package sys

// Flags of open(2) that arm64 numbers in its own way; arch/arm64/include/uapi/asm/fcntl.h.
const (
	O_DIRECTORY = 0x4000
	O_NOFOLLOW  = 0x8000
)
