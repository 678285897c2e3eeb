package main

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func us(list ...int) []time.Duration {
	var d []time.Duration
	for _, n := range list {
		d = append(d, time.Duration(n)*time.Microsecond)
	}
	return d
}

func TestSummarize(t *testing.T) {
	runs := us(9, 1, 5, 3, 7, 2, 8, 4, 6, 100)
	before := slices.Clone(runs)
	got := summarize(runs)
	want := batch{5500 * time.Nanosecond, us(1)[0], us(100)[0]}
	if got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if !slices.Equal(runs, before) {
		t.Error("the runs were put into another order")
	}
	if got := summarize(us(4)); got != (batch{us(4)[0], us(4)[0], us(4)[0]}) {
		t.Errorf("of one run: %v", got)
	}
}

// The pair of a slow round is as good as that of a quick one.
func TestTotalAndPaired(t *testing.T) {
	var a, b []batch
	for _, slow := range []int{1, 1, 50, 50, 50} {
		a = append(a, summarize(us(30*slow)))
		b = append(b, summarize(us(20*slow)))
	}
	if got := paired(a, b); got != 1.5 {
		t.Errorf("paired: %v", got)
	}
	a[0].min = us(1)[0]
	if got := total(a); got.median != us(1500)[0] || got.min != us(1)[0] {
		t.Errorf("total: %v", got)
	}
}

func TestCompeteLeavesOutWhatFails(t *testing.T) {
	count := 0
	good := &contestant{name: "good", runs: 3, run: each(func() error { count++; return nil })}
	able, err := compete(t.Context(), 4, []*contestant{failing("bad", errors.ErrUnsupported), good})
	if err != nil || len(able) != 1 || able[0] != good {
		t.Fatal(able, err)
	}
	if len(good.batches) != 4 || count != 2+4*3 {
		t.Errorf("%d batches, %d runs", len(good.batches), count)
	}
}

func TestCompeteEndsWithAnErrorInARound(t *testing.T) {
	left := 3
	fails := each(func() error {
		if left--; left < 0 {
			return errors.ErrUnsupported
		}
		return nil
	})
	_, err := compete(t.Context(), 4, []*contestant{{name: "weak", runs: 1, run: fails}})
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Fatal(err)
	}
}
