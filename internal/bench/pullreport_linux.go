package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/caisson-go/caisson/internal/testimage"
)

func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return summarize(list).median
}

func walls(list []used) []time.Duration {
	return pick(list, func(u used) time.Duration { return u.wall })
}

func pick(list []used, field func(used) time.Duration) []time.Duration {
	var out []time.Duration
	for _, u := range list {
		out = append(out, field(u))
	}
	return out
}

// reportPulls prints the medians, and how each compares with the library, by medians and by rounds.
func (b *bench) reportPulls(all []*registrar, host string, image *testimage.Image) {
	rows := [][]string{{"s", "wall", "min", "CPU", "MiB", "warm, ms", "wall x caisson", "paired", "CPU x caisson"}}
	ours := all[max(0, slices.IndexFunc(all, func(r *registrar) bool { return r.name == caissonName }))]
	cpu := func(r *registrar) time.Duration {
		return median(pick(r.colds, func(u used) time.Duration { return u.cpu }))
	}
	for _, r := range all {
		resident := int64(0)
		for _, u := range r.colds {
			resident = max(resident, u.resident)
		}
		warm := "-"
		if len(r.warms) > 0 {
			warm = ms(median(walls(r.warms)))
		}
		rows = append(rows, []string{r.name, seconds(median(walls(r.colds))), seconds(slices.Min(walls(r.colds))), seconds(cpu(r)),
			fmt.Sprint(resident >> 20), warm, ratio(median(walls(r.colds)), median(walls(ours.colds))),
			fmt.Sprintf("%.2f", pairedTimes(walls(r.colds), walls(ours.colds))), ratio(cpu(r), cpu(ours))})
	}
	var size int64
	for _, t := range image.Tars {
		if info, err := os.Stat(t); err == nil {
			size += info.Size()
		}
	}
	table(fmt.Sprintf("cold pull of %s:%s, %d layers, %d MB of tar, to the unpacked layers", image.Name, b.pulls.tag, len(image.Tars),
		size/1e6), rows)
	fmt.Printf("  one round trip to the registry, for a manifest: %s ms\n", ms(roundTrip(host, image.Name, b.pulls.tag)))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

func ratio(a, b time.Duration) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}

func pairedTimes(a, b []time.Duration) float64 {
	var x, y []batch
	for i := range min(len(a), len(b)) {
		x, y = append(x, batch{median: a[i]}), append(y, batch{median: b[i]})
	}
	return paired(x, y)
}

// roundTrip is the median time in which the registry gives a manifest, by a connection that is open.
func roundTrip(host, repository, tag string) time.Duration {
	var times []time.Duration
	for range 20 {
		began := time.Now()
		answer, err := http.Get("http://" + host + "/v2/" + repository + "/manifests/" + tag)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		times = append(times, time.Since(began))
	}
	return median(times)
}
