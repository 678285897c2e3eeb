package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// MountParams mounts a new filesystem, configured parameter by parameter, at a path; fsopen(2). A
// parameter is a key and a value; without value it is a flag. The mount has no setuid programs and no
// devices.
func MountParams(kind, target string, params [][2]string) error {
	fsfd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("fsopen", err)
	}
	defer func() { _ = unix.Close(fsfd) }()
	for _, p := range params {
		if p[1] == "" {
			err = unix.FsconfigSetFlag(fsfd, p[0])
		} else {
			err = unix.FsconfigSetString(fsfd, p[0], p[1])
		}
		if err != nil {
			return os.NewSyscallError("fsconfig", err)
		}
	}
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return os.NewSyscallError("fsconfig", err)
	}
	mnt, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return os.NewSyscallError("fsmount", err)
	}
	defer func() { _ = unix.Close(mnt) }()
	return os.NewSyscallError("move_mount", unix.MoveMount(mnt, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH))
}

// MountOptions mounts a new filesystem, configured by one string, at a path; mount(2).
func MountOptions(kind, target, options string) error {
	return os.NewSyscallError("mount", unix.Mount(kind, target, kind, unix.MS_NOSUID|unix.MS_NODEV, options))
}

// Detach takes the topmost mount off a path; umount2(2), MNT_DETACH.
func Detach(target string) error {
	return os.NewSyscallError("umount2", unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
}
