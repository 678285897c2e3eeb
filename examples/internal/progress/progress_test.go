package progress

import (
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
)

// Where there is no terminal, each part has a line for each phase, and none for bytes.
func TestLines(t *testing.T) {
	var b strings.Builder
	show := lines(&b)
	for _, p := range []caisson.Progress{
		{Digest: "sha256:0123456789abcdef", Phase: caisson.PhaseWaiting, Total: 10},
		{Digest: "sha256:0123456789abcdef", Phase: caisson.PhaseDownloading, Total: 10},
		{Digest: "sha256:0123456789abcdef", Phase: caisson.PhaseDownloading, Done: 5, Total: 10},
		{Digest: "sha256:fedcba9876543210", Phase: caisson.PhaseExists, Total: 3},
		{Digest: "sha256:0123456789abcdef", Phase: caisson.PhaseDone, Done: 10, Total: 10},
	} {
		show(p)
	}
	const want = "0123456789ab  waiting      10 bytes\n0123456789ab  downloading  10 bytes\nfedcba987654  exists       3 bytes\n0123456789ab  done         10 bytes\n"
	if b.String() != want {
		t.Errorf("%s\nwant\n%s", b.String(), want)
	}
}
