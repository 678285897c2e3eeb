// Package progress shows the transfer of an image: a bar for each layer where the output is a terminal, and a line for
// each thing that happens where it is not.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"

	"github.com/caisson-go/caisson"
)

// Show returns a function for PullOptions.Progress or PushOptions.Progress, and one that ends the display.
func Show(to *os.File) (show func(caisson.Progress), done func()) {
	if term.IsTerminal(int(to.Fd())) {
		b := &bars{byPart: map[string]*pb.ProgressBar{}, pool: pb.NewPool()}
		b.pool.Output = to
		if b.pool.Start() == nil {
			return b.show, func() { _ = b.pool.Stop() }
		}
	}
	return lines(to), func() {}
}

// lines writes a line whenever a part comes to another phase.
func lines(to io.Writer) func(caisson.Progress) {
	phases := map[string]caisson.Phase{}
	return func(p caisson.Progress) {
		if phases[p.Digest] == p.Phase {
			return
		}
		phases[p.Digest] = p.Phase
		fmt.Fprintf(to, "%s  %-11s  %d bytes\n", short(p.Digest), p.Phase, p.Total)
	}
}

// layout is one bar: which part, what happens to it, and how far it is.
const layout pb.ProgressBarTemplate = `{{string . "part"}}  {{string . "phase"}}  {{bar . }} {{counters . }} {{speed . }}`

// bars has a bar for each part.
type bars struct {
	pool   *pb.Pool
	byPart map[string]*pb.ProgressBar
}

func (b *bars) show(p caisson.Progress) {
	bar := b.byPart[p.Digest]
	if bar == nil {
		bar = layout.New(0).SetTotal(p.Total).Set(pb.Bytes, true).Set("part", short(p.Digest)).Start()
		b.byPart[p.Digest] = bar
		b.pool.Add(bar)
	}
	bar.Set("phase", fmt.Sprintf("%-11s", p.Phase))
	switch p.Phase {
	case caisson.PhaseDone, caisson.PhaseExists, caisson.PhaseMounted:
		bar.SetCurrent(p.Total).Finish()
	default:
		bar.SetCurrent(p.Done)
	}
}

// short is as much of a digest as people compare.
func short(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return hex[:min(12, len(hex))]
}
