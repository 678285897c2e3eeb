package caisson_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// tree makes directories below a temporary one, and files in them by "dir/name".
func tree(t *testing.T, files ...string) string {
	t.Helper()
	base := t.TempDir()
	for _, f := range files {
		p := filepath.Join(base, f)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(f) == "" {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(p, []byte(f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return base
}

func TestOverlayAlone(t *testing.T) {
	testneed.Root(t)
	base := tree(t, "a:1,x/both.txt", "a:1,x/low.txt", "b/both.txt", "upper", "work", "merged")
	at := func(p string) string { return filepath.Join(base, p) }
	o := caisson.Overlay{Lower: []string{at("a:1,x"), at("b")}, Upper: at("upper"), Work: at("work"), Volatile: true}
	if err := o.Mount(at("merged")); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Unmount(at("merged")) }()
	for name, want := range map[string]string{"both.txt": "b/both.txt", "low.txt": "a:1,x/low.txt"} {
		if b, err := os.ReadFile(at("merged/" + name)); err != nil || string(b) != want {
			t.Fatalf("%s: %q %v", name, b, err)
		}
	}
	if err := os.WriteFile(at("merged/new.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(at("upper/new.txt")); err != nil {
		t.Fatal(err)
	}
	if err := o.Unmount(at("merged")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(at("merged/low.txt")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestOverlayErrors(t *testing.T) {
	var e *caisson.Error
	for _, o := range []caisson.Overlay{{}, {Lower: []string{"/a"}}, {Lower: []string{"/a"}, Upper: "/b"}} {
		if err := o.Mount("/c"); !errors.As(err, &e) || e.Path != "/c" {
			t.Fatal(err)
		}
	}
}

// What a kernel's defaults turn on is off in a container: its upper directory is one that everything else understands.
func TestOverlayIsPlainWhateverTheDefaults(t *testing.T) {
	shown := map[string]string{ // what the mount says where the default is another
		"redirect_dir": "redirect_dir=nofollow", "redirect_always_follow": "redirect_dir=nofollow", "metacopy": "metacopy=off",
		"index": "index=off", "nfs_export": "nfs_export=off", "xino_auto": "xino=off",
	}
	e := engine(t)
	img := pushed(t, e, v1.Config{})
	for _, user := range []caisson.NamespaceMode{"", caisson.NamespaceNew} {
		c := img.Command("/bin/probe", "cat", "/proc/self/mountinfo")
		c.Namespaces.User = user
		out, err := c.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mount, _, _ := strings.Cut(string(out), "\n")
		_, options, overlay := strings.Cut(mount, " - overlay ")
		if !overlay {
			t.Fatalf("the root is no overlay: %s", mount)
		}
		for parameter, option := range shown {
			if on, _ := os.ReadFile("/sys/module/overlay/parameters/" + parameter); string(on) == "Y\n" && !strings.Contains(options, option) {
				t.Errorf("%s is on by default, and the container's root is %s", parameter, options)
			}
		}
		for _, on := range []string{"redirect_dir=on", "redirect_dir=follow", "metacopy=on", "index=on", "nfs_export=on", "xino=auto", "xino=on"} {
			if strings.Contains(options, on) {
				t.Errorf("the container's root has %s: %s", on, options)
			}
		}
	}
}
