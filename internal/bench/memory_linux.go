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

// memory measures what a live container costs the program that holds it, and what processes of ours there are beside.
func (b *bench) memory() (err error) {
	w, err := b.newWorker(0, !b.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if _, err := w.ask("start", 20); err != nil { // what is made once is not a container's
		return err
	}
	const live = 200
	before, err := w.weigh()
	if err != nil {
		return err
	}
	pids, err := w.ask("hold", live)
	if err != nil {
		return err
	}
	after, err := w.weigh()
	if err != nil {
		return err
	}
	ours, weight, err := w.beside(pids)
	if err != nil {
		return err
	}
	if _, err := w.ask("drop"); err != nil {
		return err
	}
	per := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/live/1024) }
	table(fmt.Sprintf("memory of the program that holds %d live containers", live), [][]string{
		{"KiB", "for each container"},
		{"resident (PSS), grown by", per(after.pss - before.pss)},
		{"of it Go heap, after a collection", per(after.heap - before.heap)},
		{"of it Go stacks", per(after.stacks - before.stacks)},
		{"descriptors", fmt.Sprintf("%.1f (a number)", float64(after.files-before.files)/live)},
		{"processes of ours beside the containers' own", fmt.Sprintf("%d (a number, for all)", ours)},
		{"resident (PSS) of those", fmt.Sprintf("%.1f (for all)", float64(weight)/1024)},
	})
	return nil
}

type weight struct{ pss, heap, stacks, files int64 }

// weigh collects garbage first.
func (w *worker) weigh() (weight, error) {
	n, err := w.ask("heap")
	if err != nil {
		return weight{}, err
	}
	pss, err := proportional(w.cmd.Process.Pid)
	if err != nil {
		return weight{}, err
	}
	files, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(w.cmd.Process.Pid), "fd"))
	return weight{pss, n[0], n[1], int64(len(files))}, err
}

// proportional is the resident memory of a process, of what is shared its part; proc(5), smaps_rollup.
func proportional(pid int) (int64, error) {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Pss:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.Join(lines.Err(), errors.New("smaps_rollup: no line Pss"))
}

// beside counts and weighs the children of the worker that are not the containers' programs.
func (w *worker) beside(containers []int64) (count int, pss int64, err error) {
	known := map[int]bool{}
	for _, pid := range containers {
		known[int(pid)] = true
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || known[pid] || !w.ours(pid) {
			continue
		}
		n, err := proportional(pid)
		if err == nil {
			count++
			pss += n
		}
	}
	return count, pss, nil
}

// ours tells whether a process is a child of the worker.
func (w *worker) ours(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// Behind the name, which may hold anything: state and parent; proc(5).
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	f := strings.Fields(rest)
	return len(f) > 1 && f[1] == strconv.Itoa(w.cmd.Process.Pid)
}
