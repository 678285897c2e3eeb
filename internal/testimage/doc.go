// Package testimage makes real images for tests and benchmarks out of Debian packages, and serves them from a registry.
//
// Nothing is installed and nothing runs as root of this machine but the program that makes a minimal Debian: the layers
// are put together from the tar streams inside the packages, as a build would have written them. What is made stays in
// a directory outside the repository, named by CAISSON_IMAGES, so that only the first test pays for it.
//
//	busybox   one static program; a user, a working directory, variables and an entry point
//	odd       three small layers with one of everything: whiteouts, links, owners, times, attributes, queues
//	minbase   the smallest Debian that can install packages, in one layer
//	multi     busybox for three architectures, below an index
//	large     11 layers, more than 500 MB compressed and 60,000 files
//
// Each image is there under several tags, which differ in how its layers are compressed and what its documents are
// called. An image is a directory with an OCI image layout and with the plain tar of each layer beside it.
package testimage
