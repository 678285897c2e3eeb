package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

// prepare turns the initial root file system into a machine on which tests can run.
func prepare(m *protocol.Manifest) error {
	for _, module := range m.Modules {
		if err := load(module); err != nil {
			return err
		}
	}
	if err := moveRoot(); err != nil {
		return err
	}
	if err := mountAll(m.Disk); err != nil {
		return err
	}
	if err := prepareCgroups(); err != nil {
		return err
	}
	if err := syscall.Sethostname([]byte("guest")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return loopbackUp()
}

// load inserts one module (init_module(2)). EEXIST: the kernel has it already.
func load(path string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	none, _ := syscall.BytePtrFromString("")
	_, _, errno := syscall.Syscall(syscall.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(unsafe.SliceData(image))), uintptr(len(image)), uintptr(unsafe.Pointer(none)))
	if errno != 0 && errno != syscall.EEXIST {
		return fmt.Errorf("load module %s: %w", filepath.Base(path), errno)
	}
	return nil
}

// moveRoot copies everything to a tmpfs and makes that the root. The initial root file system itself can not be unmounted
// or moved, and for that reason refuses pivot_root(2) to everybody below it.
func moveRoot() error {
	const next = "/newroot"
	if err := os.MkdirAll(next, 0o755); err != nil {
		return err
	}
	if err := mount("tmpfs", next, "tmpfs", 0, "mode=755,size=75%"); err != nil {
		return err
	}
	err := filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "/" {
			return err
		}
		if path == next {
			return fs.SkipDir
		}
		return copyOne(path, next+path, d)
	})
	if err != nil {
		return fmt.Errorf("copy to the new root: %w", err)
	}
	if err := os.Chdir(next); err != nil {
		return err
	}
	if err := mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return err
	}
	if err := syscall.Chroot("."); err != nil {
		return fmt.Errorf("chroot to the new root: %w", err)
	}
	return os.Chdir("/")
}

// copyOne copies a file, and removes the original at once: the test binaries would not fit in the memory twice.
func copyOne(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		return os.Chmod(to, info.Mode())
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil // devices: devtmpfs brings them
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), os.Remove(from))
}

// mountAll makes the mounts that every Debian machine has, with the propagation that systemd gives them.
func mountAll(disk bool) error {
	const safe = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return err
	}
	for _, m := range []struct {
		fstype, dir string
		flags       uintptr
		options     string
	}{
		{"proc", "/proc", safe, ""},
		{"sysfs", "/sys", safe, ""},
		{"cgroup2", "/sys/fs/cgroup", safe, "nsdelegate"},
		{"devtmpfs", "/dev", syscall.MS_NOSUID, "mode=755"},
		{"devpts", "/dev/pts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
		{"tmpfs", "/dev/shm", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
		{"mqueue", "/dev/mqueue", safe, ""},
		{"tmpfs", "/run", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=755"},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := mount(m.fstype, m.dir, m.fstype, m.flags, m.options); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"} {
		if err := os.Symlink("/proc/self/"+target, "/dev/"+link); err != nil {
			return err
		}
	}
	return writable(disk)
}

// writable provides the directories in which tests write: on the disk, if there is one, because a tmpfs lacks what tests
// of a store are about (user extended attributes before 6.6, a real sync).
func writable(disk bool) error {
	where := "/"
	if disk {
		where = "/mnt"
		if err := os.MkdirAll(where, 0o755); err != nil {
			return err
		}
		if err := mount(protocol.DiskDevice, where, "ext4", 0, ""); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name string
		perm fs.FileMode
		uid  int
	}{
		{"/tmp", 0o777 | fs.ModeSticky, 0}, {"/var", 0o755, 0}, {"/var/tmp", 0o777 | fs.ModeSticky, 0}, {"/var/lib", 0o755, 0},
		{"/home", 0o755, 0}, {protocol.UserHome, 0o700, protocol.UserID},
	} {
		dir := filepath.Join(where, d.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(dir, d.perm), os.Chown(dir, d.uid, d.uid)); err != nil {
			return err
		}
		if !disk || strings.Count(d.name, "/") > 1 {
			continue
		}
		if err := os.MkdirAll(d.name, 0o755); err != nil {
			return err
		}
		if err := mount(dir, d.name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	if !disk {
		return nil
	}
	// A second way to the same directories would receive a copy of every mount that a test makes in them.
	return syscall.Unmount(where, 0)
}

func mount(source, target, fstype string, flags uintptr, options string) error {
	if err := syscall.Mount(source, target, fstype, flags, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", source, target, err)
	}
	return nil
}

// loopbackUp sets the interface flag IFF_UP (netdevice(7)).
func loopbackUp() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	defer syscall.Close(s)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return fmt.Errorf("loopback: %w", errno)
	}
	return nil
}
