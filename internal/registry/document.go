package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// document is a manifest, index or configuration, verified. It is stored when all that it refers to is.
type document struct {
	desc v1.Descriptor
	raw  []byte
}

// named gets what the reference names: from the store if it has it by digest, as the reference or the registry gives it.
func (p *puller) named(ctx context.Context) (document, error) {
	id := p.ref.ref.Identifier()
	if h, err := v1.NewHash(id); err == nil {
		return p.document(ctx, v1.Descriptor{Digest: h})
	}
	if p.hasName() { // then it probably has what the tag means, too
		digest, header, err := p.c.head(ctx, id)
		if err != nil {
			return document{}, err
		}
		if h, herr := v1.NewHash(digest); herr == nil {
			if raw, ok := p.storedDocument(ctx, h); ok {
				return p.accept(raw, header, v1.Descriptor{})
			}
		}
	}
	return p.fetchDocument(ctx, id, v1.Descriptor{})
}

// document gets a manifest or index by digest. A descriptor that led here must agree with it in everything else.
func (p *puller) document(ctx context.Context, want v1.Descriptor) (document, error) {
	if doc, ok := p.read[want.Digest]; ok {
		return p.accept(doc.raw, string(want.MediaType), want)
	}
	if raw, ok := p.storedDocument(ctx, want.Digest); ok {
		doc, err := p.accept(raw, string(want.MediaType), want)
		if err != nil || doc.desc.MediaType != "" { // or else only the registry can tell what it is
			return doc, err
		}
	}
	doc, err := p.fetchDocument(ctx, want.Digest.String(), want)
	if err == nil {
		p.read[want.Digest] = doc
	}
	return doc, err
}

// fetchDocument gets a manifest or index from the registry. want is zero where all that is known is a tag.
func (p *puller) fetchDocument(ctx context.Context, id string, want v1.Descriptor) (document, error) {
	var doc document
	err := p.c.manifest(ctx, id, func(raw []byte, header string) error {
		d, err := p.accept(raw, header, want)
		if err == nil {
			err = d.check() // of a mirror that sends rubbish the next one is asked
		}
		doc = d
		return err
	})
	return doc, err
}

// check decodes a manifest or index.
func (d document) check() error {
	if d.desc.MediaType.IsIndex() {
		_, err := store.DecodeIndex(d.raw, d.desc.MediaType)
		return err
	}
	_, err := store.DecodeManifest(d.raw, d.desc.MediaType)
	return err
}

// accept checks a document against what is known of it.
func (p *puller) accept(raw []byte, header string, want v1.Descriptor) (document, error) {
	if want.Digest.Algorithm != "" {
		if got, err := hashOf(want.Digest.Algorithm, raw); err != nil || got != want.Digest {
			return document{}, fmt.Errorf("%w: %s", errors.Join(store.ErrDigest, err), want.Digest)
		}
	}
	digest, err := hashOf("sha256", raw)
	if err != nil {
		return document{}, err
	}
	d := v1.Descriptor{MediaType: mediaType(header, raw), Digest: digest, Size: int64(len(raw))}
	switch {
	case want.MediaType == "": // named by the reference
	case d.Size != want.Size:
		err = fmt.Errorf("%w: %s", store.ErrSize, digest)
	case d.MediaType != want.MediaType:
		err = fmt.Errorf("%w: %s came as %.100q, but the index calls it %.100q", store.ErrDocument, digest, d.MediaType, want.MediaType)
	}
	return document{d, raw}, err
}

// storedDocument reads a document that the store has. A damaged one is removed, so that it is fetched and written anew.
func (p *puller) storedDocument(ctx context.Context, h v1.Hash) ([]byte, bool) {
	raw, err := p.s.Document(h)
	if err == nil {
		return raw, true
	}
	if errors.Is(err, store.ErrDigest) {
		_ = p.s.CheckBlob(ctx, h) // what else may be wrong is met again in a moment
	}
	return nil, false
}

// putDocument stores a document, also in the place of one that was damaged.
func (p *puller) putDocument(ctx context.Context, d document) error {
	_, _ = p.storedDocument(ctx, d.desc.Digest)
	return p.s.PutBlob(ctx, d.desc.Digest, d.desc.Size, bytes.NewReader(d.raw))
}

// smallBlob gets a configuration.
func (p *puller) smallBlob(ctx context.Context, d v1.Descriptor) (document, error) {
	if raw, ok := p.storedDocument(ctx, d.Digest); ok {
		return document{d, raw}, checkContent(d, raw)
	}
	raw, mirrored, err := p.readBlob(ctx, d, true)
	if err != nil && mirrored && ctx.Err() == nil {
		raw, _, err = p.readBlob(ctx, d, false)
	}
	return document{d, raw}, err
}

func (p *puller) readBlob(ctx context.Context, d v1.Descriptor, mirrors bool) (raw []byte, mirrored bool, err error) {
	b, err := p.c.blob(ctx, d, mirrors, func(int) {})
	if err != nil {
		return nil, false, err
	}
	defer b.Close()
	if raw, err = io.ReadAll(io.LimitReader(b, d.Size+1)); err == nil {
		err = checkContent(d, raw)
	}
	return raw, b.from, err
}

// checkContent verifies size and digest.
func checkContent(d v1.Descriptor, raw []byte) error {
	if int64(len(raw)) != d.Size {
		return fmt.Errorf("%w: %s", store.ErrSize, d.Digest)
	}
	if got, err := hashOf(d.Digest.Algorithm, raw); err != nil || got != d.Digest {
		return fmt.Errorf("%w: %s", errors.Join(store.ErrDigest, err), d.Digest)
	}
	return nil
}

func hashOf(algorithm string, b []byte) (v1.Hash, error) {
	h, err := v1.Hasher(algorithm)
	if err != nil {
		return v1.Hash{}, err
	}
	h.Write(b)
	return v1.Hash{Algorithm: algorithm, Hex: hex.EncodeToString(h.Sum(nil))}, nil
}

// mediaType reads a Content-Type. Servers of plain files say text or bytes for everything; only then does the document
// speak for itself.
func mediaType(header string, raw []byte) types.MediaType {
	mt, _, err := mime.ParseMediaType(header)
	switch {
	case err != nil, mt == "application/octet-stream", mt == "text/plain", mt == "application/json":
		var own struct {
			MediaType types.MediaType `json:"mediaType"`
		}
		_ = json.Unmarshal(raw, &own) // a malformed one is reported when it is decoded
		return own.MediaType
	}
	return types.MediaType(mt)
}
