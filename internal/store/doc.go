// Package store keeps images in a directory that any number of programs share.
//
//	oci-layout, index.json, blobs/sha256/   an OCI image layout, which other tools read as it is
//	layers/<diff id>/fs                     an unpacked layer, shared by every image that has it
//	layers/<diff id>/record.json            what came of unpacking it
//	layers/<diff id>/unsettled.json         the same, while parts of the layer may be in memory only
//	unsettled/                              notes, empty files, of which layers that is so
//	layers/<diff id>/implied                the directories that it has no entry for, if there are some
//	layers/<digest of diff ids>/            the cover of an image's layers, see Store.Cover
//	staging/                                what is being made; nothing refers to it
//	locks/                                  files to flock, never removed
//	spare                                   room for the next index.json when the disk is full
//
// Nothing becomes visible before it is complete: it is written in staging, its digest is verified while it streams, it
// is synced to the disk and renamed into place. Before a name refers to it, its directory is synced. Layers are not
// synced; each counts in the run of the kernel that made it, until Settle. A lock is held by an open file
// of a living process and by nothing else, so a crash leaves no lock to clear; what it leaves in staging is
// removed by the next Store that writes.
//
// An object is there for as long as index.json leads to it, a process uses the image that it is of (Use), or a writer
// has announced it (Begin). Of the locks "gc" comes first, then "index", then "place" or "staging"; those of layers and blobs are
// held by whoever makes one, and never while waiting for another of their kind.
//
// The directory and everything in it belong to one user, and no other can enter it: layers hold set-user-id files.
package store
