//go:build !linux || !(amd64 || arm64)

package tape

import "errors"

func nativeCode() ([]byte, error) { return nil, errors.ErrUnsupported }
