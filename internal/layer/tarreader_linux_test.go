package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caisson-go/caisson/internal/testneed"
)

// readOwn lists what our reader makes of a stream: a line for each entry, and the error at its end.
func readOwn(r io.Reader) (list []string, err error) {
	mem := make([]byte, 2*leastRead)
	t := &tarReader{src: &source{r: r, chunk: func() ([]byte, error) { return mem, nil }}}
	for {
		f, err := t.next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		content, err := contentOf(t, f)
		list = append(list, line(&f.Header, content))
		if err != nil {
			return list, err
		}
	}
}

// most bounds what the tests keep of a file.
const most = 1 << 20

func contentOf(t *tarReader, f *tarFile) ([]byte, error) {
	if headerOnly(f.Typeflag) || f.Typeflag == tar.TypeXGlobalHeader || f.Size > most {
		return nil, nil
	}
	list := f.extents
	if !f.sparse {
		list = []extent{{0, f.Size}}
	}
	b := make([]byte, f.Size)
	for _, e := range list {
		for e.size > 0 {
			p, err := t.data(e.size)
			if err != nil {
				return nil, err
			}
			copy(b[e.off:], p)
			e.off, e.size = e.off+int64(len(p)), e.size-int64(len(p))
		}
	}
	return b, nil
}

// readStandard is readOwn with the standard library.
func readStandard(r io.Reader) (list []string, err error) {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return list, err
		}
		var content []byte
		err = nil
		if !headerOnly(h.Typeflag) && h.Typeflag != tar.TypeXGlobalHeader && h.Size <= most {
			content, err = io.ReadAll(t)
		}
		if err != nil {
			content = nil
		}
		list = append(list, line(h, content))
		if err != nil {
			return list, err
		}
	}
}

func line(h *tar.Header, content []byte) string {
	records := maps.Clone(h.PAXRecords)
	if len(records) == 0 {
		records = nil
	}
	mtime := h.ModTime
	if h.Typeflag == tar.TypeXGlobalHeader {
		return fmt.Sprintf("global %q", records)
	}
	return fmt.Sprintf("%q %q -> %q %d bytes mode %o %d:%d %d.%09d dev %d:%d %q %.40q", h.Typeflag, h.Name, h.Linkname, h.Size, h.Mode,
		h.Uid, h.Gid, mtime.Unix(), mtime.Nanosecond(), h.Devmajor, h.Devminor, records, content)
}

func sameAsStandard(t *testing.T, b []byte) {
	t.Helper()
	want, werr := readStandard(bytes.NewReader(b))
	got, gerr := readOwn(bytes.NewReader(b))
	if (werr == nil) != (gerr == nil) {
		// A sparse file whose map does not fit its data is refused at once by us, and when it is read by the others.
		if gerr == nil || len(got) != len(want) && len(got)+1 != len(want) {
			t.Fatalf("error %v, the standard library has %v\n%s\n%s", gerr, werr, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] && !(i == len(got)-1 && gerr != nil) {
			t.Fatalf("entry %d:\nis   %s\nwant %s", i, got[i], want[i])
		}
	}
	if gerr == nil && len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	slow, serr := readOwn(iotest.OneByteReader(bytes.NewReader(b)))
	if strings.Join(slow, "\n") != strings.Join(got, "\n") || fmt.Sprint(serr) != fmt.Sprint(gerr) {
		t.Fatalf("byte by byte: %v and %v\n%s\n%s", serr, gerr, strings.Join(slow, "\n"), strings.Join(got, "\n"))
	}
}

// archives are small tar files of every format.
func archives(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries := []*tar.Header{
		{Name: "dir/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "dir/file", Typeflag: tar.TypeReg, Mode: 0o4644, Size: 700, Uid: 1000, Gid: 100},
		{Name: "dir/link", Typeflag: tar.TypeSymlink, Linkname: "file", Mode: 0o777},
		{Name: "dir/hard", Typeflag: tar.TypeLink, Linkname: "dir/file"},
		{Name: "dir/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3},
		{Name: strings.Repeat("p/", 60) + "name", Typeflag: tar.TypeReg, Size: 3},
	}
	for name, form := range map[string]tar.Format{"ustar": tar.FormatUSTAR, "pax": tar.FormatPAX, "gnu": tar.FormatGNU} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for i, h := range entries {
			h := *h
			h.Format, h.ModTime = form, time.Unix(int64(1e9+i), 0)
			if form != tar.FormatUSTAR {
				h.Linkname += strings.Repeat("x", 200*(i%2))
			}
			if form == tar.FormatPAX {
				h.ModTime = time.Unix(-5, 123456789)
				h.PAXRecords = map[string]string{paxXattr + "user.a": "b\x00c", "VENDOR.x": "y"}
			}
			if form == tar.FormatGNU {
				h.Uid = 1 << 40
			}
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(name, err)
			}
			_, _ = w.Write(bytes.Repeat([]byte{'a' + byte(i)}, int(h.Size)))
		}
		_ = w.Close()
		out[name] = buf.Bytes()
	}
	out["sparse 1.0"], _ = io.ReadAll(sparse("hole", 1<<19))
	out["special"], _ = io.ReadAll(sizedHeader(tar.TypeXHeader, 2<<20))
	return out
}

func TestTarReader(t *testing.T) {
	for name, b := range archives(t) {
		t.Run(name, func(t *testing.T) {
			sameAsStandard(t, b)
			r := rand.New(rand.NewPCG(1, 2))
			for range 3000 { // damage, with the checksum mended half of the time
				c := bytes.Clone(b[:min(len(b), 1+r.IntN(len(b)))])
				for range 1 + r.IntN(3) {
					c[r.IntN(len(c))] = byte(r.IntN(256) & r.IntN(255))
				}
				if r.IntN(4) > 0 {
					mend(c)
				}
				sameAsStandard(t, c)
			}
		})
	}
	if _, err := readOwn(bytes.NewReader(archives(t)["special"])); !errors.Is(err, tar.ErrFieldTooLong) {
		t.Errorf("a huge header: %v", err)
	}
}

// mend puts the right checksums into what may be headers.
func mend(b []byte) {
	for at := 0; at+block <= len(b); at += block {
		if h := b[at : at+block]; bytes.Contains(h[257:263], []byte("ustar")) {
			checksum(h)
		}
	}
}

// What GNU tar itself writes, sparse files among it.
func TestTarReaderReadsGNUTar(t *testing.T) {
	program := testneed.Program(t, "tar", "install GNU tar")
	dir := t.TempDir()
	makeSparse(t, filepath.Join(dir, "sparse"))
	for _, how := range [][]string{{"--format=gnu"}, {"--format=posix"}, {"--format=posix", "--sparse-version=0.0"},
		{"--format=posix", "--sparse-version=0.1"}, {"--format=posix", "--sparse-version=1.0"}, {"--format=v7"}, {"--format=oldgnu"}} {
		b, err := exec.CommandContext(t.Context(), program, append(how, "-S", "-cf", "-", "-C", dir, "sparse")...).Output()
		if err != nil {
			t.Skipf("no GNU tar: %v", err)
		}
		sameAsStandard(t, b)
		f, err := (&tarReader{src: &source{r: bytes.NewReader(b), chunk: func() ([]byte, error) { return make([]byte, 1<<16), nil }}}).next()
		if err != nil || f.sparse != (how[0] != "--format=v7") {
			t.Errorf("%v: %+v, %v", how, f, err)
		}
	}
}

// FuzzTarReader compares with the standard library.
func FuzzTarReader(f *testing.F) {
	for _, b := range archives(f) {
		if len(b) < 1<<16 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		mend(b)
		sameAsStandard(t, b)
	})
}
