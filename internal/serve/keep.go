package serve

import (
	"bytes"
	"context"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// keep stores the document and names it.
func (p *pushed) keep(ctx context.Context, to route) error {
	if p.config != nil {
		p.desc.Platform = p.config.Platform()
		if err := p.unpack(ctx, to); err != nil {
			return err
		}
	}
	if err := p.h.s.PutBlob(ctx, p.desc.Digest, p.desc.Size, bytes.NewReader(p.raw)); err != nil {
		return err
	}
	if err := p.h.s.Tag(ctx, p.name(to), p.desc); err != nil {
		return err
	}
	p.h.lease.grant(p.own, p.desc.Digest)
	if p.doc.index != nil {
		return p.untagParts(ctx)
	}
	return nil
}

// untagParts takes the names with a digest from the images of an index, which keeps them now.
func (p *pushed) untagParts(ctx context.Context) error {
	repos, err := p.h.catalog()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, repo := range repos {
		if repo.full() == p.own {
			for _, e := range repo.entries {
				named[e.ref] = true
			}
		}
	}
	for _, d := range p.doc.index.Manifests {
		if name := p.own + "@" + d.Digest.String(); named[name] {
			_, _ = p.h.s.Remove(ctx, name, store.RemoveOptions{}) // that a name stays does no harm
		}
	}
	return nil
}

// unpack unpacks the layers if that is asked for.
func (p *pushed) unpack(ctx context.Context, to route) error {
	if !p.h.o.Unpack || !layer.Supported || to.tag == "" || p.desc.Platform != nil && !store.RunsHere(p.desc.Platform) {
		return nil
	}
	return registry.UnpackStored(ctx, p.h.s, p.doc.manifest, p.config, p.h.budget(p.doc.manifest.Layers), *p.h.o.Layer)
}
