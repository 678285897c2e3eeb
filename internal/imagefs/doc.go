// Package imagefs reads an image as a file system, from the blobs of its layers and without unpacking them.
//
// The first use reads each layer once and builds an index of names, kinds, owners and positions; contents are read when
// they are asked for. An entry costs about 250 bytes of memory beside its name, and no content is kept.
//
//	FS ── node (tree of the image: whiteouts applied, hard links are one node)
//	 └── stream (one per layer) ── cursor (a position in the tar stream of a layer)
//
// A layer that is a plain tar file is read where it lies. A compressed one can only be read forwards, so positions that
// files were read up to are kept, without an open file, for those that lie behind them: a walk over an image in the
// order of its layers decompresses each layer twice, once for the index. Reading backwards begins at the start.
//
// The names, links and limits of a layer are judged by the rules of package layer, and layers are put together as
// overlayfs does: what a path shows here is what it shows in a container. There are two differences. A directory that a
// layer has no entry for keeps the mode and owner of the layers below, as the image specification means it, and device
// nodes are shown, though they can not be read.
package imagefs
