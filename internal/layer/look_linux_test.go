package layer

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson/internal/testneed"
)

func TestLayerOwners(t *testing.T) {
	own := os.Geteuid()
	for _, tc := range []struct {
		name     string
		e        entry
		o        Options
		root     bool
		uid      int
		squashed int64
		err      error
	}{
		{name: "kept", e: entry{name: "f", uid: 1000, gid: 70000}, root: true, uid: 1000},
		{name: "largest", e: entry{name: "f", uid: 4294967294}, root: true, uid: 4294967294},
		{name: "symlink", e: entry{name: "f", typ: tar.TypeSymlink, link: "x", uid: 7}, root: true, uid: 7},
		{name: "fifo", e: entry{name: "f", typ: tar.TypeFifo, uid: 7}, root: true, uid: 7},
		{name: "dir", e: entry{name: "f", typ: tar.TypeDir, uid: 7}, root: true, uid: 7},
		{name: "minus one", e: entry{name: "f", uid: 4294967295}, err: ErrOwner},
		{name: "too large", e: entry{name: "f", gid: 1 << 32}, err: ErrOwner},
		{name: "squashed", e: entry{name: "f", uid: 1000}, o: Options{IgnoreOwners: true, UserXattr: true}, uid: own, squashed: 1},
		{name: "squashed root", e: entry{name: "f"}, o: Options{IgnoreOwners: true, UserXattr: true}, uid: own},
		{name: "mapped", e: entry{name: "f", uid: 5}, root: true, uid: 100005,
			o: Options{Owner: func(u, g int) (int, int, error) { return u + 100000, g + 100000, nil }}},
		{name: "unmapped", e: entry{name: "f", uid: 5}, err: fs.ErrPermission,
			o: Options{UserXattr: true, Owner: func(u, g int) (int, int, error) {
				if u != 0 {
					return 0, 0, fs.ErrPermission
				}
				return own, os.Getegid(), nil
			}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root {
				testneed.Root(t)
			}
			w := newWorld(t)
			st, err := w.unpackWith(pack(t, tc.e), tc.o)
			if tc.err != nil {
				if os.Geteuid() != 0 && errors.Is(err, fs.ErrPermission) {
					return // the chown of the root itself
				}
				if !errors.Is(err, tc.err) {
					t.Fatalf("err = %v, want %v", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			fi, err := os.Lstat(filepath.Join(w.dst, "f"))
			if err != nil {
				t.Fatal(err)
			}
			if got := int(fi.Sys().(*syscall.Stat_t).Uid); got != tc.uid || st.Squashed != tc.squashed {
				t.Errorf("uid %d, squashed %d; want %d, %d", got, st.Squashed, tc.uid, tc.squashed)
			}
		})
	}
}

// T37: what steers overlayfs never comes from a layer.
func TestLayerXattrs(t *testing.T) {
	w := newWorld(t)
	// struct vfs_cap_data of version 2: effective, cap_net_bind_service.
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	attrs := map[string]string{
		"user.kept": "yes", "security.capability": capability, "security.selinux": "x", "trusted.other": "x",
		"trusted.overlay.opaque": "y", "trusted.overlay.redirect": "/etc", "trusted.overlay.metacopy": "",
		"trusted.overlay.origin": "x", "user.overlay.opaque": "y", "user.overlay.redirect": "/etc",
		"user.overlay.whiteout": "y", "user.overlay.overlay.opaque": "y",
	}
	pax := map[string]string{}
	for k, v := range attrs {
		pax[paxXattr+k] = v
	}
	st := w.mustUnpack(
		entry{name: "d", typ: tar.TypeDir, pax: pax}, entry{name: "f", pax: pax},
		entry{name: "l", typ: tar.TypeSymlink, link: "f", pax: pax}, entry{name: "p", typ: tar.TypeFifo, pax: pax},
		node("raw", 0, 0),
	)
	for _, name := range []string{".", "d", "f", "l", "p"} {
		buf := make([]byte, 4096)
		n, err := unix.Llistxattr(filepath.Join(w.dst, name), buf)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, a := range strings.Split(strings.TrimRight(string(buf[:n]), "\x00"), "\x00") {
			if a != "" && a != "security.selinux" { // the host's own label
				kept = append(kept, a)
			}
		}
		want := ""
		if name == "d" || name == "f" {
			want = "user.kept"
		}
		if name == "f" && (os.Geteuid() == 0 || st.Confined.User) {
			want = "security.capability user.kept"
		}
		if got := strings.Join(kept, " "); got != want {
			// Directories take no file capability, or do, by file system; it means nothing there.
			if got != "security.capability "+want || name != "d" {
				t.Errorf("%s has %q, want %q", name, got, want)
			}
		}
	}
	w.has(map[string]string{"raw": ""})
	if st.Skips < 20 {
		t.Errorf("skips = %d: %v", st.Skips, st.Skipped)
	}
}

func TestLayerDevices(t *testing.T) {
	testneed.Root(t)
	w := newWorld(t)
	st, err := w.unpackWith(pack(t, node("null", 1, 3), node("raw", 0, 0),
		entry{name: "disk", typ: tar.TypeBlock, major: 8, minor: 0, mode: 0o600}), Options{Devices: true})
	if err != nil {
		t.Fatal(err)
	}
	w.has(map[string]string{"null": "char 1:3", "raw": "", "disk": "file Drw-------"})
	if st.Skips != 1 {
		t.Errorf("stats = %+v", st)
	}
}
