package caisson_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testimage"
	"github.com/caisson-go/caisson/internal/testneed"
)

// realCommands are programs of the images, and what they print.
func realCommands() map[string][]struct {
	args []string
	want string
} {
	type list = []struct {
		args []string
		want string
	}
	hello := list{{nil, "hello 1000 /work\n"}, {[]string{"id -g"}, "1000\n"}}
	return map[string]list{
		"busybox": hello,
		"multi":   hello,
		"odd": {
			{[]string{"/bin/sh", "-c", "cd /; echo gone/* opaque/* again/* becomes-dir/*; cat single becomes-file becomes-link hard/second"},
				"gone/back opaque/new opaque/old again/new becomes-dir/x\nagain\nnow a file\nthe second one counts\nlinked no more\n"},
			{[]string{"/bin/busybox", "stat", "-c", "%a %u %g", "/modes/setgid", "/owners/huge", "/kinds/big", "/opaque"},
				"2755 0 42\n644 2000000000 2100000000\n644 0 0\n755 0 0\n"},
			{[]string{"/bin/sh", "-c", "test -e /link-gone || test -e /kinds/queue || echo removed"}, "removed\n"},
		},
		"minbase": {{[]string{"/bin/bash", "-c", "dpkg --verify && . /etc/os-release && echo $ID"}, "debian\n"}},
		"large": {
			{[]string{"perl", "-MPOSIX", "-e", `print POSIX::floor(42.5), "\n"`}, "42\n"},
			{[]string{"/bin/sh", "-c", "git init -q /tmp/new && cd /tmp/new && git rev-parse --is-inside-work-tree"}, "true\n"},
			{[]string{"/usr/lib/go-1.19/bin/go", "env", "GOROOT"}, "/usr/lib/go-1.19\n"},
			{[]string{"/bin/sh", "-c", "ls /usr/share/doc; ls -d /usr/share/man/man[37]; test -u /usr/bin/sudo && echo setuid"},
				"README\niputils-ping\nlibcap2-bin\nsudo\nsetuid\n"},
		},
	}
}

// Images of Debian's registry are pulled, run and pushed back, and what comes out is what went in, byte for byte.
func TestRealImagesComeBackAsTheyWere(t *testing.T) {
	testneed.Root(t) // the images have many users
	registry, skopeo := realRegistry(t), testneed.Program(t, "skopeo", "apt-get install skopeo")
	for _, name := range testimage.Names() {
		t.Run(name, func(t *testing.T) {
			image := testimage.Open(t, name)
			tags, err := image.Tags()
			must(t, err)
			for _, tag := range tags {
				t.Run(tag, func(t *testing.T) { realImage(t, image, tag, registry.Host, skopeo) })
			}
		})
	}
}

func realImage(t *testing.T, image *testimage.Image, tag, host, skopeo string) {
	must(t, image.Upload(t.Context(), host, tag))
	e := engine(t)
	e.Insecure = []string{host}
	img, err := e.Pull(t.Context(), image.Ref(host, tag), &caisson.PullOptions{AllPlatforms: true})
	must(t, err)
	for _, c := range realCommands()[image.Name] {
		out, err := img.Command(c.args...).Output(t.Context())
		if err != nil || string(out) != c.want {
			t.Errorf("%q: %q, %v, want %q", c.args, out, err, c.want)
		}
	}
	back := host + "/back/" + image.Name + ":" + tag
	d, err := image.Descriptor(tag)
	must(t, err)
	must(t, img.Push(t.Context(), back, &caisson.PushOptions{AllPlatforms: d.MediaType.IsIndex()}))
	was, now := inspectRaw(t, skopeo, image.Ref(host, tag)), inspectRaw(t, skopeo, back)
	if sum := sha256.Sum256(now); !bytes.Equal(was, now) || hex.EncodeToString(sum[:]) != d.Digest.Hex {
		t.Errorf("went in as %s\ncame out as %s", was, now)
	}
	// The manifests below an index, too.
	var index v1.IndexManifest
	must(t, json.Unmarshal(now, &index))
	for _, m := range index.Manifests {
		by := "@" + m.Digest.String()
		if !bytes.Equal(inspectRaw(t, skopeo, strings.TrimSuffix(image.Ref(host, tag), ":"+tag)+by), inspectRaw(t, skopeo, strings.TrimSuffix(back, ":"+tag)+by)) {
			t.Errorf("%s has changed", by)
		}
	}
	if d.MediaType.IsIndex() != (len(index.Manifests) > 1) {
		t.Errorf("%d manifests", len(index.Manifests))
	}
	// A registry that has nothing takes all of it.
	other := realRegistry(t)
	e2 := caisson.Engine{Dir: e.Dir, Insecure: []string{other.Host}}
	again, err := e2.Image(t.Context(), img.ID())
	must(t, err)
	must(t, again.Push(t.Context(), image.Ref(other.Host, tag), nil))
	inspectRaw(t, skopeo, image.Ref(other.Host, tag))
}

// A platform that is asked for is the one that comes, though this machine does not run it.
func TestRealPlatforms(t *testing.T) {
	registry := realRegistry(t)
	image := testimage.Open(t, "multi")
	must(t, image.Upload(t.Context(), registry.Host, "gzip"))
	for _, p := range []string{"linux/amd64", "linux/arm64", "linux/arm/v7"} {
		e := engine(t)
		e.Insecure = []string{registry.Host}
		img, err := e.Pull(t.Context(), image.Ref(registry.Host, "gzip"), &caisson.PullOptions{Platform: p})
		must(t, err)
		c := img.Config()
		if got := fmt.Sprint(c.OS, "/", c.Architecture); !strings.HasPrefix(p, got) {
			t.Errorf("%s came for %s", got, p)
		}
	}
}

// realRegistry is Debian's docker-registry for the time of a test.
func realRegistry(t *testing.T) *testimage.Registry {
	t.Helper()
	testneed.Program(t, "docker-registry", "apt-get install docker-registry")
	r, err := testimage.StartRegistry(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, r.Stop()) })
	return r
}

// inspectRaw is a manifest as another program gets it from the registry.
func inspectRaw(t *testing.T, skopeo, ref string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), skopeo, "inspect", "--raw", "--tls-verify=false", "docker://"+ref).Output()
	if err != nil {
		t.Fatalf("skopeo inspect %s: %v", ref, err)
	}
	return out
}
