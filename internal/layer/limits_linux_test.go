package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

// T39: what a layer may cost is bounded, by a typed error, in little memory.
func TestLayerLimits(t *testing.T) {
	big := strings.Repeat("x", 70_000)
	for _, tc := range []struct {
		name string
		r    func() io.Reader
		l    Limits
		what string
	}{
		{"entries", func() io.Reader { return endless(func(i int) entry { return file(fmt.Sprint(i%10), "") }) },
			Limits{Entries: 1000}, "entries"},
		{"implied entries", func() io.Reader {
			return endless(func(i int) entry { return file(fmt.Sprint(i)+strings.Repeat("/d", 200), "") })
		}, Limits{Entries: 1000}, "entries"},
		{"implied entries behind links", func() io.Reader {
			return endless(func(i int) entry {
				if i%2 == 0 {
					return link(fmt.Sprint("l", i), fmt.Sprint(i)+strings.Repeat("/d", 1000))
				}
				return file(fmt.Sprint("l", i-1, "/f"), "")
			})
		}, Limits{Entries: 3000}, "entries"},
		{"stream", func() io.Reader { return endless(func(i int) entry { return file("same", "content") }) },
			Limits{Bytes: 1 << 20}, "stream bytes"},
		{"file", func() io.Reader { return sized("f", 1<<40) }, Limits{}, "file bytes"},
		{"path", func() io.Reader { return pack(t, file(strings.Repeat("dir/", 1024)+"f", "")) }, Limits{}, "bytes in a path"},
		{"depth", func() io.Reader { return pack(t, file(strings.Repeat("d/", 300)+"f", "")) }, Limits{}, "components in a path"},
		{"component", func() io.Reader { return pack(t, file(strings.Repeat("d", 256), "")) }, Limits{}, "bytes in a path component"},
		{"link target", func() io.Reader { return pack(t, link("l", strings.Repeat("d", 4096))) }, Limits{}, "bytes in a link target"},
		{"hard link target", func() io.Reader { return pack(t, hard("l", strings.Repeat("d/", 300))) }, Limits{}, "components in a path"},
		{"attribute", func() io.Reader {
			return pack(t, entry{name: "f", pax: map[string]string{paxXattr + "user.x": big}})
		}, Limits{}, "bytes in a PAX record"},
		{"PAX header", func() io.Reader { return sizedHeader(tar.TypeXHeader, 1<<30) }, Limits{}, "bytes in a tar header"},
		{"GNU long name", func() io.Reader { return sizedHeader(tar.TypeGNULongName, 1<<30) }, Limits{}, "bytes in a tar header"},
		{"restricted directories", func() io.Reader {
			return endless(func(i int) entry {
				d := strings.Repeat("d", 250)
				return entry{name: d + "/" + d + "/" + d + "/" + fmt.Sprint(i), typ: tar.TypeDir, mode: 0o1}
			})
		}, Limits{}, "bytes of names of directories without owner permission"},
		{"names of implied directories", func() io.Reader {
			return endless(func(i int) entry {
				return file(strings.Repeat(strings.Repeat("d", 250)+"/", 15)+fmt.Sprint(i)+"/f", "")
			})
		}, Limits{}, "bytes of names of directories without an entry"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			o := Defaults()
			o.Limits = tc.l
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, err := w.unpackWith(tc.r(), o)
			runtime.ReadMemStats(&after)
			var limit *LimitError
			if !errors.As(err, &limit) || limit.What != tc.what {
				t.Errorf("err = %v, want the limit of %s", err, tc.what)
			}
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 64<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
		})
	}
}

// A sparse file of any size takes no space, so it can not fill the disk.
func TestLayerSparse(t *testing.T) {
	w := newWorld(t)
	const size = 1 << 30
	if _, err := w.unpack(sparse("hole", size)); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(filepath.Join(w.dst, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if blocks := fi.Sys().(*syscall.Stat_t).Blocks; fi.Size() != size || blocks > 16 {
		t.Errorf("size %d, %d blocks", fi.Size(), blocks)
	}
}

func TestRemoveAllDeep(t *testing.T) {
	w := newWorld(t)
	// Deeper than any limit on open files: each link starts where the last entry ended.
	var entries []entry
	at := ""
	for i := range 8 {
		l := fmt.Sprintf("l%d", i)
		entries = append(entries, file(at+strings.Repeat("d/", 250)+"f", ""))
		deep := strings.Repeat("d/", 250)
		entries = append(entries, link(l, at+deep))
		at = l + "/"
	}
	w.mustUnpack(entries...)
	w.removeDst()
	if names, _ := os.ReadDir(w.top); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
	w.removeDst() // once more is no error
}

func TestRemoveAllConcurrent(t *testing.T) {
	w := newWorld(t)
	var entries []entry
	for i := range 2000 {
		entries = append(entries, file(fmt.Sprintf("%d/%d/%d", i%7, i%11, i), ""))
	}
	w.mustUnpack(entries...)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			top, err := os.Open(w.top)
			if err == nil {
				err = RemoveAll(top, "dst")
				top.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if names, _ := os.ReadDir(w.top); len(names) != 1 {
		t.Errorf("left: %v", names)
	}
}

// endless is a tar stream without an end.
func endless(next func(i int) entry) io.Reader {
	var buf bytes.Buffer
	i := 0
	return readerFunc(func(p []byte) (int, error) {
		for buf.Len() == 0 {
			e := next(i)
			i++
			w := tar.NewWriter(&buf)
			if err := w.WriteHeader(e.header()); err != nil {
				return 0, err
			}
			if _, err := io.WriteString(w, e.body); err != nil {
				return 0, err
			}
			if err := w.Flush(); err != nil {
				return 0, err
			}
		}
		return buf.Read(p)
	})
}

// sized is the header of a huge file, and nothing behind it.
func sized(name string, size int64) io.Reader {
	var buf bytes.Buffer
	_ = tar.NewWriter(&buf).WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg})
	return &buf
}

// sizedHeader is a header about the next header that claims to be huge, with zeros behind it.
func sizedHeader(typ byte, size int64) io.Reader {
	b := make([]byte, 512)
	copy(b, "header")
	copy(b[100:], "0000644\x00")
	copy(b[124:], fmt.Sprintf("%011o\x00", size))
	copy(b[136:], "00000000000\x00")
	b[156] = typ
	copy(b[257:], "ustar\x0000")
	return io.MultiReader(bytes.NewReader(checksum(b)), io.LimitReader(zeros{}, size))
}

// sparse is a file in the format of PAX sparse files, version 1.0, with one byte of data.
func sparse(name string, size int64) io.Reader {
	records := ""
	for _, kv := range [][2]string{{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", name},
		{"GNU.sparse.realsize", fmt.Sprint(size)}} {
		body := " " + kv[0] + "=" + kv[1] + "\n"
		n := len(body) + 2
		records += fmt.Sprintf("%d%s", n, body)
	}
	var out bytes.Buffer
	block := func(typ byte, name string, size int) {
		b := make([]byte, 512)
		copy(b, name)
		copy(b[100:], "0000644\x00")
		copy(b[124:], fmt.Sprintf("%011o\x00", size))
		copy(b[136:], "00000000000\x00")
		b[156] = typ
		copy(b[257:], "ustar\x0000")
		out.Write(checksum(b))
	}
	pad := func(s string) { out.WriteString(s + strings.Repeat("\x00", -len(s)&511)) }
	block('x', "pax", len(records))
	pad(records)
	block('0', "GNUSparseFile/"+name, 513)
	pad("1\n0\n1\n") // one extent: offset 0, length 1
	pad("x")
	pad(strings.Repeat("\x00", 1024))
	return &out
}

func checksum(b []byte) []byte {
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// makeSparse makes a file of 400 KiB with three stretches of data.
func makeSparse(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, at := range []int64{0, 128 << 10, 300 << 10} {
		if _, err := f.WriteAt(bytes.Repeat([]byte("data"), 1024), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(400 << 10); err != nil {
		t.Fatal(err)
	}
}

// Holes that the archive has stay holes.
func TestLayerKeepsHoles(t *testing.T) {
	program := testneed.Program(t, "tar", "install GNU tar")
	dir := t.TempDir()
	makeSparse(t, filepath.Join(dir, "sparse"))
	want, err := os.ReadFile(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"gnu", "posix"} {
		b, err := exec.CommandContext(t.Context(), program, "--format="+format, "-S", "-cf", "-", "-C", dir, "sparse").Output()
		if err != nil {
			t.Skipf("no GNU tar: %v", err)
		}
		w := newWorld(t)
		if _, err := w.unpack(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(w.dst, "sparse")
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: the content differs; %v", format, err)
		}
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if blocks := fi.Sys().(*syscall.Stat_t).Blocks; blocks > 3*4096/512*4 {
			t.Errorf("%s: %d blocks", format, blocks)
		}
	}
}
