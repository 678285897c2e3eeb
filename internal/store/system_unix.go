//go:build unix

package store

const (
	permissions      = true // mode bits keep other users out
	syncsDirectories = true
)
