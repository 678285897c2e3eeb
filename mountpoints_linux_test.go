package caisson_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The files that generated ones are mounted on lie below the layers: a container has none of them in its own layer,
// has all of them in its root, and has them after somebody has removed the state directory of an engine in use.
func TestMountPointsAreNotTheContainers(t *testing.T) {
	e := engine(t)
	img := smallImage(t, e)
	for _, what := range []string{"a new state directory", "one that was removed"} {
		c := img.Command("/bin/hold")
		if err := c.Start(t.Context()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, name := range []string{"hostname", "hosts", "resolv.conf"} {
			if _, err := os.Lstat(filepath.Join("/proc", strconv.Itoa(c.Pid()), "root/etc", name)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		upper := filepath.Join(e.Dir, "containers", c.ID(), "upper")
		if entries, err := os.ReadDir(upper); err != nil || len(entries) > 0 {
			t.Errorf("%s: the container's layer has %v, %v", what, entries, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(e.Dir); err != nil {
			t.Fatal(err)
		}
	}
}
