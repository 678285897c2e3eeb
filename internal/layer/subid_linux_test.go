package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/subid"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
)

// idRange are the ids of a user namespace for a test: 0 is own on the host, and 1 and so on are first and so on.
type idRange struct{ ownUID, ownGID, firstUID, firstGID, count int }

func unshareUser(t *tape.Tape) { t.Unshare(sys.CLONE_NEWUSER) }

// rangeFor is a range for whoever runs the test: root writes the maps itself, others have it done.
func rangeFor(t *testing.T) (idRange, *UserNamespace) {
	t.Helper()
	if os.Geteuid() == 0 {
		testneed.Root(t)
		r := idRange{300000, 300000, 300001, 300001, 999}
		return r, &UserNamespace{Enter: unshareUser, Map: func(pid int) error {
			m := []byte("0 300000 1000\n")
			return errors.Join(os.WriteFile(fmt.Sprintf("/proc/%d/uid_map", pid), m, 0),
				os.WriteFile(fmt.Sprintf("/proc/%d/gid_map", pid), m, 0))
		}}
	}
	testneed.SubordinateIDs(t)
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	var files [2]*os.File
	for i, name := range []string{"/etc/subuid", "/etc/subgid"} {
		if files[i], err = os.Open(name); err != nil {
			t.Fatal(err)
		}
		defer files[i].Close()
	}
	uids, gids, err := subid.For(os.Getuid(), os.Getgid(), u.Username, files[0], files[1])
	if err != nil {
		t.Fatal(err)
	}
	r := idRange{os.Getuid(), os.Getgid(), int(uids[0].Start), int(gids[0].Start), 999}
	return r, &UserNamespace{Enter: unshareUser, Map: func(pid int) error {
		for program, args := range map[string][]int{"newuidmap": {r.ownUID, r.firstUID}, "newgidmap": {r.ownGID, r.firstGID}} {
			out, err := exec.Command(program, fmt.Sprint(pid), "0", fmt.Sprint(args[0]), "1", "1", fmt.Sprint(args[1]), "999").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s: %w: %s", program, err, out)
			}
		}
		return nil
	}}
}

// The owners on the disk are those that the layer's have in the namespace; what cannot be had is an error that names
// the entry, and the tree can be removed.
func TestLayerSubordinateIDs(t *testing.T) {
	r, ns := rangeFor(t)
	w := newWorld(t)
	if os.Geteuid() == 0 { // the range's root must reach and own the directory
		for _, dir := range []string{filepath.Dir(w.top), w.top} { // both are this test's own: testing.T.TempDir makes two
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{w.top, w.dst} {
			if err := os.Chown(dir, r.ownUID, r.ownGID); err != nil {
				t.Fatal(err)
			}
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
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	st, err := w.unpackWith(pack(t,
		entry{name: "root"}, entry{name: "d", typ: tar.TypeDir, uid: 5, gid: 7, mode: 0o711}, entry{name: "d/f", uid: 33, gid: 44, mode: 0o4755},
		entry{name: "d/l", typ: tar.TypeSymlink, link: "f", uid: 999, gid: 999}, entry{name: "p", typ: tar.TypeFifo, uid: 1},
		entry{name: "closed", typ: tar.TypeDir, uid: 9, mode: 0o700}, entry{name: "closed/f", uid: 9, mode: 0o600},
		entry{name: "ping", pax: map[string]string{paxXattr + "security.capability": capability}},
		file("d/.wh..wh..opq", ""), file(".wh.gone", ""), file("im/plied", ""),
	), o)
	if err != nil {
		t.Fatal(err)
	}
	if !st.Confined.User || st.Squashed != 0 || st.Skips != 0 {
		t.Errorf("%+v", st)
	}
	for name, ids := range map[string][2]int{".": {0, 0}, "root": {0, 0}, "d": {5, 7}, "d/f": {33, 44}, "d/l": {999, 999}, "p": {1, 0}, "closed": {9, 0}, "im": {0, 0}, "gone": {0, 0}} {
		fi, err := os.Lstat(filepath.Join(w.dst, name))
		if err != nil {
			t.Fatal(err)
		}
		uid, gid := r.ownUID, r.ownGID
		if ids[0] > 0 {
			uid = r.firstUID + ids[0] - 1
		}
		if ids[1] > 0 {
			gid = r.firstGID + ids[1] - 1
		}
		if s := fi.Sys().(*syscall.Stat_t); int(s.Uid) != uid || int(s.Gid) != gid {
			t.Errorf("%s is of %d:%d, want %d:%d", name, s.Uid, s.Gid, uid, gid)
		}
	}
	for name, want := range map[string]string{"d": "opaque dir drwx--x--x", "gone": "whiteout", "d/f": "file urwxr-xr-x"} {
		if got := describe(t, filepath.Join(w.dst, name)); !strings.HasPrefix(got, want) && got != strings.TrimPrefix(want, "opaque ") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if os.Geteuid() != 0 {
		if err := RemoveAll(top, "dst"); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("without the namespace: %v", err)
		}
	}
	if err := RemoveAllAs(top, "dst", o); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(w.dst); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the tree is still there")
	}
	if err := os.Mkdir(w.dst, 0o700); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(w.dst, r.ownUID, r.ownGID); err != nil {
			t.Fatal(err)
		}
	}
	_, err = w.unpackWith(pack(t, file("fine", ""), entry{name: "no/place", uid: 1000}, file("behind", "")), o)
	var e *Error
	if !errors.As(err, &e) || e.Path != "no/place" || e.Op != "chown" || !errors.Is(err, syscall.EINVAL) || !strings.Contains(e.Hint, "/etc/subuid") {
		t.Errorf("an id without a place: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(w.dst, "behind")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what comes behind the error is there: %v", err)
	}
	if err := RemoveAllAs(top, "dst", o); err != nil {
		t.Fatal(err)
	}
}
