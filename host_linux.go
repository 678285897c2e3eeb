package caisson

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/caisson-go/caisson/internal/sys"
)

// mountTable is the mounts of the host program's namespace.
type mountTable []*mountinfo.Info

func readMounts() (mountTable, error) { return mountinfo.GetMounts(nil) }

// rootIsInitramfs tells whether the root is the one that the kernel unpacked at boot, which cannot be
// pivoted away from; pivot_root(2), NOTES.
func (m mountTable) rootIsInitramfs() bool {
	return slices.ContainsFunc(m, func(i *mountinfo.Info) bool { return i.Mountpoint == "/" && i.FSType == "rootfs" }) &&
		!slices.ContainsFunc(m, func(i *mountinfo.Info) bool { return i.Mountpoint == "/" && i.FSType != "rootfs" })
}

// Filesystems that keep files, on a disk or a server. No other type is shown where it is mounted: most show the
// running system, and lead out of a container (proc, cgroup), into devices (devtmpfs) or to passwords (tmpfs).
var fileFilesystems = []string{
	"9p", "afs", "bcachefs", "btrfs", "ceph", "cifs", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "gfs2", "gpfs", "hfs",
	"hfsplus", "jffs2", "jfs", "lustre", "minix", "nfs", "nfs4", "nilfs2", "ntfs", "ntfs3", "ocfs2", "orangefs", "reiserfs",
	"smb3", "ubifs", "udf", "ufs", "vboxsf", "virtiofs", "xfs", "zfs",
}

// Of these overlay refuses some, because they do not tell names apart by case, and none can hold a socket: they are
// bound, which is also a tenth of the work where there are many of them, such as one for each snap.
var imageFilesystems = []string{"cramfs", "erofs", "exfat", "iso9660", "msdos", "romfs", "squashfs", "vfat"}

// shows says how the mount of a number is shown, "" for not at all.
func (m mountTable) shows(number uint64) HostEntryKind {
	i := slices.IndexFunc(m, func(i *mountinfo.Info) bool { return uint64(i.ID) == number })
	switch {
	case i >= 0 && slices.Contains(fileFilesystems, m[i].FSType):
		return HostMount
	case i >= 0 && slices.Contains(imageFilesystems, m[i].FSType):
		return HostBind
	}
	return ""
}

// isOverlay tells whether the mount of a number is an overlay, as system extensions mount over /usr.
func (m mountTable) isOverlay(number uint64) bool {
	return slices.ContainsFunc(m, func(i *mountinfo.Info) bool { return uint64(i.ID) == number && i.FSType == "overlay" })
}

// below are the mounts below a directory, by path.
func (m mountTable) below(dir string) mountTable {
	var list mountTable
	for _, i := range m {
		if strings.HasPrefix(i.Mountpoint, dir+"/") {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(a, b *mountinfo.Info) int { return strings.Compare(a.Mountpoint, b.Mountpoint) })
	return list
}

// entries lists the root directory.
func (s *survey) entries() ([]HostEntry, error) {
	names, err := os.ReadDir("/")
	if err != nil {
		return nil, err
	}
	secrets := secretPaths()
	var list []HostEntry
	for _, entry := range names {
		name := entry.Name()
		at := "/" + name
		link := entry.Type()&fs.ModeSymlink != 0
		switch {
		case slices.Contains(hostSkipped, name) || !entry.IsDir() && !link:
		// Before links are looked at: where /home leads to var/home, the link would show it.
		case slices.Contains(hostEmpty, name) || slices.Contains(secrets, at) || s.isHidden(at):
			list = append(list, HostEntry{Name: name, Kind: HostEmpty})
		case link:
			if target, err := os.Readlink(at); err == nil {
				list = append(list, HostEntry{Name: name, Kind: HostLink, Target: target})
			}
		default:
			e, err := s.directory(at)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was just removed
			}
			if err != nil {
				return nil, err
			}
			e.Name = name
			list = append(list, e)
		}
	}
	return list, nil
}

// directory says how a directory of the root is shown.
func (s *survey) directory(dir string) (HostEntry, error) {
	st, err := s.keep(dir)
	if err != nil {
		return HostEntry{}, err
	}
	e := HostEntry{Kind: HostOverlay}
	below := s.mounts.below(dir)
	if st.Mount != s.root.Mount {
		switch kind := s.mounts.shows(st.Mount); {
		case kind == HostBind && len(below) == 0:
			return HostEntry{Kind: HostBind}, nil
		case kind == "" && !s.mounts.isOverlay(st.Mount):
			return HostEntry{Kind: HostEmpty}, nil
		}
	}
	s.shown = append(s.shown, dir)
	if len(below) == 0 {
		return e, nil
	}
	e.Locked = true
	if s.want.below {
		e.Below = s.mounted(dir, below)
	}
	if s.want.parts {
		e.Parts, err = s.parts(dir, st)
	}
	return e, err
}

// mounted are the mounts below a directory that are shown, and hides the others.
func (s *survey) mounted(dir string, below mountTable) []HostEntry {
	var list []HostEntry
	for _, i := range below {
		if s.isHidden(i.Mountpoint) {
			continue
		}
		kind := s.mounts.shows(uint64(i.ID))
		st, err := s.keep(i.Mountpoint)
		switch {
		case err == nil && st.Mount != uint64(i.ID):
			// Another mount covers it.
		case err == nil && st.IsRegular():
			if kind != "" {
				list = append(list, HostEntry{Name: i.Mountpoint[len(dir)+1:], Kind: HostFile})
			}
		case kind == "" || err != nil:
			// Nor what it was mounted over, which nobody on the host sees.
			s.hide(within(i.Mountpoint, maxDeep))
		case st.IsDir():
			list = append(list, HostEntry{Name: i.Mountpoint[len(dir)+1:], Kind: kind})
		}
	}
	return list
}

// maxDeep bounds the length of paths that matter only because of a mount, which an ordinary user may have made
// (fusermount3(1)): one that is too long for a system call would keep every container from starting.
const maxDeep = 1024

// within is a path, or the first directory above it that is not longer than a limit.
func within(p string, limit int) string {
	for len(p) > limit {
		p = path.Dir(p)
	}
	return p
}

// maxParts bounds how many parts directories are taken apart into, in all. A directory with too many is empty.
const maxParts = 512

// parts are the names in a directory that something is mounted below, which a user namespace cannot show otherwise.
// What may not be read is left out: the container has the same rights.
func (s *survey) parts(dir string, st sys.Stamp) ([]HostEntry, error) {
	if _, err := s.names(dir); err != nil {
		return nil, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, nil
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(maxParts - s.taken + 1)
	if len(names) > maxParts-s.taken {
		return nil, nil
	}
	if err != nil && len(names) == 0 {
		return nil, nil // nothing is in it
	}
	s.taken += len(names)
	slices.Sort(names)
	var list []HostEntry
	for _, name := range names {
		e, err := s.part(dir+"/"+name, st)
		if err != nil {
			return nil, err
		}
		if e.Kind != "" {
			e.Name = name
			list = append(list, e)
		}
	}
	return list, nil
}

// part says how a name in a directory is shown that is made of its parts. Kind is "" if it is not.
func (s *survey) part(at string, parent sys.Stamp) (e HostEntry, err error) {
	if s.isHidden(at) || len(at) > maxDeep {
		return e, nil
	}
	st, err := s.look(at)
	if err != nil {
		return e, nil // it is gone, or not for this user
	}
	image := s.mounts.shows(st.Mount) == HostBind
	mounted := st.Mount != parent.Mount
	switch {
	case mounted && s.mounts.shows(st.Mount) == "":
		return e, nil
	case st.IsLink():
		e.Kind = HostLink
		if e.Target, err = os.Readlink(at); err != nil {
			e.Kind = ""
		}
		return e, nil
	case st.IsRegular():
		e.Kind = HostFile
		return e, nil
	case !st.IsDir():
		return e, nil
	}
	if _, err := s.keep(at); err != nil {
		return e, nil
	}
	s.shown = append(s.shown, at)
	e.Kind = HostOverlay
	if mounted {
		e.Kind = HostMount
	}
	if len(s.mounts.below(at)) > 0 {
		e.Locked = true
		e.Parts, err = s.parts(at, st)
	} else if image {
		e.Kind = HostBind
	}
	return e, err
}
