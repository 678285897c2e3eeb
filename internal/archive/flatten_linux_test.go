package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
	"github.com/caisson-go/caisson/internal/testimage/treediff"
	"github.com/caisson-go/caisson/internal/testneed"
)

const overlayCases = "CAISSON_TEST_FLATTEN_CASES"

// overlayCase is an image in two forms: unpacked layers, top first, and the flattened file as GNU tar extracts it.
type overlayCase struct {
	Name  string
	Lower []string
	Flat  string
}

// What is flattened is what the kernel shows of the unpacked layers.
func TestFlattenIsWhatOverlayShows(t *testing.T) {
	testneed.Root(t)
	testneed.Program(t, "tar", "apt-get install tar")
	s := openStore(t)
	cases := []overlayCase{flattened(t, s, "chosen", chosenLayers(t))}
	for seed := range uint64(12) {
		cases = append(cases, flattened(t, s, fmt.Sprint("random ", seed), randomLayers(t, seed)))
	}
	b, err := json.Marshal(cases)
	must(t, err)
	file := filepath.Join(t.TempDir(), "cases")
	must(t, os.WriteFile(file, b, 0o600))
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestFlattenChild$", "-test.v")
	cmd.Env = append(os.Environ(), overlayCases+"="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Count(out, []byte("compared")) != len(cases) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFlattenChild runs in a mount namespace of its own, where the mounts end with it.
func TestFlattenChild(t *testing.T) {
	file := os.Getenv(overlayCases)
	if file == "" {
		return // run by itself it is no test
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	var cases []overlayCase
	b, err := os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(b, &cases))
	for _, c := range cases {
		mnt := t.TempDir()
		must(t, syscall.Mount("overlay", mnt, "overlay", syscall.MS_RDONLY, "lowerdir="+strings.Join(c.Lower, ":")))
		shown, err := treediff.Read(mnt, treediff.Merged)
		must(t, err)
		flat, err := treediff.Read(c.Flat, treediff.Merged)
		must(t, err)
		for _, d := range treediff.Diff(shown, flat) {
			t.Errorf("%s: overlay and tar file: %v", c.Name, d)
		}
		t.Logf("compared %d entries", len(shown))
		must(t, syscall.Unmount(mnt, 0))
	}
}

// flattened makes an image of the layers and brings it into both forms.
func flattened(t *testing.T, s *store.Store, name string, layers [][]byte) overlayCase {
	t.Helper()
	var raw []rawLayer
	for i, l := range layers {
		raw = append(raw, rawLayer{packing(i % 3), l})
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	c := overlayCase{Name: name, Flat: t.TempDir()}
	for _, l := range raw {
		m.Layers = append(m.Layers, putBlob(t, s, l.p.mediaType(), packed(t, l.p, l.tar)))
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l.tar)), nil }
		must(t, s.PutLayer(t.Context(), digestOf(l.tar), open, layer.Options{Devices: true}))
	}
	config := platformConfig(runtime.GOARCH, raw...)
	must(t, s.Cover(t.Context(), config.RootFS.DiffIDs, layer.Options{Devices: true}))
	m.Config = putJSON(t, s, types.OCIConfigJSON, config)
	d := putJSON(t, s, m.MediaType, m)
	tag(t, s, "test/"+strings.ReplaceAll(name, " ", "")+":1", d)
	img, err := s.Resolve(d.Digest.String())
	must(t, err)
	c.Lower = slices.Clone(img.Layers)
	slices.Reverse(c.Lower)
	if len(c.Lower) == 1 { // overlayfs wants two, or a writable one
		c.Lower = append(c.Lower, t.TempDir())
	}
	var buf bytes.Buffer
	must(t, Flatten(t.Context(), &buf, s, d.Digest))
	cmd := exec.CommandContext(t.Context(), "tar", "-xpf", "-", "--numeric-owner", "--same-owner", "--xattrs", "--xattrs-include=*", "-C", c.Flat)
	cmd.Stdin = &buf
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: tar: %v\n%s", name, err, out)
	}
	return c
}

func chosenLayers(t *testing.T) [][]byte {
	root := entry{name: "./", typ: tar.TypeDir, mode: 0o711, time: 5}
	dir := func(name string, mode int64, uid int, time int64) entry {
		return entry{name: name, typ: tar.TypeDir, mode: mode, uid: uid, time: time}
	}
	return [][]byte{
		tarOf(t, root, dir("d/", 0o755, 0, 10), entry{name: "d/old", body: "old", time: 11}, entry{name: "d/gone", body: "x"},
			dir("opq/", 0o700, 3, 12), entry{name: "opq/below", body: "x"}, dir("todir/", 0o755, 0, 1), entry{name: "tofile", body: "x"},
			dir("again/", 0o755, 0, 1), entry{name: "again/old", body: "x"}, entry{name: "suid", body: "s", mode: 0o4755, uid: 7, time: 13},
			entry{name: "hard1", body: "linked", time: 14}, entry{name: "hard2", typ: tar.TypeLink, link: "hard1"},
			entry{name: "hard3", typ: tar.TypeLink, link: "hard2"}, entry{name: "sym", typ: tar.TypeSymlink, link: "d/old", time: 15},
			entry{name: "pipe", typ: tar.TypeFifo, mode: 0o600, time: 16},
			entry{name: "xattr", body: "x", pax: map[string]string{"SCHILY.xattr.user.some": "value\x00\xff", "SCHILY.xattr.user.overlay.opaque": "y"}},
			dir("restricted/", 0o500, 1, 17), entry{name: "restricted/in", body: "x"}, entry{name: "lib", typ: tar.TypeSymlink, link: "usr/lib"},
			dir("usr/", 0o755, 0, 18), dir("usr/lib/", 0o755, 0, 18), entry{name: "lib/through", body: "through the link", time: 19},
			entry{name: "big", body: strings.Repeat("0123456789", 30_000), time: 20}),
		tarOf(t, dir("./", 0o755, 0, 30), dir("d/", 0o750, 2, 31), entry{name: "d/.wh.gone"}, entry{name: "d/new", body: "new", time: 32},
			dir("opq/", 0o711, 4, 33), entry{name: "opq/.wh..wh..opq"}, entry{name: "opq/above", body: "y"},
			entry{name: "todir", body: "file now"}, dir("tofile/", 0o755, 0, 34), entry{name: "tofile/x", body: "dir now"},
			entry{name: ".wh.again"}, dir("again/", 0o700, 0, 35), entry{name: "again/new", body: "n"},
			entry{name: "hard1", body: "not linked now"}, entry{name: "suid", body: "s2", mode: 0o755, time: 36}),
		tarOf(t, dir("./", 0o755, 9, 40), entry{name: ".wh.nothing"}, entry{name: ".wh.pipe"}, dir("empty/", 0o1777, 0, 41)),
	}
}

// randomLayers makes layers that unpack, of few names so that much meets.
func randomLayers(t *testing.T, seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	name := func() string {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = string(rune('a' + r.IntN(4)))
		}
		return strings.Join(parts, "/")
	}
	var layers [][]byte
	for range 2 + r.IntN(3) {
		entries := []entry{{name: "./", typ: tar.TypeDir, time: 1}}
		for range 2 + r.IntN(12) {
			e := entry{name: name(), time: int64(r.IntN(1000)), uid: r.IntN(3)}
			switch r.IntN(8) {
			case 0, 1:
				e.typ = tar.TypeDir
			case 2:
				e.typ, e.link = tar.TypeSymlink, []string{"/", "", "../"}[r.IntN(3)]+name()
			case 3:
				e.typ, e.link = tar.TypeLink, name()
			case 4: // further down overlayfs lists the names that no lower layer has, and then does not find them
				e.name = ".wh." + e.name[:1]
			case 5:
				e.name += "/.wh..wh..opq"
			default:
				e.body = fmt.Sprint(r.IntN(1000))
			}
			if unpacks(t, tarOf(t, append(slices.Clone(entries), e)...)) {
				entries = append(entries, e)
			}
		}
		layers = append(layers, tarOf(t, entries...))
	}
	return layers
}

func unpacks(t *testing.T, l []byte) bool {
	d, err := os.Open(t.TempDir())
	must(t, err)
	defer d.Close()
	_, err = layer.Unpack(t.Context(), d, bytes.NewReader(l), layer.Options{})
	return err == nil
}
