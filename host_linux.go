package caisson

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// What Engine.Host leaves empty: other people's files, and what belongs to the running system.
var hostEmpty = []string{"home", "media", "mnt", "root", "run", "tmp"}

// What the container gets its own of, or has no use for.
var hostSkipped = []string{"dev", "lost+found", "proc", "sys"}

// hostSecrets are what root can read on a host and a container should not: keys, password hashes, and
// the state of other container engines.
var hostSecrets = []string{
	"/boot",
	"/etc/crypttab", "/etc/docker", "/etc/gshadow", "/etc/gshadow-", "/etc/ipsec.secrets", "/etc/krb5.keytab",
	"/etc/kubernetes", "/etc/letsencrypt", "/etc/machine-id", "/etc/NetworkManager/system-connections",
	"/etc/opasswd", "/etc/openvpn", "/etc/pki/private", "/etc/pki/tls/private", "/etc/ppp",
	"/etc/rancher", "/etc/security/opasswd", "/etc/shadow", "/etc/shadow-", "/etc/ssh", "/etc/ssl/private",
	"/etc/sudoers", "/etc/sudoers.d", "/etc/wireguard",
	"/usr/lib/ssl/private",
	"/var/backups", "/var/cache/debconf/passwords.dat", "/var/lib/caisson", "/var/lib/cloud", "/var/lib/containerd",
	"/var/lib/containers", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/lxc", "/var/lib/lxd", "/var/lib/private",
	"/var/lib/rancher", "/var/lib/sss", "/var/lib/systemd", "/var/log", "/var/mail", "/var/spool", "/var/tmp",
}

// hostHidden are those that exist, and the state directory. Paths are as an overlay of a directory of
// the root sees them: without symbolic links.
func hostHidden(stateDir string) []string {
	var list []string
	for _, p := range append(slices.Clone(hostSecrets), stateDir) {
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			continue
		}
		if !slices.Contains(list, real) {
			list = append(list, real)
		}
	}
	slices.Sort(list)
	return list
}

// hostEntries lists the root directory.
func hostEntries(m mountTable, privileged bool) ([]HostEntry, error) {
	entries, err := os.ReadDir("/")
	if err != nil {
		return nil, err
	}
	var list []HostEntry
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case slices.Contains(hostSkipped, name):
		case entry.Type()&os.ModeSymlink != 0:
			if target, err := os.Readlink("/" + name); err == nil {
				list = append(list, HostEntry{Name: name, Kind: "link", Target: target})
			}
		case !entry.IsDir():
		case slices.Contains(hostEmpty, name) || slices.Contains(hostSecrets, "/"+name):
			list = append(list, HostEntry{Name: name, Kind: "empty"})
		default:
			list = append(list, m.entry(name, privileged))
		}
	}
	return list, nil
}

// mountTable is the mounts of the host program's namespace.
type mountTable []*mountinfo.Info

func readMounts() (mountTable, error) { return mountinfo.GetMounts(nil) }

// rootIsInitramfs tells whether the root is the one that the kernel unpacked at boot, which cannot be
// pivoted away from; pivot_root(2), NOTES.
func (m mountTable) rootIsInitramfs() bool {
	return slices.ContainsFunc(m, func(i *mountinfo.Info) bool { return i.Mountpoint == "/" && i.FSType == "rootfs" }) &&
		!slices.ContainsFunc(m, func(i *mountinfo.Info) bool { return i.Mountpoint == "/" && i.FSType != "rootfs" })
}

// kernelFilesystems show the running system, or come and go; they are not part of the machine's root.
var kernelFilesystems = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
	"fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs",
	"selinuxfs", "sysfs", "tmpfs", "tracefs",
}

// entry says how a directory is shown. A directory with mounts below it is an overlay with these bound
// into it for a privileged host program. A user namespace has them locked (mount_namespaces(7)), and
// overlay refuses such a lower layer: there the directory is bound as a whole, read-only.
func (m mountTable) entry(name string, privileged bool) HostEntry {
	e := HostEntry{Name: name, Kind: "overlay"}
	for _, i := range m {
		below, ok := strings.CutPrefix(i.Mountpoint, "/"+name+"/")
		if !ok {
			continue
		}
		if !privileged {
			e.Kind = "bind"
			continue
		}
		hidden := slices.ContainsFunc(hostSecrets, func(s string) bool {
			return i.Mountpoint == s || strings.HasPrefix(i.Mountpoint, s+"/")
		})
		nested := slices.ContainsFunc(e.Below, func(b string) bool { return strings.HasPrefix(below, b+"/") })
		if !hidden && !nested && !slices.Contains(kernelFilesystems, i.FSType) {
			e.Below = append(e.Below, path.Clean(below))
		}
	}
	return e
}
