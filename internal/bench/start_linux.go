package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// gibibyte is what one worker has resident.
const gibibyte = 1 << 30

// start measures from start to exit of a static true in a small root.
func (b *bench) start() (err error) {
	runs := 10
	if b.short {
		runs = 4
	}
	var all []*contestant
	var workers []*worker
	defer func() { err = errors.Join(err, stopAll(workers)) }()
	add := func(name string, resident int, unprivileged bool) error {
		w, err := b.newWorker(resident, unprivileged)
		if err != nil {
			return err
		}
		workers = append(workers, w)
		all = append(all, &contestant{name: name, runs: runs, run: w.timed("start")})
		return nil
	}
	if b.root {
		err = errors.Join(add("caisson", 0, false), add("caisson, 1 GiB resident", gibibyte, false))
	}
	if err = errors.Join(err, add("caisson, rootless, one id", 0, true)); err != nil {
		return err
	}
	if !b.short {
		all = append(all, &contestant{name: "caisson, alone", runs: 2, run: workers[0].timed("rested")})
	}
	if b.root && b.room.floor != "" {
		all = append(all, b.floors(runs)...)
	}
	all = append(all, program("fork, exec, wait", runs, filepath.Join(b.room.root, "bin", "true")))
	var unified *worker
	if b.root {
		if unified, err = b.newUnified(); err != nil {
			return err
		}
		workers = append(workers, unified)
	}
	peers, err := b.peers(unified, runs)
	if err != nil {
		return err
	}
	able, err := compete(b.ctx, b.rounds, append(all, peers...))
	if err != nil {
		return err
	}
	if !strings.HasPrefix(able[0].name, "caisson") {
		return errors.New("the library itself does not run here; the error stands above")
	}
	report("start to exit of true, small root", able, "floor", "caisson")
	return nil
}

// sameCalls makes the floor do what caisson does by default: masks, and a filter of about as many instructions.
func sameCalls() []string { return []string{"-M", "-S", "16"} }

// floors are the floor as it stands beside caisson, and two others that tell what its parts cost.
func (b *bench) floors(runs int) []*contestant {
	all := []*contestant{b.floor("floor", runs, sameCalls()...), b.floor("floor, no masks, no filter", runs)}
	if !b.short {
		pause := strconv.FormatInt(rest.Milliseconds(), 10)
		all = append(all, b.floor("floor, alone", 2, append(sameCalls(), "-p", pause)...))
	}
	return all
}

// floor is the C program, which times its runs itself: one of ours is one of its, without the start of the program.
func (b *bench) floor(name string, runs int, options ...string) *contestant {
	scratch := filepath.Join(b.room.dir, "scratch")
	return &contestant{name: name, runs: runs, run: func(n int) (batch, error) {
		args := append([]string{"-s", "-n", strconv.Itoa(n), "-r", b.room.root, "-w", scratch}, options...)
		return floorRuns(b.ctx, b.room.floor, args)
	}}
}

// floorRuns reads the line TOTAL: median, minimum and 90th percentile in microseconds.
func floorRuns(ctx context.Context, program string, args []string) (batch, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return batch{}, fmt.Errorf("%w: %s", err, bytes.TrimSpace(complaint.Bytes()))
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 4 || f[0] != "TOTAL" {
			continue
		}
		var us [3]float64
		for i := range us {
			if us[i], err = strconv.ParseFloat(f[i+1], 64); err != nil {
				return batch{}, err
			}
		}
		at := func(i int) time.Duration { return time.Duration(us[i] * float64(time.Microsecond)) }
		return batch{at(0), at(1), at(2)}, nil
	}
	return batch{}, errors.New("floor: no line TOTAL")
}
