package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/imageconfig"
	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/store"
)

func rootfs(t testing.TB) []byte {
	return tarOf(t, entry{name: "./", typ: tar.TypeDir}, entry{name: "bin/", typ: tar.TypeDir}, entry{name: "bin/sh", body: "shell"},
		entry{name: "hello", body: "hello"})
}

func TestImportRootFS(t *testing.T) {
	file := rootfs(t)
	for _, p := range []packing{plain, gzipped, zstandard} {
		s := openStore(t)
		raw := packed(t, p, file)
		o := ImportOptions{Changes: []string{`CMD ["/bin/sh"]`, "ENV A=1"}, Message: "made by hand", Author: "me",
			Created: time.Unix(1e9, 0), Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}
		img, err := ImportRootFS(t.Context(), bytes.NewReader(raw), s, "own:1", o)
		if err != nil {
			t.Fatal(err)
		}
		c := img.Config
		if c.Config.Cmd[0] != "/bin/sh" || c.Config.Env[0] != "A=1" || c.Author != "me" || c.Architecture != "arm64" || c.Variant != "v8" ||
			!c.Created.Equal(time.Unix(1e9, 0)) || len(c.History) != 1 || c.History[0].Comment != "made by hand" {
			t.Errorf("configuration: %+v", c)
		}
		if l := img.Manifest.Layers; len(l) != 1 || l[0].Digest != digestOf(raw) || l[0].MediaType != p.mediaType() || l[0].Size != int64(len(raw)) {
			t.Errorf("layers: %+v", l)
		}
		if c.RootFS.DiffIDs[0] != digestOf(file) {
			t.Errorf("diff id %s", c.RootFS.DiffIDs[0])
		}
		if got := names(t, s)["docker.io/library/own:1"]; got != img.Digest.String() {
			t.Errorf("the name is at %q", got)
		}
		if layer.Supported && len(img.Layers) != 1 {
			t.Errorf("not unpacked: %v", img.Layers)
		}
		again, err := ImportRootFS(t.Context(), io.MultiReader(bytes.NewReader(raw)), openStore(t), "", o)
		if err != nil || again.Digest != img.Digest || len(again.Names) != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
		noStaging(t, s)
	}
}

// A tar file of one file "hi", compressed by bzip2(1).
const bz2 = "QlpoOTFBWSZTWfaawncAAHB7hMmQAEDAAG0AAAFgYJ4AAACACCAAVDRTEwAAaCSp5QaPU2oDQW+6h3QgpgAkazQmM8SbkkDBDD2Zr0lwoCBqcdDjdhVumxMcHG7RYRGERAeF3JFOFCQ9prCdwA=="

func TestImportBzip2(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(bz2)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t)
	img, err := ImportRootFS(t.Context(), bytes.NewReader(b), s, "", ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := img.Manifest.Layers[0]
	if d.MediaType != types.OCIUncompressedLayer || d.Digest != img.Config.RootFS.DiffIDs[0] {
		t.Errorf("the layer is %+v", d)
	}
	if img.Config.Architecture != runtime.GOARCH || img.Config.Created.Unix() != 0 {
		t.Errorf("the defaults are %+v", img.Config)
	}
}

func TestImportErrors(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    io.Reader
		ref  string
		o    ImportOptions
		want error
	}{
		{name: "empty", r: strings.NewReader(""), want: ErrFormat},
		{name: "empty gzip", r: bytes.NewReader(packed(t, gzipped, nil)), want: ErrFormat},
		{name: "text", r: strings.NewReader(strings.Repeat("text ", 1000)), want: ErrFormat},
		{name: "short text", r: strings.NewReader("text"), want: ErrFormat},
		{name: "xz", r: strings.NewReader("\xfd7zXZ\x00..."), want: errors.ErrUnsupported},
		{name: "cut off gzip", r: bytes.NewReader(packed(t, gzipped, rootfs(t))[:60]), want: io.ErrUnexpectedEOF},
		{name: "failing source", r: io.MultiReader(bytes.NewReader(rootfs(t)[:1000]), failing{}), want: errFull},
		{name: "bad name", r: bytes.NewReader(rootfs(t)), ref: "Ä", want: store.ErrName},
		{name: "digest as name", r: bytes.NewReader(rootfs(t)), ref: "x@sha256:" + strings.Repeat("a", 64), want: store.ErrName},
		{name: "bad change", r: bytes.NewReader(rootfs(t)), o: ImportOptions{Changes: []string{"RUN x"}}, want: imageconfig.ErrInstruction},
		{name: "entry leads out", r: bytes.NewReader(tarOf(t, entry{name: "../x", body: "x"})), want: layer.ErrName},
	} {
		if tc.want == layer.ErrName && !layer.Supported {
			continue
		}
		s := openStore(t)
		_, err := ImportRootFS(t.Context(), tc.r, s, tc.ref, tc.o)
		var e *Error
		if !errors.Is(err, tc.want) || !errors.As(err, &e) || e.Op != "import" {
			t.Errorf("%s: %v, not %v", tc.name, err, tc.want)
		}
		if n := names(t, s); len(n) > 0 {
			t.Errorf("%s: %v is visible", tc.name, n)
		}
		noStaging(t, s)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errFull }

func TestImportCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	go func() {
		_, _ = w.Write(rootfs(t)[:700])
		cancel()
		_, _ = w.Write(make([]byte, 512))
	}()
	if _, err := ImportRootFS(ctx, r, openStore(t), "", ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestFlatten(t *testing.T) {
	s := openStore(t)
	d := putImage(t, s, runtime.GOARCH,
		rawLayer{gzipped, tarOf(t, entry{name: "a", body: "1"}, entry{name: "gone", body: "x"}, entry{name: "d/", typ: tar.TypeDir, mode: 0o700},
			entry{name: "d/f", body: "f"}, entry{name: "l", typ: tar.TypeLink, link: "a"})},
		rawLayer{zstandard, tarOf(t, entry{name: "a", body: "2"}, entry{name: ".wh.gone"})})
	tag(t, s, oneName, d)
	var buf bytes.Buffer
	if err := Flatten(t.Context(), &buf, s, d.Digest); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range list(t, buf.Bytes()) {
		got[e.name] = e.body
	}
	if len(got) != 5 || got["a"] != "2" || got["l"] != "1" || got["d/f"] != "f" {
		t.Errorf("the tree is %v", got)
	}
	if err := Flatten(t.Context(), io.Discard, s, digestOf(nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such image: %v", err)
	}
	if err := Flatten(t.Context(), &shortWriter{left: 2000}, s, d.Digest); !errors.Is(err, errFull) {
		t.Errorf("full: %v", err)
	}
	// What comes out goes in.
	img, err := ImportRootFS(t.Context(), &buf, s, "flat", ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := Flatten(t.Context(), &again, s, img.Digest); err != nil {
		t.Fatal(err)
	}
	if digestOf(again.Bytes()) != img.Config.RootFS.DiffIDs[0] {
		t.Error("flattened again it is another file")
	}
}
