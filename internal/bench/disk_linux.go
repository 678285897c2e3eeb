package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// disk is a file on the disk with an ext4 filesystem in it, made anew for each pull. Without that the pulls would not be
// alike: for minutes after files were removed, ext4 looks at each of their inodes again before it makes a file
// (fs/ext4/ialloc.c, recently_deleted), so whoever comes after the removal of a large store pays several times as much.
type disk struct {
	file string
	dir  string // where it is mounted
}

const diskSize = 16 << 30

// newDisk makes an empty filesystem below a directory and mounts it.
func newDisk(ctx context.Context, under string) (d *disk, err error) {
	d = &disk{file: filepath.Join(under, "disk"), dir: filepath.Join(under, "store")}
	defer func() {
		if err != nil {
			_ = os.Remove(d.file)
		}
	}()
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	if err := tool(ctx, "", "fallocate", "--length", fmt.Sprint(diskSize), d.file); err != nil {
		return nil, err
	}
	if err := tool(ctx, "", "mkfs.ext4", "-F", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", d.file); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "losetup", "--find", "--show", "--direct-io=on", d.file).Output()
	if err != nil {
		return nil, fmt.Errorf("losetup: %w", err)
	}
	device := strings.TrimSpace(string(out))
	err = tool(ctx, "", "mount", "-o", "noinit_itable", device, d.dir)
	// From now on the mount alone keeps the device: it goes when the last namespace has let go of it.
	if err = errors.Join(err, tool(context.Background(), "", "losetup", "--detach", device)); err != nil {
		return nil, err
	}
	return d, os.Remove(filepath.Join(d.dir, "lost+found"))
}

// remove takes the filesystem away, with whatever is mounted in it.
func (d *disk) remove() error {
	return errors.Join(tool(context.Background(), "", "umount", "--recursive", d.dir), os.Remove(d.file))
}
