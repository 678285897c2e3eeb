// Package probe finds out what a host can do for containers, by doing each thing once.
//
// A kernel's version tells little: distributions switch things off and backport others, and the seccomp
// filter or security module around a program refuses what the kernel could do. So a namespace is made, an
// overlay is mounted, a cgroup is created, and the errno is the answer. What needs a namespace happens
// in a small process of its own, a tape; nothing of it is left when Run returns.
//
// Files below /proc/sys and /sys are read only after something failed, to choose the words of the remedy.
package probe
