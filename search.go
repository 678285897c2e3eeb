package caisson

import (
	"context"
	"iter"

	"github.com/caisson-go/caisson/internal/registry"
)

// SearchResult is a repository that a registry has found.
type SearchResult struct {
	Name        string // as a reference, such as "docker.io/library/alpine"
	Description string // one line
	Stars       int    // how many users like it
	Official    bool   // the registry's own
}

// Search looks for repositories by a term, in the registry's order, at most limit of them; 0 stands for 25. A registry
// may stand before the term, as in "localhost:5000/alp"; otherwise it is Docker Hub. Of a registry that cannot search
// the catalog is read, and the names with the term in them are taken.
//
// Errors: *Error naming the term; fs.ErrPermission; ctx.Err. Source: the API of docker search, /v1/search.
func (e *Engine) Search(ctx context.Context, term string, limit int) iter.Seq2[SearchResult, error] {
	return func(yield func(SearchResult, error) bool) {
		for f, err := range registry.Search(ctx, term, limit, e.registryClient(nil)) {
			if !yield(SearchResult(f), imageError("search", term, err)) {
				return
			}
		}
	}
}

// Tags lists the tags of a repository, such as "docker.io/library/alpine", in the order of the registry.
//
// Errors: *Error naming it; fs.ErrNotExist; fs.ErrPermission; ctx.Err.
// Source: OCI distribution-spec, "Listing Tags".
func (e *Engine) Tags(ctx context.Context, repository string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for tag, err := range registry.Tags(ctx, repository, e.registryClient(nil)) {
			if !yield(tag, imageError("tags", repository, err)) {
				return
			}
		}
	}
}

// Catalog lists the repositories of a registry, such as "localhost:5000", by their names in it. Many registries, Docker Hub among them, do
// not tell.
//
// Errors: *Error naming the registry; fs.ErrNotExist, fs.ErrPermission; ctx.Err.
// Source: Docker Registry HTTP API V2, "Catalog".
func (e *Engine) Catalog(ctx context.Context, host string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range registry.Catalog(ctx, host, e.registryClient(nil)) {
			if !yield(name, imageError("catalog", host, err)) {
				return
			}
		}
	}
}
