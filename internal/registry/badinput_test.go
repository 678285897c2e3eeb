package registry

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testneed"
)

// zerosInGzip is a layer with a file of 4 GiB of zeros, packed: a gzip stream may have many members, so one of 64 MiB
// is repeated.
func zerosInGzip(t *testing.T) ([]byte, v1.Hash) {
	t.Helper()
	var header bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "zeros", Size: 4 << 30, Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	member := gz(make([]byte, 64<<20))
	b := append(gz(header.Bytes()), bytes.Repeat(member, 4<<30/(64<<20))...)
	if len(b) > 5<<20 {
		t.Fatalf("%d bytes", len(b))
	}
	return b, other // nobody gets so far as to compare the digest
}

// The bad input of the issue: each a typed error that names the object, and the store unchanged in every file.
func TestBadInput(t *testing.T) {
	t.Parallel()
	ours := v1.Platform{OS: "linux", Architecture: "amd64"}
	for _, tc := range []struct {
		name  string
		set   func(t *testing.T, f *fake) (names string) // what the error must name
		is    error
		linux bool // needs to unpack
	}{
		{name: "wrong digest", is: store.ErrDigest, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			f.tag("bad", p)
			flip(p.manifest.Layers[0].Digest.String())(f)
			return p.manifest.Layers[0].Digest.String()
		}},
		{name: "wrong diff id", is: store.ErrDigest, linux: true, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			p.config.RootFS.DiffIDs[0] = other
			f.tag("bad", p)
			return other.String()
		}},
		{name: "truncated layer", linux: true, set: func(t *testing.T, f *fake) string { // whole by its digest, and no whole gzip
			p := f.image("bad", layerOf("a", strings.Repeat("content", 1000)))
			b := gz(layerOf("a", strings.Repeat("content", 1000)))
			p.manifest.Layers[0] = f.raw("bad", "", types.OCILayer, b[:len(b)-20])
			f.tag("bad", p)
			return p.config.RootFS.DiffIDs[0].String()
		}},
		{name: "truncated tar", linux: true, set: func(t *testing.T, f *fake) string {
			b := layerOf("a", strings.Repeat("content", 1000))
			p := f.image("bad", b[:3000])
			f.tag("bad", p)
			return p.config.RootFS.DiffIDs[0].String()
		}},
		{name: "missing platform", is: ErrPlatform, set: func(t *testing.T, f *fake) string {
			f.push("bad:latest", platforms(t, "arm64", "s390x"))
			return "linux/amd64"
		}},
		{name: "image of another platform", is: ErrPlatform, set: func(t *testing.T, f *fake) string {
			f.push("bad:latest", forPlatform(t, v1.Platform{OS: "linux", Architecture: "s390x"}, ""))
			return "linux/s390x"
		}},
		{name: "unknown media type", is: ErrMediaType, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			p.manifest.Layers[0].MediaType = "application/vnd.example.layer"
			f.tag("bad", p)
			return "application/vnd.example.layer"
		}},
		{name: "tag not found", is: fs.ErrNotExist, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			f.raw("bad", "other", p.manifest.MediaType, toJSON(t, p.manifest))
			return "bad:latest"
		}},
		{name: "no credentials", is: fs.ErrPermission, set: func(t *testing.T, f *fake) string {
			f.hook = wantsBasic(nil)
			return "docker login"
		}},
		{name: "cyclic index", is: store.ErrDigest, set: func(t *testing.T, f *fake) string {
			// No index can hold its own digest, so the registry has to send one for the other.
			d := v1.Descriptor{MediaType: types.OCIImageIndex, Digest: other, Platform: &ours}
			index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}}
			index.Manifests[0].Size = int64(len(toJSON(t, index)))
			index.Manifests[0].Size = int64(len(toJSON(t, index)))
			b := toJSON(t, index)
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				_, _ = w.Write(b)
				return true
			}
			return other.String()
		}},
		{name: "deep index", is: store.ErrDocument, set: func(t *testing.T, f *fake) string {
			docs := map[string][]byte{}
			d := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: other, Size: 2, Platform: &ours}
			for range 100 {
				index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}}
				doc := describe(types.OCIImageIndex, toJSON(t, index))
				d = doc.desc
				d.Platform = &ours
				docs[d.Digest.String()], docs["latest"] = doc.raw, doc.raw
			}
			f.hook = func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				_, _ = w.Write(docs[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]])
				return true
			}
			return "nested deeper"
		}},
		{name: "4 GiB of zeros in 4 MiB", is: ErrTooLarge, linux: true, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			b, diffID := zerosInGzip(t)
			p.manifest.Layers[0] = f.raw("bad", "", types.OCILayer, b)
			p.config.RootFS.DiffIDs[0] = diffID
			f.tag("bad", p)
			return diffID.String()
		}},
		{name: "64 GiB of zeros in zstd", is: ErrTooLarge, linux: true, set: func(t *testing.T, f *fake) string {
			p := f.image("bad", layerOf("a", "1"))
			member := zst(make([]byte, 64<<20))
			var header bytes.Buffer
			_ = tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "zeros", Size: 63 << 30, Mode: 0o644, Typeflag: tar.TypeReg})
			b := append(zst(header.Bytes()), bytes.Repeat(member, 1000)...)
			p.manifest.Layers[0] = f.raw("bad", "", types.OCILayerZStd, b)
			f.tag("bad", p)
			return p.config.RootFS.DiffIDs[0].String()
		}},
	} {
		for _, all := range []bool{false, true} {
			t.Run(tc.name+map[bool]string{true: ", all platforms"}[all], func(t *testing.T) {
				if tc.linux && !layer.Supported {
					t.Skip("needs to unpack layers (remedy: run on Linux)")
				}
				if all && tc.linux && os.Getenv("CAISSON_FULL") == "" {
					testneed.Feature(t, "full", errors.New("layers are unpacked in the same way for all platforms"), "set CAISSON_FULL=1")
				}
				if all && tc.name == "missing platform" {
					return // which is no error then
				}
				f := newFake(t)
				names := tc.set(t, f)
				s := used(t)
				before := listing(t, s)
				o := f.options()
				o.AllPlatforms = all
				_, err := Pull(t.Context(), s, f.host+"/bad", o)
				var e *Error
				if !errors.As(err, &e) || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), names) || !strings.Contains(err.Error(), "bad:latest") {
					t.Errorf("err = %v; want %v, naming %s", err, tc.is, names)
				}
				if after := listing(t, s); after != before {
					t.Errorf("the store has changed:\n%s\nbefore:\n%s", after, before)
				}
			})
		}
	}
}

// Anybody may put anything behind an upload's answers, headers included: a client that reads them all must still end.
func TestStatusError(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"specification": {`{"errors":[{"code":"DENIED","message":"not for\u001b[31m you"}]}`, "DENIED: not for [31m you"},
		"text":          {"go\naway", "go away"},
		"page":          {"<html>hello</html>", ""},
		"empty":         {"", ""},
		"long":          {strings.Repeat("x", 1<<20), strings.Repeat("x", maxMessage-4) + "x..."},
	} {
		r, _ := http.NewRequest(http.MethodGet, "https://user:pw@host/path?signature=secret", nil)
		e := statusError(&http.Response{StatusCode: 403, Header: http.Header{"Retry-After": {"5"}}, Body: io.NopCloser(strings.NewReader(tc.body)), Request: r})
		if len(e.Message) > maxMessage+3 || name != "long" && e.Message != tc.want || strings.Contains(e.Error(), "secret") || strings.Contains(e.Error(), "pw") || e.RetryAfter == 0 {
			t.Errorf("%s: %q", name, e.Error())
		}
	}
}
