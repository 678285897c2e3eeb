// Command bench measures caisson against the kernel floor and its peers, on this machine, in interleaved runs.
//
//	go run ./internal/bench              everything, about three minutes
//	go run ./internal/bench -short       the same with fewer rounds, under a minute
//	go run ./internal/bench -only start  one part: start, parallel, exec, memory or import
//	go run ./internal/bench -n 100       another number of rounds
//
//	go run ./internal/bench -only pull   pulls of a large image, half an hour; needs root and the image of internal/testimage
//
// The part pull knows more flags: -image minbase, -tag zstd, -who "caisson,tar -x", and -cpuprofile FILE, which keeps a
// processor profile of the library's last pull for go tool pprof.
//
// What is compared runs in rounds, each in a new random order, so that a slow minute of the machine hits all of
// them alike. In a round each runs a batch, of which median, minimum and 90th percentile are kept; the table has the
// median of the medians, the least minimum and the median of the percentiles. Ratios are what to look at: absolute
// times of one machine move by a factor of two within an hour. Nothing here passes or fails.
//
// A start "alone" comes after 150 ms of rest; the others follow each other. The library runs in workers: this program started again, which waits for a line and runs a batch. One has 1 GiB
// resident and one is an ordinary user. The floor is ../shared/bench/floor.c, which makes the same system calls from C and
// nothing else; without it, or without cc, its rows are left out and the output says so. So it is with every peer
// that is not installed.
//
// A pull begins with an empty store on a filesystem made for it, an ext4 in a file on the disk, and ends when the layers
// are unpacked. The registry is the same process for all and in nobody's account. Processor time is that of all processes
// of whoever pulls, daemons with their children among them; what the kernel writes later belongs to nobody. The column
// MiB has the most that one of the processes had resident.
package main
