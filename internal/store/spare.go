package store

import (
	"errors"
	"syscall"
)

// A full disk is when people remove images, and removing one begins with a new index.json. So there is a file of about
// its size, which is overwritten and renamed then: on file systems that overwrite in place that takes no room. The old
// index.json makes room for the next.

const (
	spareName = "spare"
	spareUnit = 64 << 10
)

// keepSpare sees to it that the spare file is there and long enough. Without it all is well as long as the disk is not
// full, so nothing of this is an error.
func keepSpare(root disk, size int) {
	fi, err := root.Lstat(spareName)
	if err == nil && fi.Size() >= int64(size) {
		return
	}
	_ = root.Remove(spareName)
	f, err := root.Create(spareName)
	if err != nil {
		return
	}
	want := (2*size/spareUnit + 1) * spareUnit
	_, err = f.Write(make([]byte, want))
	if errors.Join(err, f.Close()) != nil {
		_ = root.Remove(spareName)
	}
}

// writeSpare replaces index.json by means of the spare file.
func writeSpare(root disk, b []byte) error {
	fi, err := root.Lstat(spareName)
	if err != nil || fi.Size() < int64(len(b)) {
		return syscall.ENOSPC
	}
	f, err := root.Rewrite(spareName)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := root.Rename(spareName, "index.json"); err != nil {
		return err
	}
	keepSpare(root, len(b))
	return root.SyncDir(".")
}

// isFull reports an error that says that there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
