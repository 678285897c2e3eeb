package inflate

import (
	"errors"
	"fmt"
)

var (
	// ErrFormat reports a stream that is not gzip, or that breaks a rule of RFC 1951 or RFC 1952.
	ErrFormat = errors.New("not a valid gzip stream")

	// ErrChecksum reports content that has another CRC-32 or size than the end of its member says.
	ErrChecksum = errors.New("content does not match its checksum")
)

// Error reports where in a stream its reading ended. errors.Is sees through to ErrFormat, ErrChecksum and
// io.ErrUnexpectedEOF (the stream is cut off).
type Error struct {
	Offset int64  // in the compressed stream, in bytes, of what could not be read or of what follows it
	What   string // the part: "header", "block", "code", "distance", "trailer"
	Err    error
}

// Error names the part, the place and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("gzip: %s at byte %d: %v", e.What, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
