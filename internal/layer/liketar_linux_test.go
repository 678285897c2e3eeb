package layer

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caisson-go/caisson/internal/testneed"
)

// What Unpack makes of a layer without whiteouts is what GNU tar makes of it, to the last bit.
func TestLayerIsLikeTar(t *testing.T) {
	testneed.Root(t)
	program := testneed.Program(t, "tar", "install GNU tar")
	if out, err := exec.CommandContext(t.Context(), program, "--version").Output(); err != nil || !bytes.Contains(out, []byte("GNU tar")) {
		t.Skipf("%s is not GNU tar", program)
	}
	t.Run("nasty", func(t *testing.T) {
		likeTar(t, program, func() io.Reader { return bytes.NewReader(nastyArchive(t)) })
	})
	for _, format := range []string{"gnu", "posix", "ustar"} {
		t.Run("machine in "+format, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "a.tar")
			cmd := exec.CommandContext(t.Context(), program, "--format="+format, "-cf", archive, "-C", "/usr", "--null", "--no-recursion", "-T", "-")
			cmd.Stdin = bytes.NewReader(machineFiles(t))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			likeTar(t, program, func() io.Reader {
				f, err := os.Open(archive)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = f.Close() })
				return f
			})
		})
	}
}

func likeTar(t *testing.T, program string, open func() io.Reader) {
	want := t.TempDir()
	cmd := exec.CommandContext(t.Context(), program, "--xattrs", "--xattrs-include=*", "--same-owner", "--numeric-owner", "-xpf", "-", "-C", want)
	cmd.Stdin = open()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	theirs := everything(t, want)
	for _, way := range []string{"confined", "process", "direct"} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			st, err := w.unpackWith(open(), Options{Devices: true})
			if err != nil {
				t.Fatal(err)
			}
			if st.Skips > 0 {
				t.Errorf("left out: %v", st.Skipped)
			}
			ours := everything(t, w.dst)
			bad := 0
			for _, name := range slices.Sorted(maps.Keys(theirs)) {
				if ours[name] != theirs[name] {
					if bad++; bad < 10 {
						t.Errorf("%s\n  is  %s\n  want %s", name, ours[name], theirs[name])
					}
				}
			}
			for name := range ours {
				if _, ok := theirs[name]; !ok {
					t.Errorf("%s is too much", name)
				}
			}
			t.Logf("%d files compared", len(theirs))
		})
	}
}

// everything describes all that there is to know of a tree's files, but for what no two trees have in common.
func everything(t *testing.T, top string) map[string]string {
	t.Helper()
	out, first := map[string]string{}, map[uint64]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(top, path)
		fi, err := d.Info()
		if err != nil {
			return err
		}
		st := fi.Sys().(*syscall.Stat_t)
		content := ""
		switch fi.Mode().Type() {
		case 0:
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			h := sha256.New()
			_, err = io.Copy(h, f)
			_ = f.Close()
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%d bytes %x", fi.Size(), h.Sum(nil)[:8])
		case fs.ModeSymlink:
			content, _ = os.Readlink(path)
		}
		if !fi.IsDir() {
			if first[st.Ino] == "" {
				first[st.Ino] = name
			}
			content += fmt.Sprintf(" %d names, %s", st.Nlink, first[st.Ino])
		}
		out[name] = fmt.Sprintf("%v %d:%d %d.%09d dev %d %s %s", fi.Mode(), st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, st.Rdev, content, attributes(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(out, ".") // has no entry
	return out
}

func attributes(t *testing.T, path string) (out string) {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if err != nil {
		t.Fatal(path, err)
	}
	list := strings.Split(string(names[:n]), "\x00")
	slices.Sort(list)
	for _, name := range list {
		if name == "" || name == "security.selinux" {
			continue
		}
		value := make([]byte, 65536)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			t.Fatal(path, name, err)
		}
		out += fmt.Sprintf(" %s=%q", name, value[:n])
	}
	return out
}

// machineFiles names a part of this machine's files, every kind of them, and all directories above.
func machineFiles(t *testing.T) []byte {
	t.Helper()
	var list bytes.Buffer
	entries, size := 0, int64(0)
	_ = filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("/usr", path)
		if err != nil || rel == "." || entries > 1500 {
			return nil
		}
		// All directories would be most of it; programs have the more interesting modes.
		if d.IsDir() && strings.Count(rel, "/") > 3 && !strings.HasPrefix(rel, "bin") {
			return filepath.SkipDir
		}
		if fi, err := d.Info(); err == nil && d.Type().IsRegular() {
			if fi.Size() > 1<<20 || size > 64<<20 {
				return nil
			}
			size += fi.Size()
		}
		entries++
		list.WriteString(rel + "\x00")
		return nil
	})
	return list.Bytes()
}

// nastyArchive has what archives seldom have.
func nastyArchive(t *testing.T) []byte {
	t.Helper()
	at := func(ns int64) time.Time { return time.Unix(1_234_567_890, ns) }
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	long := strings.Repeat("long/", 40)
	entries := []entry{
		{name: "modes", typ: tar.TypeDir, mode: 0o2775, uid: 12, gid: 34, time: at(1)},
		{name: "modes/suid", body: "x", mode: 0o4755, uid: 7, gid: 8, time: at(2)},
		{name: "modes/sgid", body: "x", mode: 0o2755, uid: 7, gid: 8, time: at(3)},
		{name: "modes/all", body: "x", mode: 0o7777, time: at(4)},
		{name: "modes/none", body: "x", mode: 0o1000, time: at(5)},
		{name: "modes/in-sgid-root", body: "x", time: at(6)},
		{name: "modes/dir", typ: tar.TypeDir, mode: 0o3777, time: at(7)},
		{name: "modes/dir/f", gid: 99, time: at(8)},
		{name: "ids", typ: tar.TypeDir, mode: 0o111, uid: 4294967294, gid: 4294967294, time: at(9)},
		{name: "ids/huge", uid: 4294967294, gid: 2147483648, time: at(10)},
		{name: "ids/one", uid: 2147483647, gid: 1, time: at(999_999_999)},
		{name: "times", typ: tar.TypeDir, time: at(1)},
		{name: "times/old", time: time.Unix(-86400, 500)},
		{name: "times/zero", time: time.Unix(0, 1)},
		{name: "times/late", time: time.Unix(1<<33, 999)},
		{name: "links", typ: tar.TypeDir, time: at(1)},
		{name: "links/file", body: "linked", uid: 3, mode: 0o640, time: at(11)},
		{name: "links/hard", typ: tar.TypeLink, link: "links/file", uid: 3, mode: 0o640, time: at(11)},
		{name: "links/sym", typ: tar.TypeSymlink, link: "../../../" + strings.Repeat("y", 300), mode: 0o777, uid: 5, gid: 6, time: at(12)},
		{name: "links/hard-to-sym", typ: tar.TypeLink, link: "links/sym", mode: 0o777, uid: 5, gid: 6, time: at(12)},
		{name: "links/dangling", typ: tar.TypeSymlink, link: "/nowhere", mode: 0o777, time: at(13)},
		{name: "nodes", typ: tar.TypeDir, time: at(1)},
		{name: "nodes/fifo", typ: tar.TypeFifo, mode: 0o622, uid: 4, time: at(14)},
		{name: "nodes/char", typ: tar.TypeChar, major: 1, minor: 3, mode: 0o666, gid: 5, time: at(15)},
		{name: "nodes/block", typ: tar.TypeBlock, major: 259, minor: 70000, mode: 0o660, gid: 6, time: at(16)},
		{name: "xattrs", typ: tar.TypeDir, time: at(1), pax: map[string]string{paxXattr + "user.dir": "d"}},
		{name: "xattrs/cap", body: "x", mode: 0o755, time: at(17), pax: map[string]string{paxXattr + "security.capability": capability}},
		{name: "xattrs/cap-owned", body: "x", mode: 0o755, uid: 9, time: at(18), pax: map[string]string{paxXattr + "security.capability": capability}},
		{name: "xattrs/user", body: "x", mode: 0o444, uid: 9, time: at(19), pax: map[string]string{
			paxXattr + "user.a": "1", paxXattr + "user.binary": "\xff\xfe=x", paxXattr + "user.lines": "a\nb"}},
		{name: "names", typ: tar.TypeDir, time: at(1)},
		{name: "names/new\nline and \t \"quotes\" \\ \xff", body: "x", time: at(20)},
		{name: "names/" + strings.Repeat("n", 255), body: "x", time: at(21)},
		{name: "empty", time: at(22)},
		{name: "big", body: strings.Repeat("0123456789abcdef", 3<<16+1), time: at(23)},
		{name: "zeros", body: strings.Repeat("\x00", 1<<20), time: at(24)},
	}
	for i := 0; i < len(long); i += 5 {
		entries = append(entries, entry{name: long[:i+4], typ: tar.TypeDir, mode: 0o700 + int64(i%8), time: at(25)})
	}
	entries = append(entries, entry{name: long + "file", body: "deep", time: at(26)},
		// Again, and differently.
		entry{name: "xattrs", typ: tar.TypeDir, mode: 0o750, time: at(28)},
	)
	b, err := io.ReadAll(pack(t, entries...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
