package launch

import "os"

// Options say how a tape starts.
type Options struct {
	Files      []*os.File // its descriptors 0, 1, 2 and so on; nil entries are closed
	CloneFlags uintptr    // namespaces that the process starts in; CLONE_NEWUSER is not for here
	Cgroup     *os.File   // a cgroup v2 directory to start in; nil: the host program's
	Dir        string     // where the program's file lies if it cannot lie in memory
}
