package sys

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

func TestLookSaysWhatStatSays(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, make([]byte, 5000), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(file, file+"2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, "/dev/null", "/"} {
		var st syscall.Stat_t
		if err := syscall.Lstat(name, &st); err != nil {
			t.Fatal(err)
		}
		got, err := Lookat(AT_FDCWD, name)
		if err != nil {
			t.Fatal(err)
		}
		want := Look{
			Dev: uint64(unix.Major(st.Dev))<<32 | uint64(unix.Minor(st.Dev)), Ino: st.Ino, Nlink: uint32(st.Nlink),
			Mode: st.Mode, UID: st.Uid, GID: st.Gid, Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev),
			Size: st.Size, Blocks: st.Blocks,
			Mtime: Time{st.Mtim.Sec, st.Mtim.Nsec}, Ctime: Time{st.Ctim.Sec, st.Ctim.Nsec},
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if n := unsafe.Sizeof(unix.Statx_t{}); n != StatxSize {
		t.Errorf("struct statx has %d bytes", n)
	}
}

func TestAttributesOfAnOpenFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	large := make([]byte, 1000)
	err = Fsetxattr(int(f.Fd()), "user.large", large)
	testneed.Feature(t, "user attributes", err, "set TMPDIR to a directory of a file system that has them")
	names, err := Flistxattr(int(f.Fd()))
	if err != nil || len(names) != 1 || names[0] != "user.large" {
		t.Errorf("%q, %v", names, err)
	}
	if v, err := Fgetxattr(int(f.Fd()), "user.large"); err != nil || len(v) != 1000 {
		t.Errorf("%d bytes, %v", len(v), err)
	}
}
