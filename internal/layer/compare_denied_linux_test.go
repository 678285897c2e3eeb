package layer

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

// closedLayer keeps things to users of its own, and from its own users. what is the content of all of it.
func closedLayer(t *testing.T, owner int, what string, more ...entry) []byte {
	t.Helper()
	return packed(t, append([]entry{
		dir("./"), {name: "theirs", typ: tar.TypeDir, uid: owner, mode: 0o700}, {name: "theirs/f", uid: owner, mode: 0o600, body: what},
		{name: "theirs/in", typ: tar.TypeDir, uid: owner, mode: 0o300}, {name: "theirs/in/f", uid: owner, mode: 0o400, body: what},
		{name: "f", uid: owner, mode: 0o600, body: what, pax: attr("user.x", what)},
		{name: "nobodys", mode: 0, body: what, pax: attr("user.x", what)}, {name: "shut", typ: tar.TypeDir, mode: 0, pax: attr("user.x", what)},
		{name: "shut/f", mode: 0, body: what}, {name: "listed", typ: tar.TypeDir, uid: owner, mode: 0o744}, {name: "listed/l", typ: tar.TypeSymlink, link: what},
	}, more...)...)
}

// compareClosed compares a layer with what another stream says, and returns what is different where.
func (w *world) compareClosed(stream []byte, o Options, made Stats) (list []string) {
	w.t.Helper()
	d := w.open()
	defer d.Close()
	c, err := Compare(w.t.Context(), d, bytes.NewReader(stream), o, made)
	if err != nil || c.Unread != 0 {
		w.t.Errorf("%v, %d unread", err, c.Unread)
	}
	for _, d := range c.Differences {
		list = append(list, d.Path+" "+d.What)
	}
	slices.Sort(list)
	return list
}

// differentClosed are the differences of closedLayer with another content of the same length.
func differentClosed() []string {
	return []string{
		"f attribute user.x", "f content", "listed/l points to \"good\", not \"evil\"", "nobodys attribute user.x", "nobodys content",
		"shut attribute user.x", "shut/f content", "theirs/f content", "theirs/in/f content",
	}
}

// What subordinate ids, or nobody, may read is compared as everything else is.
func TestCompareSubordinateIDs(t *testing.T) {
	r, ns := rangeFor(t)
	w := newWorld(t)
	if os.Geteuid() == 0 { // the range's root must reach and own the directory
		for _, dir := range []string{filepath.Dir(w.top), w.top} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(w.dst, r.ownUID, r.ownGID); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{UserXattr: true, User: ns}
	top, err := os.Open(w.top)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = RemoveAllAs(top, "dst", o)
		_ = top.Close()
	})
	made, err := w.unpackWith(bytes.NewReader(closedLayer(t, 33, "good")), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Owner = func(uid, gid int) (int, int, error) {
		if uid > 0 {
			uid += r.firstUID - r.ownUID - 1
		}
		return uid + r.ownUID, gid + r.ownGID, nil
	}
	testClosed(t, w, 33, o, made)
}

// So is what a user has closed to itself.
func TestCompareClosed(t *testing.T) {
	testneed.UserNamespaces(t)
	w := newWorld(t)
	o := Options{UserXattr: true, IgnoreOwners: true}
	made, err := w.unpackWith(bytes.NewReader(closedLayer(t, 0, "good")), o)
	if err != nil {
		t.Fatal(err)
	}
	testClosed(t, w, 0, o, made)
}

func testClosed(t *testing.T, w *world, owner int, o Options, made Stats) {
	t.Helper()
	if got := w.compareClosed(closedLayer(t, owner, "good"), o, made); len(got) > 0 {
		t.Errorf("the same: %q", got)
	}
	if got := w.compareClosed(closedLayer(t, owner, "evil"), o, made); !slices.Equal(got, differentClosed()) {
		t.Errorf("other contents: %q, want %q", got, differentClosed())
	}
	more := closedLayer(t, owner, "good", entry{name: "theirs/in/more", uid: owner}, entry{name: "shut/more"})
	if got := w.compareClosed(more, o, made); !slices.Equal(got, []string{"shut/more is missing", "theirs/in/more is missing"}) {
		t.Errorf("files that are not there: %q", got)
	}
}
