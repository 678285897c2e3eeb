package main

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args, command []string
		ref           string
		bad           bool
	}{
		{},
		{args: []string{"alpine"}, ref: "alpine"},
		{args: []string{"--", "ls", "-l"}, command: []string{"ls", "-l"}},
		{args: []string{"alpine", "--", "sh", "-c", "--"}, ref: "alpine", command: []string{"sh", "-c", "--"}},
		{args: []string{"alpine", "ls"}, bad: true},
		{args: []string{"-x"}, bad: true},
		{args: []string{""}, bad: true},
	} {
		ref, command, err := parse(c.args)
		if ref != c.ref || !slices.Equal(command, c.command) || (err != nil) != c.bad {
			t.Errorf("%q: %q %q %v", c.args, ref, command, err)
		}
	}
}

func TestLocal(t *testing.T) {
	for registry, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.9.9.9": true, "[::1]:5000": true,
		"docker.io": false, "10.0.0.1:5000": false, "localhost.example:5000": false, "library": false,
	} {
		if got := local(registry); got != want {
			t.Errorf("%s: %v", registry, got)
		}
	}
}

func TestUserIDInside(t *testing.T) {
	v := &view{uidMap: "         0       1002          1\n         1     100000      65536\n"}
	for outside, want := range map[string]string{"1002": "0", "100000": "1", "165535": "65536", "165536": "nobody", "0": "nobody"} {
		if got := v.inside(outside); got != want {
			t.Errorf("%s: %s, want %s", outside, got, want)
		}
	}
}
