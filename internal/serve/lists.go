package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// maxPage bounds one answer. Clients follow the Link header.
const maxPage = 10_000

// listTags lists the tags of a repository; distribution specification, "Listing Tags".
func (h *Handler) listTags(w http.ResponseWriter, r *http.Request, to route) *answer {
	found, a := h.find(r, to.repo, Pull)
	if a != nil {
		return a
	}
	var tags []string
	for _, repo := range found.all() {
		for _, e := range repo.entries {
			if e.tag != "" {
				tags = append(tags, e.tag)
			}
		}
	}
	page, a := paged(w, r, tags)
	if a != nil {
		return a
	}
	return writeList(w, r, struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{to.repo, page})
}

// listRepositories lists the repositories, by the names under which they are found. It is no part of the specification
// but of every registry; Docker Registry HTTP API V2, "Catalog".
func (h *Handler) listRepositories(w http.ResponseWriter, r *http.Request, _ route) *answer {
	if a := h.may(r, "", Catalog); a != nil {
		return a
	}
	repos, err := h.catalog()
	if err != nil {
		return failed(err)
	}
	repos = slices.DeleteFunc(repos, func(repo *repository) bool { return h.may(r, repo.full(), Pull) != nil })
	hosts := map[string]int{}
	for _, repo := range repos {
		hosts[repo.path]++
	}
	var names []string
	for _, repo := range repos {
		names = append(names, repo.path)
		if hosts[repo.path] > 1 && repo.host != h.o.Host {
			names = append(names, repo.full())
		}
	}
	page, a := paged(w, r, names)
	if a != nil {
		return a
	}
	return writeList(w, r, struct {
		Repositories []string `json:"repositories"`
	}{page})
}

// paged cuts the page that a request asks for with n and last, and sets the Link header to the next. Names are in the
// order of their bytes.
func paged(w http.ResponseWriter, r *http.Request, names []string) ([]string, *answer) {
	q := r.URL.Query()
	n := maxPage
	if s := q.Get("n"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 0 {
			return nil, refuse(http.StatusBadRequest, pageInvalid, "n=%.50q is not a number of entries", s)
		}
		n = min(n, maxPage)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if last := q.Get("last"); last != "" {
		i, found := slices.BinarySearch(names, last)
		if found {
			i++
		}
		names = names[i:]
	}
	page := append([]string{}, names[:min(n, len(names))]...) // not null
	if len(page) < len(names) && len(page) > 0 {
		next := url.URL{Path: r.URL.Path, RawQuery: url.Values{"n": {strconv.Itoa(n)}, "last": {page[len(page)-1]}}.Encode()}
		w.Header().Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", next.String()))
	}
	return page, nil
}

func writeList(w http.ResponseWriter, r *http.Request, list any) *answer {
	b, err := json.Marshal(list)
	if err != nil {
		return failed(err)
	}
	writeJSON(w, r, http.StatusOK, "application/json", b)
	return nil
}
