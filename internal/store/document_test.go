package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	hexA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	descA = `{"mediaType":"m","size":1,"digest":"sha256:` + hexA + `"}`
)

// T41, T42, T43: documents that are damaged, ambiguous, or larger than any honest one.
func TestDecodeManifest(t *testing.T) {
	const oci = types.OCIManifestSchema1
	good := `{"schemaVersion":2,"mediaType":"` + string(oci) + `","config":` + descA + `,"layers":[` + descA + `]}`
	if m, err := DecodeManifest([]byte(good), oci); err != nil || len(m.Layers) != 1 {
		t.Fatalf("good manifest: %v", err)
	}
	plain := `{"schemaVersion":2,"config":` + descA + `,"layers":[],"annotations":{"a":"1","A":"2"}}`
	if _, err := DecodeManifest([]byte(plain), types.DockerManifestSchema2); err != nil {
		t.Errorf("manifest without mediaType: %v", err)
	}
	for name, doc := range map[string]string{
		"empty":               ``,
		"null":                `null`,
		"array":               `[` + good + `]`,
		"string":              `"x"`,
		"cut":                 good[:len(good)-1],
		"two documents":       good + good,
		"other mediaType":     strings.Replace(good, string(oci), string(types.OCIImageIndex), 1),
		"version 1":           strings.Replace(good, `"schemaVersion":2`, `"schemaVersion":1`, 1),
		"no version":          strings.Replace(good, `"schemaVersion":2,`, ``, 1),
		"index too":           strings.Replace(good, `"layers"`, `"manifests":[],"layers"`, 1),
		"index in other case": strings.Replace(good, `"layers"`, `"ManifeSts":[],"layers"`, 1),
		"twice":               strings.Replace(good, `"layers"`, `"layers":[],"layers"`, 1),
		"twice in other case": strings.Replace(good, `"layers"`, `"Layers":[],"layers"`, 1),
		"twice with long s":   strings.Replace(good, `"layers"`, `"layerſ":[],"layers"`, 1),
		"twice escaped":       strings.Replace(good, `"layers"`, `"layer\u0073":[],"layers"`, 1),
		"twice below":         strings.Replace(good, `"size":1`, `"size":1,"Size":2`, 1),
		"negative size":       strings.Replace(good, `"size":1`, `"size":-1`, 1),
		"huge size":           strings.Replace(good, `"size":1`, `"size":99999999999999999999`, 1),
		"huge config":         strings.Replace(good, `"size":1`, `"size":5000000`, 1),
		"no digest":           strings.Replace(good, `"sha256:`+hexA+`"`, `""`, 1),
		"digest as a path":    strings.Replace(good, hexA, "../../"+hexA[6:], 1),
		"digest upper case":   strings.Replace(good, hexA, strings.ToUpper(hexA), 1),
		"digest too short":    strings.Replace(good, hexA, hexA[1:], 1),
		"sha512":              strings.Replace(good, "sha256:"+hexA, "sha512:"+hexA+hexA, 1),
		"no config":           `{"schemaVersion":2,"layers":[]}`,
		"null config":         `{"schemaVersion":2,"config":null,"layers":[]}`,
		"layers as object":    `{"schemaVersion":2,"config":` + descA + `,"layers":{}}`,
		"nested":              `{"x":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`,
		"many layers":         `{"schemaVersion":2,"config":` + descA + `,"layers":[` + strings.Repeat(descA+",", 500) + descA + `]}`,
		"many values":         `{"schemaVersion":2,"config":` + descA + `,"layers":[` + strings.Repeat(`{},`, 200000) + `{}]}`,
		"large":               `{"x":"` + strings.Repeat("x", MaxDocument) + `"}`,
	} {
		if _, err := DecodeManifest([]byte(doc), oci); !errors.Is(err, ErrDocument) || len(err.Error()) > 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, mt := range []types.MediaType{"", "application/json", types.OCIImageIndex, types.DockerManifestSchema1Signed} {
		if _, err := DecodeManifest([]byte(plain), mt); !errors.Is(err, ErrDocument) {
			t.Errorf("media type %q: %v", mt, err)
		}
	}
}

// A manifest may say of its layers that they are large, but not that they are larger than any honest one.
func TestDecodeManifestSizes(t *testing.T) {
	manifest := func(sizes ...int64) []byte {
		var layers []string
		for _, n := range sizes {
			layers = append(layers, strings.Replace(descA, `"size":1`, fmt.Sprintf(`"size":%d`, n), 1))
		}
		return fmt.Appendf(nil, `{"schemaVersion":2,"config":%s,"layers":[%s]}`, descA, strings.Join(layers, ","))
	}
	many := make([]int64, MaxLayers)
	for i := range many {
		many[i] = MaxBlob
	}
	for _, c := range []struct {
		sizes []int64
		named string // in the error; "" for none
	}{
		{[]int64{0, 1, MaxBlob}, ""},
		{[]int64{MaxBlob, MaxImage - MaxBlob}, ""},
		{[]int64{MaxBlob + 1}, hexA},
		{[]int64{1, 1 << 60}, hexA},
		{[]int64{1<<63 - 1, 1<<63 - 1}, hexA},
		{[]int64{MaxBlob, MaxImage - MaxBlob, 1}, "together"},
		{many, "together"},
	} {
		_, err := DecodeManifest(manifest(c.sizes...), types.OCIManifestSchema1)
		if c.named == "" && err != nil || c.named != "" && (!errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), c.named)) {
			t.Errorf("%.5d: %v, want an error that names %q", c.sizes[:min(3, len(c.sizes))], err, c.named)
		}
	}
}

func TestDecodeIndex(t *testing.T) {
	const oci = types.OCIImageIndex
	good := `{"schemaVersion":2,"manifests":[` + descA + `]}`
	if m, err := DecodeIndex([]byte(good), oci); err != nil || len(m.Manifests) != 1 {
		t.Fatalf("good index: %v", err)
	}
	for name, doc := range map[string]string{
		"image too":  strings.Replace(good, `"manifests"`, `"layers":[],"manifests"`, 1),
		"config too": strings.Replace(good, `"manifests"`, `"config":{},"manifests"`, 1),
		"version":    strings.Replace(good, `2`, `3`, 1),
		"null":       `null`,
		"size":       strings.Replace(good, `"size":1`, `"size":-1`, 1),
	} {
		if _, err := DecodeIndex([]byte(doc), oci); !errors.Is(err, ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeIndex([]byte(good), types.OCIManifestSchema1); !errors.Is(err, ErrDocument) {
		t.Error("an index given as a manifest was taken")
	}
}

func TestDecodeConfig(t *testing.T) {
	good := `{"os":"linux","architecture":"amd64","config":{"Labels":{"a":"","A":""}},"rootfs":{"type":"layers","diff_ids":["sha256:` + hexA + `"]}}`
	if _, err := DecodeConfig([]byte(good), 1); err != nil {
		t.Fatal(err)
	}
	for name, doc := range map[string]string{
		"null rootfs":    `{"rootfs":null}`,
		"no rootfs":      `{}`,
		"type":           strings.Replace(good, "layers", "tar", 1),
		"null diff_ids":  `{"rootfs":{"type":"layers","diff_ids":null}}`,
		"diff id":        strings.Replace(good, hexA, "x", 1),
		"sha512 diff id": strings.Replace(good, "sha256:"+hexA, "sha512:"+hexA+hexA, 1),
		"twice":          strings.Replace(good, `"os"`, `"OS":"x","os"`, 1),
	} {
		if _, err := DecodeConfig([]byte(doc), 1); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, n := range []int{0, 2} {
		if _, err := DecodeConfig([]byte(good), n); !errors.Is(err, ErrDocument) {
			t.Errorf("%d layers: %v", n, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":` + descA + `,"layers":[` + descA + `]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[` + descA + `]}`))
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":[]},"config":{"Labels":{"a":"b"}}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, merr := DecodeManifest(b, types.OCIManifestSchema1)
		i, ierr := DecodeIndex(b, types.OCIImageIndex)
		if merr == nil && ierr == nil {
			t.Errorf("read as a manifest and as an index: %s", b)
		}
		if merr == nil && m.SchemaVersion != 2 || ierr == nil && i.SchemaVersion != 2 {
			t.Error("version not checked")
		}
		if c, err := DecodeConfig(b, 0); err == nil && len(c.RootFS.DiffIDs) != 0 {
			t.Error(fmt.Sprint("diff ids not counted: ", c.RootFS))
		}
	})
}
