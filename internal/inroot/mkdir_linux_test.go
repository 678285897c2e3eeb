package inroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMkdirAll(t *testing.T) {
	root, base := tree(t)
	link(t, "../../canary", base, "root/out")
	link(t, filepath.Join(base, "canary"), base, "root/abs")
	link(t, "/run", base, "root/dir/run") // as /var/run of an image without /run
	link(t, "two", base, "root/one")
	link(t, "dir/../three/./x", base, "root/two")
	link(t, "loop", base, "root/loop")
	link(t, "/etc/passwd", base, "root/file")
	tests := []struct {
		path  string
		where string // below root
		err   error
	}{
		{"/", "", nil},
		{"dir", "dir", nil},
		{"a/b/c", "a/b/c", nil},
		{"//p/./q//", "p/q", nil},
		{"../../up", "up", nil},
		{"new/../beside", "beside", nil},
		{"out/x", "canary/x", nil},
		{"abs/y", filepath.Join(base, "canary/y"), nil},
		{"dir/run/sock.d", "run/sock.d", nil},
		{"one/z", "three/x/z", nil},
		{"", "", fs.ErrNotExist},
		{"loop/x", "", syscall.ELOOP},
		{"file/x", "", syscall.ENOTDIR},
		{"etc/passwd", "", syscall.ENOTDIR},
		{strings.Repeat("d/", 3000), "", syscall.ENAMETOOLONG},
		{"nul\x00", "", syscall.EINVAL},
	}
	for _, tt := range tests {
		f, err := MkdirAll(root, tt.path, 0o755)
		if tt.err != nil {
			if !errors.Is(err, tt.err) || f != nil {
				t.Errorf("MkdirAll(%.40q) = %v, %v; want %v", tt.path, f, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("MkdirAll(%.40q): %v", tt.path, err)
			continue
		}
		got, err := f.Stat()
		must(t, err)
		f.Close()
		want, err := os.Lstat(filepath.Join(base, "root", tt.where))
		if err != nil || !os.SameFile(got, want) {
			t.Errorf("MkdirAll(%.40q) did not return %s: %v", tt.path, tt.where, err)
		}
	}
	canaryIntact(t, base)
}

func canaryIntact(t *testing.T, base string) {
	t.Helper()
	var seen []string
	must(t, filepath.WalkDir(filepath.Join(base, "canary"), func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(base, path)
		if d.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			rel += "=" + string(text)
		}
		seen = append(seen, rel)
		return err
	}))
	const want = "canary canary/sub canary/sub/file=host canary/target=host"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("the canary has %q, want %q", got, want)
	}
}

// TestMkdirAllMode makes modes that a umask of 022 or 077 would cut.
func TestMkdirAllMode(t *testing.T) {
	root, base := tree(t)
	must(t, os.Chmod(filepath.Join(base, "root/dir"), 0o700))
	tests := []struct {
		mode uint32
		want fs.FileMode
	}{
		{0o777, 0o777},
		{0o1777, 0o777 | fs.ModeSticky},
		{0o700, 0o700},
		{0o755, 0o755},
	}
	for _, tt := range tests {
		f, err := MkdirAll(root, "dir/m/n", tt.mode)
		must(t, err)
		fi, err := f.Stat()
		must(t, err)
		f.Close()
		if got := fi.Mode() &^ fs.ModeDir; got != tt.want {
			t.Errorf("mode %#o made %v, want %v", tt.mode, got, tt.want)
		}
		if fi, _ := os.Stat(filepath.Join(base, "root/dir")); fi.Mode().Perm() != 0o700 {
			t.Errorf("an existing parent became %v", fi.Mode())
		}
		must(t, os.RemoveAll(filepath.Join(base, "root/dir/m")))
	}
	for _, mode := range []uint32{0o4755, 0o2755, 1 << 31} {
		if _, err := MkdirAll(root, "dir/m", mode); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("mode %#o: %v, want EINVAL", mode, err)
		}
	}
}

func TestMkdirAllKeepsInheritedGroup(t *testing.T) {
	root, base := tree(t)
	dir := filepath.Join(base, "root/dir")
	must(t, os.Chmod(dir, 0o777|fs.ModeSetgid))
	if fi, _ := os.Stat(dir); fi.Mode()&fs.ModeSetgid == 0 {
		t.Skip("this file system keeps no set-group-id bit; run on one that does")
	}
	f, err := MkdirAll(root, "dir/m", 0o777)
	must(t, err)
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Mode()&^fs.ModeDir != 0o777|fs.ModeSetgid {
		t.Errorf("made %v, %v", fi.Mode(), err)
	}
}
