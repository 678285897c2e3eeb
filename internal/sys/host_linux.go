package sys

import "golang.org/x/sys/unix"

// Capabilities that the library asks after; capabilities(7).
const (
	CAP_SYS_ADMIN    = unix.CAP_SYS_ADMIN
	CAP_SYS_RESOURCE = unix.CAP_SYS_RESOURCE
)

// CGROUP2_SUPER_MAGIC is the type of the unified cgroup hierarchy; statfs(2).
const CGROUP2_SUPER_MAGIC = unix.CGROUP2_SUPER_MAGIC

// HasCapability tells whether this thread has a capability in effect; capget(2).
func HasCapability(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}

// OnProc tells whether an open file lies in a proc filesystem; fstatfs(2).
func OnProc(fd int) bool {
	st, err := retry(func() (*unix.Statfs_t, error) {
		var st unix.Statfs_t
		return &st, unix.Fstatfs(fd, &st)
	})
	return err == nil && int64(st.Type) == unix.PROC_SUPER_MAGIC
}

// IsFilesystem tells whether a path lies in a filesystem of a type; statfs(2).
func IsFilesystem(path string, magic int64) bool {
	st, err := retry(func() (*unix.Statfs_t, error) {
		var st unix.Statfs_t
		return &st, unix.Statfs(path, &st)
	})
	return err == nil && int64(st.Type) == magic
}
