package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

func lines(t *testing.T, events ...protocol.Event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		if err := json.NewEncoder(&b).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestReport(t *testing.T) {
	up := protocol.Event{Kernel: "9.9"}
	said := func(run int, s string) protocol.Event { return protocol.Event{Run: run, Output: []byte(s)} }
	ended := func(run int, problem string) protocol.Event {
		return protocol.Event{Run: run, Ended: true, Problem: problem, Seconds: 0.5}
	}
	for name, c := range map[string]struct {
		events  string
		verbose bool
		output  string
		errs    []string
	}{
		"all is well": {
			lines(t, up, said(0, "PASS\n"), ended(0, ""), ended(1, ""), protocol.Event{Done: true}), false,
			"ok  \ta\t0.500s\t[Linux 9.9]\nok  \tb\t0.500s\t[Linux 9.9]\n", nil,
		},
		"verbose": {
			lines(t, up, said(0, "PASS\n"), ended(0, ""), ended(1, ""), protocol.Event{Done: true}), true,
			"PASS\nok  \ta\t0.500s\t[Linux 9.9]\nok  \tb\t0.500s\t[Linux 9.9]\n", nil,
		},
		"one fails": {
			lines(t, up, ended(0, ""), said(1, "--- FA"), said(1, "IL\n"), ended(1, "exit status 1"), protocol.Event{Done: true}), false,
			"ok  \ta\t0.500s\t[Linux 9.9]\n--- FAIL\nexit status 1\nFAIL\tb\t0.500s\t[Linux 9.9]\n", []string{"1 failed"},
		},
		"the kernel dies": {
			lines(t, up, ended(0, ""), said(1, "so far\n")), false,
			"ok  \ta\t0.500s\t[Linux 9.9]\nso far\nFAIL\tb\tdid not end\t[Linux 9.9]\n", []string{"ended early", "1 did not end"},
		},
		"init fails": {
			lines(t, protocol.Event{Broken: "no root"}), false,
			"FAIL\ta\tdid not end\t[Linux ]\n", []string{"no root"},
		},
		"done too soon": {
			lines(t, up, protocol.Event{Done: true}), false,
			"FAIL\ta\tdid not end\t[Linux 9.9]\n", []string{"2 did not end"},
		},
		"noise":       {"Segmentation fault\n", false, "FAIL\ta\tdid not end\t[Linux ]\n", []string{"makes no sense"}},
		"unknown run": {lines(t, ended(7, "")), false, "FAIL\ta\tdid not end\t[Linux ]\n", []string{"run 7 of 2"}},
		"carriage return": {
			strings.ReplaceAll(lines(t, up, ended(0, ""), ended(1, ""), protocol.Event{Done: true}), "\n", "\r\n"), false,
			"ok  \ta\t0.500s\t[Linux 9.9]\nok  \tb\t0.500s\t[Linux 9.9]\n", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := &report{out: &out, runs: []protocol.Run{{Name: "a"}, {Name: "b"}}, verbose: c.verbose}
			said := ""
			for _, err := range []error{r.read(strings.NewReader(c.events)), r.err()} {
				if err != nil {
					said += err.Error() + "\n"
				}
			}
			r.unfinished()
			if out.String() != c.output {
				t.Errorf("printed\n%s\nwant\n%s", out.String(), c.output)
			}
			for _, want := range c.errs {
				if !strings.Contains(said, want) {
					t.Errorf("errors %q lack %q", said, want)
				}
			}
			if (said == "") != (c.errs == nil) {
				t.Errorf("errors: %q", said)
			}
		})
	}
}

func TestEndlessOutputIsBounded(t *testing.T) {
	r := &report{out: new(bytes.Buffer), runs: make([]protocol.Run, 1)}
	for range 40 {
		r.event(protocol.Event{Output: make([]byte, 100_000)})
	}
	r.event(protocol.Event{Output: []byte("the end")})
	if len(r.output) > maxOutput || !bytes.HasSuffix(r.output, []byte("the end")) {
		t.Errorf("%d bytes are kept", len(r.output))
	}
}
