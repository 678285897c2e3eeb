package layer

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/testneed"
)

// The size of the benchmark's layer: files of this machine's /usr, as it has them.
const (
	benchEntries = 60_000
	benchBytes   = 1500 << 20
)

// BenchmarkUnpackAgainstTar unpacks the same plain tar file with Unpack and with GNU tar, in turns, and tells the
// medians of the ratios: of time, and of the processor time of all processes. Below 1 is better than tar. It takes
// 6 GiB a round; -benchtime 3x is enough.
func BenchmarkUnpackAgainstTar(b *testing.B) {
	testneed.Root(b)
	program := testneed.Program(b, "tar", "install GNU tar")
	top := b.TempDir()
	layer := filepath.Join(top, "layer.tar")
	packUsr(b, program, layer)
	ways := []struct {
		name string
		by   []taker
	}{{"confined", []taker{inUserNamespace}}, {"process", []taker{inProcess}}, {"direct", []taker{newDirect}}}
	ratios := map[string][]float64{}
	for round := 0; b.Loop(); round++ {
		cost := map[string]spent{}
		order := []string{"tar", "confined", "process", "direct"}
		for i := range order {
			what := order[(i+round)%len(order)]
			// The trees stay until the end: ext4 is slow where much was removed a moment ago.
			dst := filepath.Join(top, fmt.Sprint(what, round))
			cost[what] = measure(b, func() {
				if err := os.Mkdir(dst, 0o700); err != nil {
					b.Fatal(err)
				}
				if what == "tar" {
					if out, err := exec.Command(program, "-xpf", layer, "-C", dst).CombinedOutput(); err != nil {
						b.Fatalf("%v: %s", err, out)
					}
					return
				}
				i := slices.IndexFunc(ways, func(w struct {
					name string
					by   []taker
				}) bool {
					return w.name == what
				})
				unpackFile(b, dst, layer, ways[i].by)
			})
		}
		for _, w := range ways {
			ratios[w.name+"-wall/tar"] = append(ratios[w.name+"-wall/tar"], cost[w.name].wall.Seconds()/cost["tar"].wall.Seconds())
			ratios[w.name+"-cpu/tar"] = append(ratios[w.name+"-cpu/tar"], cost[w.name].cpu.Seconds()/cost["tar"].cpu.Seconds())
		}
		b.Logf("%v", cost)
	}
	for name, list := range ratios {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], name)
	}
}

func unpackFile(b *testing.B, dst, layer string, by []taker) {
	d, err := os.Open(dst)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	f, err := os.Open(layer)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := unpackBy(b.Context(), d, f, Options{}, by); err != nil {
		b.Fatal(err)
	}
}

// packUsr makes a tar file of a part of /usr.
func packUsr(b *testing.B, program, to string) {
	var list bytes.Buffer
	entries, size := 0, int64(0)
	err := filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		if err != nil || entries >= benchEntries || d.Type()&(fs.ModeSocket|fs.ModeDevice) != 0 {
			return nil
		}
		if d.Type().IsRegular() {
			fi, err := d.Info()
			if err != nil || size+fi.Size() > benchBytes || fi.Size() > benchBytes/16 {
				return nil
			}
			size += fi.Size()
		}
		entries++
		list.WriteString(path[1:] + "\x00")
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(program, "-cf", to, "-C", "/", "--null", "--no-recursion", "-T", "-")
	cmd.Stdin = &list
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.Logf("%d entries, %d MiB", entries, size>>20)
}

// spent is the cost of something.
type spent struct{ wall, cpu time.Duration }

func (s spent) String() string {
	return fmt.Sprintf("%v (processor %v)", s.wall.Round(time.Millisecond), s.cpu.Round(time.Millisecond))
}

func measure(b *testing.B, f func()) spent {
	before, start := processor(b), time.Now()
	f()
	return spent{time.Since(start), processor(b) - before}
}

// processor is the processor time of this process and of its children that have ended.
func processor(b *testing.B) (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}
