package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// elfModule builds the smallest file in which a kernel module's dependencies can be found: an ELF header, the section
// names, .modinfo, and the three section headers.
func elfModule(depends string) []byte {
	names := []byte("\x00.shstrtab\x00.modinfo\x00")
	info := []byte("license=GPL\x00depends=" + depends + "\x00name=x\x00")
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			binary.Write(&b, binary.LittleEndian, v)
		}
	}
	put([16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, uint16(1), uint16(62), uint32(1)) // relocatable, amd64
	put(uint64(0), uint64(0), uint64(64+len(names)+len(info)), uint32(0))         // entry, segments, sections, flags
	put(uint16(64), uint16(0), uint16(0), uint16(64), uint16(3), uint16(1))
	b.Write(names)
	b.Write(info)
	put([64]byte{})
	section := func(name uint32, kind uint32, offset, size int) {
		put(name, kind, uint64(0), uint64(0), uint64(offset), uint64(size), uint32(0), uint32(0), uint64(1), uint64(0))
	}
	section(1, 3, 64, len(names))
	section(11, 1, 64+len(names), len(info))
	return b.Bytes()
}

func TestLoadOrder(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put("modules.builtin", []byte("kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n"))
	put("kernel/net/bridge.ko", elfModule("stp,llc"))
	put("kernel/net/stp.ko", elfModule("llc"))
	put("kernel/net/llc.ko", elfModule(""))
	put("kernel/net/nf-tables.ko", elfModule("crc-t10dif"))
	put("kernel/net/broken.ko", elfModule("absent"))
	put("kernel/net/noise.ko", []byte("noise"))

	for _, c := range []struct {
		wanted, order []string
		missing       bool
	}{
		{[]string{"bridge", "ext4", "llc", "nf_tables", ""}, []string{"llc", "stp", "bridge", "nf_tables"}, false},
		{[]string{"unheard_of"}, nil, true},
		{[]string{"broken"}, nil, true},
	} {
		got, err := loadOrder(t.Context(), dir, c.wanted)
		if errors.Is(err, fs.ErrNotExist) != c.missing {
			t.Errorf("%v: %v", c.wanted, err)
		}
		var names []string
		for _, m := range got {
			names = append(names, m.name)
		}
		if !c.missing && !slices.Equal(names, c.order) {
			t.Errorf("%v load as %v, want %v", c.wanted, names, c.order)
		}
	}
	if _, err := loadOrder(t.Context(), dir, []string{"noise"}); err == nil {
		t.Error("a file that is no module was accepted")
	}
}
