package caisson_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson"
)

// What an engine has seen of its host is looked at again when the host changes.
func TestHostFollowsTheMachine(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		show := func() string { return m.sees("ls -d /new* /srv/* /disk/below/* /etc/ssl 2>/dev/null; true") }
		m.make("/etc/ssl/private/key", "")
		if out := show(); out != "/etc/ssl\n" {
			t.Errorf("at first: %q", out)
		}
		must(m, os.Mkdir("/new", 0o755))
		m.make("/srv/file", "")
		if out := show(); out != "/etc/ssl\n/new\n/srv/file\n" {
			t.Errorf("with a new directory: %q", out)
		}
		m.make("/disk/below/underneath", "")
		m.make("/disk/other/mounted", "")
		must(m, unix.Mount("/disk/other", "/disk/below", "", unix.MS_BIND, ""))
		if out := show(); out != "/disk/below/mounted\n/etc/ssl\n/new\n/srv/file\n" {
			t.Errorf("with a new mount: %q", out)
		}
		must(m, unix.Unmount("/disk/below", unix.MNT_DETACH))
		must(m, os.Remove("/new"))
		if out := show(); out != "/disk/below/underneath\n/etc/ssl\n/srv/file\n" {
			t.Errorf("without either: %q", out)
		}
		must(m, os.RemoveAll("/etc/ssl"))
		if out := show(); out != "/disk/below/underneath\n/srv/file\n" {
			t.Errorf("without a directory that something was hidden in: %q", out)
		}
	})
}

// A directory with mounts below it can be written to like any other, and none of it reaches the host.
func TestHostIsWritableAroundMounts(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		m.mount("/disk", "/srv/a/disk", "")
		m.mount("none", "/srv/a/ram", "tmpfs")
		m.make("/srv/a/b/file", "")
		m.make("/disk/file", "")
		dirs := "/srv /srv/a /srv/a/b /srv/a/disk /etc"
		m.sees("for d in " + dirs + "; do echo written > $d/new && mkdir $d/dir && mv $d/new $d/dir && cat $d/dir/new || exit; done; rm /srv/a/disk/file")
		for _, d := range strings.Fields(dirs + " /disk") {
			if _, err := os.Lstat(d + "/dir"); err == nil {
				t.Errorf("%s has it on the host", d)
			}
		}
	})
}

// ReadOnly is for all of it, and not for what the caller mounts over a part of it.
func TestHostReadOnly(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		m.mount("/disk", "/srv/a/disk", "")
		m.make("/srv/a/b/file", "")
		must(m, os.Mkdir("/tmp/volume", 0o755))
		c := m.command("sh", "-c", "for d in / /srv /srv/a /srv/a/b /srv/a/disk /etc /opt /usr /var /var/lib; do touch $d/new 2>/dev/null && echo $d; done; true")
		c.ReadOnly = true
		c.Mounts = []caisson.Mount{{Source: "/tmp/volume", Target: "/opt"}, {Source: "/tmp/volume", Target: "/var/lib/made/for/it"}}
		out, err := c.CombinedOutput(m.Context())
		if string(out) != "/opt\n" || err != nil {
			t.Errorf("can be written to: %q, %v", out, err)
		}
	})
}

// What cannot be shown is left out, and is no reason not to start: here mounts that lie too deep for overlay's options.
func TestHostLeavesOut(t *testing.T) {
	onMachine(t, func(m *machine) {
		m.onDisk()
		m.make("/disk/file", "on disk\n")
		deep := "/srv" + strings.Repeat("/"+strings.Repeat("d", 250), 15) + "/" + strings.Repeat("d", 245)
		m.mount("/disk", deep+"/disk", "")
		m.mount("/disk", "/srv/shown", "")
		m.mount("none", deep+"/ram", "tmpfs")
		if out := m.sees("cat /srv/shown/file; cat " + deep + "/disk/file 2>/dev/null; true"); out != "on disk\n" {
			t.Errorf("%q", out)
		}
	})
}
