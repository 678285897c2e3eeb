package cpio

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

func write(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, err := range []error{
		w.Dir("/tmp", 0o777|fs.ModeSticky),
		w.File("/a/b/hello", 0o755, 5, strings.NewReader("hello")),
		w.File("empty", 0o600, 0, strings.NewReader("")),
		w.Symlink("a/link", "b/hello"),
		w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestArchiveIsReproducibleAndAligned(t *testing.T) {
	first, second := write(t), write(t)
	if !bytes.Equal(first, second) {
		t.Error("two archives of the same input differ")
	}
	if len(first)%4 != 0 {
		t.Errorf("the archive has %d bytes", len(first))
	}
}

func TestKnownHeader(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	if err := w.CharDevice("console", 0o600, 5, 1); err != nil {
		t.Fatal(err)
	}
	const want = "070701" +
		"00000001" + "00002180" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000005" + "00000001" + "00000008" + "00000000" + "console\x00\x00\x00"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What another implementation unpacks is what was put in.
func TestOtherImplementationReadsIt(t *testing.T) {
	tool := testneed.Program(t, "cpio", "apt-get install cpio")
	dir := t.TempDir()
	cmd := exec.Command(tool, "-i", "-d")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(write(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a", "link")); err != nil || string(b) != "hello" {
		t.Errorf("a/link reads %q, %v", b, err)
	}
	for name, mode := range map[string]fs.FileMode{
		"tmp": fs.ModeDir | fs.ModeSticky | 0o777, "a": fs.ModeDir | 0o755, "a/b/hello": 0o755, "empty": 0o600,
	} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s has %v, %v, want %v", name, info, err, mode)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := NewWriter(io.Discard)
	if err := w.File("short", 0o600, 9, strings.NewReader("four")); err == nil {
		t.Error("a content shorter than its size was accepted")
	}
	if err := w.File("huge", 0o600, 1<<32, strings.NewReader("")); err == nil {
		t.Error("a size beyond 32 bits was accepted")
	}
	if err := w.File(trailer, 0o600, 0, strings.NewReader("")); err == nil {
		t.Error("the trailer's name was accepted")
	}
}
