package powercut

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"github.com/caisson-go/caisson/internal/testneed"
)

// Commands and flags of include/uapi/linux/dm-ioctl.h. All commands take the same structure, of 312 bytes.
const (
	dmBase    = 0xc138fd00 // _IOWR(0xfd, 0, struct dm_ioctl)
	dmCreate  = dmBase | 3
	dmRemove  = dmBase | 4
	dmSuspend = dmBase | 6 // without the flag for it: resume, with a new table if there is one
	dmLoad    = dmBase | 9

	dmSkipFreeze = 1 << 10 // DM_SKIP_LOCKFS_FLAG: freezing would write everything to the disk first

	dmHeader = 312
	dmTarget = 40 // struct dm_target_spec
)

const (
	control    = "/dev/mapper/control"
	deviceName = "caisson-powercut"
)

// device is a disk with a switch.
type device struct {
	under   string // the block device below
	sectors uint64 // of 512 bytes
}

func openDevice(under string) (*device, error) {
	if _, err := os.Stat(control); err != nil {
		return nil, fmt.Errorf("no device mapper: %w", err)
	}
	f, err := os.Open(under)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	return &device{under, uint64(size) / 512}, err
}

// on makes the device and returns its path. What cuts the power lies ready from the beginning.
func (d *device) on() (string, error) {
	number, err := d.call(dmCreate, 0, "", "")
	if err != nil {
		return "", err
	}
	minor := number&0xff | number>>12&^0xff
	if _, err = d.call(dmLoad, 0, "linear", d.under+" 0"); err == nil {
		_, err = d.call(dmSuspend, 0, "", "")
	}
	if err == nil {
		const never, always = 0, 1 << 20 // seconds of working and of not
		_, err = d.call(dmLoad, 0, "flakey", fmt.Sprintf("%s 0 %d %d 1 drop_writes", d.under, never, always))
	}
	if err != nil {
		return "", errors.Join(err, d.off())
	}
	return filepath.Join("/dev", fmt.Sprint("dm-", minor)), nil
}

// cut loses all writes from now on.
func (d *device) cut() error {
	_, err := d.call(dmSuspend, dmSkipFreeze, "", "")
	return err
}

// off takes the device away. Nothing may use it any more.
func (d *device) off() error {
	return letGo(func() error { _, err := d.call(dmRemove, 0, "", ""); return err })
}

// letGo repeats what is refused while something is in use. The process that unpacks for the writer ends a moment after
// it, and until then has the file system in a mount namespace of its own.
func letGo(try func() error) error {
	for limit := time.Now().Add(testneed.Patience(2 * time.Second)); ; {
		err := try()
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(limit) {
			return err
		}
		<-time.After(10 * time.Millisecond)
	}
}

// call makes one call to the device mapper, with a table of one target if it has a name, and returns the device number.
func (d *device) call(command uintptr, flags uint32, target, params string) (uint64, error) {
	f, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 4096)
	put := binary.NativeEndian.PutUint32
	put(b[0:], 4) // the version of the interface, 4.0.0
	put(b[12:], uint32(len(b)))
	put(b[16:], dmHeader)
	put(b[28:], flags)
	copy(b[48:], deviceName)
	if target != "" {
		put(b[20:], 1)
		spec := b[dmHeader:]
		binary.NativeEndian.PutUint64(spec[8:], d.sectors)
		copy(spec[24:], target)
		copy(spec[dmTarget:], params)
	}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), command, uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	if errno != 0 {
		return 0, fmt.Errorf("device mapper, command %d %s: %w", command&0xff, target, errno)
	}
	return binary.NativeEndian.Uint64(b[40:]), nil
}

// journal tells from the ext4 superblock on the disk below whether the journal has to be replayed, and whether the
// kernel has found the file system damaged (filesystems/ext4/globals.rst, "Super Block").
func (d *device) journal() (replay, damaged bool, err error) {
	f, err := os.Open(d.under)
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	b := make([]byte, 1024)
	if _, err := f.ReadAt(b, 1024); err != nil {
		return false, false, err
	}
	if !bytes.Equal(b[0x38:0x3a], []byte{0x53, 0xef}) {
		return false, false, errors.New("no ext4 on the spare disk")
	}
	return b[0x60]&4 != 0, b[0x3a]&2 != 0, nil
}
