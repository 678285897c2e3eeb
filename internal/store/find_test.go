package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// putIndex stores an index of manifests under ref.
func putIndex(t testing.TB, s *Store, ref string, manifests ...v1.Descriptor) v1.Descriptor {
	t.Helper()
	m := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: manifests}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := v1.Descriptor{MediaType: m.MediaType, Size: int64(len(b)), Digest: digest(b)}
	if err := s.PutBlob(t.Context(), d.Digest, d.Size, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(t.Context(), ref, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func forPlatform(d v1.Descriptor, arch string) v1.Descriptor {
	d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
	return d
}

// names lists the names in the store.
func names(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	for img, err := range s.Images() {
		if err != nil {
			t.Error(err)
		}
		out = append(out, img.Ref)
	}
	slices.Sort(out)
	return out
}

func TestStoreFindByDigests(t *testing.T) {
	s := open(t)
	d := put(t, s, "one:1", tarOf(t, "a", "1"))
	put(t, s, "two:1", tarOf(t, "a", "2"))
	img, err := s.Resolve("one:1")
	if err != nil {
		t.Fatal(err)
	}
	if img.Descriptor.Digest != d.Digest || len(img.Manifest.Layers) != 1 || img.ConfigDigest != img.Manifest.Config.Digest {
		t.Errorf("%+v", img)
	}
	for _, id := range []string{
		img.ConfigDigest.String(), img.ConfigDigest.Hex, img.ConfigDigest.Hex[:12], "sha256:" + img.ConfigDigest.Hex[:4],
		d.Digest.String(), d.Digest.Hex, d.Digest.Hex[:12], "sha256:" + d.Digest.Hex[:7], "x/y@" + img.ConfigDigest.String(),
	} {
		got, err := s.Resolve(id)
		if err != nil || got.Digest != d.Digest || got.Ref != "one:1" || !slices.Equal(got.Names, []string{"one:1"}) {
			t.Errorf("Resolve(%s) = %+v, %v", id, got.Digest, err)
		}
	}
	for _, id := range []string{
		d.Digest.Hex[:3], strings.ToUpper(d.Digest.Hex), d.Digest.Hex + "0", "x@" + d.Digest.Hex[:12], "@" + d.Digest.Hex, "sha256:", "", "one",
		"sha512:" + d.Digest.Hex, "x@" + d.Digest.Hex,
	} {
		if _, err := s.Resolve(id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Resolve(%q): %v", id, err)
		}
	}
	if b, err := s.Document(d.Digest); err != nil || digest(b) != d.Digest {
		t.Errorf("Document: %v", err)
	}
}

func TestStoreFindAmbiguous(t *testing.T) {
	s := open(t)
	put(t, s, "base:1")
	base, err := s.Resolve("base:1")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][]byte{}
	for i := 0; ; i++ { // some hundred digests, and two agree in their first four digits
		m := base.Manifest
		m.Annotations = map[string]string{"n": fmt.Sprint(i)}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		p := digest(b).Hex[:4]
		if seen[p] == nil {
			seen[p] = b
			continue
		}
		for n, b := range [][]byte{seen[p], b} {
			d := v1.Descriptor{MediaType: m.MediaType, Digest: digest(b), Size: int64(len(b))}
			if err := s.PutBlob(t.Context(), d.Digest, d.Size, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if err := s.Tag(t.Context(), fmt.Sprint("n:", n), d); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Resolve(p)
		var e *AmbiguousError
		if !errors.As(err, &e) || len(e.Candidates) != 2 || !strings.Contains(err.Error(), e.Candidates[1].String()) {
			t.Fatalf("Resolve(%s): %v", p, err)
		}
		if _, err := s.Resolve(e.Candidates[0].Hex[:20]); err != nil {
			t.Errorf("with more digits: %v", err)
		}
		// A configuration that several images have is all of theirs.
		if img, err := s.Resolve(base.ConfigDigest.Hex); err != nil || img.ConfigDigest != base.ConfigDigest {
			t.Error(err)
		}
		return
	}
}

func TestStoreIndex(t *testing.T) {
	s := open(t)
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	mine := put(t, s, "mine:1", tarOf(t, "a", "mine"))
	theirs := put(t, s, "theirs:1", tarOf(t, "a", "theirs"))
	absent := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digest([]byte("absent")), Size: 6}
	attest := put(t, s, "attest:1")
	attest.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
	x := putIndex(t, s, "multi:1", attest, forPlatform(absent, "s390x"), forPlatform(theirs, other), forPlatform(mine, runtime.GOARCH))
	img, err := s.Resolve("multi:1")
	if err != nil || img.Digest != mine.Digest || img.Index != x.Digest || img.Descriptor.Digest != x.Digest {
		t.Fatalf("%+v, %v", img, err)
	}
	if !slices.Equal(img.Names, []string{"mine:1", "multi:1"}) {
		t.Errorf("names %q", img.Names)
	}
	if img, err := s.Resolve(x.Digest.String()); err != nil || img.Digest != mine.Digest {
		t.Errorf("by the digest of the index: %v, %v", img.Digest, err)
	}
	if img, err := s.ResolvePlatform("multi:1", &v1.Platform{OS: "linux", Architecture: other}); err != nil || img.Digest != theirs.Digest {
		t.Errorf("for %s: %v, %v", other, img.Digest, err)
	}
	if _, err := s.ResolvePlatform("multi:1", &v1.Platform{OS: "linux", Architecture: "s390x"}); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrPlatform) {
		t.Errorf("one that is not here: %v", err)
	}
	if _, err := s.ResolvePlatform("multi:1", &v1.Platform{OS: "plan9", Architecture: "mips"}); !errors.Is(err, ErrPlatform) || !strings.Contains(err.Error(), other) {
		t.Errorf("one that the index does not have: %v", err)
	}
	if _, err := s.ResolvePlatform("mine:1", &v1.Platform{OS: "linux", Architecture: "s390x"}); !errors.Is(err, ErrPlatform) {
		t.Errorf("a manifest for another platform: %v", err)
	}
	// Without names of their own they are found in the index.
	for _, ref := range []string{"mine:1", "theirs:1"} {
		if _, err := s.Remove(t.Context(), ref, RemoveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if img, err := s.Resolve(theirs.Digest.String()); err != nil || img.Digest != theirs.Digest || img.Index != x.Digest {
		t.Errorf("a manifest of the index by its digest: %+v, %v", img.Digest, err)
	}
	if got := names(t, s); !slices.Equal(got, []string{"attest:1", "multi:1"}) {
		t.Errorf("names %q", got)
	}
}
