//go:build !arm64

package sys

// Flags of open(2) that arm64 numbers in its own way; asm-generic/fcntl.h.
const (
	O_DIRECTORY = 0x10000
	O_NOFOLLOW  = 0x20000
)
