//go:build !linux

package sys

import "os"

// Syncfs has no equivalent here: the file alone is synced. Layers are unpacked on Linux only.
func Syncfs(f *os.File) error { return f.Sync() }
