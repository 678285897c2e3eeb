package caisson

import (
	"os"
	"sync"
)

// room is the directory of all containers, which is open as long as one of them has a directory in it. What is
// done to containers is done from there on, by descriptors: it is shorter, and leads nowhere else.
type room struct {
	mu    sync.Mutex
	path  string
	dir   *os.File
	users int
	id    roomID // that has been checked and swept
}

// roomID tells a directory from another that has its name later, and perhaps its number.
type roomID struct {
	dev, ino   uint64
	born, nsec int64 // when it was made; 0 if the filesystem does not keep that
	uid, mode  uint32
}
