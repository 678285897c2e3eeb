package registry

import (
	"context"
	"encoding/base64"

	"github.com/google/go-containerregistry/pkg/authn"
)

// credentials asks the keychain, once.
func (a *authorizer) credentials(ctx context.Context) (*authn.AuthConfig, error) {
	if a.found != nil {
		return a.found, nil
	}
	auth, err := authn.Resolve(ctx, a.o.Keychain, a.resource)
	if err == nil {
		a.found, err = authn.Authorization(ctx, auth)
	}
	if err != nil {
		return nil, &credentialsError{err}
	}
	return a.found, nil
}

// credentialsError says that it is the keychain that failed.
type credentialsError struct{ err error }

// Error says what was tried.
func (c *credentialsError) Error() string { return "find credentials: " + c.err.Error() }

// Unwrap is what the keychain says.
func (c *credentialsError) Unwrap() error { return c.err }

// basic is the header of a user name and password; RFC 7617. It is empty without any.
func basic(cfg *authn.AuthConfig) string {
	switch {
	case cfg.Auth != "":
		return "Basic " + cfg.Auth
	case cfg.Username != "" || cfg.Password != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.Username+":"+cfg.Password))
	}
	return ""
}
