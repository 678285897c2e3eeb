//go:build !linux

package store

import (
	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/layer"
)

// openerFor opens nothing: there are no unpacked layers.
func openerFor(layer.Options) (changes.Opener, func(), error) {
	return changes.Direct{}, func() {}, nil
}
