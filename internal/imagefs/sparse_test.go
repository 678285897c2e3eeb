package imagefs

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// rawHeader is one header block that package tar would not write.
func rawHeader(typ byte, name string, size int, extra func([]byte)) []byte {
	b := make([]byte, 512)
	copy(b, name)
	copy(b[100:], "0000644\x00")
	copy(b[124:], fmt.Sprintf("%011o\x00", size))
	copy(b[136:], "00000000000\x00")
	b[156] = typ
	copy(b[257:], "ustar\x0000")
	if extra != nil {
		extra(b)
	}
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func pad(s string) string { return s + strings.Repeat("\x00", -len(s)&511) }

// paxSparse is a sparse file of 10,000 bytes, "abc" at 100 and "de" at 5000, in GNU tar's format PAX 1.0.
func paxSparse(name string) string {
	records := ""
	for _, kv := range [][2]string{{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", name},
		{"GNU.sparse.realsize", "10000"}} {
		body := " " + kv[0] + "=" + kv[1] + "\n"
		records += fmt.Sprintf("%d%s", len(body)+2, body)
	}
	content := pad("2\n100\n3\n5000\n2\n") + "abcde"
	return string(rawHeader('x', "pax", len(records), nil)) + pad(records) +
		string(rawHeader('0', "GNUSparseFile/"+name, len(content), nil)) + pad(content)
}

// oldSparse is the same in the old GNU format, with the map in the header.
func oldSparse(name string) string {
	h := rawHeader('S', name, 5, func(b []byte) {
		copy(b[257:], "ustar  \x00")
		for i, n := range []int{100, 3, 5000, 2} {
			copy(b[386+12*i:], fmt.Sprintf("%011o\x00", n))
		}
		copy(b[483:], fmt.Sprintf("%011o\x00", 10000))
	})
	return string(h) + pad("abcde")
}

func TestSparseFiles(t *testing.T) {
	want := make([]byte, 10000)
	copy(want[100:], "abc")
	copy(want[5000:], "de")
	plainFile := func(name string) string { b := pack(t, file(name, "plain "+name)); return string(b[:len(b)-1024]) }
	content := []byte(plainFile("before") + paxSparse("new") + oldSparse("old") + plainFile("after") + strings.Repeat("\x00", 1024))
	for name, packed := range packings(t) {
		var b blobs
		f := New([]Layer{packed(&b, content)}, nil)
		for _, file := range []string{"before", "after"} {
			if got, err := f.ReadFile(file); string(got) != "plain "+file || err != nil {
				t.Errorf("%s: %s = %q, %v", name, file, got, err)
			}
		}
		for _, file := range []string{"old", "new"} {
			if got, err := f.ReadFile(file); !bytes.Equal(got, want) || err != nil {
				t.Errorf("%s: %s has %d bytes, %v", name, file, len(got), err)
			}
			opened, err := f.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 4)
			if _, err := opened.(io.ReaderAt).ReadAt(p, 4999); string(p) != "\x00de\x00" || err != nil {
				t.Errorf("%s: %s at 4999: %q, %v", name, file, p, err)
			}
			opened.Close()
		}
		if n := b.open.Load(); n != 0 {
			t.Errorf("%s: %d blobs are still open", name, n)
		}
	}
}
