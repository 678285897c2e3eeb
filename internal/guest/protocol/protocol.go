// Package protocol is what the host's program and the guest's init tell each other: a Manifest lies in the initial root
// file system, and Events come back over a serial port of their own, one JSON object each.
package protocol

// Places in the guest.
const (
	ManifestPath = "/guest.json"
	EventPort    = "/dev/ttyS1" // the second serial port; the first is the kernel's console
	DiskDevice   = "/dev/vda"   // the first virtio disk, holding an ext4 file system
	SpareDevice  = "/dev/vdb"   // the second, holding another, which is nobody's: root's tests may do with it what they want
)

// SpareEnv is the environment variable that tells a test the block device of which it may do with as it wants.
const SpareEnv = "CAISSON_SPARE_DISK"

// Ids and home of the guest's ordinary user. It has no subordinate ids: mapping them takes a setuid program of the host.
const (
	UserID   = 1000
	UserName = "user"
	UserHome = "/home/user"
)

// Manifest is the guest's whole configuration.
type Manifest struct {
	Modules []string // files of kernel modules, in the order of loading
	Disk    bool     // there is a disk to put /tmp, /var and /home on
	Runs    []Run
}

// Run is one program to run to its end.
type Run struct {
	Name string   // for people: import path and user
	User bool     // run it as the ordinary user
	Argv []string // Argv[0] is the program's path
	Dir  string
	Env  []string
}

// Event is one message of the guest. Exactly one of its groups is set.
type Event struct {
	Kernel string `json:",omitempty"` // the guest is up and has this release

	Run     int     // index of the run that the following are about
	Output  []byte  `json:",omitempty"` // a piece of its output, perhaps cut within a character
	Ended   bool    `json:",omitempty"` // it has ended ...
	Problem string  `json:",omitempty"` // ... and this is wrong with how; empty if all is well
	Seconds float64 `json:",omitempty"` // ... after this time

	Done   bool   `json:",omitempty"` // every run has ended
	Broken string `json:",omitempty"` // the guest could not be set up
}
