package caisson

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/caisson-go/caisson/internal/sys"
)

// The directory of a detached container names its first process, before that executes the program: by its number,
// when it was started, and in which run of the kernel, which together are never another's. If the supervisor is
// killed, the kernel kills the first process as well; but a program can switch that off (prctl(2),
// PR_SET_PDEATHSIG), and does so unawares when it changes its user. Then the next engine finds it by this.

const firstFile = "first"

// recordFirst writes down who the first process is.
func recordFirst(dir *os.File, pid int) error {
	identity := identityOfProcess(pid)
	if identity == "" {
		return nil // /proc is of another process namespace, or gone
	}
	_ = sys.Unlinkat(int(dir.Fd()), firstFile) // of a start that failed, and is tried again
	fd, err := sys.CreateExcl(int(dir.Fd()), firstFile)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), firstFile)
	_, err = fmt.Fprintf(f, "%d %s\n", pid, identity)
	return firstOf(err, f.Close())
}

// endFirst kills the process that the directory names, if it lives.
func endFirst(dir *os.File) error {
	fd, err := sys.Openat2(int(dir.Fd()), firstFile, sys.O_RDONLY|sys.O_NOFOLLOW|sys.O_CLOEXEC, 0, sys.RESOLVE_BENEATH)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), firstFile)
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return err
	}
	pid, identity := 0, ""
	if _, err := fmt.Sscanf(string(b), "%d %s\n", &pid, &identity); err != nil || pid <= 1 {
		return nil // its program was killed before it was written
	}
	is := func(pid int) bool { return identityOfProcess(pid) == identity }
	killIf(pid, is)
	if is(pid) {
		return &Error{"kill", itoa(pid), errSurvivors, ""}
	}
	return nil
}

// identityOfProcess tells a process from all others that ever have its number, or is "" for one that is dead.
func identityOfProcess(pid int) string {
	const state, threads, started = 3, 20, 22 // proc_pid_stat(5), counted from 1
	f := statOf(pid)
	if len(f) < started {
		return ""
	}
	// A zombie with more than one thread is a process whose first thread has ended.
	if n := f[threads-1]; (f[state-1] == "Z" || f[state-1] == "X") && (n == "0" || n == "1") {
		return ""
	}
	boot := sys.BootID()
	if boot == "" {
		return ""
	}
	return f[started-1] + "-" + boot
}

// statOf are the fields of a process's stat file; proc_pid_stat(5). The second is a name in parentheses, which
// may hold some itself, and spaces; it is left out.
func statOf(pid int) []string {
	b, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	end := bytes.LastIndexByte(b, ')')
	return append([]string{itoa(pid), ""}, strings.Fields(string(b[end+1:]))...)
}
