package caisson_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

// CVE-2021-41091, CVE-2021-41103, CVE-2024-25621: users of the host reach what containers store, and run its setuid
// files. Passes when everything below the state directory is closed to group and others at its first directory, also
// if the state directory itself is open to all, and another user can neither look nor execute there.
func TestAttackT29StateDirectoryIsClosed(t *testing.T) {
	attack(t, func(t *assault) {
		for _, made := range []bool{false, true} {
			base, err := os.MkdirTemp("", "caisson-attack-state-")
			must(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(base) })
			must(t, os.Chmod(base, 0o755))
			state := filepath.Join(base, "state")
			if made {
				must(t, os.Mkdir(state, 0o755))
				must(t, os.Chmod(state, 0o777))
			}
			t.engine = &caisson.Engine{Dir: state}
			must(t, attackCopy(testroot.Program(t), filepath.Join(base, "probe"), 0o755))
			b := t.command("hold").start()
			// The probe of the lower layer is copied up by the change, and stands in the writable layer.
			b.exec("mode", "/bin/probe", "6755", "--", "mode", "/", "777", "--", "mode", "/bin", "777")
			found := 0
			must(t, filepath.WalkDir(state, func(p string, d fs.DirEntry, err error) error {
				if err != nil || p == state {
					return nil // overlay's work/work is closed to all but its owner's capabilities
				}
				info, err := d.Info()
				if filepath.Dir(p) == state && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s is open to others: %v", p, info.Mode())
				}
				if info.Mode()&fs.ModeSetuid != 0 {
					found++
					t.otherUser(filepath.Join(base, "probe"), p)
				}
				return err
			}))
			if found == 0 {
				t.Error("there is no setuid file on disk: the test attacks nothing")
			}
			must(t, b.Close())
		}
	})
}

// otherUser tries to look at a file of the state directory, and to execute it, as somebody else.
func (t *assault) otherUser(probe, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryUser, Gid: ordinaryUser}}
	for _, args := range [][]string{{"stat", file}, {"open", "r", file}, {"run", file, "status"}} {
		cmd := exec.Command(probe, args...)
		cmd.SysProcAttr = as
		out, _ := cmd.CombinedOutput()
		if !strings.HasSuffix(strings.TrimSpace(string(out)), "EACCES") {
			t.Errorf("another user of the host: %q: %s", args, out)
		}
	}
}

// setuidEnv names a root filesystem, for the user of the last test, that has a setuid file of the host's root.
const setuidEnv = "CAISSON_ATTACK_SETUID"

// setuidRoot makes one below dir.
func setuidRoot(t *testing.T, dir string) string {
	t.Helper()
	r := testroot.New(t)
	r.Copy(testroot.Program(t), "suid", 0o755)
	to := filepath.Join(dir, "setuid-root")
	must(t, os.CopyFS(to, os.DirFS(r.Dir)))
	must(t, filepath.WalkDir(to, func(p string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(p, ordinaryUser, ordinaryUser)
		}
		return err
	}))
	must(t, os.Chown(to+"/suid", 0, 0))
	must(t, os.Chmod(to+"/suid", 0o4755))
	return to
}

// CVE-2023-0386, CVE-2023-2640: a setuid file of the host's root in a lower layer is copied up by what a container in a
// user namespace does to it, and is then the host's root's in the writable layer. Passes when no setuid file of root's
// is in the state directory, or appears in a volume, and the file gives the container nothing.
func TestAttackT33SetuidCopyUp(t *testing.T) {
	attack(t, func(t *assault) {
		lower := os.Getenv(setuidEnv)
		if os.Geteuid() == 0 {
			lower = setuidRoot(t.T, t.TempDir())
			must(t, os.Chown(lower+"/suid", 0, 0))
		}
		if lower == "" {
			testneed.Root(t) // only root can make such a file; the last test gives one to a user
		}
		vol := t.TempDir()
		b := t.commandIn(lower, "hold").with(func(c *caisson.Container) {
			c.Mounts = []caisson.Mount{{Source: vol, Target: "/vol"}, {Source: lower, Target: "/lower"}}
			c.Security.AddCapabilities = []string{"SYS_ADMIN", "DAC_READ_SEARCH", "SETFCAP"}
			c.Security.NewPrivileges = true
		}).start()
		before, err := testroot.Snapshot(lower)
		must(t, err)
		out := b.exec("touch-suid", "/suid")
		if t.privileged() {
			return // here the container's root is the host's; that others cannot reach what it makes is T29
		}
		p := b.Exec("/suid", "status")
		_ = p.Run(t.Context())
		after, err := testroot.Snapshot(lower)
		must(t, err)
		for _, d := range testroot.Differences(before, after) {
			t.Errorf("the lower layer differs: %s", d)
		}
		for _, dir := range []string{t.engine.Dir, vol} {
			must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return nil // overlay's work/work is closed to all but its owner's capabilities
				}
				info, err := d.Info()
				if err != nil {
					return err
				}
				if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 && os.Geteuid() != 0 && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
					t.Errorf("%s is a setuid file of the host's root (%s)", p, out)
				}
				return nil
			}))
		}
	})
}

// CVE-2021-21284, CVE-2021-41089: the container's root gives away files of the host. Passes when, in a user namespace,
// only ids that it maps appear on disk, in a volume and in the writable layer; and when in no case anything outside of
// the volume changes, nor a volume that is read-only.
func TestAttackT34Chown(t *testing.T) {
	attack(t, func(t *assault) {
		canary := testroot.NewCanary(t)
		base := t.TempDir()
		vol, closed := base+"/vol", base+"/closed"
		for _, dir := range []string{vol, closed} {
			must(t, os.MkdirAll(dir+"/d", 0o755))
			must(t, os.WriteFile(dir+"/d/f", nil, 0o644))
			must(t, os.Symlink(canary.Dir, dir+"/out"))
			must(t, os.Symlink("..", dir+"/up"))
		}
		must(t, os.WriteFile(base+"/beside", nil, 0o644))
		before, err := testroot.Snapshot(closed)
		must(t, err)
		b := t.command("hold").with(func(c *caisson.Container) {
			c.Mounts = []caisson.Mount{{Source: vol, Target: "/vol"}, {Source: closed, Target: "/closed", ReadOnly: true}}
			c.Security.AddCapabilities = []string{"DAC_READ_SEARCH", "SYS_PTRACE"}
		}).start()
		ids := []string{"0", "1", "1000", "65534", "65536", "99999", "2147483648", "4294967294"}
		for _, dir := range []string{"/vol/..", "/vol/up/..", "/vol/out/..", "/closed"} {
			b.exec(append([]string{"chown", dir}, ids[:4]...)...)
		}
		for _, dir := range []string{"/vol", "/etc", "/tmp"} {
			for _, id := range ids {
				b.exec("chown", dir, id)
				t.onlyMapped(b, vol, t.engine.Dir)
			}
			b.exec("chown", dir, "0")
		}
		after, err := testroot.Snapshot(closed)
		must(t, err)
		for _, d := range testroot.Differences(before, after) {
			t.Errorf("the read-only volume differs: %s", d)
		}
		if info, err := os.Stat(base + "/beside"); err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
			t.Errorf("a file beside the volume was given away: %v", err)
		}
	})
}

// onlyMapped wants the owners of all files on disk to be in the container's map.
func (t *assault) onlyMapped(b *victim, dirs ...string) {
	t.Helper()
	if t.privileged() {
		return
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/uid_map", b.Pid()))
	must(t, err)
	mapped := func(id uint32) bool {
		for line := range strings.Lines(string(maps)) {
			var inside, outside, n uint64
			_, _ = fmt.Sscan(line, &inside, &outside, &n)
			if uint64(id) >= outside && uint64(id) < outside+n {
				return true
			}
		}
		return false
	}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := d.Info(); err == nil && !mapped(info.Sys().(*syscall.Stat_t).Uid) {
				t.Errorf("%s belongs to %d, which is not mapped", p, info.Sys().(*syscall.Stat_t).Uid)
			}
			return nil
		})
	}
}
