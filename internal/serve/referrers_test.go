package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/store"
)

// However much referrers have to say, an answer is no larger than a document, and all of them are listed.
func TestReferrersPages(t *testing.T) {
	t.Parallel()
	s := newServer(t, Options{Push: true})
	if s.h.page != store.MaxDocument {
		t.Errorf("a page has %d bytes", s.h.page)
	}
	s.h.page = 40_000
	config := `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`
	c, subject := s.putBlob("a/b", config), digestOf(t, "subject")
	about := func(kind, note string) string {
		m := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"digest":%q,"size":%d},"layers":[],
			"subject":{"mediaType":%q,"digest":%q,"size":7},"annotations":{"note":%q}}`, ociManifest, kind, c, len(config), ociManifest, subject, note)
		h := digestOf(t, m)
		s.expect(s.do("PUT", "/v2/a/b/manifests/"+h, m, "Content-Type", ociManifest), http.StatusCreated, "")
		return h
	}
	var want []string
	for i := range 5 {
		want = append(want, about("x/a", fmt.Sprint(i)+strings.Repeat("<", 10_000)))
	}
	large := about("x/a", strings.Repeat("z", s.h.page-600))
	want = append(want, large, about("x/a", "small"))
	other := about("x/b", "small")
	slices.Sort(want)
	for query, want := range map[string][]string{"?artifactType=x%2Fa": want, "?artifactType=x%2Fb": {other}, "": append(slices.Clone(want), other)} {
		slices.Sort(want)
		var got []string
		pages := 0
		for path := "/v2/a/b/referrers/" + subject + query; path != ""; pages++ {
			r := s.expect(s.do("GET", path, ""), http.StatusOK, "")
			if len(r.body) > s.h.page || pages > 10 {
				t.Fatalf("page %d has %d bytes", pages, len(r.body))
			}
			if query != "" && r.Header.Get("OCI-Filters-Applied") == "" {
				t.Errorf("page %d: no filter", pages)
			}
			var list v1.IndexManifest
			if err := json.Unmarshal(r.body, &list); err != nil {
				t.Fatal(err)
			}
			for _, d := range list.Manifests {
				got = append(got, d.Digest.String())
				if (d.Annotations["note"] == "") != (d.Digest.String() == large) || d.Size == 0 {
					t.Errorf("%s: %d bytes, %d annotations", d.Digest, d.Size, len(d.Annotations))
				}
			}
			link, _, _ := strings.Cut(r.Header.Get("Link"), ">")
			path = strings.TrimPrefix(link, "<")
		}
		if !slices.Equal(got, want) || pages < len(want)/4 {
			t.Errorf("%q, %d pages:\n%v, want\n%v", query, pages, got, want)
		}
	}
	r := s.expect(s.do("GET", "/v2/a/b/referrers/"+subject+"?last=zzz", ""), http.StatusOK, "")
	if !strings.HasSuffix(string(r.body), `"manifests":[]}`) || r.Header.Get("Link") != "" {
		t.Errorf("after the last: %.200s", r.body)
	}
}
