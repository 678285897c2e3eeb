package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

// oldDocker is an archive as Docker wrote it before version 25, of one image with two layers, the second a link to that
// of another image.
type oldDocker struct {
	config         []byte
	bottom, top    []byte
	manifest       []dockerEntry
	before, behind []entry
}

func newOldDocker(t testing.TB) *oldDocker {
	t.Helper()
	o := &oldDocker{bottom: tarOf(t, entry{name: "bottom", body: "b"}), top: tarOf(t, entry{name: "top", body: "t"})}
	b, err := json.Marshal(platformConfig("amd64", rawLayer{plain, o.bottom}, rawLayer{plain, o.top}))
	must(t, err)
	o.config = b
	o.manifest = []dockerEntry{{Config: digestOf(b).Hex + ".json", RepoTags: []string{"old:1", "example.com/old:2"},
		Layers: []string{"aa/layer.tar", "bb/layer.tar"}}}
	return o
}

func (o *oldDocker) entries(t testing.TB) []entry {
	t.Helper()
	m, err := json.Marshal(o.manifest)
	must(t, err)
	return slices.Concat(o.before, []entry{
		{name: "bb/", typ: tar.TypeDir}, {name: "bb/layer.tar", typ: tar.TypeSymlink, link: "../cc/layer.tar"},
		{name: "bb/VERSION", body: "1.0"}, {name: "bb/json", body: "{}"},
		{name: "cc/layer.tar", body: string(o.top)},
		{name: "aa/", typ: tar.TypeDir}, {name: "aa/VERSION", body: "1.0"}, {name: "aa/layer.tar", body: string(o.bottom)},
		{name: digestOf(o.config).Hex + ".json", body: string(o.config)},
		{name: "manifest.json", body: string(m)}, {name: "repositories", body: "{}"},
	}, o.behind)
}

func (o *oldDocker) tar(t testing.TB) []byte { return tarOf(t, o.entries(t)...) }

func TestLoadOldDocker(t *testing.T) {
	o, s := newOldDocker(t), openStore(t)
	loaded, err := Load(t.Context(), bytes.NewReader(o.tar(t)), s, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docker.io/library/old:1", "example.com/old:2"}
	if len(loaded) != 1 || loaded[0].ID != digestOf(o.config) || !slices.Equal(loaded[0].Names, want) {
		t.Fatalf("loaded %+v", loaded)
	}
	img, err := s.Resolve("docker.io/library/old:1")
	if err != nil {
		t.Fatal(err)
	}
	if layer.Supported && len(img.Layers) != 2 {
		t.Errorf("layers: %v", img.Layers)
	}
	// The manifest that Docker 28 has in its archive of the same image, worked out by hand.
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + digestOf(o.config).String() + `","size":` + size(o.config) + `},` +
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + digestOf(o.bottom).String() + `","size":` + size(o.bottom) + `},` +
		`{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"` + digestOf(o.top).String() + `","size":` + size(o.top) + `}]}`
	if img.Digest != digestOf([]byte(manifest)) {
		t.Errorf("the manifest is %s", img.Digest)
	}
	noStaging(t, s)

	// The order of the entries, packed layers and packed archives change nothing.
	entries := o.entries(t)
	slices.Reverse(entries)
	again, err := Load(t.Context(), bytes.NewReader(packed(t, gzipped, tarOf(t, entries...))), openStore(t), LoadOptions{})
	if err != nil || again[0].Digest != img.Digest {
		t.Errorf("backwards: %+v, %v", again, err)
	}
	for _, p := range []packing{gzipped, zstandard} {
		packedLayers := newOldDocker(t)
		packedLayers.bottom = packed(t, p, packedLayers.bottom)
		s := openStore(t)
		again, err := Load(t.Context(), bytes.NewReader(packedLayers.tar(t)), s, LoadOptions{})
		if err != nil || again[0].ID != digestOf(o.config) {
			t.Errorf("packed layer: %+v, %v", again, err)
		}
	}
}

func size(b []byte) string {
	s, _ := json.Marshal(len(b))
	return string(s)
}

// Every one is refused with the right error, and leaves nothing that can be seen.
func TestLoadHostile(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	w := newWorld(t)
	modern := func(t *testing.T, change func(e *entry)) []byte {
		return rewrite(t, saved(t, w.s, SaveOptions{}, oneName), change)
	}
	for _, tc := range []struct {
		name string
		file func(t *testing.T) []byte
		want error
	}{
		{"nothing", func(t *testing.T) []byte { return nil }, ErrFormat},
		{"text", func(t *testing.T) []byte { return []byte(strings.Repeat("no archive ", 100)) }, ErrFormat},
		{"root file system", func(t *testing.T) []byte { return tarOf(t, entry{name: "bin/sh", body: "x"}) }, ErrFormat},
		{"xz", func(t *testing.T) []byte { return []byte("\xfd7zXZ\x00 and so on") }, errors.ErrUnsupported},
		{"legacy", func(t *testing.T) []byte { return tarOf(t, entry{name: "repositories", body: "{}"}) }, ErrFormat},
		{"no images", old(func(o *oldDocker) { o.manifest = []dockerEntry{} }), ErrFormat},
		{"cut off", func(t *testing.T) []byte {
			o := newOldDocker(t)
			b := o.tar(t)
			return b[:bytes.Index(b, o.top)+700]
		}, io.ErrUnexpectedEOF},
		{"absolute name", before(entry{name: "/etc/passwd"}), ErrEntry},
		{"name leads out", before(entry{name: "a/../../b"}), ErrEntry},
		{"backslash", before(entry{name: `a\..\b`}), ErrEntry},
		{"long name", before(entry{name: long}), ErrTooLarge},
		{"device", before(entry{name: "null", typ: tar.TypeChar}), ErrEntry},
		{"fifo", before(entry{name: "pipe", typ: tar.TypeFifo}), ErrEntry},
		{"twice", before(entry{name: "aa/layer.tar", body: "x"}), ErrEntry},
		{"file and directory", before(entry{name: "aa", body: "x"}), ErrEntry},
		{"manifest twice", before(entry{name: "./manifest.json", body: "[]"}), ErrEntry},
		{"manifest is a link", func(t *testing.T) []byte {
			return tarOf(t, entry{name: "manifest.json", typ: tar.TypeSymlink, link: "x"})
		}, ErrEntry},
		{"blob is a link", before(entry{name: "blobs/sha256/" + strings.Repeat("a", 64), typ: tar.TypeSymlink, link: "../../cc/layer.tar"}), ErrEntry},
		{"blob is a hard link", before(entry{name: "blobs/sha256/" + strings.Repeat("a", 64), typ: tar.TypeLink, link: "cc/layer.tar"}), ErrEntry},
		{"blob with an upper case name", before(entry{name: "blobs/sha256/" + strings.Repeat("A", 64), body: "x"}), ErrEntry},
		{"blob of another digest", before(entry{name: "blobs/sha256/" + strings.Repeat("a", 64), body: "x"}), store.ErrDigest},
		{"link leads out", before(entry{name: "aa/link", typ: tar.TypeSymlink, link: "../../x"}), ErrEntry},
		{"link is absolute", before(entry{name: "aa/link", typ: tar.TypeSymlink, link: "/etc/passwd"}), ErrEntry},
		{"links in a circle", old(func(o *oldDocker) {
			o.before = []entry{{name: "l1", typ: tar.TypeSymlink, link: "l2"}, {name: "l2", typ: tar.TypeSymlink, link: "l1"}}
			o.manifest[0].Layers[0] = "l1"
		}), ErrEntry},
		{"layer leads out", old(func(o *oldDocker) { o.manifest[0].Layers[0] = "../../etc/passwd" }), ErrEntry},
		{"config leads out", old(func(o *oldDocker) { o.manifest[0].Config = "../x.json" }), ErrEntry},
		{"layer missing", old(func(o *oldDocker) { o.manifest[0].Layers[0] = "dd/layer.tar" }), ErrMissing},
		{"config missing", old(func(o *oldDocker) { o.manifest[0].Config = "x.json" }), ErrMissing},
		{"layer missing in the list", old(func(o *oldDocker) { o.manifest[0].Layers = o.manifest[0].Layers[:1] }), store.ErrDocument},
		{"layers exchanged", old(func(o *oldDocker) { slices.Reverse(o.manifest[0].Layers) }), store.ErrDigest},
		{"layer with another diff id", old(func(o *oldDocker) { o.top[600] ^= 1 }), store.ErrDigest},
		{"packed layer with another diff id", func(t *testing.T) []byte {
			o := newOldDocker(t)
			o.top[600] ^= 1
			o.top = packed(t, gzipped, o.top)
			return o.tar(t)
		}, store.ErrDigest},
		{"config under a false name", old(func(o *oldDocker) {
			name := strings.Repeat("a", 64) + ".json"
			o.before = []entry{{name: name, body: string(o.config)}}
			o.manifest[0].Config = name
		}), store.ErrDigest},
		{"bad name", old(func(o *oldDocker) { o.manifest[0].RepoTags = []string{"Ä:x"} }), store.ErrName},
		{"name with another digest", old(func(o *oldDocker) {
			o.manifest[0].RepoTags = []string{"x@sha256:" + strings.Repeat("a", 64)}
		}), store.ErrDigest},
		{"one name twice", func(t *testing.T) []byte {
			o := newOldDocker(t)
			b := o.config
			other, err := json.Marshal(platformConfig("s390x", rawLayer{plain, o.bottom}))
			must(t, err)
			o.before = []entry{{name: "other.json", body: string(other)}}
			o.manifest = append(o.manifest, dockerEntry{Config: "other.json", RepoTags: []string{"old:1"}, Layers: []string{"aa/layer.tar"}})
			o.config = b
			return o.tar(t)
		}, ErrFormat},
		{"duplicate keys", func(t *testing.T) []byte {
			return tarOf(t, entry{name: "manifest.json", body: `[{"Config":"a","config":"b","Layers":[]}]`})
		}, store.ErrDocument},
		{"manifest is an object", func(t *testing.T) []byte { return tarOf(t, entry{name: "manifest.json", body: `{}`}) }, store.ErrDocument},
		{"manifest is null", func(t *testing.T) []byte { return tarOf(t, entry{name: "manifest.json", body: `null`}) }, store.ErrDocument},
		{"something behind", func(t *testing.T) []byte { return tarOf(t, entry{name: "manifest.json", body: `[] []`}) }, store.ErrDocument},
		{"no oci-layout", func(t *testing.T) []byte { return modern(t, drop(layoutName)) }, ErrMissing},
		{"oci-layout of the future", func(t *testing.T) []byte {
			return modern(t, replace(layoutName, "1.0.0", "2.0.0"))
		}, ErrFormat},
		{"no index.json", func(t *testing.T) []byte { return modern(t, drop(indexName)) }, ErrMissing},
		{"index is a manifest too", func(t *testing.T) []byte {
			return modern(t, replace(indexName, `"schemaVersion"`, `"layers":[],"schemaVersion"`))
		}, store.ErrDocument},
		{"size by one", func(t *testing.T) []byte {
			return modern(t, func(e *entry) {
				if e.name == indexName {
					e.body = strings.Replace(e.body, `"size":`+size1(w), `"size":1`+size1(w), 1)
				}
			})
		}, store.ErrSize},
		{"sha512", func(t *testing.T) []byte {
			return modern(t, replace(indexName, w.one.Digest.String(), "sha512:"+strings.Repeat("a", 128)))
		}, errors.ErrUnsupported},
		{"digest leads out", func(t *testing.T) []byte {
			return modern(t, replace(indexName, w.one.Digest.String(), "sha256:../../x"))
		}, store.ErrDocument},
		{"index.json has none of the images of manifest.json", func(t *testing.T) []byte {
			other := rewrite(t, saved(t, w.s, SaveOptions{}, oneName, twoName), drop(indexName))
			index := saved(t, w.s, SaveOptions{}, oneName)
			return rewrite(t, other, func(*entry) {}, find1(t, index, indexName))
		}, ErrFormat},
		{"the documents give a name to two images", func(t *testing.T) []byte {
			both := saved(t, w.s, SaveOptions{}, oneName, twoName)
			return rewrite(t, both, replace(manifestName, twoName, oneName))
		}, ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			must(t, s.PutBlob(t.Context(), digestOf(nil), 0, bytes.NewReader(nil)))
			own := putImage(t, s, "amd64", rawLayer{plain, tarOf(t, entry{name: "own", body: "own"})})
			tag(t, s, "docker.io/library/own:latest", own)
			was, blobsWas := names(t, s), blobs(t, s)
			_, err := Load(t.Context(), bytes.NewReader(tc.file(t)), s, LoadOptions{})
			var e *Error
			if err == nil || !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Op != "load" {
				t.Errorf("Load: %v, not %v", err, tc.want)
			}
			if got := names(t, s); !maps.Equal(got, was) {
				t.Errorf("names were %v and are %v", was, got)
			}
			if got := blobs(t, s); !slices.Equal(got, blobsWas) {
				t.Errorf("blobs were %v and are %v", blobsWas, got)
			}
			noStaging(t, s)
		})
	}
}

func old(change func(*oldDocker)) func(*testing.T) []byte {
	return func(t *testing.T) []byte {
		o := newOldDocker(t)
		change(o)
		return o.tar(t)
	}
}

func before(entries ...entry) func(*testing.T) []byte {
	return old(func(o *oldDocker) { o.before = entries })
}

func drop(name string) func(*entry) {
	return func(e *entry) {
		if e.name == name {
			e.name = ""
		}
	}
}

func replace(file, from, to string) func(*entry) {
	return func(e *entry) {
		if e.name == file {
			e.body = strings.ReplaceAll(e.body, from, to)
		}
	}
}

func size1(w *world) string {
	b, _ := json.Marshal(w.one.Size)
	return string(b)
}

// rewrite changes the entries of a tar file; those that lose their name are left out.
func rewrite(t testing.TB, file []byte, change func(*entry), more ...entry) []byte {
	t.Helper()
	var out []entry
	for _, e := range list(t, file) {
		if change(&e); e.name != "" {
			out = append(out, e)
		}
	}
	return tarOf(t, append(out, more...)...)
}

func find1(t testing.TB, file []byte, name string) entry {
	t.Helper()
	for _, e := range list(t, file) {
		if e.name == name {
			return e
		}
	}
	t.Fatalf("there is no %s", name)
	return entry{}
}
