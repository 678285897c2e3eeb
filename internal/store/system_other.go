//go:build !unix

package store

const (
	permissions      = false // access control lists, inherited from the directory above, keep other users out
	syncsDirectories = false // a directory can not be opened for writing, which syncing takes
)
