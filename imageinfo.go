package caisson

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ImageInfo is what is known of an image, for people and programs: plain data, as docker image inspect and docker
// history have it.
type ImageInfo struct {
	ID           string         // of the image, see Image.ID
	ConfigDigest string         // of its configuration, which is what docker images shows as the ID; "" if it has none
	Index        string         // of the index for several platforms that the name points to; "" if there is none
	Names        []string       // all its names in the engine, full references
	Platform     string         // such as "linux/arm64/v8"
	Created      time.Time      // by its configuration; zero if that does not tell
	Author       string         // by its configuration
	Size         int64          // bytes of its files, unpacked
	PackedSize   int64          // bytes of its layers, as a registry has them
	Config       v1.Config      // the settings: command, environment, user, ports, volumes, labels, health check
	Layers       []LayerInfo    // bottom to top
	History      []HistoryEntry // oldest first
}

// LayerInfo is one layer of an image.
type LayerInfo struct {
	Digest     string // as it is packed
	DiffID     string // of the tar archive in it
	MediaType  string // image specification, "Layer"
	PackedSize int64  // bytes, packed
	Size       int64  // bytes of its files; 0 if it is not unpacked here
}

// HistoryEntry is one step of what made an image.
// Source: OCI image-spec, config.md, "history".
type HistoryEntry struct {
	Created   time.Time // zero if it is not known
	CreatedBy string    // the command
	Author    string    // who did it
	Comment   string    // what it was for
	Empty     bool      // it changed the settings only
	Digest    string    // of the layer that it made; "" if Empty
	Size      int64     // bytes of that layer's files; 0 if it is not unpacked here
}

// Config is what the image says about itself: its platform, settings and history. It is a copy. Of Engine.Host and
// Engine.RootFS it has the platform only.
// Source: OCI image-spec, config.md.
func (i *Image) Config() *v1.ConfigFile {
	if s := i.origin().stored; s != nil {
		return s.Config.DeepCopy()
	}
	return &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH}
}

// origin is the image below, if this one is a snapshot.
func (i *Image) origin() *Image {
	if i.base != nil {
		return i.base
	}
	return i
}

// Names are all names that the image has in the engine now, full references in alphabetical order.
//
// Errors: *Error; fs.ErrNotExist if it has been removed; errors.ErrUnsupported for an image that is not in the store;
// ctx.Err.
func (i *Image) Names(ctx context.Context) ([]string, error) {
	now, err := i.current(ctx, "names")
	if err != nil {
		return nil, err
	}
	return slices.Sorted(slices.Values(now.stored.Names)), nil
}

// Inspect is all that is known of the image.
//
// Errors: as those of Names.
func (i *Image) Inspect(ctx context.Context) (*ImageInfo, error) {
	now, err := i.current(ctx, "inspect")
	if err != nil {
		return nil, err
	}
	s := now.stored
	info := &ImageInfo{
		ID: now.id, ConfigDigest: s.ConfigDigest.String(), Names: slices.Sorted(slices.Values(s.Names)),
		Created: s.Config.Created.UTC(), Author: s.Config.Author, Config: *s.Config.Config.DeepCopy(),
	}
	if p := s.Config.Platform(); p != nil {
		info.Platform = p.String()
	}
	if s.Index != (v1.Hash{}) {
		info.Index = s.Index.String()
	}
	st, err := i.engine.images()
	if err != nil {
		return nil, err
	}
	for n, d := range s.Manifest.Layers {
		diffID := s.Config.RootFS.DiffIDs[n]
		l := LayerInfo{Digest: d.Digest.String(), DiffID: diffID.String(), MediaType: string(d.MediaType), PackedSize: d.Size}
		if stats, ok := st.LayerStats(diffID); ok {
			l.Size = stats.Bytes
		}
		info.Layers = append(info.Layers, l)
		info.Size, info.PackedSize = info.Size+l.Size, info.PackedSize+l.PackedSize
	}
	info.History = history(s.Config.History, info.Layers)
	return info, nil
}

// history matches the steps with the layers they made. An image whose history does not add up has that of its layers.
func history(steps []v1.History, layers []LayerInfo) []HistoryEntry {
	var list []HistoryEntry
	for _, h := range steps {
		e := HistoryEntry{Created: h.Created.UTC(), CreatedBy: h.CreatedBy, Author: h.Author, Comment: h.Comment, Empty: h.EmptyLayer}
		if !h.EmptyLayer && len(layers) > 0 {
			e.Digest, e.Size, layers = layers[0].Digest, layers[0].Size, layers[1:]
		}
		list = append(list, e)
	}
	for _, l := range layers {
		list = append(list, HistoryEntry{Digest: l.Digest, Size: l.Size})
	}
	return list
}

var errNotStored = fmt.Errorf("not an image of the store: %w", errors.ErrUnsupported)

// current is the image as the store has it now, for a verb of its: by its name, which may stand for an index, if that still
// means this image, else by the digest of its manifest.
func (i *Image) current(ctx context.Context, verb string) (*Image, error) {
	if err := checkDone(ctx, verb, i.String()); err != nil {
		return nil, err
	}
	if i.stored == nil {
		return nil, &Error{verb, i.String(), errNotStored, "Engine.Pull, Engine.Load and Container.Commit make one"}
	}
	s, err := i.engine.images()
	if err != nil {
		return nil, err
	}
	if i.ref != "" {
		if now, err := s.Find(i.ref, nil); err == nil && now.Digest == i.stored.Digest {
			return i.engine.image(now), nil
		}
	}
	return i.engine.again(i)
}
