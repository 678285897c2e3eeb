package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// uploadChunk is the size of the parts in which a blob is sent that could not be sent at once.
const uploadChunk = 16 << 20

// blob makes sure that the registry has a blob.
func (p *pusher) blob(ctx context.Context, d v1.Descriptor) error {
	t := start(maxTries, p.o.retryPause)
	u := upload{p: p, d: d}
	for {
		err := u.try(ctx)
		if err == nil {
			return nil
		}
		var answer *StatusError
		if errors.As(err, &answer) && answer.Code == http.StatusRequestEntityTooLarge && !u.parts {
			u.parts, u.at = true, nil // a proxy on the way bounds what goes at once
			continue
		}
		if err := t.again(ctx, err); err != nil {
			return fmt.Errorf("blob %s: %w", d.Digest, err)
		}
	}
}

// upload is the sending of one blob, over several tries: at once first, then in parts, from where the last try got to.
type upload struct {
	p     *pusher
	d     v1.Descriptor
	asked bool     // for the blob, and for other repositories that may have it
	parts bool     // in parts
	at    *url.URL // of the session; nil before there is one
	n     int64    // bytes that the session has, in parts
}

func (u *upload) try(ctx context.Context) error {
	if !u.asked {
		done, err := u.there(ctx)
		if done || err != nil {
			return err
		}
		u.asked = true
	}
	if u.at != nil {
		if err := u.recall(ctx); err != nil {
			return err
		}
	}
	if u.at == nil {
		done, err := u.begin(ctx)
		if done || err != nil {
			return err
		}
	}
	u.p.rep.phase(u.d, Pushing)
	u.p.rep.from(u.d.Digest, u.n)
	err := u.whole(ctx)
	if err == nil {
		u.p.rep.phase(u.d, Done)
	} else if passing(err) {
		u.parts = true // what has gone need not go again
	}
	return err
}

// there asks whether the registry has the blob.
func (u *upload) there(ctx context.Context) (bool, error) {
	r, err := u.p.e.request(http.MethodHead, "blobs/"+u.d.Digest.String(), nil, nil)
	if err != nil {
		return false, err
	}
	resp, err := u.p.e.do(ctx, r, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		u.p.rep.phase(u.d, Exists)
		return true, nil
	}
	return false, nil
}

// whole sends what the session does not have, and ends it.
func (u *upload) whole(ctx context.Context) error {
	if !u.parts {
		return u.send(ctx, http.MethodPut, 0, u.d.Size, http.StatusCreated)
	}
	for u.n < u.d.Size {
		n := min(u.p.o.chunk, u.d.Size-u.n)
		if err := u.send(ctx, http.MethodPatch, u.n, n, http.StatusAccepted, http.StatusNoContent); err != nil {
			return err
		}
	}
	return u.send(ctx, http.MethodPut, u.d.Size, 0, http.StatusCreated)
}

// send sends n bytes of the blob from an offset on. A PUT ends the session.
func (u *upload) send(ctx context.Context, method string, from, n int64, want ...int) error {
	at := *u.at
	if method == http.MethodPut {
		q := at.Query()
		q.Set("digest", u.d.Digest.String())
		at.RawQuery = q.Encode()
	}
	r, err := http.NewRequest(method, at.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	if n > 0 {
		r.ContentLength = n
		r.GetBody = func() (io.ReadCloser, error) { return u.open(from, n) }
		if r.Body, err = r.GetBody(); err != nil {
			return err
		}
	}
	if method == http.MethodPatch {
		r.Header.Set("Content-Range", strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(from+n-1, 10))
	}
	resp, err := u.p.e.do(ctx, r, want...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody))
	if method == http.MethodPatch {
		u.n = from + n
		return u.move(resp)
	}
	return nil
}

// open opens a part of the blob.
func (u *upload) open(from, n int64) (io.ReadCloser, error) {
	blob, err := u.p.s.Blob(u.d.Digest)
	if err != nil {
		return nil, err
	}
	if s, ok := blob.(io.Seeker); ok {
		_, err = s.Seek(from, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, blob, from)
	}
	if err != nil {
		blob.Close()
		return nil, err
	}
	return &sending{ReadCloser: blob, left: n, u: u}, nil
}

// sending reports what is sent.
type sending struct {
	io.ReadCloser
	left int64
	u    *upload
}

// Read reads a part that is to be sent.
func (s *sending) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, io.EOF
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	s.u.p.rep.add(s.u.d.Digest, n)
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF // the store has less than it says
	}
	return n, err
}
