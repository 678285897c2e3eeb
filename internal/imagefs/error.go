package imagefs

import "fmt"

// Error reports the layer, and the entry of it, that an image could not be read for. errors.Is sees through to the
// sentinels of package layer and to the errno; errors.As finds a *layer.LimitError. It comes in an *fs.PathError.
type Error struct {
	Layer string // Layer.Name
	Entry string // the entry's name as the layer has it; "" when it is the stream itself
	Err   error
}

// Error names the layer and the entry.
func (e *Error) Error() string {
	if e.Entry == "" {
		return fmt.Sprintf("layer %.100s: %v", e.Layer, e.Err)
	}
	return fmt.Sprintf("layer %.100s: entry %.300q: %v", e.Layer, e.Entry, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
