package registry

import (
	"errors"
	"net/url"
)

// redact takes the query out of the address in an error: that of storage behind a registry carries a signature.
func redact(err error) error {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return err
	}
	if u, perr := url.Parse(ue.URL); perr == nil {
		u.RawQuery = ""
		ue.URL = u.Redacted()
	} else {
		ue.URL = "(address)"
	}
	return err
}
