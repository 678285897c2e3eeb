package caisson

import (
	"os"

	"github.com/caisson-go/caisson/internal/layer"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/proxy"
)

// layerOptions is how layers are unpacked for the containers of this engine: for a user with subordinate ids in a user
// namespace as the containers' is, so that every owner is who it will be there.
func (e *Engine) layerOptions() layer.Options {
	o := layer.Defaults()
	r, ok := e.ranges()
	if !ok {
		return o
	}
	var in proxy.Options
	if r.inUserNamespace(&in) != nil {
		return o
	}
	o.IgnoreOwners = false
	o.User = &layer.UserNamespace{Enter: in.Enter, Map: in.Map}
	return o
}

// checkOptions is layerOptions for comparing what has been unpacked, by the numbers that the host has for the owners.
func (e *Engine) checkOptions() layer.Options {
	o := e.layerOptions()
	if r, ok := e.ranges(); ok {
		o.Owner = r.support.outside
	}
	return o
}

// ranges tells whether containers of this engine have subordinate ids.
func (e *Engine) ranges() (*request, bool) {
	sup, err := e.hostSupport()
	if err != nil {
		return nil, false
	}
	r := &request{spec: &Spec{}, support: sup}
	user, err := r.userNamespace()
	return r, err == nil && user.Mode == plan.UserRanges
}

// removeLayer removes a layer, or a part of one.
func (e *Engine) removeLayer(dir *os.File, name string) error {
	return layer.RemoveAllAs(dir, name, e.layerOptions())
}
