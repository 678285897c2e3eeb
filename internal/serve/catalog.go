package serve

import (
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/registry"
	"github.com/caisson-go/caisson/internal/store"
)

// repository is what the store has under one name without a tag.
type repository struct {
	host, path string
	entries    []entry
}

// entry is one name of the store.
type entry struct {
	ref  string // the name
	tag  string // "" for a name with a digest
	desc v1.Descriptor
}

func (r *repository) full() string { return r.host + "/" + r.path }

// tagged finds a tag.
func (r *repository) tagged(tag string) (entry, bool) {
	i := slices.IndexFunc(r.entries, func(e entry) bool { return e.tag == tag && tag != "" })
	if i < 0 {
		return entry{}, false
	}
	return r.entries[i], true
}

// catalog reads the names of the store. Those that are no whole references are not served.
func (h *Handler) catalog() ([]*repository, error) {
	list, err := h.s.Entries()
	if err != nil {
		return nil, err
	}
	known := map[string]*repository{}
	var repos []*repository
	for _, d := range list {
		ref, err := registry.Parse(store.NameOf(d))
		if err != nil || ref.String() != store.NameOf(d) {
			continue
		}
		host, path, tag := split(ref)
		full := host + "/" + path
		if known[full] == nil {
			known[full] = &repository{host: host, path: path}
			repos = append(repos, known[full])
		}
		known[full].entries = append(known[full].entries, entry{ref.String(), tag, d})
	}
	return repos, nil
}

// split takes a reference apart. With a digest there is no tag.
func split(ref registry.Reference) (host, path, tag string) {
	host = ref.Host()
	path = strings.TrimPrefix(ref.String(), host+"/")
	if repo, _, ok := strings.Cut(path, "@"); ok {
		return host, repo, ""
	}
	i := strings.LastIndexByte(path, ':')
	return host, path[:i], path[i+1:]
}

// stands are the repositories that a request's repository stands for, by the rules of the package's documentation: in
// each group they have the same rank.
type stands [][]*repository

// all lists them without ranks.
func (s stands) all() []*repository { return slices.Concat(s...) }

func (h *Handler) stands(repos []*repository, name string) stands {
	var own, full, others, library []*repository
	for _, r := range repos {
		switch {
		case r.host == h.o.Host && r.path == name:
			own = append(own, r)
		case r.full() == name:
			full = append(full, r)
		case r.path == name:
			others = append(others, r)
		case r.host == "docker.io" && r.path == "library/"+strings.TrimPrefix(name, "docker.io/"):
			library = append(library, r)
		}
	}
	return stands{own, full, others, library}
}

// find returns what the request's repository stands for and the client may see. A name that stands for nothing is
// asked about all the same, so that a client learns that it needs credentials before it learns what there is.
func (h *Handler) find(r *http.Request, name string, action Action) (stands, *answer) {
	repos, err := h.catalog()
	if err != nil {
		return nil, failed(err)
	}
	found := h.stands(repos, name)
	if len(found.all()) == 0 {
		if a := h.may(r, h.o.Host+"/"+name, action); a != nil {
			return nil, a
		}
		return nil, refuse(http.StatusNotFound, nameUnknown, "no repository %s here", name)
	}
	var first *answer
	for i, group := range found {
		found[i] = slices.DeleteFunc(slices.Clone(group), func(repo *repository) bool {
			a := h.may(r, repo.full(), action)
			if first == nil {
				first = a
			}
			return a != nil
		})
	}
	if len(found.all()) == 0 {
		return nil, first
	}
	return found, nil
}

// tag finds the image of a tag.
func (s stands) tag(name, tag string) (entry, *repository, *answer) {
	for _, group := range s {
		var found []entry
		var in *repository
		for _, repo := range group {
			if e, ok := repo.tagged(tag); ok {
				found, in = append(found, e), repo
			}
		}
		if len(found) == 0 {
			continue
		}
		if slices.ContainsFunc(found, func(e entry) bool { return e.desc.Digest != found[0].desc.Digest }) {
			var names []string
			for _, e := range found {
				names = append(names, e.ref)
			}
			slices.Sort(names)
			return entry{}, nil, refuse(http.StatusConflict, nameAmbiguous,
				"%s:%s is several images here; ask for one of %s", name, tag, strings.Join(names, ", ")).detailed(names)
		}
		return found[0], in, nil
	}
	return entry{}, nil, refuse(http.StatusNotFound, manifestUnknown, "no tag %s in %s", tag, name)
}
