package caissontest

import (
	"os"
	"path/filepath"

	"github.com/caisson-go/caisson"
)

// Engine is an engine on a directory of the test's own, which is removed after the test: names in it are free, and
// nothing of other tests is there.
func Engine(t TB) *caisson.Engine {
	t.Helper()
	dir, err := os.MkdirTemp("", "caissontest-")
	if err != nil {
		t.Fatalf("caissontest: %v", err)
		return nil
	}
	// Cleanup goes backwards: the containers of the engine are closed by then.
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatalf("caissontest: a container of the test was not closed, or it left files behind: %v", err)
		}
	})
	return &caisson.Engine{Dir: dir}
}

// SharedEngine is an engine on a directory in the user's cache, caissontest, which all tests of the user share and
// which stays: an image is pulled once. Leave Spec.Name empty there, or make it unlike that of any other test.
func SharedEngine(t TB) *caisson.Engine {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("caissontest: %v (remedy: set HOME or XDG_CACHE_HOME)", err)
		return nil
	}
	return &caisson.Engine{Dir: filepath.Join(cache, "caissontest")}
}
