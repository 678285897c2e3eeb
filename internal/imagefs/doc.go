// Package imagefs reads an image as a file system, from the blobs of its layers and without unpacking them.
//
// The first use reads each layer once and builds an index of names, kinds, owners and positions; contents are read when
// they are asked for. An entry costs 110 to 300 bytes of memory with its name, less in large directories, and no content
// is kept.
//
//	FS ── node      a tree of the image: whiteouts applied, hard links are one node
//	 ├── marks     of each gzip layer
//	 └── cursor    a position in the tar stream of a layer, in use by a file or idle
//
// A layer that is a plain tar file is read where it lies. A compressed one can only be read forwards. Of gzip the index
// keeps marks, at 32 KiB each and at most 32 MiB for an image, from which decoding goes on: a file costs as much as the
// megabyte before it, in layers larger than 1 GiB proportionally more. For every format some positions that files were
// read up to are kept, without an open file, for those that lie behind them. So a walk over an image in the order of its
// layers decompresses each twice, once for the index; only in a zstd layer reading backwards begins at the start.
//
// Nothing is written to the disk, and no goroutine or descriptor is held between calls.
//
// The names, links and limits of a layer are judged by the rules of package layer, and layers are put together as
// overlayfs does: what a path shows here is what it shows in a container. There are two differences. The root directory
// looks as the image says, while a container has one of its own, and device nodes are shown, though they can not be read.
package imagefs
