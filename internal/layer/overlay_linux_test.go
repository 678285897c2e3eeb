package layer

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

const (
	overlayDirs = "CAISSON_TEST_OVERLAY_DIRS" // lower directories, a mount point last
	overlayOpts = "CAISSON_TEST_OVERLAY_OPTS"
)

// What counts is not the marks on the disk but what the kernel makes of them.
func TestLayerOverlay(t *testing.T) {
	t.Run("user namespace", func(t *testing.T) {
		testneed.UserNamespaces(t)
		testOverlay(t, Options{UserXattr: true, IgnoreOwners: true}, ",userxattr", &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
		})
	})
	t.Run("root", func(t *testing.T) {
		testneed.Root(t)
		testOverlay(t, Options{}, "", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS})
	})
}

func testOverlay(t *testing.T, o Options, opts string, attr *syscall.SysProcAttr) {
	lower, upper := newWorld(t), newWorld(t)
	for _, l := range []struct {
		w       *world
		entries []entry
	}{
		{lower, []entry{
			file("removed", "old"), file("replaced", "old"), file("untouched", "old"),
			dir("opq"), file("opq/old", "old"), file("opq/sub/old", "old"),
			dir("again"), file("again/old", "old"), dir("merged"), file("merged/old", "old"),
			dir("gone"), file("gone/x", ""), file("implied/old", ""), file("raw", "old"), file("metacopy", "old"),
			dir("todir/x"), link("link", "merged"),
		}},
		{upper, []entry{
			file(".wh.removed", ""), file("replaced", "new"), file("opq/.wh..wh..opq", ""), file("opq/new", "new"),
			file(".wh.again", ""), dir("again"), file("again/new", "new"), file("merged/new", "new"),
			file(".wh.gone", ""), file(".wh.implied", ""), file("implied/new", "new"),
			node("raw", 0, 0),
			{name: "merged", typ: '5', pax: map[string]string{
				paxXattr + "trusted.overlay.opaque": "y", paxXattr + "user.overlay.opaque": "y"}},
			{name: "metacopy", body: "new", pax: map[string]string{
				paxXattr + "trusted.overlay.metacopy": "", paxXattr + "user.overlay.metacopy": ""}},
			file("todir", "file now"),
		}},
	} {
		if _, err := l.w.unpackWith(pack(t, l.entries...), o); err != nil {
			t.Fatal(err)
		}
	}
	mnt := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestLayerOverlayChild$")
	cmd.Env = append(os.Environ(), overlayDirs+"="+upper.dst+":"+lower.dst+":"+mnt, overlayOpts+"="+opts)
	cmd.SysProcAttr = attr
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("child: %v\n%s", err, out)
	}
	var got map[string]string
	line, _, _ := strings.Cut(string(out), "\n")
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string]string{
		".": "", "replaced": "new", "untouched": "old", "opq": "", "opq/new": "new", "again": "", "again/new": "new",
		"merged": "", "merged/old": "old", "merged/new": "new", "implied": "", "implied/new": "new", "raw": "old",
		"metacopy": "new", "todir": "file now", "link": "",
	}
	if !maps.Equal(got, want) {
		t.Errorf("the overlay shows\n%v, want\n%v", got, want)
	}
}

// TestLayerOverlayChild runs in namespaces of its own, where the mount ends with it.
func TestLayerOverlayChild(t *testing.T) {
	dirs := strings.Split(os.Getenv(overlayDirs), ":")
	if len(dirs) < 2 {
		return // run by itself it is no test
	}
	mnt := dirs[len(dirs)-1]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("make mounts private: %v", err)
	}
	opts := "lowerdir=" + strings.Join(dirs[:len(dirs)-1], ":") + os.Getenv(overlayOpts)
	if err := syscall.Mount("overlay", mnt, "overlay", syscall.MS_RDONLY, opts); err != nil {
		t.Fatalf("mount overlay %s: %v", opts, err)
	}
	content := map[string]string{}
	tree := list(t, mnt)
	for _, path := range slices.Sorted(maps.Keys(tree)) {
		b, _ := os.ReadFile(filepath.Join(mnt, path))
		if strings.HasPrefix(tree[path], "file") {
			content[path] = string(b)
		} else {
			content[path] = ""
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(content)
}
