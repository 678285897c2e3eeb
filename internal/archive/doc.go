// Package archive brings images into a store and out of it as files: what docker save, docker load, docker import and
// docker export do.
//
// Two formats hold images. A docker-archive is a tar file with a manifest.json, which names a configuration and layers
// for each image; since Docker 25 the same file is an OCI image layout too. An OCI archive is a tar file of an OCI image
// layout: oci-layout, index.json and blobs by their digests. Both are written as streams, and read from streams that can
// not be rewound, in whatever order their entries come.
//
// An archive is hostile input. Nothing of it is ever written under a name that it chose: content goes to the store's
// staging by digest, links are text to be looked up among the archive's own names, and the names of images become names
// of the store last, when all of the archive's images are complete.
//
// Formats: the OCI image layout specification; Docker's image specification v1.2, "Combined Image JSON + Filesystem
// Changeset Format".
package archive
