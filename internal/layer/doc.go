// Package layer applies one layer of an image, a tar stream, to a directory.
//
// The directory becomes a lower layer of an overlay mount, so what the image format says with names, overlayfs is
// told in its own way: a ".wh.x" entry becomes a character device 0:0 called x, and ".wh..wh..opq" becomes the
// extended attribute overlay.opaque of its directory.
//
// A layer is hostile input. Every parent directory is resolved by the kernel with the target directory as "/"
// (openat2 with RESOLVE_IN_ROOT), the last component of a name is never followed, nothing is ever opened that the
// unpacker did not just make, and work and memory are bounded by Limits. The directory must be private: no other
// user can reach it, because the setuid files of an image are set-user-id on the host too.
//
// Kernel: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
// Format: the OCI image specification, "Image Layer Filesystem Changeset".
package layer
