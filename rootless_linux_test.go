package caisson_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

// What programs leave in the writable layer is removed, whoever it belongs to and however it is closed.
func TestCloseRemovesWhatProgramsWrote(t *testing.T) {
	e := engine(t)
	_, err := os.Stat("/usr/bin/sh")
	testneed.Feature(t, "programs below /usr", err, "run on a distribution with a merged /usr")
	img, err := e.RootFS("/usr")
	if err != nil {
		t.Fatal(err)
	}
	c := img.Command("/bin/sh", "-c", "mkdir -p /locked/a/b && touch /locked/a/b/f && { chown -R 1000:1000 /locked 2>/dev/null; chmod -R 000 /locked; true; }")
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(e.Dir, "containers", c.ID(), "upper", "locked")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir, "containers")); len(left) != 0 {
		t.Fatal(left)
	}
}
