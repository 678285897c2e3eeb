package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// contestant is one of those that are compared.
type contestant struct {
	name    string
	runs    int // in a round
	run     func(n int) (batch, error)
	batches []batch
}

// each makes the function of a contestant of one that runs once.
func each(once func() error) func(n int) (batch, error) {
	return func(n int) (batch, error) {
		var runs []time.Duration
		for range n {
			began := time.Now()
			if err := once(); err != nil {
				return batch{}, err
			}
			runs = append(runs, time.Since(began))
		}
		return summarize(runs), nil
	}
}

// failing is a contestant that says why it does not take part.
func failing(name string, err error) *contestant {
	return &contestant{name: name, run: func(int) (batch, error) { return batch{}, err }}
}

// compete runs all contestants in rounds and leaves out those that cannot run here.
func compete(ctx context.Context, rounds int, all []*contestant) ([]*contestant, error) {
	var able []*contestant
	for _, c := range all {
		if _, err := c.run(2); err != nil { // the first runs fill caches
			fmt.Printf("left out: %s: %v\n", c.name, err)
			continue
		}
		able = append(able, c)
	}
	order := append([]*contestant(nil), able...)
	for range rounds {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, c := range order {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b, err := c.run(c.runs)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			c.batches = append(c.batches, b)
		}
	}
	return able, nil
}

// report prints what came out, in the order given, with ratios to the contestants named.
func report(title string, all []*contestant, to ...string) {
	head := []string{"ms", "median", "min", "p90", "p90/median"}
	var against []*contestant
	for _, name := range to {
		if c := find(all, name); c != nil {
			against = append(against, c)
			head = append(head, "x "+name, "paired")
		}
	}
	rows := [][]string{head}
	for _, c := range all {
		t := total(c.batches)
		row := []string{c.name, ms(t.median), ms(t.min), ms(t.p90), fmt.Sprintf("%.1f", float64(t.p90)/float64(t.median))}
		for _, a := range against {
			row = append(row, fmt.Sprintf("%.2f", float64(t.median)/float64(total(a.batches).median)),
				fmt.Sprintf("%.2f", paired(c.batches, a.batches)))
		}
		rows = append(rows, row)
	}
	table(title, rows)
}

func find(all []*contestant, name string) *contestant {
	for _, c := range all {
		if c.name == name {
			return c
		}
	}
	return nil
}
