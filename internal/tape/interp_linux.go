//go:build linux && (amd64 || arm64)

package tape

import (
	"bytes"
	"errors"
	"unsafe"
)

// interpreter is machine code to copy, not a function to call.
//
//lint:ignore U1000 the assembly file takes its address
func interpreter()

// interpreterText returns where the linker put the interpreter. It is a pointer, not an integer,
// because go vet rightly refuses to turn an integer back into one.
func interpreterText() unsafe.Pointer

// endMark follows the interpreter's last instruction. Looking for it, rather than for the next
// symbol, is safe whatever order the linker lays functions out in.
var endMark = []byte("CISTAPE\x00")

// maxInterpreter bounds the search and is what the program's layout leaves room for.
const maxInterpreter = codeRoom

func nativeCode() ([]byte, error) {
	text := unsafe.Slice((*byte)(interpreterText()), maxInterpreter+len(endMark))
	n := bytes.Index(text, endMark)
	if n <= 0 {
		return nil, errors.New("tape: the interpreter's end mark is missing")
	}
	return text[:n:n], nil
}
