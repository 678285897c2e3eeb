package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// throughput is how many containers a second some starters make.
type throughput struct {
	name     string
	starters int
	run      func(each int) (time.Duration, error)
	rates    []float64
}

// parallel measures containers a second with 1, 2 and 8 starters: goroutines of one program, or processes of the floor.
func (b *bench) parallel() (err error) {
	w, err := b.newWorker(0, !b.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	var all []*throughput
	for _, n := range []int{1, 2, 8} {
		all = append(all, &throughput{name: "caisson", starters: n, run: func(each int) (time.Duration, error) {
			ns, err := w.ask("parallel", n, each)
			if err != nil {
				return 0, err
			}
			return time.Duration(ns[0]), nil
		}})
		if b.root && b.room.floor != "" {
			all = append(all, &throughput{name: "floor", starters: n, run: func(each int) (time.Duration, error) {
				return b.floorsAtOnce(n, each)
			}})
		}
	}
	order := slices.Clone(all)
	each := 80 // of all starters together
	for range max(b.rounds/4, 3) {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, t := range order {
			took, err := t.run(each / t.starters)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			t.rates = append(t.rates, float64(each)/took.Seconds())
		}
	}
	printRates(all)
	return nil
}

// floorsAtOnce runs some floors at once. Their programs' own start is in the time, once for each.
func (b *bench) floorsAtOnce(starters, each int) (time.Duration, error) {
	began := time.Now()
	var running []*exec.Cmd
	var errs []error
	complaints := make([]bytes.Buffer, starters)
	for i := range starters {
		args := []string{"-n", strconv.Itoa(each), "-r", b.room.root, "-w", filepath.Join(b.room.dir, "scratch")}
		cmd := exec.CommandContext(b.ctx, b.room.floor, append(args, sameCalls()...)...)
		cmd.Stderr = &complaints[i]
		if err := cmd.Start(); err != nil {
			errs = append(errs, err)
			continue
		}
		running = append(running, cmd)
	}
	for i, cmd := range running {
		if err := cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaints[i].Bytes())))
		}
	}
	return time.Since(began), errors.Join(errs...)
}

func printRates(all []*throughput) {
	rows := [][]string{{"containers a second", "starters", "median", "best", "x one starter"}}
	one := map[string]float64{}
	slices.SortStableFunc(all, func(a, b *throughput) int { return strings.Compare(a.name, b.name) })
	for _, t := range all {
		slices.Sort(t.rates)
		median := t.rates[len(t.rates)/2]
		if t.starters == 1 {
			one[t.name] = median
		}
		rows = append(rows, []string{t.name, strconv.Itoa(t.starters), fmt.Sprintf("%.0f", median),
			fmt.Sprintf("%.0f", t.rates[len(t.rates)-1]), fmt.Sprintf("%.2f", median/one[t.name])})
	}
	table("start to exit of true by several starters at once", rows)
}
