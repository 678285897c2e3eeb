package environ

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func TestCheck(t *testing.T) {
	tests := []struct{ in, want []string }{
		{nil, []string{}},
		{[]string{"A=1", "B=", "C==x=", "a.b-c=1", "D E=2", "Ä=ö", "X=\xff"}, []string{"A=1", "B=", "C==x=", "a.b-c=1", "D E=2", "Ä=ö", "X=\xff"}},
		{[]string{"A=1", "B=2", "A=3"}, []string{"A=3", "B=2"}},
		{[]string{"PEM=-----BEGIN\nabc\r\n-----END\t\x1b"}, []string{"PEM=-----BEGIN\nabc\r\n-----END\t\x1b"}},
		{[]string{"L=" + strings.Repeat("x", maxEntry-2)}, []string{"L=" + strings.Repeat("x", maxEntry-2)}},
	}
	for _, tt := range tests {
		if got, err := Check(tt.in); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("Check(%.60q) = %.60q, %v; want %.60q", tt.in, got, err, tt.want)
		}
	}
}

var refused = map[string]string{ // entry: part of the reason
	"":                              `no "="`,
	"HOME":                          `no "="`,
	"*":                             `no "="`,
	"PATH*":                         `no "="`,
	"=":                             "key is empty",
	"=x":                            "key is empty",
	"A\nB=x":                        "control byte in the key",
	"A\x00=x":                       "control byte in the key",
	"A\x7f=x":                       "control byte in the key",
	"A=b\x00c":                      "NUL",
	"A=" + strings.Repeat("x", 1e6): "longer than 131071 bytes",
	strings.Repeat("K", 1e6):        `no "="`,
}

func TestCheckRefuses(t *testing.T) {
	for entry, want := range refused {
		got, err := Check([]string{"OK=1", entry})
		var e *Error
		if !errors.As(err, &e) || e.Index != 1 || !strings.Contains(e.Reason, want) || e.Remedy == "" || got != nil {
			t.Errorf("Check(%.30q) = %.60q, %v; want Error saying %s", entry, got, err, want)
			continue
		}
		if msg := err.Error(); len(msg) > 400 || strings.ContainsFunc(msg, unicode.IsControl) {
			t.Errorf("message %.100q", msg)
		}
	}
	if _, err := Check([]string{"TOKEN=secret\x00"}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the message tells the value: %v", err)
	}
}

func TestCheckTotal(t *testing.T) {
	var env []string
	for i := range 50 {
		env = append(env, "K"+strings.Repeat("k", i)+"="+strings.Repeat("x", 130_000))
	}
	var e *Error
	if got, err := Check(env); !errors.As(err, &e) || e.Index != -1 || got != nil {
		t.Errorf("Check of 6.5 MB = %d entries, %v; want Error", len(got), err)
	}
	if _, _, err := Merge(env[:25], env[25:]); !errors.As(err, &e) {
		t.Errorf("Merge to 6.5 MB: %v", err)
	}
	if _, err := Check(env[:48]); err != nil {
		t.Errorf("Check of 6.2 MB: %v", err)
	}
}

func TestMerge(t *testing.T) {
	image := []string{"PATH=/bin", "A=image", "B=image", "A=again", "HOME", "*", "=x", "C=b\nroot::0:0", "D=\x00", "E=\r"}
	caller := []string{"Z=1", "B=caller", "PEM=a\nb", "Z=2"}
	env, dropped, err := Merge(image, caller)
	if want := []string{"PATH=/bin", "A=again", "B=caller", "Z=2", "PEM=a\nb"}; err != nil || !slices.Equal(env, want) {
		t.Errorf("Merge = %q, %v; want %q", env, err, want)
	}
	if want := []string{`"HOME": no "="`, `"*": no "="`, `"": the key is empty`, `"C": a line break in the value`, `"D": a NUL byte in the value`, `"E": a line break in the value`}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %q, want %q", dropped, want)
	}
	if env, dropped, err = Merge(nil, nil); len(env) != 0 || dropped != nil || err != nil {
		t.Errorf("Merge(nil, nil) = %q, %q, %v", env, dropped, err)
	}
	for entry := range refused {
		if env, _, err := Merge([]string{"A=1"}, []string{entry}); err == nil || env != nil {
			t.Errorf("Merge with %.30q from the caller = %q, %v; want an error", entry, env, err)
		}
		env, dropped, err := Merge([]string{entry, "A=1"}, nil)
		if err != nil || !slices.Equal(env, []string{"A=1"}) || len(dropped) != 1 || len(dropped[0]) > 200 {
			t.Errorf("Merge with %.30q from the image = %.60q, %.60q, %v; want it dropped", entry, env, dropped, err)
		}
	}
}

// TestInputUntouched holds that the slices given are the caller's to keep.
func TestInputUntouched(t *testing.T) {
	image, caller := []string{"A=1", "A=2", "x"}, []string{"A=3"}
	Merge(image, caller)
	out, err := Check(caller)
	if err != nil {
		t.Fatal(err)
	}
	out[0] = "changed"
	if !slices.Equal(image, []string{"A=1", "A=2", "x"}) || caller[0] != "A=3" {
		t.Errorf("image %q, caller %q", image, caller)
	}
}

// TestHostNotConsulted sets variables in the host and asks for them in every way that drew them in elsewhere.
func TestHostNotConsulted(t *testing.T) {
	t.Setenv("CAISSON_TEST_SECRET", "hunter2")
	for _, entry := range []string{"CAISSON_TEST_SECRET", "CAISSON_*", "*", "X=$CAISSON_TEST_SECRET", "X=${CAISSON_TEST_SECRET}", "CAISSON_TEST_SECRET="} {
		env, dropped, err := Merge([]string{entry}, nil)
		if text := strings.Join(append(env, dropped...), "\n"); err != nil || strings.Contains(text, "hunter2") {
			t.Errorf("Merge(%q) = %q, %v", entry, text, err)
		}
	}
	if v, ok := Lookup(nil, "CAISSON_TEST_SECRET"); ok {
		t.Errorf("Lookup found %q", v)
	}
}

func TestLookup(t *testing.T) {
	env := []string{"A=1", "AB=2", "A=3", "E=", "Q=a=b", "N"}
	for key, want := range map[string]string{"A": "3", "AB": "2", "E": "", "Q": "a=b"} {
		if got, ok := Lookup(env, key); !ok || got != want {
			t.Errorf("Lookup(%s) = %q, %t; want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"", "B", "N", "A=1", "a"} {
		if got, ok := Lookup(env, key); ok {
			t.Errorf("Lookup(%q) = %q", key, got)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add("A=1", "B", "A=2", "=")
	f.Add("A=b\nroot::0:0", "PATH*", "X=\x00", "X=y")
	f.Fuzz(func(t *testing.T, i1, i2, c1, c2 string) {
		env, dropped, err := Merge([]string{i1, i2}, []string{c1, c2})
		if err != nil {
			return
		}
		again, err := Check(env)
		if err != nil || !slices.Equal(again, env) {
			t.Fatalf("Check(%q) = %q, %v", env, again, err)
		}
		k, v, _ := strings.Cut(c2, "=")
		if got, ok := Lookup(env, k); !ok || got != v {
			t.Fatalf("Lookup(%q) = %q, %t; the caller's last word was %q", k, got, ok, v)
		}
		for _, d := range dropped {
			if strings.ContainsFunc(d, isControl) {
				t.Fatalf("dropped %q has a control byte", d)
			}
		}
	})
}
