// Package flow lets the stages of a pipeline run beside each other: network, disk, decompression, hash and unpacking each
// at its own pace, with a fixed amount of memory between two of them.
//
// A source is read by one goroutine into chunks. The readers share the chunks; none is copied on the way, and each is
// used again once the slowest reader is done with it.
//
// While and AtMost bound a source that needs no goroutine: by a context, and by a number of bytes.
package flow
