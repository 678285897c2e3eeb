package registry

import (
	"errors"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var digest = "sha256:" + strings.Repeat("a", 64)

// references are the references with their full form; an empty one is refused.
var references = map[string]string{
	"alpine":                             "docker.io/library/alpine:latest",
	"alpine:3.20":                        "docker.io/library/alpine:3.20",
	"docker.io/alpine":                   "docker.io/library/alpine:latest",
	"index.docker.io/library/alpine":     "docker.io/library/alpine:latest",
	"user/image":                         "docker.io/user/image:latest",
	"a/b/c:t":                            "docker.io/a/b/c:t",
	"localhost/image":                    "localhost/image:latest",
	"localhost:5000/image":               "localhost:5000/image:latest",
	"registry.example/image":             "registry.example/image:latest",
	"registry:5000/a/b:t_1.x-y":          "registry:5000/a/b:t_1.x-y",
	"127.0.0.1:5000/image":               "127.0.0.1:5000/image:latest",
	"[::1]:5000/image":                   "[::1]:5000/image:latest",
	"alpine@" + digest:                   "docker.io/library/alpine@" + digest,
	"alpine:3.20@" + digest:              "docker.io/library/alpine@" + digest,
	"a__b/c.d-e--f":                      "docker.io/a__b/c.d-e--f:latest",
	"redis.io/redis":                     "redis.io/redis:latest",
	"image:5000":                         "docker.io/library/image:5000",
	"":                                   "",
	" alpine":                            "",
	"alpine ":                            "",
	"Alpine":                             "",
	"alpine:":                            "",
	"alpine:.x":                          "",
	"alpine:-x":                          "",
	"alpine:a b":                         "",
	"alpine@":                            "",
	"alpine@sha256:abc":                  "",
	"alpine@sha256:../../x":              "",
	"alpine@" + strings.ToUpper(digest):  "",
	"alpine@" + digest + "@" + digest:    "",
	"a/../b":                             "",
	"../a":                               "",
	"a//b":                               "",
	"/a":                                 "",
	"a/":                                 "",
	"a/./b":                              "",
	"a.-b/c":                             "",
	"-a/b":                               "",
	"registry.example/":                  "",
	"registry.example":                   "docker.io/library/registry.example:latest",
	"https://registry.example/image":     "",
	"user@registry.example/image":        "",
	"registry.example:x/image":           "",
	"registry.example:123456/image":      "",
	"régistry.example/image":             "",
	"alpine\x00":                         "",
	"alpine\nx":                          "",
	"alpine?x=y":                         "",
	"alpine#x":                           "",
	"registry.example%2f/image":          "",
	strings.Repeat("a", 300):             "",
	strings.Repeat("a/", 300) + "b":      "",
	"alpine:" + strings.Repeat("t", 129): "",
}

// T53: the rule is Docker's, and what it does not cover is an error.
func TestParse(t *testing.T) {
	for in, want := range references {
		r, err := Parse(in)
		if want == "" {
			if !errors.Is(err, ErrReference) {
				t.Errorf("Parse(%.50q) = %v, %v; want ErrReference", in, r, err)
			}
			continue
		}
		if err != nil || r.String() != want {
			t.Errorf("Parse(%.50q) = %v, %v; want %s", in, r, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"alpine", "localhost:5000/a/b:t", "a@sha256:" + strings.Repeat("a", 64), "[::1]/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		full := r.String()
		again, err := Parse(full)
		if err != nil || again.String() != full {
			t.Errorf("%q is %q, which is %v, %v", s, full, again, err)
		}
		if strings.ContainsAny(full, " \n\x00?#%\\") || strings.Contains(full, "//") || strings.Contains(full, "..") {
			t.Errorf("%q is %q", s, full)
		}
	})
}

func TestChoose(t *testing.T) {
	d := func(os, arch, variant string) v1.Descriptor {
		return v1.Descriptor{MediaType: types.OCIManifestSchema1, Annotations: map[string]string{"is": os + "/" + arch + "/" + variant},
			Platform: &v1.Platform{OS: os, Architecture: arch, Variant: variant}}
	}
	lone := v1.Descriptor{MediaType: types.OCIManifestSchema1, Annotations: map[string]string{"is": "lone"}}
	strange := d("linux", "amd64", "")
	strange.MediaType = types.OCILayer
	for _, tc := range []struct {
		name string
		in   []v1.Descriptor
		want v1.Platform
		is   string
	}{
		{"exact", []v1.Descriptor{d("linux", "arm64", ""), d("linux", "amd64", "")}, v1.Platform{OS: "linux", Architecture: "amd64"}, "linux/amd64/"},
		{"v1 is none", []v1.Descriptor{d("linux", "amd64", "v1")}, v1.Platform{OS: "linux", Architecture: "amd64"}, "linux/amd64/v1"},
		{"too new", []v1.Descriptor{d("linux", "amd64", "v3")}, v1.Platform{OS: "linux", Architecture: "amd64"}, ""},
		{"asked for", []v1.Descriptor{d("linux", "amd64", ""), d("linux", "amd64", "v3")}, v1.Platform{OS: "linux", Architecture: "amd64", Variant: "v3"}, "linux/amd64/v3"},
		{"v8 is none", []v1.Descriptor{d("linux", "arm64", "v8")}, v1.Platform{OS: "linux", Architecture: "arm64"}, "linux/arm64/v8"},
		{"arm", []v1.Descriptor{d("linux", "arm", "v7")}, v1.Platform{OS: "linux", Architecture: "arm"}, "linux/arm/v7"},
		{"lone", []v1.Descriptor{lone}, v1.Platform{OS: "linux", Architecture: "arm64"}, "lone"},
		{"not lone", []v1.Descriptor{lone, d("linux", "arm64", "")}, v1.Platform{OS: "linux", Architecture: "amd64"}, ""},
		{"not an image", []v1.Descriptor{strange}, v1.Platform{OS: "linux", Architecture: "amd64"}, ""},
		{"other system", []v1.Descriptor{d("windows", "amd64", "")}, v1.Platform{OS: "linux", Architecture: "amd64"}, ""},
		{"none", nil, v1.Platform{OS: "linux", Architecture: "amd64"}, ""},
	} {
		got, err := choose(&v1.IndexManifest{Manifests: tc.in}, tc.want)
		if tc.is == "" && !errors.Is(err, ErrPlatform) || tc.is != got.Annotations["is"] {
			t.Errorf("%s: %v, %v", tc.name, got.Annotations, err)
		}
	}
}
