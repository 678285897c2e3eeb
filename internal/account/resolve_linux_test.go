package account

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caisson-go/caisson/internal/inroot"
	"golang.org/x/sys/unix"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newImage makes an image's root with the two files, beside a file of the host that gives everybody uid 0.
func newImage(t testing.TB, f Files) (root *os.File, dir string) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "root")
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(base, "host"), []byte("app:x:0:0::/host:\nhostonly:x:0:0::/host:\n"), 0o644))
	if f.Passwd != nil {
		must(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), f.Passwd, 0o644))
	}
	if f.Group != nil {
		must(t, os.WriteFile(filepath.Join(dir, "etc/group"), f.Group, 0o644))
	}
	root, err := os.Open(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func TestResolveInRoot(t *testing.T) {
	root, _ := newImage(t, image)
	got, err := Resolve(root, "app", []string{"7"})
	if want := (Identity{1000, 1000, []uint32{1000, 4, 7, 10, 50}, "/srv/app", "app"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Resolve = %+v, %v; want %+v", got, err, want)
	}
	empty, _ := newImage(t, Files{})
	got, err = Resolve(empty, "5:6", nil)
	if want := (Identity{5, 6, []uint32{6}, "/", ""}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Resolve without files = %+v, %v; want %+v", got, err, want)
	}
	if _, err = Resolve(empty, "app", nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the image has no /etc/passwd") {
		t.Errorf("Resolve(app) without files: %v", err)
	}
	if _, err := Resolve(nil, "-1", nil); !errors.As(err, new(*UserError)) {
		t.Errorf("the input is checked first: %v", err)
	}
	if _, err := Resolve(nil, "0", nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("nil root: %v", err)
	}
}

// TestResolveHostile puts in the place of the two files everything that made engines hang, fill the memory or read
// the host's files (CVE-2024-9676, CVE-2025-4437, CVE-2026-47262): each answer in 100 ms and 8 MiB.
func TestResolveHostile(t *testing.T) {
	line := []byte("u:x:7:7::/:\n")
	tests := []struct {
		name string
		make func(path string) error
		want any // *T: an error of that type; Identity: this answer to "1000"
	}{
		{"link to a device of the host", func(p string) error { return os.Symlink("/dev/zero", p) }, Identity{1000, 0, []uint32{0}, "/", ""}},
		{"absolute link to a file of the host", func(p string) error { return os.Symlink(filepath.Join(p, "../../../host"), p) }, Identity{1000, 0, []uint32{0}, "/", ""}},
		{"relative link to a file of the host", func(p string) error { return os.Symlink("../../host", p) }, Identity{1000, 0, []uint32{0}, "/", ""}},
		{"link to itself", func(p string) error { return os.Symlink(filepath.Base(p), p) }, new(*FileError)},
		{"device", func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) }, new(*inroot.NotRegularError)},
		{"FIFO", func(p string) error { return unix.Mkfifo(p, 0o666) }, new(*inroot.NotRegularError)},
		{"directory", func(p string) error { return os.Mkdir(p, 0o777) }, new(*inroot.NotRegularError)},
		{"4 GiB of nothing", func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o666), os.Truncate(p, 4<<30)) }, new(*inroot.TooLargeError)},
		{"10 million lines", func(p string) error { return os.WriteFile(p, bytes.Repeat(line[:2], 10_000_000), 0o666) }, new(*inroot.TooLargeError)},
		{"1 MiB of empty lines", func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("\n"), MaxFile), 0o666) }, new(*FileError)},
		{"1 MiB of lines", func(p string) error { return os.WriteFile(p, bytes.Repeat(line, MaxFile/len(line)), 0o666) }, new(*FileError)},
		{"as many lines as there may be", func(p string) error { return os.WriteFile(p, bytes.Repeat(line, MaxLines), 0o666) }, Identity{1000, 0, []uint32{0}, "/", ""}},
		{"1 MiB of colons", func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte(":"), MaxFile), 0o666) }, Identity{1000, 0, []uint32{0}, "/", ""}},
		{"1 MiB of NUL", func(p string) error { return os.WriteFile(p, make([]byte, MaxFile), 0o666) }, Identity{1000, 0, []uint32{0}, "/", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := newImage(t, Files{})
			for _, name := range []string{"passwd", "group"} {
				if err := tt.make(filepath.Join(dir, "etc", name)); errors.Is(err, syscall.EPERM) {
					t.Skip("mknod needs root: go test -exec sudo")
				} else if err != nil {
					t.Fatal(err)
				}
			}
			var got Identity
			var err error
			within(t, 100*time.Millisecond, 8<<20, func() { got, err = Resolve(root, "1000", nil) })
			check(t, got, err, tt.want)
			if _, err := Resolve(root, "hostonly", nil); err == nil {
				t.Error("found a user of the host")
			}
		})
	}
}

// TestResolveHostileGroup has a good passwd file and a group file made to be slow for a user with an entry.
func TestResolveHostileGroup(t *testing.T) {
	want := Identity{1000, 1000, []uint32{1000}, "/srv/app", "app"}
	listed := want
	listed.Groups = []uint32{1000, 5}
	tests := []struct {
		name, group string
		want        any
	}{
		{"one line of half a million members", "g:x:5:" + strings.Repeat("a,", MaxFile/2-10) + "app", listed},
		{"member of many groups", strings.Repeat("g:x:5:app\n", MaxLines), listed},
		{"members that almost match", "g:x:5:" + strings.Repeat("appp,", MaxFile/5-10), want},
		{"FIFO in place of a file", "", new(*inroot.NotRegularError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, dir := newImage(t, image)
			path := filepath.Join(dir, "etc/group")
			if tt.group != "" {
				must(t, os.WriteFile(path, []byte(tt.group), 0o644))
			} else {
				must(t, os.Remove(path))
				must(t, unix.Mkfifo(path, 0o644))
			}
			var got Identity
			var err error
			within(t, 100*time.Millisecond, 8<<20, func() { got, err = Resolve(root, "app", nil) })
			check(t, got, err, tt.want)
			if got, err := Resolve(root, "1000:1000", []string{"5"}); err != nil || !reflect.DeepEqual(got, listed) {
				t.Errorf("numbers do not need the group file: %+v, %v", got, err)
			}
		})
	}
}

func check(t *testing.T, got Identity, err error, want any) {
	t.Helper()
	if id, ok := want.(Identity); ok {
		if err != nil || !reflect.DeepEqual(got, id) {
			t.Errorf("Resolve = %+v, %v; want %+v", got, err, id)
		}
		return
	}
	if !errors.As(err, want) || !errors.As(err, new(*FileError)) {
		t.Errorf("Resolve = %+v, %v; want %T in a FileError", got, err, want)
	}
}

// within fails if fn takes more time, in the best of three runs on what may be a busy machine, or allocates more.
func within(t *testing.T, limit time.Duration, most uint64, fn func()) {
	t.Helper()
	best := time.Hour
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		fn()
		best = min(best, time.Since(start))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("allocated %d bytes, more than %d", got, most)
		}
	}
	if best > limit {
		t.Errorf("took %v, more than %v", best, limit)
	}
	t.Logf("%v", best)
}

func TestResolveNoDescriptorLeak(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	root, _ := newImage(t, image)
	use := func() {
		for _, user := range []string{"app", "", "-1", "nobody", "app:none", "bad"} {
			Resolve(root, user, nil)
		}
	}
	use()
	before, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	use()
	after, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	if len(after) != len(before) {
		t.Errorf("%d descriptors before, %d after", len(before), len(after))
	}
}
