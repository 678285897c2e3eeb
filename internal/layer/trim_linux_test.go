package layer

import (
	"archive/tar"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// More directories than are remembered: those that were forgotten keep their look when more is made in them, through
// links too, and are replaced, hidden and marked as any other.
func TestLayerForgetsDirectories(t *testing.T) {
	long := strings.Repeat("n", 240)
	prefix := strings.Repeat(long+"/", 8)
	at := func(i int) time.Time { return time.Unix(int64(1_000_000+i), 7) }
	entries := []entry{{name: ".", typ: tar.TypeDir, time: at(0)}}
	up := ""
	for i := range 8 {
		up += long + "/"
		entries = append(entries, entry{name: up, typ: tar.TypeDir, time: at(1 + i), mode: 0o751})
	}
	const count = 2 * maxKnown / (8 * 240)
	name := func(i int) string { return fmt.Sprintf("%sd%d", prefix, i) }
	for i := range count {
		e := entry{name: name(i), typ: tar.TypeDir, time: at(100 + i), mode: 0o2755}
		if i%1000 == 1 {
			e.mode = 0o011
		}
		entries = append(entries, e)
	}
	entries = append(entries,
		entry{name: name(3) + "/later", body: "x", time: at(50)},
		entry{name: name(1) + "/later", body: "x", time: at(50)},
		link("l", name(4)), entry{name: "l/through", body: "x", time: at(50)},
		entry{name: name(5), body: "file now", time: at(51)},
		entry{name: name(6), typ: tar.TypeDir, time: at(52), mode: 0o700},
		entry{name: prefix + ".wh.d7", time: at(53)},
		entry{name: name(8) + "/.wh..wh..opq", time: at(53)},
		entry{name: name(9) + "/new/f", time: at(54)},
		entry{name: "l2/f", time: at(55)},
	)
	w := newWorld(t)
	st := w.mustUnpack(entries...)
	if st.Implied != 2 {
		t.Errorf("%d implied directories, want 2", st.Implied)
	}
	dst, err := os.OpenRoot(w.dst) // paths here are longer than a system call takes, with that of the directory
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	for _, c := range []struct {
		name string
		time int
		mode os.FileMode
	}{
		{".", 0, 0o755}, {strings.TrimSuffix(prefix, "/"), 8, 0o751}, {name(0), 100, 0o755 | os.ModeSetgid}, {name(1), 101, 0o011},
		{name(3), 103, 0o755 | os.ModeSetgid}, {name(4), 104, 0o755 | os.ModeSetgid}, {name(6), 52, 0o700}, {name(7), 107, 0o755 | os.ModeSetgid},
		{name(8), 108, 0o755 | os.ModeSetgid}, {name(9), 109, 0o755 | os.ModeSetgid}, {name(9) + "/new", 54, 0o755},
		{name(count - 1), 100 + count - 1, 0o755 | os.ModeSetgid}, {name(3) + "/later", 50, 0o644}, {name(4) + "/through", 50, 0o644},
	} {
		fi, err := dst.Lstat(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if !fi.ModTime().Equal(at(c.time)) || fi.Mode()&^os.ModeDir != c.mode {
			t.Errorf("%s: %v %v, want %v %v", filepath.Base(c.name), fi.ModTime().UnixNano(), fi.Mode(), at(c.time).UnixNano(), c.mode)
		}
	}
	if b, err := dst.ReadFile(name(5)); string(b) != "file now" {
		t.Errorf("%q, %v", b, err)
	}
	for i, want := range map[int]bool{7: true, 8: true, 9: false} {
		if got := opaque(filepath.Join(w.dst, name(i))); got != want {
			t.Errorf("d%d is opaque: %v", i, got)
		}
	}
}
