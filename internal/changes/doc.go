// Package changes reads what a container has changed: the upper directory of its overlay, above the layers of its image.
//
// List compares, WriteLayer writes the upper directory as a layer of an image, and Export writes what the container sees
// as one archive. All of them stream: however large the tree, memory holds the names of some directories and the names
// of files that have several, both bounded.
//
// What a container wrote is hostile. Directories are opened one name at a time from a descriptor, links are never
// followed, and only what is a regular file is opened for its content: a FIFO or a device never. Names are bytes. A tree
// that is deeper than a path may be long costs neither stack nor descriptors.
//
// Files that belong to subordinate ids are opened by a process in a user namespace that has those ids; see Opener.
//
// Kernel: Documentation/filesystems/overlayfs.rst. Format: the OCI image specification, "Image Layer Filesystem
// Changeset"; POSIX, pax, "pax Interchange Format".
package changes
