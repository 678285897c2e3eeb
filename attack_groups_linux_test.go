package caisson_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// CVE-2022-36109 from the other side: the groups of the host program itself, which sudo and service managers leave to
// root. Passes when no program of a container has them, the first one or one executed later, with a user namespace of
// one id or without. An ordinary user may not give them up; SECURITY.md, "One id keeps the user's groups".
func TestAttackT14GroupsOfTheHostProgram(t *testing.T) {
	testneed.Root(t)
	own, err := syscall.Getgroups()
	must(t, err)
	must(t, syscall.Setgroups([]int{10, 20}))
	t.Cleanup(func() { must(t, syscall.Setgroups(own)) })
	attack(t, func(t *assault) {
		b := t.command("hold").start()
		for what, out := range map[string]string{
			"first":    t.command("status").output(),
			"init":     t.command("status").with(func(c *caisson.Container) { c.Init = true }).output(),
			"executed": b.exec("status"),
		} {
			_, rest, _ := strings.Cut(out, "Groups:\t")
			groups, _, _ := strings.Cut(rest, "\n")
			if want := map[bool]string{true: "0", false: ""}[t.privileged()]; strings.TrimSpace(groups) != want {
				t.Errorf("%s: groups %q, want %q", what, groups, want)
			}
		}
	})
}
