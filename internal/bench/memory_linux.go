package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	ours, weight := w.beside(pids)
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

// beside counts and weighs the children of the worker that are not the containers' programs.
func (w *worker) beside(containers []int64) (count int, pss int64) {
	for _, pid := range children(w.cmd.Process.Pid) {
		if slices.Contains(containers, int64(pid)) {
			continue
		}
		if n, err := proportional(pid); err == nil { // it may have ended meanwhile
			count++
			pss += n
		}
	}
	return count, pss
}
