package account

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var image = Files{
	Passwd: []byte("root:x:0:0:root:/root:/bin/sh\n" +
		"# comment:x:1:1::/:\n\n+::::::\n" +
		"app:x:1000:1000:An App:/srv/app:/bin/sh\r\n" +
		"app:x:0:0:second of the name:/root:\n" +
		"short:x:1001:1002\n" +
		"9999999999:x:0:0::/root:\n" +
		"1000:x:0:0::/root:\n" +
		"3proxy:x:13:14::relative:/bin/sh\n" +
		"edge:x:4294967294:4294967294::/edge:\n" +
		"over:x:4294967295:0::/:\n" +
		"bad:x:12a:0::/:\n" +
		"few:x:1\n" +
		"badgid:x:1500:-1::/:\n" +
		"esc:x:1600:1600::/\x1b[2J:\n" +
		"pc$:x:1700:1700::/:"),
	Group: []byte("root:x:0:\nwheel:x:10:root, app\nadm:x:4:root,app,\n" +
		"app:x:1000:\nstaff:x:50:app\nstaff:x:0:\nagain:x:50:app\n" +
		"application:x:77:apple,xapp\nhuge:x:4294967295:nobody\nbroken:x:zero:short\nnumber:x:99:1000\nnomembers:x:60"),
}

func TestResolve(t *testing.T) {
	tests := []struct {
		user  string
		extra []string
		want  Identity
	}{
		{"", nil, Identity{0, 0, []uint32{0, 4, 10}, "/root", "root"}},
		{"root", nil, Identity{0, 0, []uint32{0, 4, 10}, "/root", "root"}},
		{"0", nil, Identity{0, 0, []uint32{0, 4, 10}, "/root", "root"}},
		{"app", nil, Identity{1000, 1000, []uint32{1000, 4, 10, 50}, "/srv/app", "app"}},
		{"1000", nil, Identity{1000, 1000, []uint32{1000, 4, 10, 50}, "/srv/app", "app"}},
		{"0001000", nil, Identity{1000, 1000, []uint32{1000, 4, 10, 50}, "/srv/app", "app"}},
		{"app", []string{"50", "7", "staff", "1000"}, Identity{1000, 1000, []uint32{1000, 4, 7, 10, 50}, "/srv/app", "app"}},
		{"app:staff", nil, Identity{1000, 50, []uint32{50}, "/srv/app", "app"}},
		{"app:0", nil, Identity{1000, 0, []uint32{0}, "/srv/app", "app"}},
		{"app:99", []string{"staff"}, Identity{1000, 99, []uint32{99, 50}, "/srv/app", "app"}},
		{"1000:1000", nil, Identity{1000, 1000, []uint32{1000}, "/srv/app", "app"}},
		{"2000", nil, Identity{2000, 0, []uint32{0}, "/", ""}},
		{"2000:nomembers", nil, Identity{2000, 60, []uint32{60}, "/", ""}},
		{"2000", []string{"3000"}, Identity{2000, 0, []uint32{0, 3000}, "/", ""}},
		{"13", nil, Identity{13, 14, []uint32{14}, "/", "3proxy"}},
		{"edge", nil, Identity{4294967294, 4294967294, []uint32{4294967294}, "/edge", "edge"}},
		{"4294967294", nil, Identity{4294967294, 4294967294, []uint32{4294967294}, "/edge", "edge"}},
		{"4294967293:4294967294", nil, Identity{4294967293, 4294967294, []uint32{4294967294}, "/", ""}},
		{"pc$", nil, Identity{1700, 1700, []uint32{1700}, "/", "pc$"}},
		{"2147483648", nil, Identity{2147483648, 0, []uint32{0}, "/", ""}},
	}
	for _, tt := range tests {
		got, err := image.Resolve(tt.user, tt.extra)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Resolve(%q, %q) = %+v, %v; want %+v", tt.user, tt.extra, got, err, tt.want)
		}
	}
}

// TestResolveWithoutFiles is an image made from scratch.
func TestResolveWithoutFiles(t *testing.T) {
	for user, want := range map[string]Identity{
		"":          {0, 0, []uint32{0}, "/", "root"},
		"0":         {0, 0, []uint32{0}, "/", ""},
		"1000":      {1000, 0, []uint32{0}, "/", ""},
		"1000:2000": {1000, 2000, []uint32{2000}, "/", ""},
	} {
		got, err := Files{}.Resolve(user, nil)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Resolve(%q) = %+v, %v; want %+v", user, got, err, want)
		}
	}
	got, err := Files{Group: []byte("disk:x:6:root")}.Resolve("", nil)
	if err != nil || !slices.Equal(got.Groups, []uint32{0, 6}) {
		t.Errorf("only a group file: %+v, %v", got, err)
	}
	// The empty string is 0:0 also where the entry has another group.
	got, err = Files{Passwd: []byte("toor:x:0:5::/toor:")}.Resolve("", nil)
	if want := (Identity{0, 0, []uint32{0}, "/toor", "toor"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("root with gid 5: %+v, %v", got, err)
	}
}

func TestResolveRefuses(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	for _, user := range []string{
		"4294967295", "99999999999", "18446744073709551616", "-1", "+1", "0x0", "0X10", " 0", "0 ", "\t0", "0\n", "1e3", "1_0", "0o7", "0b1",
		"1000:99999999999", "1000:4294967295", "1000:-1", "4294967295:0", ":", "app:", ":app", ":0", "app:staff:x", "0:0:0", "a b", "a/b", "../a",
		"a\x00", "root\n", "é", "3proxy", "9999999999", "-", "$", "１", "٣", "a,b", "*", long, long + ":0", strings.Repeat("0", 2000), "app:" + long,
	} {
		got, err := image.Resolve(user, nil)
		var ue *UserError
		if !errors.As(err, &ue) || ue.Input != user || ue.Remedy == "" || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Resolve(%.30q) = %+v, %v; want UserError", user, got, err)
			continue
		}
		if msg := err.Error(); len(msg) > 600 || strings.Contains(msg, ue.Remedy) || strings.ContainsAny(msg, "\n\x00") {
			t.Errorf("message %.100q", msg)
		}
	}
	for _, group := range []string{"", "4294967295", "-1", "a:b", " 4", "0x0"} {
		var ue *UserError
		if got, err := image.Resolve("app", []string{"0", group}); !errors.As(err, &ue) || ue.Input != group {
			t.Errorf("extra group %q: %+v, %v; want UserError", group, got, err)
		}
	}
	var ue *UserError
	if _, err := image.Resolve("app", slices.Repeat([]string{"1"}, maxGroups+1)); !errors.As(err, &ue) {
		t.Errorf("too many extra groups: %v", err)
	}
	many := make([]string, maxGroups)
	for i := range many {
		many[i] = fmt.Sprint(i + 1)
	}
	if _, err := image.Resolve("0:0", many); !errors.As(err, &ue) {
		t.Errorf("one group too many: %v", err)
	}
	if _, err := image.Resolve("0:0", many[1:]); err != nil {
		t.Errorf("as many groups as the kernel takes: %v", err)
	}
}

func TestResolveUnknown(t *testing.T) {
	tests := []struct {
		files      Files
		user       string
		extra      []string
		file, name string
	}{
		{image, "nobody", nil, "/etc/passwd", "nobody"},
		{image, "nobody:app", nil, "/etc/passwd", "nobody"},
		{image, "app:nogroup", nil, "/etc/group", "nogroup"},
		{image, "1000", []string{"nogroup"}, "/etc/group", "nogroup"},
		{Files{}, "root", nil, "/etc/passwd", "root"},
		{Files{}, "0:root", nil, "/etc/group", "root"},
		{Files{Passwd: []byte{}, Group: []byte{}}, "root", nil, "/etc/passwd", "root"},
	}
	for _, tt := range tests {
		_, err := tt.files.Resolve(tt.user, tt.extra)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), tt.file) || !strings.Contains(err.Error(), tt.name) {
			t.Errorf("Resolve(%q, %q): %v; want fs.ErrNotExist naming %s and %s", tt.user, tt.extra, err, tt.file, tt.name)
		}
	}
}

// TestResolveBadLine wants an error for a line that the answer depends on, and for no other.
func TestResolveBadLine(t *testing.T) {
	for user, line := range map[string]int{"over": 12, "bad": 13, "few": 14, "badgid": 15, "1500": 15, "esc": 16, "1600": 16} {
		got, err := image.Resolve(user, nil)
		var fe *FileError
		if !errors.As(err, &fe) || fe.File != "/etc/passwd" || fe.Line != line {
			t.Errorf("Resolve(%q) = %+v, %v; want FileError in line %d", user, got, err, line)
		}
	}
	for user, line := range map[string]int{"app:huge": 9, "0:broken": 10, "short": 10} {
		got, err := image.Resolve(user, nil)
		var fe *FileError
		if !errors.As(err, &fe) || fe.File != "/etc/group" || fe.Line != line {
			t.Errorf("Resolve(%q) = %+v, %v; want FileError in group line %d", user, got, err, line)
		}
	}
}

func TestParse(t *testing.T) {
	users, err := ParsePasswd([]byte("a:x:1:2::/a:\n#\n\nb::3:4"))
	if want := []User{{"a", 1, 2, "/a"}, {"b", 3, 4, "/"}}; err != nil || !reflect.DeepEqual(users, want) {
		t.Errorf("ParsePasswd = %+v, %v", users, err)
	}
	groups, err := ParseGroup([]byte("g:x:5:a, b,,\nh:x:6:"))
	if want := []Group{{"g", 5, []string{"a", "b"}}, {"h", 6, nil}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("ParseGroup = %+v, %v", groups, err)
	}
	for text, line := range map[string]int{
		"a:x:1":                       1,
		"a:x:1:2::/:\n:x:1:2::/:":     2,
		"a:x:1:2:c:/:sh:more":         1,
		"a:x:+1:2::/:":                1,
		"a:x: 1:2::/:":                1,
		"a:x::2::/:":                  1,
		"a:x:1:2:\x01:/:":             1,
		"a b:x:1:2::/:":               1,
		"a:x:4294967295:2::/:":        1,
		"a:x:1:2::/:\n\n\na\x00:x:1:": 4,
	} {
		var fe *FileError
		if _, err := ParsePasswd([]byte(text)); !errors.As(err, &fe) || fe.Line != line || fe.File != "/etc/passwd" {
			t.Errorf("ParsePasswd(%q): %v; want line %d", text, err, line)
		}
	}
	for _, text := range []string{"g:x", "g:x:1:a:b", "g:x:x:", ":x:1:", "g:x:1:a\x7f"} {
		var fe *FileError
		if _, err := ParseGroup([]byte(text)); !errors.As(err, &fe) || fe.Line != 1 || fe.File != "/etc/group" {
			t.Errorf("ParseGroup(%q): %v; want line 1", text, err)
		}
	}
}

func TestCaps(t *testing.T) {
	var fe *FileError
	if _, err := ParsePasswd(make([]byte, MaxFile+1)); !errors.As(err, &fe) {
		t.Errorf("too many bytes: %v", err)
	}
	if _, err := ParseGroup([]byte(strings.Repeat("\n", MaxLines+1))); !errors.As(err, &fe) {
		t.Errorf("too many lines: %v", err)
	}
	if _, err := ParseGroup([]byte(strings.Repeat("\n", MaxLines))); err != nil {
		t.Errorf("as many lines as there may be: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(image.Passwd, image.Group, "app", "staff")
	f.Add([]byte("a:x:1:2::/a:\n"), []byte("g:x:5:a,b"), "1:g", "5")
	f.Add([]byte("9999999999:x:0:0"), []byte("::::"), "9999999999", " 0")
	f.Add([]byte("root:x:4294967295:0"), []byte("\r\n,:,"), "", "")
	f.Fuzz(func(t *testing.T, passwd, group []byte, user, extra string) {
		if users, err := ParsePasswd(passwd); err == nil {
			var text strings.Builder
			for _, u := range users {
				checkEntry(t, u.Name, u.UID, u.GID)
				if !strings.HasPrefix(u.Home, "/") {
					t.Fatalf("home %q", u.Home)
				}
				fmt.Fprintf(&text, "%s:x:%d:%d::%s:\n", u.Name, u.UID, u.GID, u.Home)
			}
			if text.Len() <= MaxFile {
				again, err := ParsePasswd([]byte(text.String()))
				if err != nil || !slices.Equal(again, users) {
					t.Fatalf("written and read again: %v, %+v, was %+v", err, again, users)
				}
			}
		}
		if groups, err := ParseGroup(group); err == nil {
			for _, g := range groups {
				checkEntry(t, g.Name, 0, g.GID)
				for _, m := range g.Members {
					checkEntry(t, m, 0, 0)
				}
			}
		}
		id, err := Files{passwd, group}.Resolve(user, []string{extra})
		if err != nil {
			return
		}
		checkEntry(t, id.Name+"x", id.UID, id.GID)
		if id.Groups[0] != id.GID || !slices.IsSorted(id.Groups[1:]) || slices.Contains(id.Groups[1:], id.GID) {
			t.Fatalf("groups %v of gid %d", id.Groups, id.GID)
		}
		if name, _, _ := strings.Cut(user, ":"); isDigits(name) && strings.TrimLeft(name, "0") != strings.TrimLeft(fmt.Sprint(id.UID), "0") {
			t.Fatalf("asked for %q, got uid %d", name, id.UID)
		}
	})
}

func checkEntry(t *testing.T, name string, ids ...uint32) {
	t.Helper()
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == ':' }) {
		t.Fatalf("name %q", name)
	}
	if slices.Contains(ids, 1<<32-1) {
		t.Fatalf("ids %v of %q", ids, name)
	}
}
