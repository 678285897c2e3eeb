// Package inroot resolves paths inside a root directory that is held as a descriptor.
//
// A path inside a container's root is hostile: every component may be a symbolic link, and another process
// may exchange a directory for a link between a check and its use. So no path is ever joined to the root's
// own path and none is looked at twice. Each function hands the whole path to the kernel, which walks it
// with the root directory as "/": absolute links and ".." end at the root, and the links of /proc that jump
// elsewhere are refused.
//
//	v5.6 openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_MAGICLINKS
//
// What is opened is returned as a descriptor, to be used by descriptor (fchown, mount by fd, *at calls). Its
// Name is the root's name, a colon and the path, so that it can not be mistaken for a path of the host.
package inroot
