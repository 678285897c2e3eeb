package layer

import (
	"errors"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	limits := Limits{}.withDefaults()
	long := strings.Repeat("n", 256)
	for _, tc := range []struct {
		in   string
		want entryName
		err  error // ErrName, or a *LimitError for any other
	}{
		{in: "a", want: entryName{base: "a"}},
		{in: "./a/b/", want: entryName{dir: "a", base: "b"}},
		{in: "/a//b/./c", want: entryName{dir: "a/b", base: "c"}},
		{in: "./"},
		{in: "/"},
		{in: "..a/b..", want: entryName{dir: "..a", base: "b.."}},
		{in: "a/.wh.b", want: entryName{dir: "a", base: "b", kind: kindWhiteout}},
		{in: ".wh..b", want: entryName{base: ".b", kind: kindWhiteout}},
		{in: ".wh....", want: entryName{base: "...", kind: kindWhiteout}},
		{in: "a/.wh..wh..opq", want: entryName{dir: "a", kind: kindOpaque}},
		{in: ".wh..wh..opq", want: entryName{kind: kindOpaque}},
		{in: ".wh..wh.aufs", want: entryName{base: ".wh..wh.aufs", kind: kindIgnored}},
		{in: ".wh..wh.plnk/1.2", want: entryName{dir: ".wh..wh.plnk", base: "1.2", kind: kindIgnored}},
		{in: "a.wh.b", want: entryName{base: "a.wh.b"}},
		{in: "", err: ErrName},
		{in: "..", err: ErrName},
		{in: "a/../b", err: ErrName},
		{in: "/../etc", err: ErrName},
		{in: "a\x00b", err: ErrName},
		{in: ".wh.", err: ErrName},
		{in: ".wh..", err: ErrName},
		{in: ".wh...", err: ErrName},
		{in: ".wh.../x", err: ErrName},
		{in: ".wh.a/b", err: ErrName},
		{in: long, err: &LimitError{}},
		{in: strings.Repeat("a/", 257), err: &LimitError{}},
		{in: strings.Repeat("ab/", 1366), err: &LimitError{}},
	} {
		got, err := parseName(tc.in, limits)
		if got.full != "" && got.full != join(got.dir, got.base) {
			t.Errorf("parseName(%.20q).full = %q", tc.in, got.full)
		}
		got.full = ""
		var limit *LimitError
		switch {
		case tc.err == nil && (err != nil || got != tc.want):
			t.Errorf("parseName(%.20q) = %+v, %v; want %+v", tc.in, got, err, tc.want)
		case tc.err == ErrName && !errors.Is(err, ErrName):
			t.Errorf("parseName(%.20q) = %v; want ErrName", tc.in, err)
		case tc.err != nil && tc.err != ErrName && !errors.As(err, &limit):
			t.Errorf("parseName(%.20q) = %v; want a *LimitError", tc.in, err)
		}
	}
}

func TestRefuseXattr(t *testing.T) {
	kept := &Options{}
	mapped := &Options{IgnoreOwners: true}
	for _, tc := range []struct {
		name   string
		o      *Options
		refuse bool
	}{
		{"user.mime_type", kept, false},
		{"user.", kept, true},
		{"security.capability", mapped, false},
		{"system.posix_acl_access", kept, false},
		{"system.posix_acl_access", mapped, true},
		{"trusted.overlay.opaque", kept, true},
		{"trusted.overlay.overlay.opaque", kept, true},
		{"user.overlay.redirect", mapped, true},
		{"trusted.x", kept, true},
		{"security.selinux", kept, true},
		{"security.ima", kept, true},
		{"", kept, true},
		{"Trusted.overlay.opaque", kept, true},
	} {
		if got := refuseXattr(tc.name, tc.o) != ""; got != tc.refuse {
			t.Errorf("refuseXattr(%q) = %v, want %v", tc.name, got, tc.refuse)
		}
	}
}
