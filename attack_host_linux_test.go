package caisson_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson"
)

// The container of a machine reaches the running system through a filesystem of the kernel's that is mounted somewhere
// in the machine's root: a proc leads through its links to the roots of all processes, a cgroup to their limits. Passes
// when none is in the container but its own, however deep it lies below what is shown, and what is on disks still is.
func TestAttackHostKernelFilesystems(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		dirs := []string{"/disk", "/srv/disk", "/srv/deep/disk", "/srv/deep/disk/in/disk"}
		for _, dir := range dirs {
			if dir != "/disk" {
				m.mount("/disk", dir, "")
			}
			m.make(dir+"/file", "on disk\n")
			m.mount("/proc", dir+"/in/proc", "")
			m.mount("none", dir+"/in/ram", "tmpfs")
			m.make(dir+"/in/ram/secret", "in memory")
			must(m, os.MkdirAll(dir+"/in/disk", 0o755))
		}
		m.mount("/proc", "/run1", "")
		m.mount("none", "/run2", "tmpfs")
		m.make("/run2/secret", "in memory")
		m.hides("/run1/self", "/run2/secret")
		for _, dir := range dirs {
			m.hides(dir+"/in/proc/self", dir+"/in/ram/secret")
			if out := m.sees("cat " + dir + "/file"); out != "on disk\n" {
				m.Errorf("%s: %q", dir, out)
			}
		}
		m.onlyOwnMounts()
	})
}

// onlyOwnMounts fails the test if a filesystem that leads somewhere is mounted in the container elsewhere than where
// a container has its own.
func (m *machine) onlyOwnMounts() {
	m.Helper()
	for line := range strings.Lines(m.sees("cat /proc/self/mountinfo")) {
		before, after, _ := strings.Cut(line, " - ")
		at, kind := strings.Fields(before)[4], strings.Fields(after)[0]
		own := at == "/" || strings.HasPrefix(at, "/proc") || strings.HasPrefix(at, "/sys") || strings.HasPrefix(at, "/dev") || strings.HasPrefix(at, "/etc/")
		if !own && kind != "overlay" && kind != "ext4" && kind != "xfs" && kind != "btrfs" && kind != "f2fs" {
			m.Errorf("mounted in the container: %s", line)
		}
	}
}

// On some systems /home and /root are symbolic links into /var. Passes when the container has empty directories there,
// and what they lead to is nowhere in it.
func TestAttackHostHomesBehindLinks(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.make("/var/home/alice/.ssh/id_ed25519", "key")
		m.make("/var/roothome/.ssh/id_ed25519", "key")
		m.make("/srv/store/boot/seed", "key")
		must(m, errors.Join(os.Symlink("var/home", "/home"), os.Symlink("var/roothome", "/root"), os.Symlink("/var/../srv/link/boot", "/boot")))
		must(m, os.Symlink("store", "/srv/link"))
		m.hides("/home/alice", "/root/.ssh", "/boot/seed", "/var/home", "/var/roothome", "/srv/store/boot")
		if out := m.sees("ls -A /home /root /boot; test ! -L /home -a ! -L /root && echo directories"); out != "/boot:\n\n/home:\n\n/root:\ndirectories\n" {
			m.Error(out)
		}
	})
}

// The same files have another name where they are bound from. Passes when they are hidden there too, and what merely is
// mounted in a directory for mounts is not.
func TestAttackHostHomesBoundFromElsewhere(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		m.make("/disk/store/home/alice/key", "key")
		m.make("/srv/data/docker/key", "key")
		m.make("/disk/other/file", "")
		m.make("/disk/state/secret", "secret")
		m.mount("/disk", "/srv/disk", "")
		m.mount("/disk/store/home", "/home", "")
		m.mount("/srv/data/docker", "/var/lib/docker", "")
		m.mount("/disk/other", "/mnt", "")
		m.mount("/disk/state", "/tmp/state", "")
		m.hides("/home/alice", "/disk/store/home", "/srv/disk/store/home", "/srv/data/docker", "/var/lib/docker", "/disk/state", "/srv/disk/state")
		if out := m.sees("ls /disk/other /srv/data /disk/store"); out != "/disk/other:\nfile\n\n/disk/store:\n\n/srv/data:\n" {
			m.Error(out)
		}
	})
}

// The state directory holds the files of other containers. Passes when the container does not see it, be it a directory
// of the root, behind a link, made after the engine first looked, or even after the container started; and when a
// state directory that cannot be hidden is an error.
func TestAttackHostStateDirectory(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.make("/srv/containers/one/upper/data", "of another container")
		m.engine = &caisson.Engine{Dir: "/srv"}
		m.hides("/srv/containers")

		m.engine = &caisson.Engine{Dir: "/opt/link/state"}
		must(m, os.Symlink("/var/lib/elsewhere", "/opt/link"))
		m.make("/var/lib/elsewhere/state/secret", "secret")
		m.hides("/var/lib/elsewhere/state", "/opt/link/state")

		m.engine = &caisson.Engine{Dir: "/opt/later/state"}
		m.sees("true")
		m.make("/opt/later/state/secret", "secret")
		m.hides("/opt/later/state")

		m.engine = &caisson.Engine{Dir: "/var/lib/latest"}
		c := m.command("sh", "-c", "echo up; read line; ls /var/lib/latest 2>/dev/null; true")
		in, err := c.StdinPipe()
		must(m, err)
		out, err := c.StdoutPipe()
		must(m, err)
		must(m, c.Start(m.Context()))
		defer func() { _ = c.Close() }()
		_, err = out.Read(make([]byte, 3))
		must(m, err)
		m.make("/var/lib/latest/secret", "secret")
		_, err = in.Write([]byte("\n"))
		must(m, err)
		if n, err := out.Read(make([]byte, 100)); n > 0 {
			m.Errorf("a running container sees the state directory that was made since, %v", err)
		}

		m.engine = &caisson.Engine{Dir: "/"}
		var e *caisson.Error
		if err := m.command("true").Run(m.Context()); !errors.As(err, &e) || e.Hint == "" {
			m.Errorf("the root directory as state directory: %v", err)
		}
	})
}

// Files that root alone may read, or that other users keep to themselves. Passes when none of them is in the
// container, whether it was there when the engine looked first or was made later, or moved and linked to.
func TestAttackHostSecrets(t *testing.T) {
	onMachine(t, func(m *machine) {
		var paths []string
		for dir, names := range map[string]string{
			"/etc": "shadow ssh/key netplan/x credstore/x credstore.encrypted/x apt/auth.conf apt/auth.conf.d/x wpa_supplicant/x ceph/x " +
				"ssl/private/x sudoers docker/x krb5.keytab systemd/network/x munge/key",
			"/var/lib": "etcd/x iwd/x bluetooth/x NetworkManager/x incus/x libvirt/x docker/x systemd/random-seed mysql/x",
			"/var":     "spool/cron/x mail/x log/x backups/x tmp/x",
			"/":        ".snapshots/x sysroot/x boot/x efi/x",
		} {
			for _, name := range strings.Fields(names) {
				paths = append(paths, strings.TrimSuffix(dir, "/")+"/"+name)
			}
		}
		slices.Sort(paths)
		for i, p := range paths {
			if i%2 == 0 {
				m.make(p, "secret")
			}
		}
		m.sees("true")
		for i, p := range paths {
			if i%2 == 1 {
				m.make(p, "secret")
			}
		}
		m.hides(paths...)
		must(m, os.Rename("/var/lib/docker", "/srv/moved"))
		must(m, os.Symlink("/srv/moved", "/var/lib/docker"))
		m.hides("/srv/moved", "/var/lib/docker/x")
	})
}

// A directory whose mode keeps others out on the host is open to other users of the container. Passes when each
// directory that a layer has one of its own for looks as the host's does, and a user of the container without rights
// is refused.
func TestAttackHostModes(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.make("/srv/note", "secret")
		m.mount("none", "/srv/ram", "tmpfs") // which makes /srv one of parts for a user namespace
		m.make("/etc/ssl/note", "secret")
		m.make("/etc/ssl/private/key", "secret")
		m.make("/var/lib/note", "secret")
		must(m, errors.Join(os.Chmod("/srv", 0o700), os.Chmod("/etc/ssl", 0o710), os.Chmod("/var/lib", os.ModeSticky|0o770), os.Chmod("/opt", os.ModeSetgid|0o775)))
		owner := "0:0"
		if os.Getenv(machineEnv) == "root" {
			must(m, errors.Join(os.Chown("/srv", 1234, 5678), os.Chown("/etc/ssl", 1234, 5678)))
			owner = "1234:5678"
		}
		want := fmt.Sprintf("/srv 700 %s\n/etc/ssl 710 %s\n/var/lib 1770 0:0\n/opt 2775 0:0\n", owner, owner)
		if out := m.sees("stat -c '%n %a %u:%g' /srv /etc/ssl /var/lib /opt"); out != want {
			m.Errorf("the container has\n%swant\n%s", out, want)
		}
		if os.Getenv(machineEnv) != "root" {
			return // there is one user
		}
		c := m.command("sh", "-c", "cat /srv/note /etc/ssl/note /var/lib/note; ls /srv /etc/ssl")
		c.User = "1000:1000"
		if out, _ := c.Output(m.Context()); len(out) > 0 {
			m.Errorf("a user reads %q", out)
		}
	})
}

// An access control list makes the group's bits of a mode mean something else. Passes when what the list denies to the
// group is denied in the container too.
func TestAttackHostModesWithLists(t *testing.T) {
	onMachine(t, func(m *machine) {
		// Version 2; the owner everything, user 1234 everything, the group and others nothing, all at most everything.
		const list = "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x00\x00\x00\x00" +
			"\x04\x00\x00\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
		must(m, unix.Setxattr("/srv", "system.posix_acl_access", []byte(list), 0))
		if info, err := os.Stat("/srv"); err != nil || info.Mode().Perm() != 0o770 {
			m.Fatal(info.Mode(), err)
		}
		if out := m.sees("stat -c %a /srv"); out != "700\n" {
			m.Error(out)
		}
	})
}

// A socket of the host in a directory that is mounted separately takes connections through a bind mount, which may
// be read-only. Passes when the container is refused, wherever the socket lies.
func TestAttackHostSockets(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		m.mount("/disk", "/srv/disk", "")
		m.mount("none", "/var/lib/in/ram", "tmpfs")
		for _, dir := range []string{"/disk", "/srv", "/var/lib", "/var/lib/in"} {
			path := dir + "/socket"
			l, err := net.Listen("unix", path)
			must(m, err)
			defer func() { _ = l.Close() }()
			must(m, os.Chmod(path, 0o666))
			m.connect(path)
		}
		m.connect("/srv/disk/socket")
	})
}

// connect fails the test if a program in the container can connect to a socket.
func (m *machine) connect(path string) {
	m.Helper()
	c := m.command("/opt/test", "-test.run=^TestRoleConnect$", "-test.v")
	c.Env = []string{"GORACE=atexit_sleep_ms=0", connectEnv + "=" + path, machineEnv + "=inside"}
	out, err := c.CombinedOutput(m.Context())
	refused := strings.Contains(string(out), unix.ECONNREFUSED.Error()) || strings.Contains(string(out), unix.ENOENT.Error())
	if err != nil || !refused {
		m.Errorf("%s: %v\n%s", path, err, out)
	}
}

const connectEnv = "CAISSON_TEST_CONNECT"

// TestRoleConnect says what comes of connecting to a socket, if it is told which.
func TestRoleConnect(t *testing.T) {
	if path := os.Getenv(connectEnv); path != "" {
		_, err := net.Dial("unix", path)
		fmt.Println(path, err)
	}
}
