// Package powercut is a test program for the guest: it cuts the power of a disk while a store is written to, and looks
// at what is there when the power is back. It has nothing but tests.
//
// The disk is the guest's spare one, behind a device of the kernel's device mapper. The cut is an exchange of that
// device's table, from "linear", which passes everything on, to "flakey" with drop_writes, which from one request to the
// next loses every write and says that it was done (admin-guide/device-mapper/dm-flakey.rst of the kernel). What the
// kernel had only in memory is lost with that, as it is when a machine stops. Then the writer is killed, the file system
// is unmounted, the device is taken away, with all that was cached of it, and a new one shows what the disk holds; the
// file system's journal is replayed when it is mounted.
package powercut
