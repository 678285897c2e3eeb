package main

import (
	"context"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/caisson-go/caisson"
)

// view is what can be seen of a running container from outside.
type view struct {
	namespaces []namespace
	status     map[string]string // /proc/PID/status; proc_pid_status(5)
	uidMap     string            // /proc/PID/uid_map; user_namespaces(7)
}

type namespace struct{ kind, of, outside, inside string }

var kinds = []struct {
	kind caisson.NamespaceKind
	of   string
}{
	{caisson.MountNamespace, "mount points"},
	{caisson.PIDNamespace, "process ids"},
	{caisson.NetNamespace, "network devices, ports"},
	{caisson.IPCNamespace, "shared memory, message queues"},
	{caisson.UTSNamespace, "host name"},
	{caisson.CgroupNamespace, "root of the cgroups"},
	{caisson.UserNamespace, "user ids, capabilities"},
	{caisson.TimeNamespace, "clocks"},
}

// outside is this program's own namespaces, for comparison.
func outside() *view {
	v := &view{status: map[string]string{}}
	for _, k := range kinds {
		n := namespace{kind: string(k.kind), of: k.of}
		if own, err := caisson.OpenNamespace("/proc/self/ns/" + n.kind); err == nil {
			n.outside = number(own)
			_ = own.Close()
		}
		v.namespaces = append(v.namespaces, n)
	}
	return v
}

// look looks while the program runs. One that is very short may have ended: then what was not seen is empty.
func (v *view) look(c *caisson.Container) {
	for i, k := range kinds {
		if its, err := c.Namespace(k.kind); err == nil {
			v.namespaces[i].inside = number(its)
			_ = its.Close()
		}
	}
	proc := "/proc/" + strconv.Itoa(c.Pid())
	if b, err := os.ReadFile(proc + "/uid_map"); err == nil {
		v.uidMap = string(b)
	}
	if b, err := os.ReadFile(proc + "/status"); err == nil {
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(line, ":")
			v.status[key] = strings.TrimSpace(value)
		}
	}
}

func (v *view) print() {
	uid, _, _ := strings.Cut(v.status["Uid"], "\t")
	if v.namespaces[0].inside == "" || v.uidMap == "" || uid == "" { // what an ending process leaves first
		fmt.Println("\nThe program ended before its namespaces could be looked at; a longer one shows them.")
		return
	}
	fmt.Printf("\n%-39s %-11s %s\n", "Namespaces", "outside", "inside")
	for _, n := range v.namespaces {
		verdict := "new"
		if n.inside == n.outside {
			verdict = "this machine's"
		}
		fmt.Printf("  %-6s %-30s %-11s %-11s %s\n", n.kind, n.of, n.outside, n.inside, verdict)
	}
	fmt.Println("\nWho it was")
	fmt.Printf("  user    %s outside, %s inside\n", uid, v.inside(uid))
	fmt.Printf("  rights  %d capabilities of %d, and no_new_privs is %s\n", count(v.status["CapEff"]), count(allCaps()), v.status["NoNewPrivs"])
}

// inside is a user id as the container sees it. Each line of the map has the first id inside, the first outside, and
// how many there are.
func (v *view) inside(outside string) string {
	id, _ := strconv.ParseUint(outside, 10, 32)
	for line := range strings.Lines(v.uidMap) {
		var in, out, n uint64
		if _, err := fmt.Sscan(line, &in, &out, &n); err == nil && id >= out && id-out < n {
			return strconv.FormatUint(id-out+in, 10)
		}
	}
	return "nobody"
}

// number is the inode number in a name such as net:[4026532281]: equal for equal namespaces.
func number(n *caisson.Namespace) string {
	_, s, _ := strings.Cut(n.String(), "[")
	return strings.TrimSuffix(s, "]")
}

func count(mask string) int {
	n, _ := strconv.ParseUint(mask, 16, 64)
	return bits.OnesCount64(n)
}

// allCaps is the mask of every capability that the kernel has.
func allCaps() string {
	b, _ := os.ReadFile("/proc/sys/kernel/cap_last_cap") // capabilities(7)
	last, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return strconv.FormatUint(1<<(last+1)-1, 16)
}

// printHidden lists what of this machine's files the container does not see.
func printHidden(ctx context.Context) {
	support, err := caisson.Probe(ctx)
	if err != nil {
		return
	}
	var empty []string
	for _, e := range support.HostRoot {
		if e.Kind == "empty" {
			empty = append(empty, "/"+e.Name)
		}
	}
	fmt.Println("\nWhat it did not see of this machine's files")
	fmt.Printf("  empty      %s\n", strings.Join(empty, " "))
	fmt.Printf("  not there  %s\n", wrap(slices.DeleteFunc(support.HostHidden, func(path string) bool {
		return slices.Contains(empty, path)
	})))
	fmt.Println("  What it wrote is gone with it.")
}

// wrap breaks a list of words into indented lines.
func wrap(words []string) string {
	const indent, width = "\n             ", 100
	var b strings.Builder
	column := 0
	for _, w := range words {
		if column+len(w) > width {
			b.WriteString(indent)
			column = 0
		} else if column > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		column += len(w) + 1
	}
	return b.String()
}
