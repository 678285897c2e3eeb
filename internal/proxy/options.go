package proxy

import (
	"os"

	"github.com/caisson-go/caisson/internal/launch"
	"github.com/caisson-go/caisson/internal/tape"
)

// The proxy's own descriptors, and the first of its owner's.
const (
	socketFD = iota
	arenaFD  // closed once it is mapped

	// FirstFile is the number of Options.Files[0] in the proxy; the others follow.
	FirstFile
)

// defaultArena holds about 1,000 small files' worth of operations and bytes. What is not used takes no
// memory.
const defaultArena = 4 << 20

// leastArena is a page of 64 KiB, the largest on arm64.
const leastArena = 64 << 10

// Options say what a proxy is.
type Options struct {
	// Name is what ps shows, at most 15 bytes; PR_SET_NAME in prctl(2). Empty: "caisson-proxy".
	Name string

	// Enter adds operations that run first: setns(2), unshare(2). Nil: none.
	Enter func(*tape.Tape)

	// Map, if not nil, is called when Enter's operations are done, while the proxy waits: to write the
	// id maps of its new user namespace, or to run newuidmap(1).
	Map func(pid int) error

	// Prelude adds operations that run then, before the loop: setresuid(2), chroot(2). Nil: none.
	Prelude func(*tape.Tape)

	// Files become the proxy's descriptors FirstFile and so on. Nothing else is inherited.
	Files []*os.File

	// Arena is the size in bytes of the shared memory, which bounds what one Do can hold. Zero: 4 MiB;
	// at least 64 KiB.
	Arena int

	// Lanes is how many more parts for operations the shared memory has, each of Lane bytes, a multiple of 4096; 0 for
	// none. See Proxy.Lane.
	Lanes, Lane int

	// Data is the size in bytes of another part, a multiple of 4096, for whatever operations refer to; 0 for none.
	// See Proxy.Data.
	Data int

	// Launch says how the process starts. Its Files are not used.
	Launch launch.Options
}

// Words is how many words keep their values for as long as the proxy lives, for Word.
const Words = wordsSize / 8

// wordsSize is a page of every machine; they lie at the beginning of the shared memory.
const wordsSize = 4096

// Word is one of the Words words, for operations: descriptors that stay open, say, or what became of the prelude's
// operations. All are 0 to begin with.
func Word(i int) tape.Arg { return tape.Word(tape.ArenaAddr + 8*uint64(i)) }
