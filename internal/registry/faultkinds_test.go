package registry

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/caisson-go/caisson/internal/store"
)

// faults are the kinds of R8.
var faults = []fault{
	{name: "none", set: func(s *scene) {}},
	{name: "reset, manifest", set: func(s *scene) { s.on(s.tag, 1+s.rng.Int64N(4), abort) }},
	{name: "reset, config", set: func(s *scene) { s.on(s.config, 1+s.rng.Int64N(4), abort) }},
	{name: "reset, layer", set: func(s *scene) { s.on(s.layer, 1+s.rng.Int64N(4), abort) }},
	{name: "reset, manifest, always", any: true, set: func(s *scene) { s.on(s.tag, -1, abort) }},
	{name: "reset, config, always", any: true, set: func(s *scene) { s.on(s.config, -1, abort) }},
	{name: "reset, layer, always", any: true, set: func(s *scene) { s.on(s.layer, -1, abort) }},
	{name: "truncated manifest", set: func(s *scene) { s.on(s.tag, 1+s.rng.Int64N(4), s.lose) }},
	{name: "truncated config", set: func(s *scene) { s.on(s.config, 1+s.rng.Int64N(4), s.lose) }},
	{name: "truncated layer", set: func(s *scene) { s.breaks(1) }},
	{name: "truncated layer, often", set: func(s *scene) { s.breaks(2 + s.rng.IntN(3)) }},
	{name: "truncated layer, too often", any: true, set: func(s *scene) { s.breaks(5) }},
	{name: "truncated manifest, always", any: true, set: func(s *scene) { s.on(s.tag, -1, s.lose) }},
	{name: "short layer of no length", is: store.ErrSize, whole: true, set: func(s *scene) {
		n := s.rng.IntN(len(s.blob))
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(s.blob[:n])
		})
	}},
	{name: "stall before the manifest", is: ErrStalled, set: func(s *scene) { s.on(s.tag, -1, silence) }},
	{name: "stall before the layer", set: func(s *scene) { s.on(s.layer, 1, silence) }},
	{name: "stall within the layer", set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) { s.part(w, r, 0, func() { silence(w, r) }) })
	}},
	{name: "stalls within the layer, always", is: ErrStalled, set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) { s.part(w, r, 0, func() { silence(w, r) }) })
	}},
	{name: "1 B/s, manifest", is: ErrStalled, set: func(s *scene) {
		s.on(s.tag, -1, func(w http.ResponseWriter, r *http.Request) { drip(make([]byte, 1<<20), w, r) })
	}},
	{name: "1 B/s, config", is: ErrStalled, set: func(s *scene) {
		s.on(s.config, -1, func(w http.ResponseWriter, r *http.Request) {
			var rec recorder
			r.Header.Del("Range")
			s.files.ServeHTTP(&rec, r)
			drip(rec.body.Bytes(), w, r)
		})
	}},
	{name: "1 B/s, layer", is: ErrStalled, whole: true, set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) { drip(s.blob, w, r) })
	}},
	{name: "4 KiB/s, layer", set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(s.blob)))
			for b := s.blob; len(b) > 0; {
				n := min(len(b), 4096)
				_, _ = w.Write(b[:n])
				w.(http.Flusher).Flush()
				during(r, time.Second)
				b = b[n:]
			}
		})
	}},
	{name: "429 with seconds", set: func(s *scene) {
		s.after(s.tag, 1+s.rng.IntN(50), func(n int) string { return strconv.Itoa(n) }, http.StatusTooManyRequests)
	}},
	{name: "503 with seconds", set: func(s *scene) {
		s.after(s.layer, 1+s.rng.IntN(50), func(n int) string { return strconv.Itoa(n) }, http.StatusServiceUnavailable)
	}},
	{name: "429 with a date", set: func(s *scene) {
		s.after(s.config, 1+s.rng.IntN(50), func(n int) string {
			return time.Now().Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat)
		}, http.StatusTooManyRequests)
	}},
	{name: "429 for an hour", any: true, set: func(s *scene) { s.on(s.layer, -1, status(429, "Retry-After", "3600")) }},
	{name: "429, always", any: true, set: func(s *scene) { s.on(s.tag, -1, status(429, "Retry-After", "2")) }},
	{name: "503", set: func(s *scene) { s.on(s.layer, 1+s.rng.Int64N(4), status(503)) }},
	{name: "500 for the manifest", set: func(s *scene) { s.on(s.tag, 1+s.rng.Int64N(4), status(500)) }},
	{name: "502, always", any: true, set: func(s *scene) { s.on(s.config, -1, status(502)) }},
	{name: "401 midway", set: func(s *scene) { s.expires() }},
	{name: "401, always", is: fs.ErrPermission, set: func(s *scene) {
		s.on(s.layer, -1, status(401, "WWW-Authenticate", `Basic realm="x"`))
	}},
	{name: "403 for the layer", is: fs.ErrPermission, set: func(s *scene) { s.on(s.layer, -1, status(403)) }},
	{name: "404 for the layer", is: fs.ErrNotExist, set: func(s *scene) { s.on(s.layer, -1, status(404)) }},
	{name: "404 for the rest", is: fs.ErrNotExist, set: func(s *scene) { s.once(status(404)) }},
	{name: "wrong layer", is: store.ErrDigest, set: func(s *scene) { s.on(s.layer, -1, s.flip) }},
	{name: "wrong config", is: store.ErrDigest, set: func(s *scene) { s.on(s.config, -1, s.flip) }},
	{name: "wrong rest of the layer", is: store.ErrDigest, set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) {
			s.blob = bytes.Clone(s.blob)
			s.blob[len(s.blob)-1] ^= 1
			s.part(w, r, len(s.blob), func() {})
		})
	}},
	{name: "longer by length", is: store.ErrSize, set: func(s *scene) {
		s.on(s.layer, -1, status(200, "Content-Length", strconv.Itoa(len(s.blob)+1+s.rng.IntN(100))))
	}},
	{name: "shorter by length", is: store.ErrSize, set: func(s *scene) {
		s.on(s.layer, -1, status(200, "Content-Length", strconv.Itoa(s.rng.IntN(len(s.blob)))))
	}},
	{name: "longer without length", is: store.ErrSize, set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(append(bytes.Clone(s.blob), make([]byte, 1+s.rng.IntN(1000))...))
		})
	}},
	{name: "range ignored", whole: true, set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(s.blob) })
	}},
	{name: "range not satisfiable", whole: true, set: func(s *scene) { s.once(status(416)) }},
	{name: "another range", whole: true, set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", len(s.blob)-1, len(s.blob)-1, len(s.blob)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(s.blob[len(s.blob)-1:])
		})
	}},
	{name: "an earlier range", whole: true, set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Range", "bytes=0-")
			s.part(w, r, len(s.blob), func() {})
		})
	}},
	{name: "range of another size", whole: true, set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 1-%d/%d", len(s.blob), len(s.blob)+1))
			w.WriteHeader(http.StatusPartialContent)
		})
	}},
	{name: "no Content-Range", whole: true, set: func(s *scene) { s.once(status(206)) }},
	{name: "several ranges", whole: true, set: func(s *scene) {
		s.once(status(206, "Content-Type", "multipart/byteranges; boundary=x", "Content-Range", "bytes 1-2/3"))
	}},
	{name: "another ETag", set: func(s *scene) {
		s.once(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"other"`)
			s.part(w, r, len(s.blob), func() {})
		})
	}},
	{name: "wrong type of the manifest", is: store.ErrDocument, set: func(s *scene) {
		s.on(s.tag, -1, func(w http.ResponseWriter, r *http.Request) {
			var rec recorder
			s.files.ServeHTTP(&rec, r)
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			_, _ = w.Write(rec.body.Bytes())
		})
	}},
	{name: "no manifest", is: store.ErrDocument, set: func(s *scene) {
		s.on(s.tag, -1, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			_, _ = io.WriteString(w, noise(s.rng, s.rng.IntN(100)))
		})
	}},
	{name: "redirects of the manifest without end", is: ErrRedirect, set: func(s *scene) {
		s.on(s.tag, -1, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) })
	}},
	{name: "redirects of the layer without end", is: ErrRedirect, set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"?"+strconv.Itoa(s.rng.Int()), http.StatusTemporaryRedirect)
		})
	}},
	{name: "redirect inside", is: ErrAddress, set: func(s *scene) {
		s.on(s.layer, -1, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/", http.StatusTemporaryRedirect)
		})
	}},
}
