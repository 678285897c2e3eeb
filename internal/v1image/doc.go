// Package v1image makes the images of a store values of other libraries, and takes such values in: v1.Image and
// v1.ImageIndex of go-containerregistry both ways, and the file system of an image.
//
//	View, ViewIndex, FS        store -> v1.Image, v1.ImageIndex, *imagefs.FS
//	Import, ImportIndex        v1.Image, v1.ImageIndex -> store
//
// Manifests, indexes and configurations go both ways byte for byte, so digests stay what they are. A v1.Image that is
// given to Import is input like that of a registry: what it says of itself is verified.
package v1image
