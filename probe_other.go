//go:build !linux

package caisson

import (
	"context"
	"os"
	"runtime"
)

// Probe finds out what this host can do for containers, by doing each thing once; what does not work is
// told with its reason and its remedy. Here, without Linux, that is nothing.
//
// Errors: one that is errors.ErrUnsupported, beside a Support that says so.
func Probe(ctx context.Context) (*Support, error) {
	s := &Support{UID: os.Geteuid(), GID: os.Getegid(), Release: runtime.GOOS}
	s.Container = Feature{
		Name: "container", State: FeatureFails, Err: errNotLinux,
		Remedy: "containers need Linux, on this machine or in a virtual one; images work here",
	}
	return s, errNotLinux
}
