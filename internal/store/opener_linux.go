package store

import (
	"github.com/caisson-go/caisson/internal/changes"
	"github.com/caisson-go/caisson/internal/layer"
)

// openerFor opens what was unpacked with these options, and tells the owners as the image has them.
func openerFor(o layer.Options) (changes.Opener, func(), error) {
	p, err := layer.Reader(o)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		return changes.Direct{}, func() {}, nil
	}
	return changes.Proxied{Proxy: p}, p.Close, nil
}
