//go:build !linux

package caisson

import (
	"os"

	"github.com/caisson-go/caisson/internal/layer"
)

func (e *Engine) layerOptions() layer.Options { return layer.Defaults() }
func (e *Engine) checkOptions() layer.Options { return layer.Defaults() }

func (e *Engine) removeLayer(dir *os.File, name string) error { return layer.RemoveAll(dir, name) }
