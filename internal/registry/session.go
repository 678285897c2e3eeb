package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// begin has the registry take the blob from another repository, or else starts a session.
func (u *upload) begin(ctx context.Context) (done bool, err error) {
	from := append([]string(nil), u.p.from[u.d.Digest]...)
	if u.parts {
		from = nil // that was tried
	}
	for _, repo := range append(from, "") {
		q := url.Values{}
		if repo != "" {
			q = url.Values{"mount": {u.d.Digest.String()}, "from": {repo}}
		}
		done, err = u.post(ctx, q)
		var answer *StatusError
		switch {
		case done:
			u.p.rep.phase(u.d, Mounted)
			return true, nil
		case err == nil:
			return false, nil // a session instead
		case repo != "" && errors.As(err, &answer) && !passing(err):
			continue // not from there
		}
		return false, err
	}
	return false, err
}

func (u *upload) post(ctx context.Context, q url.Values) (mounted bool, err error) {
	r, err := u.p.e.request(http.MethodPost, "blobs/uploads/", q, nil)
	if err != nil {
		return false, err
	}
	want := []int{http.StatusAccepted}
	if len(q) > 0 {
		want = append(want, http.StatusCreated)
	}
	resp, err := u.p.e.do(ctx, r, want...)
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusCreated {
		return true, nil
	}
	u.n = 0
	return false, u.move(resp)
}

// move goes where the registry says that the session is now.
func (u *upload) move(resp *http.Response) error {
	at, err := resp.Location()
	if err != nil {
		return fmt.Errorf("%w: an upload without a location", ErrAnswer)
	}
	// The scheme is the transport's to put in for the registry itself, as it was for the request.
	if at.Host == u.p.e.host {
		at.Scheme = "https"
	}
	if err := checkRedirect(&http.Request{URL: at}, nil, u.p.e.reach()); err != nil {
		return err
	}
	u.at = at
	return nil
}

// recall asks how much of the blob a session has that broke off. One that nobody knows any more begins anew.
func (u *upload) recall(ctx context.Context) error {
	r, err := http.NewRequest(http.MethodGet, u.at.String(), nil)
	if err != nil {
		return err
	}
	resp, err := u.p.e.do(ctx, r, http.StatusNoContent)
	var answer *StatusError
	switch {
	case errors.As(err, &answer) && !passing(err):
		u.at = nil
		return nil
	case err != nil:
		return err
	}
	resp.Body.Close()
	n, ok := received(resp.Header.Get("Range"))
	if !ok || n > u.d.Size || resp.Header.Get("Location") != "" && u.move(resp) != nil {
		u.at = nil
		return nil
	}
	u.n = n
	return nil
}

// received reads the Range header of an upload: "0-99" is a hundred bytes. None, or the "0-0" of registries that mean
// nothing by it, is nothing.
func received(header string) (int64, bool) {
	var first, last int64
	if header == "" || header == "0-0" {
		return 0, true
	}
	if _, err := fmt.Sscanf(header, "%d-%d", &first, &last); err != nil || first != 0 || last < 0 {
		return 0, false
	}
	return last + 1, true
}
