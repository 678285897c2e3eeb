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
	// One component is an official image of Docker Hub, more are those of Docker Hub's users.
	"alpine": "docker.io/library/alpine:latest", "alpine:3.20": "docker.io/library/alpine:3.20", "redis": "docker.io/library/redis:latest",
	"user/image": "docker.io/user/image:latest", "a/b/c:t": "docker.io/a/b/c:t", "a/b/c/d/e/f": "docker.io/a/b/c/d/e/f:latest",
	"a": "docker.io/library/a:latest", "1": "docker.io/library/1:latest", "0/1": "docker.io/0/1:latest", "a1b2": "docker.io/library/a1b2:latest",
	"library/alpine": "docker.io/library/alpine:latest", "library/library": "docker.io/library/library:latest",
	"image:5000": "docker.io/library/image:5000", "image:5000/x": "image:5000/x:latest", "localhost": "docker.io/library/localhost:latest",
	"local-host/image": "docker.io/local-host/image:latest", "localhosts/image": "docker.io/localhosts/image:latest",
	"registry.example": "docker.io/library/registry.example:latest", "registry/image": "docker.io/registry/image:latest",
	"latest": "docker.io/library/latest:latest", "index": "docker.io/library/index:latest", "docker": "docker.io/library/docker:latest",
	// Docker Hub by its names.
	"docker.io/alpine": "docker.io/library/alpine:latest", "docker.io/library/alpine": "docker.io/library/alpine:latest",
	"docker.io/user/image:t": "docker.io/user/image:t", "index.docker.io/library/alpine": "docker.io/library/alpine:latest",
	"index.docker.io/alpine": "docker.io/library/alpine:latest", "index.docker.io/user/image": "docker.io/user/image:latest",
	"registry-1.docker.io/library/alpine": "registry-1.docker.io/library/alpine:latest", "hub.docker.com/alpine": "hub.docker.com/alpine:latest",
	// Other registries: "localhost", or with a dot or a colon. There nothing is added.
	"localhost/image": "localhost/image:latest", "localhost:5000/image": "localhost:5000/image:latest", "localhost/a/b": "localhost/a/b:latest",
	"registry.example/image": "registry.example/image:latest", "registry:5000/a/b:t_1.x-y": "registry:5000/a/b:t_1.x-y",
	"redis.io/redis": "redis.io/redis:latest", "redis.io/library/redis": "redis.io/library/redis:latest", "ghcr.io/o/i:v1": "ghcr.io/o/i:v1",
	"a.b/c": "a.b/c:latest", "a.b.c.d.e/f": "a.b.c.d.e/f:latest", "1.2/x": "1.2/x:latest", "xn--rgistry-bya.example/image": "xn--rgistry-bya.example/image:latest",
	"r-1.example-2.test/x": "r-1.example-2.test/x:latest", "a--b.test/x": "a--b.test/x:latest",
	"docker.io.example/alpine": "docker.io.example/alpine:latest", "docker.io:443/alpine": "docker.io:443/alpine:latest",
	// Addresses and ports.
	"127.0.0.1/image": "127.0.0.1/image:latest", "127.0.0.1:5000/image": "127.0.0.1:5000/image:latest", "10.0.0.1:1/a/b:c": "10.0.0.1:1/a/b:c",
	"[::1]:5000/image": "[::1]:5000/image:latest", "[::1]/image": "[::1]/image:latest", "[2001:db8::1]:443/x:y": "[2001:db8::1]:443/x:y",
	"[fe80::1]/x": "[fe80::1]/x:latest", "host:1/x": "host:1/x:latest", "host:80/x": "host:80/x:latest", "host:65535/x": "host:65535/x:latest",
	"registry.example:0/image": "", "registry.example:65536/image": "", "registry.example:99999/image": "", "registry.example:123456/image": "",
	"registry.example:x/image": "", "registry.example:/image": "", "registry.example:-1/image": "", "registry.example:5000:5000/image": "",
	"registry.example:5 /image": "", "[::1/image": "", "::1/image": "", "[::1]x/image": "", "[]/image": "", "[::1]:/image": "", "[g::1]/image": "",
	"[::1%25eth0]/image": "", ":5000/image": "", "host:0x50/image": "",
	// Tags.
	"alpine:latest": "docker.io/library/alpine:latest", "alpine:_": "docker.io/library/alpine:_", "alpine:A.b-c_D": "docker.io/library/alpine:A.b-c_D",
	"alpine:1": "docker.io/library/alpine:1", "alpine:a..b": "docker.io/library/alpine:a..b", "alpine:x-": "docker.io/library/alpine:x-",
	"a.b/c:5000": "a.b/c:5000", "alpine:" + strings.Repeat("t", 128): "docker.io/library/alpine:" + strings.Repeat("t", 128),
	"alpine:": "", "alpine:.x": "", "alpine:-x": "", "alpine:a b": "", "alpine:a:b": "", "alpine:a/b": "", "alpine::": "", "alpine:+x": "",
	"alpine:a+b": "", "alpine:ä": "", "alpine:v1\n": "", "alpine:a@b": "", "alpine:a\x00": "", "alpine:*": "", "alpine:$HOME": "", "alpine:a,b": "",
	"alpine:" + strings.Repeat("t", 129): "", "user/image:": "", "localhost:5000": "docker.io/library/localhost:5000", "localhost:5000/": "",
	// Digests: with a tag as well, it is the digest that counts.
	"alpine@" + digest: "docker.io/library/alpine@" + digest, "alpine:3.20@" + digest: "docker.io/library/alpine@" + digest,
	"a.b:1/c:t@" + digest: "a.b:1/c@" + digest, "[::1]:5000/x@" + digest: "[::1]:5000/x@" + digest,
	"alpine@": "", "@" + digest: "", "alpine@sha256": "", "alpine@sha256:": "", "alpine@sha256:abc": "", "alpine@sha256:../../x": "",
	"alpine@" + strings.ToUpper(digest): "", "alpine@SHA256:" + strings.Repeat("a", 64): "", "alpine@" + digest + "a": "", "alpine@" + digest[:len(digest)-1]: "",
	"alpine@" + digest + "@" + digest: "", "alpine@ " + digest: "", "alpine@sha256:" + strings.Repeat("g", 64): "", "alpine@md5:" + strings.Repeat("a", 32): "",
	"alpine@sha256:" + strings.Repeat("ａ", 64): "", "alpine:@" + digest: "", "alpine:.x@" + digest: "", "alpine@" + digest + ":tag": "", "alpine @" + digest: "",
	// What components are made of.
	"a__b/c.d-e--f": "docker.io/a__b/c.d-e--f:latest", "a_b": "docker.io/library/a_b:latest", "a.b": "docker.io/library/a.b:latest",
	"a---b": "docker.io/library/a---b:latest", "a-b_c.d": "docker.io/library/a-b_c.d:latest", "0a/9z": "docker.io/0a/9z:latest",
	"a___b": "", "a..b/c/d": "", "x/a..b": "", "a.-b/c": "", "x/a._b": "", "-a/b": "", "x/-a": "", "x/a-": "", "_a": "", "a_": "", ".a": "", "x/a.": "", "x/.": "",
	"a/../b": "", "../a": "", "..": "", ".": "", "a/./b": "", "./a": "", "a//b": "", "/a": "", "/": "", "a/": "", "//a": "", "a/b/": "",
	// Case, white space, control bytes, other writing.
	"Alpine": "", "ALPINE": "", "user/Image": "", "User/image": "", "Registry.example/image": "Registry.example/image:latest", "LOCALHOST/image": "",
	"LOCALHOST:5000/image": "LOCALHOST:5000/image:latest",
	"":                     "", " ": "", " alpine": "", "alpine ": "", "al pine": "", "alpine\t": "", "\nalpine": "", "alpine\nx": "", "alpine\x00": "", "alpine\x7f": "", "alpine\u00a0": "",
	"régistry.example/image": "", "аlpine": "", "user/imаge": "", "ｒegistry.example/x": "", "registry．example/x": "", "registry。example/x": "", "alpine\u200b": "",
	"al\u00adpine": "", "ﬁle": "", "İmage": "", "ſtore": "", "K": "", "image/١": "", "a\u0301": "", "\ufeffalpine": "", "🐳": "", "alpine\xff": "", "example\u2044image": "",
	"alpine\u202e": "", "registry.exаmple/image": "",
	// Addresses of other kinds are no references.
	"https://registry.example/image": "", "http://localhost:5000/image": "", "docker://alpine": "", "oci:dir:tag": "", "user@registry.example/image": "",
	"user:pw@registry.example/image": "", "alpine?x=y": "", "alpine#x": "", "registry.example%2f/image": "", "a%2e%2e/b": "", "registry.example\\image": "",
	"a\\b": "", "registry.example/": "", "registry.example:5000/": "", "a/b?c": "", "a/b;c": "", "a/$(id)": "", "a/`id`": "", "'a'": "", "\"a\"": "",
	"-rm": "", "--all": "", "-": "", "~": "", "~/image": "", "*": "", "a|b": "", "a&b": "", "a<b": "", "a!": "", "{a}": "", "a=b": "", "a,b": "",
	// Lengths.
	strings.Repeat("a", 300): "", strings.Repeat("a/", 300) + "b": "", strings.Repeat("a", 63) + ".example/x": strings.Repeat("a", 63) + ".example/x:latest",
	"registry.example/" + strings.Repeat("a", 200): "registry.example/" + strings.Repeat("a", 200) + ":latest",
	"a-.example/x": "", "-a.example/x": "", ".example/x": "", "example./x": "", "a..example/x": "", "a_b.example/x": "",
}

// T53: the rule is Docker's, and what it does not cover is an error.
func TestParse(t *testing.T) {
	if n := len(references); n < 200 {
		t.Errorf("%d names", n)
	}
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
		if strings.ContainsAny(full, " \n\x00?#%\\") || strings.Contains(full, "//") || strings.Contains(r.Name(), "..") {
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
