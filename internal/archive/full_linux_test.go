package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

const fullFile = "CAISSON_TEST_FULL_FILE"

// R9 for loading: a disk that is full at some point is an error with the errno, nothing of the archive is visible, and
// with room the same works.
func TestLoadDiskFull(t *testing.T) {
	testneed.Root(t)
	file := filepath.Join(t.TempDir(), "file.tar")
	must(t, os.WriteFile(file, saved(t, newWorld(t).s, SaveOptions{}, oneName, twoName), 0o600))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestLoadDiskFullChild$", "-test.v")
	cmd.Env = append(os.Environ(), fullFile+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("full at")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestLoadDiskFullChild runs in a mount namespace of its own, where the mounts end with it.
func TestLoadDiskFullChild(t *testing.T) {
	name := os.Getenv(fullFile)
	if name == "" {
		return // run by itself it is no test
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	file := content(t, name)
	full := 0
	for pages := 16; pages < 200; pages += 4 {
		dir := t.TempDir()
		must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("mode=0700,size=%d", pages*os.Getpagesize())))
		s, err := store.Open(dir)
		must(t, err)
		_, err = Load(t.Context(), bytes.NewReader(file), s, LoadOptions{})
		if err != nil {
			full++
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%d pages: %v", pages, err)
			}
			if n := names(t, s); len(n) > 0 {
				t.Errorf("%d pages: visible are %v", pages, n)
			}
			must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
			_, err = Load(t.Context(), bytes.NewReader(file), s, LoadOptions{})
		}
		if err != nil || len(names(t, s)) != 2 {
			t.Errorf("%d pages: with room: %v", pages, err)
		}
		noStaging(t, s)
		must(t, syscall.Unmount(dir, 0))
	}
	t.Logf("full at %d sizes", full)
	if full < 5 {
		t.Error("the sizes are too large")
	}
}
