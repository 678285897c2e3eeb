package caisson_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
)

// CVE-2022-0492 and its kind: a program makes a user namespace, in which it may mount, and a cgroup namespace, which
// makes the control groups its own to mount. Kernel-wise it is still root of the host, or the user, to whom the files
// belong. Passes when neither version can be mounted, by the first program and by one executed later, and a new cgroup
// namespace cannot be had in any way. What needs no cgroup namespace must work as ever.
func TestAttackT20CgroupNamespaces(t *testing.T) {
	attack(t, func(t *assault) {
		b := t.command("hold").with(func(c *caisson.Container) { c.Init = true }).start()
		for what, out := range map[string]string{
			"first":    t.command("cgroups").output(),
			"init":     t.command("cgroups").with(func(c *caisson.Container) { c.Init = true }).output(),
			"executed": b.exec("cgroups"),
		} {
			t.has(what, out, "clone3 ENOSYS\n", "setns cgroup EPERM\n", "setns any EPERM\n", "setns net EBADF\n",
				"no started ok\n", "clone started EPERM\n", "unshare EPERM\n", "unshare started ok\n")
			mounts := 0
			for line := range strings.Lines(out) {
				if strings.Contains(line, " mount ") {
					mounts++
					if strings.HasSuffix(line, " ok\n") {
						t.Errorf("%s: %s", what, line)
					}
				}
			}
			if mounts != 9 { // three of its own, and of two namespaces
				t.Errorf("%s: %d mounts were tried:\n%s", what, mounts, out)
			}
		}
	})
}

// CVE-2023-25809, CVE-2025-47291: a program whose control groups are writable to it. It has CAP_SYS_ADMIN in a user
// namespace, so it may mount them, and as the host's root it may write to them. Passes when it finds limits there, and its
// own are what they were: they lie above all that it can mount. Version 2 refuses the writing too (EPERM) where it is
// mounted with nsdelegate, as systemd does it.
func TestAttackT21LimitsLieAboveWhatIsWritable(t *testing.T) {
	l := caisson.Limits{Memory: 64 << 20, Processes: 50}
	limits(t, l)
	attack(t, func(t *assault) {
		if t.privileged() {
			return // without a user namespace the capability is the host's
		}
		said := t.command("cgroups", "lift", "--", "hold").with(func(c *caisson.Container) {
			c.Limits, c.Security.AddCapabilities = l, []string{"SYS_ADMIN"}
		})
		lines := said.lines()
		var found, out []string
		for line := lines(); line != "up" && line != ""; line = lines() {
			out = append(out, line)
			if strings.Contains(line, " lift ") && !strings.HasSuffix(line, " ENOENT") {
				found = append(found, line)
			}
		}
		if !slices.Contains(out, "own mount unified ok") || len(found) == 0 {
			t.Errorf("control: it got at nothing, so this run proves nothing:\n%s", strings.Join(out, "\n"))
		}
		group, err := caisson.OpenCgroup("caisson/" + said.ID())
		must(t, err)
		for controller, files := range map[string][]string{
			"memory": {"memory.max", "memory.limit_in_bytes"}, "pids": {"pids.max"},
		} {
			now := ""
			for _, name := range files {
				b, _ := os.ReadFile(filepath.Join(group.Path(controller), name))
				now += strings.TrimSpace(string(b))
			}
			if want := map[string]string{"memory": "67108864", "pids": "50"}[controller]; now != want {
				t.Errorf("%s is limited to %q, want %s; it tried %q", controller, now, want, found)
			}
		}
	})
}
