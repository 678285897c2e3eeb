package subid

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFor(t *testing.T) {
	tests := []struct {
		name string
		uid  int
		user string
		file string
		want []Range
	}{
		{"by name", 1000, "alice", "alice:100000:65536\n", []Range{{100000, 65536}}},
		{"by number", 1000, "", "1000:100000:65536", []Range{{100000, 65536}}},
		{"of others", 1000, "alice", "bob:100000:65536\n1001:5:5\nalic:1:1\nalicex:1:1\n", nil},
		{"both, the same", 1000, "alice", "alice:100000:65536\n1000:100000:65536\n", []Range{{100000, 65536}}},
		{"several, in the file's order", 1000, "alice", "alice:300000:10\nbob:1:1\n1000:100000:10\nalice:200000:10\n", []Range{{300000, 10}, {100000, 10}, {200000, 10}}},
		{"overlapping", 1000, "alice", "alice:100:10\nalice:95:20\nalice:105:10\n", []Range{{100, 10}, {95, 5}, {110, 5}}},
		{"touching", 1000, "alice", "alice:100:10\nalice:110:10\n", []Range{{100, 10}, {110, 10}}},
		{"up to the end", 1000, "alice", "alice:1:4294967294\n", []Range{{1, 999}, {1001, 4294966294}}},
		{"last id", 1000, "alice", "alice:4294967294:1\n", []Range{{4294967294, 1}}},
		{"rubbish of others", 1000, "alice", "\n#alice:1:1\nbob\nbob:x:y\n:::::\n\x00\nbob:0:0\n" + strings.Repeat("z", 100_000) + "\nalice:7:8", []Range{{7, 8}}},
		{"a name of digits", 1000, "1001", "1001:5:5\n1000:6:6\n", []Range{{6, 6}}},
		{"no name", 1000, "", ":5:5\n", nil},
		{"root", 0, "root", "root:100000:65536\n", []Range{{100000, 65536}}},
		{"number written otherwise", 1000, "alice", "01000:5:5\n+1000:5:5\n", nil},
		{"empty", 1000, "alice", "", nil},
		{"with the own id", 1000, "alice", "alice:500:1000\n", []Range{{500, 500}, {1001, 499}}},
		{"from the own id on", 1000, "alice", "alice:1000:65536\n", []Range{{1001, 65535}}},
		{"the own id alone", 1000, "alice", "alice:1000:1\n1000:7:2\n", []Range{{7, 2}}},
	}
	for _, tt := range tests {
		uids, gids, err := For(tt.uid, tt.uid, tt.user, strings.NewReader(tt.file), iotest.OneByteReader(strings.NewReader(tt.file)))
		if err != nil || !slices.Equal(uids, tt.want) || !slices.Equal(gids, tt.want) {
			t.Errorf("%s: For = %v, %v, %v; want %v", tt.name, uids, gids, err, tt.want)
		}
	}
	uids, gids, err := For(1000, 1000, "alice", nil, strings.NewReader("alice:5:5"))
	if uids != nil || !slices.Equal(gids, []Range{{5, 5}}) || err != nil {
		t.Errorf("no /etc/subuid: %v, %v, %v", uids, gids, err)
	}
}

// TestForBadLine has what a lenient parser takes for some range or other; moby/sys/user 0.5.0 accepts all but the last.
func TestForBadLine(t *testing.T) {
	for _, line := range []string{
		"alice", "alice:", "alice:5", "alice:5:", "alice::5", "alice:5:5:5", "alice:5:5:", "alice:abc:65536", "alice:5:abc", "alice:-5:10", "alice:5:-1", "alice:+5:5",
		"alice: 5:5", "alice:5:5 ", "alice:5:5\r", "alice:0x10:5", "alice:5:0", "alice:0:65536", "alice:4294967295:1", "alice:4294967294:2", "alice:2:4294967294",
		"alice:99999999999:5", "alice:5:99999999999999999999", "1000:5:x", "alice:5:" + strings.Repeat("0", 10_000) + "5", "alice:" + strings.Repeat("5", 100_000),
	} {
		file := "bob:1:1\n" + line + "\nalice:100000:65536\n"
		uids, gids, err := For(1000, 1000, "alice", strings.NewReader(file), nil)
		var e *Error
		if !errors.As(err, &e) || e.File != "/etc/subuid" || e.Line != 2 || uids != nil || gids != nil {
			t.Errorf("%.40q: For = %v, %v, %v; want Error in line 2", line, uids, gids, err)
			continue
		}
		if msg := err.Error(); !strings.HasPrefix(msg, "/etc/subuid:2: ") || !strings.Contains(msg, "usermod") || len(msg) > 200 {
			t.Errorf("message %q", msg)
		}
		if _, _, err = For(1000, 1000, "alice", nil, strings.NewReader(file)); !errors.As(err, &e) || e.File != "/etc/subgid" {
			t.Errorf("%.40q in subgid: %v", line, err)
		}
	}
}

func TestForBounds(t *testing.T) {
	var e *Error
	start := time.Now()
	for name, r := range map[string]io.Reader{
		"endless line":   endless("x"),
		"endless lines":  endless("bob:1:1\n"),
		"endless own":    endless("alice:1:1\n"),
		"endless NUL":    endless("\x00"),
		"many own lines": strings.NewReader(strings.Repeat("alice:1:1\n", maxRanges+1)),
		"many ranges":    strings.NewReader(holes(maxRanges) + "alice:1:100000\n"),
	} {
		if uids, _, err := For(1000, 1000, "alice", r, nil); !errors.As(err, &e) || uids != nil {
			t.Errorf("%s: %d ranges, %v; want Error", name, len(uids), err)
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if uids, _, err := For(1000, 1000, "alice", strings.NewReader(holes(maxRanges)), nil); len(uids) != maxRanges || err != nil {
		t.Errorf("as many ranges as the kernel takes: %d, %v", len(uids), err)
	}
	if _, _, err := For(1000, 1000, "alice", iotest.ErrReader(fs.ErrPermission), nil); !errors.Is(err, fs.ErrPermission) || !errors.As(err, &e) {
		t.Errorf("unreadable: %v", err)
	}
	for _, id := range []int{-1, 1<<32 - 1} {
		for _, ids := range [][2]int{{id, 1000}, {1000, id}} {
			if _, _, err := For(ids[0], ids[1], "alice", nil, nil); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("uid and gid %v: %v", ids, err)
			}
		}
	}
}

// A user's group has another number than the user as a rule.
func TestForOwnGroup(t *testing.T) {
	const file = "alice:10:10\n"
	uids, gids, err := For(12, 14, "alice", strings.NewReader(file), strings.NewReader(file))
	if err != nil || !slices.Equal(uids, []Range{{10, 2}, {13, 7}}) || !slices.Equal(gids, []Range{{10, 4}, {15, 5}}) {
		t.Errorf("%v, %v, %v", uids, gids, err)
	}
	// What the own id parts is one range more.
	full := holes(maxRanges-1) + "alice:10000:3\n"
	var e *Error
	if _, _, err := For(10001, 1, "alice", strings.NewReader(full), nil); !errors.As(err, &e) {
		t.Errorf("one range too many: %v", err)
	}
}

// holes is n lines of ranges that do not touch.
func holes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "alice:%d:1\n", 10+2*i)
	}
	return b.String()
}

// endless repeats its text for ever.
type endless string

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n+len(e) <= len(p) {
		n += copy(p[n:], e)
	}
	if n == 0 {
		return copy(p, e), nil
	}
	return n, nil
}

func TestTotalAndWithout(t *testing.T) {
	ranges := []Range{{100, 10}, {1 << 31, 1<<31 - 1}}
	if got := Total(ranges); got != 10+1<<31-1 {
		t.Errorf("Total = %d", got)
	}
	for id, want := range map[uint32][]Range{
		50:  {{100, 10}, {1 << 31, 1<<31 - 1}},
		100: {{101, 9}, {1 << 31, 1<<31 - 1}},
		105: {{100, 5}, {106, 4}, {1 << 31, 1<<31 - 1}},
		109: {{100, 9}, {1 << 31, 1<<31 - 1}},
		110: {{100, 10}, {1 << 31, 1<<31 - 1}},
	} {
		if got := without(ranges, id); !slices.Equal(got, want) {
			t.Errorf("Without(%d) = %v, want %v", id, got, want)
		}
	}
	if got := without([]Range{{7, 1}}, 7); len(got) != 0 || len(without(nil, 7)) != 0 {
		t.Errorf("Without the only one = %v", got)
	}
}

func FuzzFor(f *testing.F) {
	f.Add(1000, "alice", []byte("alice:100000:65536\n1000:5:5"))
	f.Add(0, "", []byte("0:1:4294967294\n::\n#"))
	f.Add(5, "5", []byte("5:10:10\n5:12:3\n5:1:100"))
	f.Fuzz(func(t *testing.T, uid int, name string, file []byte) {
		uids, _, err := For(uid, 7, name, strings.NewReader(string(file)), nil)
		if err != nil {
			return
		}
		if len(uids) > maxRanges {
			t.Fatalf("%d ranges", len(uids))
		}
		for i, r := range uids {
			if uint64(r.Start) <= uint64(uid) && uint64(uid) < uint64(r.Start)+uint64(r.Count) {
				t.Fatalf("range %v has the own id", r)
			}
			if r.Start == 0 || r.Count == 0 || uint64(r.Start)+uint64(r.Count) > 1<<32-1 {
				t.Fatalf("range %v", r)
			}
			for _, o := range uids[:i] {
				if got := subtract(r, o); len(got) != 1 || got[0] != r {
					t.Fatalf("%v and %v overlap", r, o)
				}
			}
		}
	})
}
