package caisson

import "errors"

func (e *Engine) stored(id string) (*Image, error) { return nil, errors.ErrUnsupported }
