package store

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// lockers are the processes that took flock(2) on a file, from /proc/locks (proc_locks(5)). Processes that this one's
// pid namespace does not have are left out there, and who has inherited a lock is not told at all.
func lockers(f *os.File) []int {
	fi, err := f.Stat()
	if err != nil {
		return nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return nil
	}
	defer locks.Close()
	var pids []int
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF. The device is not compared: some file systems have another
		// number there than stat(2) tells, and a digest's inode number twice with a lock is no great risk.
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], fmt.Sprint(":", st.Ino)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscan(fields[4], &pid); err == nil && pid > 0 && !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
