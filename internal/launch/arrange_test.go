package launch

import (
	"math/rand/v2"
	"testing"
)

// What a kernel would do with the moves, on a table from numbers to what is open there.
func TestArrangeGivesEveryDescriptorItsNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		open := map[uintptr]int{} // what is open, by descriptor
		for range 1 + r.IntN(12) {
			open[uintptr(r.IntN(16))] = r.Int()
		}
		var numbers []uintptr
		for fd := range uintptr(16) {
			if _, ok := open[fd]; ok {
				numbers = append(numbers, fd)
			}
		}
		exe := numbers[r.IntN(len(numbers))]
		program := open[exe]
		fds := make([]uintptr, r.IntN(10))
		want := make([]int, len(fds))
		for i := range fds {
			fds[i] = none
			if r.IntN(5) > 0 {
				fds[i] = numbers[r.IntN(len(numbers))]
				want[i] = open[fds[i]]
			}
		}
		moves, at := arrange(exe, fds)
		for _, m := range moves {
			if m.from == none {
				delete(open, m.to)
				continue
			}
			what, ok := open[m.from]
			if !ok {
				t.Fatalf("exe %d, %v: %v moves what is not open", exe, fds, m)
			}
			open[m.to] = what
		}
		for i, fd := range fds {
			if what, ok := open[uintptr(i)]; ok != (fd != none) || what != want[i] {
				t.Fatalf("exe %d, %v: descriptor %d is wrong after %v", exe, fds, i, moves)
			}
		}
		if open[at] != program || at < uintptr(len(fds)) {
			t.Fatalf("exe %d, %v: the program is not at %d after %v", exe, fds, at, moves)
		}
	}
}
