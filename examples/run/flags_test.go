package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
)

func TestParse(t *testing.T) {
	here, err := filepath.Abs("here")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FROM_OUTSIDE", "value")
	for _, c := range []struct {
		args string
		want options
	}{
		{"alpine", options{image: "alpine"}},
		{"--rm -it alpine sh -c x", options{image: "alpine", command: []string{"sh", "-c", "x"}, interactive: true, tty: true}},
		{"-i -t --host ls -l", options{host: true, command: []string{"ls", "-l"}, interactive: true, tty: true}},
		{"--rootfs /srv/debian bash", options{rootfs: "/srv/debian", command: []string{"bash"}}},
		{"--pull always --platform linux/arm64 --insecure a:1 --insecure b a:1/c", options{
			image: "a:1/c", pull: caisson.PullAlways, platform: "linux/arm64", insecure: []string{"a:1", "b"}}},
		{"-e A=1 --env B= --env FROM_OUTSIDE -e NOT_THERE x", options{image: "x",
			spec: caisson.Spec{Env: []string{"A=1", "B=", "FROM_OUTSIDE=value"}}}},
		{"-w /w -u me:us --hostname h --group-add g --init --read-only x", options{image: "x",
			spec: caisson.Spec{Dir: "/w", User: "me:us", Hostname: "h", Groups: []string{"g"}, Init: true, ReadOnly: true}}},
		{"-v /a:/b -v here:/c:ro -v /d:/e:ro,noexec --tmpfs /t --tmpfs /u:size=64m x", options{image: "x",
			spec: caisson.Spec{Mounts: []caisson.Mount{
				{Source: "/a", Target: "/b"},
				{Source: here, Target: "/c", ReadOnly: true},
				{Source: "/d", Target: "/e", ReadOnly: true, NoExec: true},
				{Type: caisson.MountTmpfs, Target: "/t"},
				{Type: caisson.MountTmpfs, Target: "/u", Size: 64 << 20},
			}}}},
		{"--cap-drop ALL --cap-add CHOWN --network host x", options{image: "x", spec: caisson.Spec{
			Security:   caisson.Security{DropCapabilities: []string{"ALL"}, AddCapabilities: []string{"CHOWN"}},
			Namespaces: caisson.Namespaces{Net: caisson.NamespaceHost}}}},
		{"-m 64m --cpus 0.5 --pids-limit 20 x", options{image: "x",
			spec: caisson.Spec{Limits: caisson.Limits{Memory: 64 << 20, CPU: 0.5, Processes: 20}}}},
	} {
		t.Run(c.args, func(t *testing.T) {
			got, err := parse(strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.command) == 0 {
				got.command = nil
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("\n%+v, want\n%+v", *got, c.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range []string{
		"", "--no-such-flag x", "-v /a x", "-v /a:/b:rw:x x", "-v /a:/b:odd x", "--tmpfs /t:odd x", "--tmpfs /t:size=x x",
		"-m x x", "-m 1t x", "-m -1 x", "-m 9223372036854775807g x", "--cpus x x", "--network bridge x", "--host --rootfs / x",
	} {
		t.Run(args, func(t *testing.T) {
			if o, err := parse(strings.Fields(args)); err == nil || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v %v", o, err)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "512": 512, "1b": 1, "2k": 2 << 10, "64M": 64 << 20, "3g": 3 << 30} {
		if got, err := size(text); got != want || err != nil {
			t.Errorf("%s: %d %v, want %d", text, got, err, want)
		}
	}
}
