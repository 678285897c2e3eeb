package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// proportional is the resident memory of a process, of what is shared its part, in bytes; proc(5), smaps_rollup.
func proportional(pid int) (int64, error) { return kilobytes(pid, "smaps_rollup", "Pss") }

// mostResident is the most memory that a process has ever had resident, in bytes; proc_pid_status(5), VmHWM.
func mostResident(pid int) (int64, error) { return kilobytes(pid, "status", "VmHWM") }

// kilobytes reads a line such as "VmHWM:  1234 kB" of a file of a process, and returns bytes.
func kilobytes(pid int, file, line string) (int64, error) {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), file))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), line+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("%s: no line %s", file, line))
}
