package imagefs

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// index is the tree of an image, made once.
type index struct {
	made atomic.Pointer[outcome]
	turn chan struct{} // holds a value while one caller makes it; a mutex could not be given up when a context ends
}

type outcome struct {
	root  *node
	marks []marks // of each layer
	err   error
}

// Index makes the index, unless it is made: later calls of all methods find it. It is for those who want it at a time
// of their choice, or to be able to give it up; the other methods make it when they need it, and can not be given up.
// A failure is remembered, except for the end of ctx.
//
// Errors: *Error, ctx.Err().
func (f *FS) Index(ctx context.Context) error {
	_, err := f.tree(ctx)
	return err
}

func (f *FS) tree(ctx context.Context) (*node, error) {
	if o := f.index.made.Load(); o != nil {
		return o.root, o.err
	}
	select {
	case f.index.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-f.index.turn }()
	if o := f.index.made.Load(); o != nil {
		return o.root, o.err
	}
	o := &outcome{marks: make([]marks, len(f.layers))}
	o.root, o.err = f.scan(ctx, o.marks)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.index.made.Store(o)
	return o.root, o.err
}

// scan reads all layers, a few at once, and puts their trees together.
func (f *FS) scan(ctx context.Context, all []marks) (*node, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	trees, b := make([]*node, len(f.layers)), newBudget(f.o)
	for i := range all {
		all[i] = marks{most: max(maxMarks/len(all), 4), distance: firstDistance}
	}
	var next atomic.Int32
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(f.layers)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(trees) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if trees[i], err = scanLayer(ctx, &f.layers[i], i, b, &all[i]); err != nil {
					cancel(err) // keeps the first
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	root := newDirectory()
	for i, t := range trees {
		trees[i] = nil // what it hides is free to go
		root = merge(root, t)
	}
	root.freeze()
	return root, nil
}
