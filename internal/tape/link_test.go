package tape

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// What only a mistake in the program can make must not become an address that points anywhere.
func TestMistakesAreErrors(t *testing.T) {
	other := New()
	for range 8 {
		other.Slot("foreign")
	}
	foreign := other.Slot("foreign")
	for _, c := range []struct {
		name string
		make func(t *Tape)
		want string
	}{
		{"nothing at all", func(*Tape) {}, "no operation"},
		{"runs off the end", func(t *Tape) { t.Setsid() }, "runs off the end"},
		{"branches off the end", func(t *Tape) { t.Goto(t.Label("x")).Ignore(); t.Mark(0) }, "runs off the end"},
		{"unbound label", func(t *Tape) { t.Goto(t.Label("nowhere")) }, `"nowhere", which is nowhere`},
		{"label of another tape", func(t *Tape) { t.Goto(Label(7)) }, "label of another tape"},
		{"negative label", func(t *Tape) { t.Goto(Label(-9)) }, "label of another tape"},
		{"result in a constant", func(t *Tape) { t.ExitGroup(Null).To(Int(0)) }, "neither a slot nor a field"},
		{"result in an address", func(t *Tape) { t.ExitGroup(Null).To(t.Zero(8).Addr()) }, "neither a slot nor a field"},
		{"result in a foreign slot", func(t *Tape) { t.ExitGroup(Null).To(foreign) }, "result: it is neither"},
		{"foreign slot", func(t *Tape) { t.Slot("x"); t.ExitGroup(foreign) }, "argument 0: it is neither"},
		{"constant taken for a slot", func(t *Tape) {
			for i := range 9 {
				t.Close(Int(i))
			}
			t.ExitGroup(foreign)
		}, "argument 0: it is neither"},
		{"field behind the data", func(t *Tape) { t.ExitGroup(t.Zero(8).Field(8)) }, "argument 0: it is neither"},
		{"field before the data", func(t *Tape) { t.ExitGroup(t.Zero(8).Field(-1)) }, "argument 0: it is neither"},
		{"address behind the data", func(t *Tape) { t.ExitGroup(t.Zero(8).At(9)) }, "9 bytes into 8 bytes"},
		{"address before the data", func(t *Tape) { t.ExitGroup(t.Zero(8).At(-1)) }, "-1 bytes into 8 bytes"},
		{"address in a structure", func(t *Tape) { t.Words(t.Zero(8).At(77)); t.ExitGroup(Null) }, "77 bytes into 16 bytes"},
		// The structure is laid out before anything runs: a slot's value is not there yet.
		{"slot in a structure", func(t *Tape) { t.Words(Int(0), t.Slot("fd")); t.ExitGroup(Null) }, "field 1 of a structure"},
		{"slot for clone3", func(t *Tape) { t.Clone3(0, 0, t.Slot("cgroup")); t.ExitGroup(Null) }, "To(Field(80))"},
		{"field in a structure", func(t *Tape) { t.Words(t.Zero(8).Field(0)); t.ExitGroup(Null) }, "field 0 of a structure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tp := New()
			c.make(tp)
			_ = tp.String()
			_, _, err := tp.encode(Native, headerAddr, headerSize, 0)
			if err == nil || !strings.HasPrefix(err.Error(), "tape: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if _, arena := tp.LinkArena(make([]byte, 1<<12), ArenaAddr); arena == nil || arena.Error() != err.Error() {
				t.Errorf("LinkArena: %v", arena)
			}
		})
	}
}

// The last bytes of the data can be read as a word, as the exit code in a wait status is.
func TestFieldAtTheEndOfTheData(t *testing.T) {
	tp := New()
	status := tp.Zero(8)
	tp.ExitGroup(status.Field(7))
	if err := tp.CheckImage(AMD64); err != nil {
		t.Error(err)
	}
	b, m, err := tp.encode(AMD64, headerAddr, headerSize, 0)
	if err != nil || m.data+7+8 > m.base+uint64(len(b)) {
		t.Errorf("%v: the word ends behind the image", err)
	}
}

func TestArenaIsWrittenWhole(t *testing.T) {
	tp := New()
	n := tp.Slot("n")
	buf := tp.Zero(13)
	tp.Read(Int(0), buf).To(n)
	tp.Goto(tp.Far("out", 0x1234))
	want, err := tp.LinkArena(make([]byte, 4096), ArenaAddr)
	if err != nil {
		t.Fatal(err)
	}
	dirty := make([]byte, 4096)
	for i := range dirty {
		dirty[i] = 0xff
	}
	got, err := tp.LinkArena(dirty, ArenaAddr)
	if err != nil {
		t.Fatal(err)
	}
	if string(want.b) != string(got.b) {
		t.Error("what lay there before shows")
	}
	if dirty[len(got.b)] != 0xff {
		t.Error("more than its own memory is written")
	}
	if got.Word(n) != 0 || string(got.Bytes(buf)) != strings.Repeat("\x00", 13) {
		t.Error("slots and buffers are not zero")
	}
	minus := int64(-2)
	binary.LittleEndian.PutUint64(dirty[got.mem.words-got.mem.base:], uint64(minus))
	if got.Word(n) != minus {
		t.Errorf("%d", got.Word(n))
	}
	if _, err := tp.LinkArena(dirty[:len(got.b)-1], ArenaAddr); !errors.Is(err, ErrArenaFull) {
		t.Error(err)
	}
}

// A tape that was used and reset makes what a new one makes.
func TestReset(t *testing.T) {
	build := func(tp *Tape) string {
		fd := tp.Slot("fd")
		tp.Openat(Cwd, "/x", 0, 0).To(fd)
		tp.Read(fd, tp.Zero(32))
		tp.ExitGroup(Int(0)).Note("end")
		b, _, err := tp.encode(AMD64, headerAddr, headerSize, 0)
		if err != nil {
			t.Fatal(err)
		}
		return tp.String() + string(b)
	}
	used := New()
	used.OnError(used.Here("junk"))
	used.Section(9)
	used.Write(Int(1), strings.Repeat("junk", 100)).Note("junk")
	used.Words(Int(1), used.Str("junk").Addr())
	used.Reset()
	if build(used) != build(New()) {
		t.Errorf("a reset tape differs:\n%s", used)
	}
	if used.SectionOf(0) != 0 || used.SectionOf(-1) != -1 || used.SectionOf(3) != -1 {
		t.Error("sections")
	}
}

func TestFailureRecords(t *testing.T) {
	tp := New()
	tp.Setsid()
	tp.ExitGroup(Int(0))
	b := make([]byte, 4096)
	a, err := tp.LinkArena(b, ArenaAddr)
	if err != nil {
		t.Fatal(err)
	}
	record := func(errno, addr uint32) []byte {
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, errno), addr)
	}
	for _, c := range []struct {
		b    []byte
		want Failure
	}{
		{record(2, ArenaAddr), Failure{0, 2}},
		{record(22, ArenaAddr+opSize), Failure{1, 22}},
		{record(1, ArenaAddr+2*opSize), Failure{-1, 1}},
		{record(1, ArenaAddr+1), Failure{-1, 1}},
		{record(1, ArenaAddr-opSize), Failure{-1, 1}},
		{record(1, 0), Failure{-1, 1}},
		{record(1, 1<<32-1), Failure{-1, 1}},
		{nil, Failure{-1, 0}},
		{make([]byte, 7), Failure{-1, 0}},
	} {
		if got := a.DecodeFailure(c.b); got != c.want {
			t.Errorf("%x: %+v, want %+v", c.b, got, c.want)
		}
	}
}

// A program is the same whatever was in the memory that it is written to.
func TestReleasedMemoryIsOverwritten(t *testing.T) {
	tp := New()
	fail := tp.Label("fail")
	tp.OnError(fail)
	tp.Write(Int(1), "odd")
	tp.Words(Int(7), Null)
	tp.Zero(13)
	tp.Mark(fail)
	tp.ExitGroup(Int(0))
	var want []byte
	for range 50 {
		p, err := tp.Link()
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skip("needs Linux: there is no interpreter for this system")
		}
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = bytes.Clone(p.ELF())
		}
		if !bytes.Equal(p.ELF(), want) {
			t.Fatal("the file differs")
		}
		for i := range p.file {
			p.file[i] = 0xff
		}
		p.Release()
	}
}
