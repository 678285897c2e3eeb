package imageconfig

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func base() v1.Config {
	return v1.Config{Env: []string{"PATH=/bin", "EMPTY="}, Cmd: []string{"old"}, Entrypoint: []string{"oldpoint"},
		WorkingDir: "/srv", Labels: map[string]string{"kept": "yes"}, User: "root"}
}

func TestApply(t *testing.T) {
	type set = map[string]struct{}
	for _, tc := range []struct {
		changes string
		want    func(*v1.Config)
	}{
		{`CMD ["a", "b c"]`, func(c *v1.Config) { c.Cmd = []string{"a", "b c"} }},
		{`cmd a $PATH "b"`, func(c *v1.Config) { c.Cmd = []string{"/bin/sh", "-c", `a $PATH "b"`} }},
		{`CMD ["a", 1]`, func(c *v1.Config) { c.Cmd = []string{"/bin/sh", "-c", `["a", 1]`} }},
		{`CMD []`, func(c *v1.Config) { c.Cmd = []string{} }},
		{`CMD`, func(c *v1.Config) { c.Cmd = nil }},
		{`ENTRYPOINT ["x"]`, func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"x"}, nil }},
		{"CMD [\"y\"]\nENTRYPOINT x", func(c *v1.Config) { c.Entrypoint, c.Cmd = []string{"/bin/sh", "-c", "x"}, []string{"y"} }},
		{`ENTRYPOINT`, func(c *v1.Config) { c.Entrypoint, c.Cmd = nil, nil }},
		{`ENV A=1 B="two words" C=a\ b PATH=$PATH:/x D='$PATH'`, func(c *v1.Config) {
			c.Env = []string{"PATH=/bin:/x", "EMPTY=", "A=1", "B=two words", "C=a b", "D=$PATH"}
		}},
		{`ENV A some words`, func(c *v1.Config) { c.Env = append(c.Env, "A=some words") }},
		{`ENV A=1 B=$A`, func(c *v1.Config) { c.Env = append(c.Env, "A=1", "B=") }},
		{"ENV A=1\nENV B=${A}2", func(c *v1.Config) { c.Env = append(c.Env, "A=1", "B=12") }},
		{`ENV A=${NONE:-x} B=${EMPTY:-y} C=${PATH:+z} D=${NONE:+w} E=\$PATH F=$ G=a=b H=`, func(c *v1.Config) {
			c.Env = append(c.Env, "A=x", "B=y", "C=z", "D=", "E=$PATH", "F=$", "G=a=b", "H=")
		}},
		{`EXPOSE 80 443/udp 8000-8002/TCP`, func(c *v1.Config) {
			c.ExposedPorts = set{"80/tcp": {}, "443/udp": {}, "8000/tcp": {}, "8001/tcp": {}, "8002/tcp": {}}
		}},
		{`LABEL a=b "c d"="e f" kept=no`, func(c *v1.Config) { c.Labels = map[string]string{"a": "b", "c d": "e f", "kept": "no"} }},
		{`ONBUILD RUN make $PATH`, func(c *v1.Config) { c.OnBuild = []string{"RUN make $PATH"} }},
		{`STOPSIGNAL SIGRTMIN+3`, func(c *v1.Config) { c.StopSignal = "SIGRTMIN+3" }},
		{`STOPSIGNAL 9`, func(c *v1.Config) { c.StopSignal = "9" }},
		{`USER 1000:100`, func(c *v1.Config) { c.User = "1000:100" }},
		{`VOLUME ["/a b", "/c"]`, func(c *v1.Config) { c.Volumes = set{"/a b": {}, "/c": {}} }},
		{`VOLUME /a /b$PATH`, func(c *v1.Config) { c.Volumes = set{"/a": {}, "/b/bin": {}} }},
		{`WORKDIR /a//b/`, func(c *v1.Config) { c.WorkingDir = "/a/b" }},
		{`WORKDIR sub/../other`, func(c *v1.Config) { c.WorkingDir = "/srv/other" }},
		{`WORKDIR ../../..`, func(c *v1.Config) { c.WorkingDir = "/" }},
		{`HEALTHCHECK NONE`, func(c *v1.Config) { c.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}} }},
		{`HEALTHCHECK --interval=5s --retries=2 CMD curl localhost`, func(c *v1.Config) {
			c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD-SHELL", "curl localhost"}, Interval: 5 * time.Second, Retries: 2}
		}},
		{`HEALTHCHECK --timeout=1m --start-period=1s CMD ["x","y"]`, func(c *v1.Config) {
			c.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "x", "y"}, Timeout: time.Minute, StartPeriod: time.Second}
		}},
		{"# nothing\n\n  USER \\\n  # in between\n  me", func(c *v1.Config) { c.User = "me" }},
	} {
		got, want := base(), base()
		tc.want(&want)
		if err := Apply(&got, []string{tc.changes}); err != nil {
			t.Error(err)
		}
		if !reflect.DeepEqual(got, want) {
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			t.Errorf("%s\ngives  %s\nnot    %s", tc.changes, a, b)
		}
	}
}

func TestApplyErrors(t *testing.T) {
	for _, tc := range []struct {
		change string
		want   error
	}{
		{"RUN x", ErrInstruction}, {"FROM x", ErrInstruction}, {"COPY a b", ErrInstruction}, {"nonsense", ErrInstruction},
		{"ENV", ErrSyntax}, {"ENV A", ErrSyntax}, {"ENV A=1 B", ErrSyntax}, {"ENV =x", ErrSyntax}, {`ENV A="x`, ErrSyntax},
		{"ENV A=${PATH", ErrSyntax}, {"ENV A=${}", ErrSyntax}, {"ENV A=${PATH%x}", ErrSyntax}, {"LABEL x", ErrSyntax},
		{"EXPOSE 0", ErrSyntax}, {"EXPOSE 65536", ErrSyntax}, {"EXPOSE 2-1", ErrSyntax}, {"EXPOSE http", ErrSyntax},
		{"EXPOSE 80/icmp", ErrSyntax}, {"EXPOSE 127.0.0.1:80:80", ErrSyntax}, {"EXPOSE", ErrSyntax},
		{"ONBUILD FROM x", ErrSyntax}, {"ONBUILD ONBUILD RUN x", ErrSyntax}, {"STOPSIGNAL 65", ErrSyntax}, {"STOPSIGNAL kill me", ErrSyntax},
		{"USER a b", ErrSyntax}, {`VOLUME [""]`, ErrSyntax}, {"WORKDIR", ErrSyntax},
		{"HEALTHCHECK curl", ErrSyntax}, {"HEALTHCHECK --interval=1 CMD x", ErrSyntax}, {"HEALTHCHECK --interval=1us CMD x", ErrSyntax},
		{"HEALTHCHECK --what=1s CMD x", ErrSyntax}, {"HEALTHCHECK --retries=-1 CMD x", ErrSyntax}, {"HEALTHCHECK CMD", ErrSyntax},
		{"USER a\x00b", ErrSyntax},
	} {
		c := base()
		err := Apply(&c, []string{"USER new\nLABEL a=b", "", tc.change})
		var e *Error
		if !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Line != 4 || e.Instruction != tc.change {
			t.Errorf("%q: %v (%+v), not %v", tc.change, err, e, tc.want)
		}
		if !reflect.DeepEqual(c, base()) {
			t.Errorf("%q: the configuration changed: %+v", tc.change, c)
		}
	}
}

// A variable that doubles itself ends with an error, not with the memory.
func TestApplyBomb(t *testing.T) {
	c := v1.Config{}
	err := Apply(&c, []string{"ENV A=xxxxxxxxxx\n" + strings.Repeat("ENV A=$A$A$A$A\n", 100)})
	if !errors.Is(err, ErrSyntax) {
		t.Error(err)
	}
}

// FuzzApply: nothing panics, and every error is an *Error.
func FuzzApply(f *testing.F) {
	for _, s := range []string{`ENV A="b c" D=${PATH:-x}`, "CMD [\"a\"]", "HEALTHCHECK --interval=1s CMD [\"x\"]", "EXPOSE 1-9/udp",
		"LABEL \"a b\"='c'", "USER \\\n#\nx", "VOLUME [\"/a\"]", "WORKDIR $A", "ENV A=\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := base()
		err := Apply(&c, []string{text})
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%T: %v", err, err)
		}
		if err != nil && !reflect.DeepEqual(c, base()) {
			t.Error("an error left changes")
		}
	})
}
