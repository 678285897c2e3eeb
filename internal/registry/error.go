package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/caisson-go/caisson/internal/store"
)

var (
	// ErrPlatform reports an image that there is not for the platform asked for.
	ErrPlatform = store.ErrPlatform

	// ErrMediaType reports a layer in a format that this package does not read.
	ErrMediaType = errors.New("unknown media type")

	// ErrPlainHTTP reports a request without TLS to a host that is not listed as insecure.
	ErrPlainHTTP = errors.New("plain HTTP to a host not listed as insecure")

	// ErrTooLarge reports an answer, a layer or an image beyond the size allowed.
	ErrTooLarge = store.ErrTooLarge

	// ErrStalled reports an answer of which nothing has come for 30 seconds, or less than 1 KiB per second over a minute.
	ErrStalled = errors.New("the registry sends nothing, or too little")

	// ErrReference reports a name that is no reference to an image.
	ErrReference = errors.New("not a reference to an image")

	// ErrAddress reports a redirect, or a host that the registry named, that leads to an address nearer to this machine
	// than the registry is: in a private network, or on this machine.
	ErrAddress = errors.New("the registry leads to an address inside")

	// ErrRedirect reports redirects without an end.
	ErrRedirect = errors.New("too many redirects")

	// ErrRealm reports a token server that is not the registry's.
	ErrRealm = errors.New("the token server")

	// ErrOffline reports that no registry was asked, because Options.Offline says so.
	ErrOffline = errors.New("no registry is asked")

	// ErrAnswer reports an answer that is not of the form that the specification has.
	ErrAnswer = errors.New("the registry's answer makes no sense")
)

// Error reports the step of a pull, or of another call, that failed. errors.Is sees through to fs.ErrNotExist (the registry has no such
// image, or the policy is Never and the store has none), fs.ErrPermission (the registry wants other credentials), the
// sentinels of this package and of packages store and layer, and the errno.
type Error struct {
	Call string // "push", "tags", "catalog", "search"; empty for a pull
	Op   string // "parse", "resolve", "manifest", "config", "layer", "store"
	Ref  string // the reference
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the reference and the remedy.
func (e *Error) Error() string {
	call := e.Call
	if call == "" {
		call = "pull"
	}
	msg := fmt.Sprintf("%s %.300q: %s: %v", call, e.Ref, e.Op, e.Err)
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// explain makes an *Error of what the registry client says, with the meaning of HTTP answers and a remedy.
func explain(op, ref, host string, err error) error {
	if err == nil {
		return nil
	}
	if known, ok := err.(*Error); ok {
		return known
	}
	e := &Error{Op: op, Ref: ref, Err: err}
	var answer *StatusError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &answer):
		e.explainAnswer(answer, host)
	case errors.Is(err, ErrOffline):
		e.Hint = "registries are asked when Engine.Offline is false"
	case errors.Is(err, ErrPlainHTTP), errors.As(err, &record):
		e.Hint = fmt.Sprintf("if plain HTTP to %s is acceptable, list it in Engine.Insecure", host)
	case errors.Is(err, ErrRealm):
		e.Hint = "if the registry and that server are to be trusted, list the server as a token host"
	case errors.Is(err, ErrAddress):
		e.Hint = "if the registry may lead there, name that host's address as the registry, or as a token host"
	case op != "store" && (errors.Is(err, store.ErrDigest) || errors.Is(err, store.ErrSize)):
		e.Hint = fmt.Sprintf("what %s has is damaged; push the image there again", host)
	case errors.Is(err, ErrStalled):
		e.Hint = fmt.Sprintf("pull again, and if it stays so, see whether %s or a proxy on the way is overloaded", host)
	case errors.Is(err, ErrTooLarge) && (op == "list" || op == "search"):
		e.Hint = fmt.Sprintf("see whether %s is a registry; its answer is larger, or has more pages, than any in use", host)
	case errors.Is(err, ErrTooLarge):
		e.Hint = "check the name; if the image is meant to be so large, leave out what is no program, and mount it"
	}
	return e
}

func (e *Error) explainAnswer(answer *StatusError, host string) {
	switch answer.Code {
	case http.StatusNotFound:
		e.Err = &classError{fs.ErrNotExist, e.Err}
		e.Hint = "check the name and the tag"
		if e.Op == "config" || e.Op == "layer" {
			e.Hint = "the registry lacks a part of the image; push it again"
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Err = &classError{fs.ErrPermission, e.Err}
		e.Hint = fmt.Sprintf("check the name, or log in with: docker login %s", host)
	case http.StatusTooManyRequests:
		e.Hint = fmt.Sprintf("the registry limits requests; wait, or log in with: docker login %s", host)
	}
}

// classError adds a class to an error without changing what it says.
type classError struct{ class, err error }

// Error is what the error says.
func (c *classError) Error() string { return c.err.Error() }

// Unwrap gives the class and the error.
func (c *classError) Unwrap() []error { return []error{c.class, c.err} }
