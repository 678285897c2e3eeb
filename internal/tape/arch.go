package tape

import "runtime"

// Arch names an instruction set, which decides the numbers of the system calls.
type Arch string

// The architectures that the interpreter is written for.
const (
	AMD64  Arch = "amd64"
	ARM64  Arch = "arm64"
	Native Arch = Arch(runtime.GOARCH)
)
