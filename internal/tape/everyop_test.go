package tape

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/sys"
)

var update = flag.Bool("update", false, "write the golden files")

// everyOp holds, for each method that adds an operation, calls of it with arguments that say something.
var everyOp = map[string]func(t *Tape){
	"If":             func(t *Tape) { t.If(t.Slot("n"), Int(-2), t.Label("equal"), t.Label("other")) },
	"Goto":           func(t *Tape) { t.Goto(t.Label("there")) },
	"Openat":         func(t *Tape) { t.Openat(Cwd, "/etc/hostname", sys.O_RDONLY|sys.O_CLOEXEC, 0).To(t.Slot("fd")) },
	"Openat2":        func(t *Tape) { t.Openat2(Int(3), "a/b", sys.O_PATH|sys.O_DIRECTORY, 0, sys.RESOLVE_IN_ROOT) },
	"Close":          func(t *Tape) { t.Close(Int(7)) },
	"CloseRange":     func(t *Tape) { t.CloseRange(3, 1<<32-1, sys.CLOSE_RANGE_CLOEXEC) },
	"Read":           func(t *Tape) { t.Read(Int(3), t.Zero(16)).To(t.Slot("n")).Allow(sys.EINTR) },
	"Write":          func(t *Tape) { t.Write(Int(1), "two\nlines") },
	"WriteMem":       func(t *Tape) { t.WriteMem(Int(1), FailureRecord, FailureSize) },
	"Dup3":           func(t *Tape) { t.Dup3(Int(5), Int(64), sys.O_CLOEXEC) },
	"Fcntl":          func(t *Tape) { t.Fcntl(Int(5), sys.F_SETFD, Int(sys.FD_CLOEXEC)) },
	"Ioctl":          func(t *Tape) { t.Ioctl(Int(0), sys.TIOCSCTTY, Int(0)) },
	"Mkdirat":        func(t *Tape) { t.Mkdirat(Cwd, "/dev/pts", 0o755).Allow(sys.EEXIST) },
	"Mknodat":        func(t *Tape) { t.Mknodat(Cwd, "/dev/null", sys.S_IFCHR|0o666, sys.Makedev(1, 3)) },
	"Symlinkat":      func(t *Tape) { t.Symlinkat("/proc/self/fd", Cwd, "/dev/fd") },
	"Unlinkat":       func(t *Tape) { t.Unlinkat(Cwd, "d", sys.AT_REMOVEDIR).Ignore() },
	"Fchmodat":       func(t *Tape) { t.Fchmodat(Cwd, "f", 0o4755) },
	"Fchmodat2":      func(t *Tape) { t.Fchmodat2(Cwd, "f", 0o644, sys.AT_SYMLINK_NOFOLLOW) },
	"Fchmod":         func(t *Tape) { t.Fchmod(Int(3), 0o700) },
	"Fchownat":       func(t *Tape) { t.Fchownat(Cwd, "f", 1000, 1000, sys.AT_SYMLINK_NOFOLLOW) },
	"Getdents64":     func(t *Tape) { t.Getdents64(Int(3), t.Zero(64)) },
	"Renameat2":      func(t *Tape) { t.Renameat2(Int(3), "old", Int(4), "new", 0) },
	"Mount":          func(t *Tape) { t.Mount("", "/", "", sys.MS_REC|sys.MS_PRIVATE, "") },
	"Umount2":        func(t *Tape) { t.Umount2(".", sys.MNT_DETACH) },
	"PivotRoot":      func(t *Tape) { t.PivotRoot(".", ".") },
	"Chroot":         func(t *Tape) { t.Chroot(".") },
	"Chdir":          func(t *Tape) { t.Chdir("/") },
	"Fchdir":         func(t *Tape) { t.Fchdir(Int(9)) },
	"Fsopen":         func(t *Tape) { t.Fsopen("tmpfs").To(t.Slot("tmpfs")) },
	"FsconfigString": func(t *Tape) { t.FsconfigString(Int(3), "mode", "0755") },
	"FsconfigFlag":   func(t *Tape) { t.FsconfigFlag(Int(3), "ro") },
	"FsconfigFD":     func(t *Tape) { t.FsconfigFD(Int(3), "lowerdir+", Int(4)) },
	"FsconfigCreate": func(t *Tape) { t.FsconfigCreate(Int(3)) },
	"Fsmount":        func(t *Tape) { t.Fsmount(Int(3), sys.MOUNT_ATTR_NOSUID|sys.MOUNT_ATTR_NODEV).To(t.Slot("mount")) },
	"OpenTree":       func(t *Tape) { t.OpenTree(Cwd, "/srv", sys.OPEN_TREE_CLONE|sys.AT_RECURSIVE) },
	"MoveMount":      func(t *Tape) { t.MoveMount(Int(5), Cwd, "/proc", 0) },
	"MountSetattr": func(t *Tape) {
		t.MountSetattr(Int(5), "", sys.AT_EMPTY_PATH, sys.MOUNT_ATTR_RDONLY, sys.MOUNT_ATTR_NOEXEC, sys.MS_PRIVATE, Int(0))
	},
	"Unshare": func(t *Tape) { t.Unshare(sys.CLONE_NEWUSER | sys.CLONE_NEWNS) },
	"Setns":   func(t *Tape) { t.Setns(Int(3), sys.CLONE_NEWNET) },
	"Clone":   func(t *Tape) { t.Clone(sys.CLONE_NEWPID, sys.SIGCHLD).To(t.Slot("pid")) },
	"Clone3":  func(t *Tape) { t.Clone3(sys.CLONE_NEWPID|sys.CLONE_PARENT, sys.SIGCHLD, Int(0)).To(t.Slot("pid")) },
	"Execve": func(t *Tape) {
		t.Execve("/bin/sh", t.Strings([]string{"sh", "-c", "exit 3"}), t.Strings([]string{"PATH=/bin"}))
		t.Execve("/bin/many", t.Strings(strings.Split("a b c d e f g h i j", " ")), t.Strings(nil))
	},
	"ExitGroup":       func(t *Tape) { t.ExitGroup(Int(127)) },
	"Wait4":           func(t *Tape) { t.Wait4(Int(-1), t.Zero(8), sys.WNOHANG|sys.WALL) },
	"Kill":            func(t *Tape) { t.Kill(t.Slot("child"), Int(sys.SIGKILL)).Ignore() },
	"Prctl":           func(t *Tape) { t.Prctl(sys.PR_SET_NO_NEW_PRIVS, Int(1), Int(0), Int(0), Int(0)) },
	"Prlimit64":       func(t *Tape) { t.Prlimit64(sys.RLIMIT_NOFILE, 1024, 1<<20) },
	"Capset":          func(t *Tape) { t.Capset(1<<21|1, 1<<40|1, 0) },
	"Setgroups":       func(t *Tape) { t.Setgroups([]uint32{1, 1000}) },
	"Setresgid":       func(t *Tape) { t.Setresgid(1000) },
	"Setresuid":       func(t *Tape) { t.Setresuid(1000) },
	"Setsid":          func(t *Tape) { t.Setsid().Note("leaves the terminal") },
	"Sethostname":     func(t *Tape) { t.Sethostname("box") },
	"Umask":           func(t *Tape) { t.Umask(0o22) },
	"Socket":          func(t *Tape) { t.Socket(sys.AF_INET, sys.SOCK_STREAM|sys.SOCK_CLOEXEC, 0) },
	"SendFD":          func(t *Tape) { t.SendFD(Int(3), "x", t.Slot("fd")) },
	"Move":            func(t *Tape) { t.Move(Int(3), t.Slot("copy")) },
	"RecvFD":          func(t *Tape) { t.RecvFD(Int(3)) },
	"SendRights":      func(t *Tape) { t.SendRights(Int(3), "x", t.Rights()) },
	"Ppoll":           func(t *Tape) { t.Ppoll(3, Null).Allow(sys.EINTR) },
	"PpollAny":        func(t *Tape) { t.PpollAny(Null, 0, 2).Allow(sys.EINTR) },
	"BlockSignals":    func(t *Tape) { t.BlockSignals(sys.SIG_SETMASK, 1<<14) },
	"Sigwait":         func(t *Tape) { t.Sigwait(1 << 16).To(t.Slot("signal")) },
	"Mmap":            func(t *Tape) { t.Mmap(ArenaAddr, 1<<16, Int(3)) },
	"PidfdSendSignal": func(t *Tape) { t.PidfdSendSignal(Int(3), sys.SIGTERM) },
	"PidfdOpen":       func(t *Tape) { t.PidfdOpen(Int(1)) },
	"Statx":           func(t *Tape) { t.Statx(Int(3), "f", sys.AT_SYMLINK_NOFOLLOW, 0x7ff, t.Zero(256)) },
	"Readlinkat":      func(t *Tape) { t.Readlinkat(Int(3), "link", t.Zero(64)) },
	"Fsetxattr":       func(t *Tape) { t.Fsetxattr(Int(3), "user.a", "b\x00c") },
	"Flistxattr":      func(t *Tape) { t.Flistxattr(Int(3), t.Zero(64)) },
	"Fgetxattr":       func(t *Tape) { t.Fgetxattr(Int(3), "user.x", t.Zero(64)) },
	"ReadMem":         func(t *Tape) { t.ReadMem(Int(0), t.Zero(8).Addr(), 8) },
	"Fchown":          func(t *Tape) { t.Fchown(Int(3), 1000, 4294967294) },
	"Utimensat": func(t *Tape) {
		t.Utimensat(Int(3), "f", 1, 2, sys.AT_SYMLINK_NOFOLLOW)
		t.Utimensat(Int(3), "", 1, 2, 0)
	},
	"Linkat":    func(t *Tape) { t.Linkat(Int(3), "old", Int(4), "new", 0) },
	"PwriteMem": func(t *Tape) { t.PwriteMem(Int(3), t.Zero(8).Addr(), 8, 1<<32) },
	"Ftruncate": func(t *Tape) { t.Ftruncate(Int(3), 1<<32) },
	"LandlockCreateRuleset": func(t *Tape) {
		t.LandlockCreateRuleset(0x1fff, 0, 0)
		t.LandlockCreateRuleset(0xffff, 3, 0)
		t.LandlockCreateRuleset(0xffff, 3, 3).To(t.Slot("rules"))
	},
	"LandlockAddPath":      func(t *Tape) { t.LandlockAddPath(t.Slot("rules"), 0x2, 3) },
	"LandlockRestrictSelf": func(t *Tape) { t.LandlockRestrictSelf(t.Slot("rules")) },
	"ClockGettime":         func(t *Tape) { t.ClockGettime(sys.CLOCK_MONOTONIC, t.Zero(16).Addr()) },
	"Fstatfs":              func(t *Tape) { t.Fstatfs(Int(3), t.Zero(120)) },
}

// adders are the methods of a tape that add an operation.
func adders() []string {
	var names []string
	for m := range reflect.TypeFor[*Tape]().Methods() {
		if m.Name != "UmaskTo" && m.Type.NumOut() > 0 && m.Type.Out(0) == reflect.TypeFor[Op]() {
			names = append(names, m.Name)
		}
	}
	slices.Sort(names)
	return names
}

func everyOpTape(t *testing.T) *Tape {
	t.Helper()
	tp := New()
	fail := tp.Label("fail")
	tp.OnError(fail)
	for _, name := range adders() {
		add := everyOp[name]
		if add == nil {
			t.Errorf("no golden call of %s: add one to everyOp", name)
			continue
		}
		before := tp.Len()
		add(tp)
		if tp.Len() == before {
			t.Errorf("%s has added nothing", name)
		}
	}
	for i := range tp.labels {
		if tp.labels[i].at < 0 && tp.labels[i].name != "fail" {
			tp.Mark(Label(i))
		}
	}
	tp.Mark(fail)
	tp.ExitGroup(Int(1))
	return tp
}

func TestEveryOperationIsPrinted(t *testing.T) {
	tp := everyOpTape(t)
	if len(everyOp) != len(adders()) {
		t.Errorf("%d calls for %d methods", len(everyOp), len(adders()))
	}
	golden(t, "everyop.golden", tp.String())
	for _, a := range []Arch{AMD64, ARM64} {
		if err := tp.CheckImage(a); err != nil {
			t.Error(a, err)
		}
	}
}

// A printed tape is what people debug with: a slot without a name, a branch, an error without a name.
func TestBranchesArePrinted(t *testing.T) {
	tp := New()
	fail, end := tp.Label("fail"), tp.Label("end")
	tp.OnError(fail)
	loop := tp.Here("loop")
	n := tp.Slot("")
	buf := tp.Zero(16)
	tp.Read(Int(0), buf).To(n).Allow(sys.ENOSYS)
	tp.If(n, Int(0), end, loop)
	tp.If(buf.Field(8), Int(1), end, loop)
	tp.Close(Int(3)).Allow(sys.EBUSY).Else(end).Then(loop).Note("why")
	tp.Close(n).Ignore()
	tp.OnError(noLabel)
	tp.Wait4(Int(-1), buf, 0).To(buf.Field(8))
	tp.Goto(tp.Far("arena", ArenaAddr))
	tp.Mark(fail)
	tp.Mark(end)
	tp.ExitGroup(buf.Field(8))
	golden(t, "branches.golden", tp.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if it is meant to, -update writes it:\n%s", name, diff(string(want), got))
	}
}

// diff shows the lines that differ.
func diff(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		var x, y string
		if i < len(w) {
			x = w[i]
		}
		if i < len(g) {
			y = g[i]
		}
		if x != y {
			fmt.Fprintf(&b, "- %s\n+ %s\n", x, y)
		}
	}
	return b.String()
}

// What an errno without a name means differs between systems; its number does not.
func TestErrnoWithoutName(t *testing.T) {
	tp := New()
	tp.Setsid().Allow(99)
	if s := tp.FormatOp(0); !strings.HasPrefix(s, "setsid() or errno 99 (") {
		t.Error(s)
	}
}

// Every call that a method makes is in the table under its name, with both numbers and with a letter for
// each argument.
func TestCallTable(t *testing.T) {
	used := map[Call]int{}
	tp := everyOpTape(t)
	for _, o := range tp.ops {
		used[o.call] = max(used[o.call], int(o.nargs))
	}
	seen := map[string]Call{}
	numbers := map[Arch]map[int32]string{AMD64: {}, ARM64: {}}
	for c := range numCalls {
		name := c.String()
		if name == "" {
			t.Errorf("call %d has no name", c)
			continue
		}
		if other, ok := seen[name]; ok {
			t.Errorf("calls %d and %d are both %s", other, c, name)
		}
		seen[name] = c
		if n, ok := used[c]; ok && n != len(calls[c].params) {
			t.Errorf("%s is called with %d arguments and printed with %d letters", name, n, len(calls[c].params))
		}
		for i, kind := range []byte(calls[c].params) {
			if !strings.ContainsRune("fimswxpagoVDO", rune(kind)) && flagSets[kind] == nil && valueSets[kind] == nil {
				t.Errorf("%s: argument %d has the unknown letter %c", name, i, kind)
			}
		}
		if c == compare {
			continue
		}
		for a, have := range numbers {
			n := c.number(a)
			if other := have[n]; n < 0 || other != "" || n == 0 && !(a == AMD64 && c == read) {
				t.Errorf("%s on %s has number %d; another with it: %q", name, a, n, other)
			}
			have[n] = name
		}
	}
}
