package probe

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rangeSize is how many subordinate ids useradd(8) gives a user: enough for every id that images use.
const rangeSize = 65536

// freeRange is a line for a file of subordinate ids that gives this user ids that no line has yet. Two
// users with the same ids could kill each other's containers' processes.
func (h *Host) freeRange(file string) string {
	type span struct{ first, end uint64 }
	var used []span
	for line := range strings.Lines(h.read(file)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 {
			continue
		}
		first, err1 := strconv.ParseUint(f[1], 10, 32)
		count, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil {
			used = append(used, span{first, first + count})
		}
	}
	slices.SortFunc(used, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	first := uint64(100000)
	for _, u := range used {
		if u.first < first+rangeSize && first < u.end {
			first = u.end
		}
	}
	return fmt.Sprintf("%s:%d:%d", h.name(), first, rangeSize)
}
