package archive

import (
	"encoding/json"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// namedDoc is a file beside the blobs.
type namedDoc struct {
	name    string
	content []byte
}

// indexEntry is a descriptor of index.json, with its keys in the specification's order.
type indexEntry struct {
	descriptor
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *v1.Platform      `json:"platform,omitempty"`
}

// documents makes the files beside the blobs. They come first, so that whoever reads the stream knows what is coming.
func (o *outgoing) documents(opts SaveOptions) ([]namedDoc, error) {
	index := struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
		Manifests     []indexEntry    `json:"manifests"`
	}{2, types.OCIImageIndex, nil}
	for _, it := range o.items {
		index.Manifests = append(index.Manifests, it.indexEntry(opts.Format))
	}
	b, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	docs := []namedDoc{{layoutName, []byte(`{"imageLayoutVersion":"` + layoutVersion + `"}`)}, {indexName, b}}
	if opts.Format == OCIArchive {
		return docs, nil
	}
	if b, err = json.Marshal(o.docker(*opts.Platform)); err != nil {
		return nil, err
	}
	return append(docs, namedDoc{manifestName, b}), nil
}

// indexEntry names an image. In a DockerArchive it does so as Docker does, for containerd in full and by the
// specification's annotation with the tag alone. Readers of other layouts could not tell two images with that tag apart,
// and know but that annotation, so there the name is in full: programs that write layouts anew, as umoci does, change it
// and would leave another one behind that is wrong from then on.
func (it *item) indexEntry(f Format) indexEntry {
	d := it.img.desc
	e := indexEntry{descriptor: descriptor{d.MediaType, d.Digest.String(), d.Size}}
	if len(it.img.indexes) == 0 {
		if p := it.img.parts[0].platform(); p.OS != "" {
			e.Platform = &v1.Platform{Architecture: p.Architecture, OS: p.OS, Variant: p.Variant}
		}
	}
	if it.name == "" {
		return e
	}
	if f == OCIArchive {
		e.Annotations = map[string]string{refName: it.name}
		return e
	}
	e.Annotations = map[string]string{imageName: it.name}
	if tag := tagIn(it.name); tag != "" {
		e.Annotations[refName] = tag
	}
	return e
}

// docker makes manifest.json: one entry for each image, with all its tags.
func (o *outgoing) docker(want v1.Platform) []dockerEntry {
	entries := []dockerEntry{}
	at := map[v1.Hash]int{}
	for _, it := range o.items {
		p := it.img.choose(want)
		i, ok := at[p.m.Config.Digest]
		if !ok {
			i = len(entries)
			at[p.m.Config.Digest] = i
			entries = append(entries, o.dockerEntry(p))
		}
		if tagIn(it.name) != "" && !slices.Contains(entries[i].RepoTags, it.name) {
			entries[i].RepoTags = append(entries[i].RepoTags, it.name)
		}
	}
	return entries
}

func (o *outgoing) dockerEntry(p *part) dockerEntry {
	e := dockerEntry{Config: sha256Dir + p.m.Config.Digest.Hex, Layers: []string{}}
	for _, d := range p.m.Layers {
		name := d.Digest.Hex
		if l, ok := o.plain[d.Digest]; ok {
			name = l.diffID.Hex
		}
		e.Layers = append(e.Layers, sha256Dir+name)
	}
	return e
}

// choose picks the image for the platform, or else the first that can be run.
func (img *image) choose(want v1.Platform) *part {
	first := -1
	for i := range img.parts {
		switch p := &img.parts[i]; {
		case p.fits(want):
			return p
		case p.c != nil && first < 0:
			first = i
		}
	}
	return &img.parts[first] // load makes sure that there is one
}

// tagIn returns the tag of a reference, or "" for one with a digest or none.
func tagIn(ref string) string {
	if strings.Contains(ref, "@") {
		return ""
	}
	name := ref[strings.LastIndexByte(ref, '/')+1:]
	_, tag, _ := strings.Cut(name, ":")
	return tag
}
