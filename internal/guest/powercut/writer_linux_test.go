package powercut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

const orderEnv = "CAISSON_TEST_POWER"

// order is what a writer is to do.
type order struct {
	Dir    string
	Boot   string // the machine is started anew after each cut
	Seed   uint64
	Forget bool // does not wait for the disk
	Offers []offer
}

// TestPowerCutWriter is the process that writes while the power is cut. It goes on until it is killed.
func TestPowerCutWriter(t *testing.T) {
	text := os.Getenv(orderEnv)
	if text == "" {
		return // run by itself it is no test
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	if o.Forget {
		if err := forgetSyncs(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.OpenWith(o.Dir, store.Options{Boot: o.Boot})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range writers {
		w := &writer{t: t, s: s, r: rand.New(rand.NewPCG(o.Seed, uint64(i)))}
		for _, of := range o.Offers {
			if strings.Contains(of.Ref, fmt.Sprintf("/writer%d/", i)) {
				w.offers = append(w.offers, of)
				w.names = append(w.names, of.Ref)
			}
		}
		w.own = []string{fmt.Sprintf("local/commit%d:1", i), fmt.Sprintf("local/alias%d:1", i)}
		w.names = append(w.names, w.own...)
		wg.Go(w.forever)
	}
	wg.Wait()
}

// writer does things to names that nobody else does anything to, and says so before and after.
type writer struct {
	t          *testing.T
	s          *store.Store
	r          *rand.Rand
	offers     []offer
	names, own []string
}

func (w *writer) forever() {
	for {
		if err := w.step(w.t.Context()); err != nil {
			fmt.Printf("failed: %q\n", err.Error())
		}
	}
}

func (w *writer) step(ctx context.Context) error {
	any := w.names[w.r.IntN(len(w.names))]
	switch w.r.IntN(10) {
	case 0, 1, 2:
		o := w.offers[w.r.IntN(len(w.offers))]
		return say(o.Ref, o.Digest, func() error {
			host, _, _ := strings.Cut(o.Ref, "/")
			_, err := registry.Pull(ctx, w.s, o.Ref, registry.Options{Policy: registry.Always, Insecure: []string{host}})
			return err
		})
	case 3, 4:
		return w.commit(ctx, any)
	case 5:
		img, err := w.s.Resolve(any)
		if err != nil {
			return unless(err, fs.ErrNotExist)
		}
		return say(w.own[1], img.Digest.String(), func() error { return w.s.Tag(ctx, w.own[1], img.Descriptor) })
	case 6:
		return say(any, "-", func() error {
			_, err := w.s.Remove(ctx, any, store.RemoveOptions{})
			return unless(err, fs.ErrNotExist)
		})
	case 7:
		return say(any, "-", func() error { return unless(w.s.Untag(ctx, any), fs.ErrNotExist) })
	case 8:
		return w.s.Settle(ctx)
	}
	_, err := w.s.Prune(ctx, store.PruneOptions{})
	return err
}

func say(name, digest string, do func() error) error {
	fmt.Printf("try %s %s\n", name, digest)
	err := do()
	if err == nil {
		fmt.Printf("done %s %s\n", name, digest)
	}
	return err
}

func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// commit makes an image of another and one layer more, as the engine does of a container.
func (w *writer) commit(ctx context.Context, from string) error {
	release, err := w.s.Begin(ctx)
	if err != nil {
		return err
	}
	defer release()
	img, err := w.s.Resolve(from)
	if err != nil {
		return unless(err, fs.ErrNotExist)
	}
	h, size, err := w.s.PutNewBlob(ctx, bytes.NewReader(tarOf(w.t, w.r, "work")))
	if err != nil {
		return err
	}
	if err := w.s.PutLayer(ctx, h, func() (io.ReadCloser, error) { return w.s.Blob(h) }, layer.Defaults()); err != nil {
		return err
	}
	m, config := img.Manifest, img.Config
	if len(m.Layers) > 4 { // not longer and longer
		m.Layers, config.RootFS.DiffIDs = m.Layers[:3], config.RootFS.DiffIDs[:3]
	}
	m.Layers = slices.Concat(m.Layers, []v1.Descriptor{{MediaType: types.OCIUncompressedLayer, Digest: h, Size: size}})
	config.RootFS.DiffIDs = slices.Concat(config.RootFS.DiffIDs, []v1.Hash{h})
	config.History = nil
	if m.Config, err = w.document(ctx, m.Config.MediaType, config); err != nil {
		return err
	}
	desc, err := w.document(ctx, m.MediaType, m)
	if err != nil {
		return err
	}
	return say(w.own[0], desc.Digest.String(), func() error {
		return w.s.Add(ctx, []store.Addition{{Desc: desc, Names: w.own[:1]}}, true)
	})
}

func (w *writer) document(ctx context.Context, mt types.MediaType, content any) (v1.Descriptor, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return v1.Descriptor{}, err
	}
	h, size, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mt, Digest: h, Size: size}, w.s.PutBlob(ctx, h, size, bytes.NewReader(b))
}
