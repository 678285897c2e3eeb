//go:build !linux

package sys

import (
	"errors"
	"os"
)

// SeqpacketPair exists on Linux only.
func SeqpacketPair(name string) (ours, theirs *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}

// SendMessage exists on Linux only.
func SendMessage(s *os.File, b []byte, f *os.File) error { return errors.ErrUnsupported }

// ReceiveMessage exists on Linux only.
func ReceiveMessage(s *os.File, b []byte) (n, fd int, err error) { return 0, -1, errors.ErrUnsupported }
