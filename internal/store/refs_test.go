package store

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
)

func putBytes(t testing.TB, s *Store, mt types.MediaType, b []byte) v1.Descriptor {
	t.Helper()
	d := v1.Descriptor{MediaType: mt, Digest: digest(b), Size: int64(len(b))}
	if err := s.PutBlob(t.Context(), d.Digest, d.Size, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return d
}

func has(s *Store, h v1.Hash) bool {
	_, err := os.Lstat(blobFile(s, h))
	return err == nil
}

// jsonOf is a descriptor as documents have it.
func jsonOf(d v1.Descriptor) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, d.MediaType, d.Digest, d.Size)
}

// An index may name anything; what it names is kept, and nobody else's removal fails for it.
func TestPruneHostileIndex(t *testing.T) {
	s := open(t)
	const image = types.OCIManifestSchema1
	absent := v1.Descriptor{MediaType: types.OCIConfigJSON, Digest: digest([]byte("absent")), Size: 6}
	big := putBytes(t, s, image, make([]byte, MaxDocument+1))
	bigConfig := putBytes(t, s, image, fmt.Appendf(nil, `{"schemaVersion":2,"config":%s,"layers":[]}`, jsonOf(big)))
	noConfig := putBytes(t, s, image, fmt.Appendf(nil, `{"schemaVersion":2,"config":%s,"layers":[]}`, jsonOf(absent)))
	other := putBytes(t, s, "text/plain", []byte(`{"manifests":[]}`))
	named := []v1.Descriptor{big, bigConfig, noConfig, other}
	x := putIndex(t, s, "hostile:1", named...)
	put(t, s, "a:1", tarOf(t, "a", "1"))
	put(t, s, "b:1", tarOf(t, "b", "1"))
	if r, err := s.Remove(t.Context(), "a:1", RemoveOptions{}); err != nil || len(r.Blobs) != 3 {
		t.Errorf("Remove of another: %+v, %v", r, err)
	}
	if err := s.Untag(t.Context(), "b:1"); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Prune(t.Context(), PruneOptions{}); err != nil || len(r.Blobs) != 3 {
		t.Errorf("Prune: %+v, %v", r, err)
	}
	for _, d := range append(named, x) {
		if !has(s, d.Digest) {
			t.Errorf("%v is gone", d)
		}
	}
	if r, err := s.Remove(t.Context(), "hostile:1", RemoveOptions{}); err != nil || len(objects(t, s)) > 0 {
		t.Errorf("%+v, %v, left %v", r, err, objects(t, s))
	}
}

// A manifest without its configuration stops a collection if it is in use: which layers it has is not known.
func TestPruneUsedIncomplete(t *testing.T) {
	s := open(t)
	d := put(t, s, "a:1", tarOf(t, "a", "1"))
	img, err := s.Find("a:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	putIndex(t, s, "x:1", d)
	if err := s.Untag(t.Context(), "a:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(blobFile(s, img.ConfigDigest)); err != nil {
		t.Fatal(err)
	}
	before := objects(t, s)
	if r, err := s.Prune(t.Context(), PruneOptions{}); err == nil || !slices.Equal(objects(t, s), before) {
		t.Errorf("of a used image: %+v, %v", r, err)
	}
	release()
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Errorf("of one that nobody uses: %v", err)
	}
}

// What is larger than any honest document when it is decoded is not decoded, and what is too deep is not followed.
func TestReachBounds(t *testing.T) {
	s := open(t)
	leafs := make([]v1.Descriptor, 7)
	below := putBytes(t, s, types.OCIImageIndex, []byte(`{"end":true}`))
	for i := range leafs {
		leafs[i] = below
		below = putBytes(t, s, types.OCIImageIndex, fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[%s]}`, jsonOf(below)))
	}
	slices.Reverse(leafs)
	if err := s.Tag(t.Context(), "deep:1", below); err != nil {
		t.Fatal(err)
	}
	victim := putBytes(t, s, types.OCIManifestSchema1, []byte(`{"victim":true}`))
	many := `{"manifests":[` + jsonOf(victim) + strings.Repeat(",{}", maxValues) + `]}`
	putIndex(t, s, "wide:1", putBytes(t, s, types.OCIImageIndex, []byte(many)))
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, d := range leafs {
		if got, want := has(s, d.Digest), i < maxReach; got != want {
			t.Errorf("document %d below the index is there: %v", i+1, got)
		}
	}
	if has(s, victim.Digest) {
		t.Error("a document of very many values was decoded")
	}
}

// How something was named first does not matter for what it keeps.
func TestReachOrder(t *testing.T) {
	s := open(t)
	own := tarOf(t, "own", "1")
	d := put(t, s, "a:1", own)
	config := putBytes(t, s, types.OCIConfigJSON, []byte(`{"rootfs":{"type":"layers","diff_ids":[]}}`))
	inLayer := d
	inLayer.MediaType = types.OCILayer
	m := putBytes(t, s, types.OCIManifestSchema1, fmt.Appendf(nil, `{"schemaVersion":2,"config":%s,"layers":[%s]}`, jsonOf(config), jsonOf(inLayer)))
	if err := s.Tag(t.Context(), "layered:1", m); err != nil {
		t.Fatal(err)
	}
	deep := putIndex(t, s, "z:1", d)
	for i := range 3 {
		deep = putIndex(t, s, fmt.Sprint("deep:", i), deep)
	}
	if err := s.Tag(t.Context(), "a:1", d); err != nil {
		t.Fatal(err)
	}
	root, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, order := range [][]v1.Hash{{m.Digest, d.Digest}, {d.Digest, m.Digest}, {deep.Digest, d.Digest}} {
		r := newReach()
		for _, h := range order {
			if err := r.add(root, h, true); err != nil {
				t.Fatal(err)
			}
		}
		if !r.layers[digest(own)] || !r.blobs[digest(own)] {
			t.Errorf("%v: the layer is not kept", order)
		}
	}
	// In use, and for everybody else a layer.
	release, _, err := s.Use(d.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := os.WriteFile(s.Dir()+"/index.json", fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[%s]}`, jsonOf(m)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	if !has(s, digest(own)) || layer.Supported && !isDirAt(s.LayerDir(digest(own))) {
		t.Error("the layer of a used image is gone")
	}
}
