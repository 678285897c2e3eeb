package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// batch is what is kept of the runs of one contestant in one round.
type batch struct{ median, min, p90 time.Duration }

func summarize(runs []time.Duration) batch {
	runs = slices.Sorted(slices.Values(runs))
	middle := (runs[(len(runs)-1)/2] + runs[len(runs)/2]) / 2
	return batch{middle, runs[0], runs[len(runs)*9/10]}
}

// total is what the batches of all rounds come to.
func total(batches []batch) batch {
	pick := func(field func(batch) time.Duration) []time.Duration {
		var list []time.Duration
		for _, b := range batches {
			list = append(list, field(b))
		}
		return list
	}
	return batch{
		summarize(pick(func(b batch) time.Duration { return b.median })).median,
		summarize(pick(func(b batch) time.Duration { return b.min })).min,
		summarize(pick(func(b batch) time.Duration { return b.p90 })).median,
	}
}

// paired is the median of the rounds' own ratios: it does not feel what slows a whole round.
func paired(a, b []batch) float64 {
	var ratios []float64
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, float64(a[i].median)/float64(b[i].median))
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// table prints rows in columns: the first to the left, the others to the right.
func table(title string, rows [][]string) {
	fmt.Printf("\n%s\n", title)
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if i == 0 {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		fmt.Println("  " + strings.TrimRight(line.String(), " "))
	}
}
