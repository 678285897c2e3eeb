package changes

// visitAll goes on until no directory is left that was entered: visit has each item, and leave each directory at its end,
// which it pops.
func (w *walker) visitAll(visit func(*frame, *item) error, leave func(*frame) error) error {
	for len(w.frames) > 0 {
		f := w.top()
		it, err := w.item(f)
		switch {
		case it == nil && err == nil:
			err = leave(f)
		case err == nil:
			err = visit(f, it)
		}
		it.close()
		if err != nil {
			return err
		}
	}
	return nil
}
