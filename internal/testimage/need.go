package testimage

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/caisson-go/caisson/internal/testneed"
)

// TB is the part of testing.TB that this package uses.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	TempDir() string
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Open needs an image. The test is skipped where the image cannot be made; one that is slow to make and to use is only
// for tests with CAISSON_FULL=1. Without that, and without a directory to keep images in, nothing is downloaded.
func Open(t TB, name string) *Image {
	t.Helper()
	_, dir, err := place(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := recipes()[name]
	full := os.Getenv("CAISSON_FULL") == "1"
	if os.Getenv(Env) == "" && !full {
		testneed.Feature(t, "images", errors.New("images are made of packages from the network"), "set "+Env+" to a directory to keep them in")
	}
	if r.slow && !full {
		testneed.Feature(t, "full", errors.New("the image takes minutes or large downloads to make"), "set CAISSON_FULL=1")
	}
	if os.Getenv(Env) == "" && !full {
		testneed.Feature(t, "images", errors.New("images are made of packages from the network"), "set "+Env+" to a directory to keep them in")
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		testneed.Program(t, "dpkg-deb", "run on Debian, or copy the directory that "+Env+" names from one")
		testneed.Program(t, "apt-get", "run on Debian, or copy the directory that "+Env+" names from one")
		if r.layers[0].minbase {
			testneed.Program(t, "mmdebstrap", "apt-get install mmdebstrap")
			testneed.Root(t)
		}
	}
	image, err := Make(t.Context(), name)
	testneed.Feature(t, "images", err, "run apt-get update on a Debian that reaches its package sources")
	return image
}
