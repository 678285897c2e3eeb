package caisson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/caisson-go/caisson"
)

// must fails the test because of an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// errorOf is the error of a call that has a result too.
func errorOf[T any](_ T, err error) error { return err }

// names are the names of the engine's images.
func names(t *testing.T, e *caisson.Engine) (list []string) {
	t.Helper()
	for img, err := range e.Images(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, img.Ref())
	}
	slices.Sort(list)
	return list
}

// randomImage is an image with nothing useful in it.
func randomImage(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// imported is such an image in an engine, called "mine".
func imported(t *testing.T, e *caisson.Engine) *caisson.Image {
	t.Helper()
	img, err := e.Import(t.Context(), randomImage(t), "mine")
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// lastError is that of a list.
func lastError[T any](list iter.Seq2[T, error]) (last error) {
	for _, err := range list {
		last = err
	}
	return last
}

// imageCalls are the calls about images that read or write the state directory of an engine, which has the image.
func imageCalls(t *testing.T, e *caisson.Engine, img *caisson.Image) map[string]func(context.Context) error {
	made := randomImage(t)
	return map[string]func(context.Context) error{
		"Image":       func(ctx context.Context) error { return errorOf(e.Image(ctx, "mine")) },
		"Images":      func(ctx context.Context) error { return lastError(e.Images(ctx)) },
		"Pull":        func(ctx context.Context) error { return errorOf(e.Pull(ctx, "mine", nil)) },
		"Pull, other": func(ctx context.Context) error { return errorOf(e.Pull(ctx, "127.0.0.1:1/x", nil)) },
		"Pull, never": func(ctx context.Context) error {
			return errorOf(e.Pull(ctx, "mine", &caisson.PullOptions{Policy: caisson.PullNever}))
		},
		"Import":       func(ctx context.Context) error { return errorOf(e.Import(ctx, made, "other")) },
		"ImportRootFS": func(ctx context.Context) error { return errorOf(e.ImportRootFS(ctx, &bytes.Buffer{}, "", nil)) },
		"Load":         func(ctx context.Context) error { return errorOf(e.Load(ctx, &bytes.Buffer{}, nil)) },
		"Save":         func(ctx context.Context) error { return e.Save(ctx, io.Discard, []string{"mine"}, nil) },
		"Untag":        func(ctx context.Context) error { return e.Untag(ctx, "mine") },
		"RemoveImage":  func(ctx context.Context) error { return errorOf(e.RemoveImage(ctx, "mine", nil)) },
		"PruneImages":  func(ctx context.Context) error { return errorOf(e.PruneImages(ctx, nil)) },
		"DiskUsage":    func(ctx context.Context) error { return errorOf(e.DiskUsage(ctx)) },
		"Check":        func(ctx context.Context) error { return lastError(e.Check(ctx, nil)) },
		"Names":        func(ctx context.Context) error { return errorOf(img.Names(ctx)) },
		"Inspect":      func(ctx context.Context) error { return errorOf(img.Inspect(ctx)) },
		"Tag":          func(ctx context.Context) error { return img.Tag(ctx, "other") },
		"Push":         func(ctx context.Context) error { return img.Push(ctx, "127.0.0.1:1/x", nil) },
		"Export":       func(ctx context.Context) error { return img.Export(ctx, io.Discard) },
	}
}

// A context that is done is the error of every call, which says what was to be done with what.
func TestImageCallsOfAnEndedContext(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir()}
	img := imported(t, e)
	calls := imageCalls(t, e, img)
	calls["Search"] = func(ctx context.Context) error { return lastError(e.Search(ctx, "127.0.0.1:1/x", 0)) }
	calls["Tags"] = func(ctx context.Context) error { return lastError(e.Tags(ctx, "127.0.0.1:1/x")) }
	calls["Catalog"] = func(ctx context.Context) error { return lastError(e.Catalog(ctx, "127.0.0.1:1")) }
	calls["Snapshots"] = func(ctx context.Context) error { return lastError(e.Snapshots(ctx)) }
	calls["Snapshot"] = func(ctx context.Context) error { return errorOf(e.Snapshot(ctx, strings.Repeat("0", 64))) }
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for name, call := range calls {
		for _, ctx := range []context.Context{canceled, late} {
			err := call(ctx)
			var typed *caisson.Error
			if !errors.Is(err, ctx.Err()) || !errors.As(err, &typed) || typed.Op == "" || typed.Path == "" {
				t.Errorf("%s: %#v", name, err)
			}
		}
	}
	if _, err := e.Image(t.Context(), "mine"); err != nil {
		t.Errorf("something was done: %v", err)
	}
}

// What is missing among the arguments is an error and no panic.
func TestNilArguments(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir()}
	img := imported(t, e)
	var none *caisson.Snapshot
	for name, err := range map[string]error{
		"Save":         e.Save(t.Context(), nil, []string{"mine"}, nil),
		"Load":         errorOf(e.Load(t.Context(), nil, nil)),
		"ImportRootFS": errorOf(e.ImportRootFS(t.Context(), nil, "", nil)),
		"Import":       errorOf(e.Import(t.Context(), nil, "x")),
		"Export":       img.Export(t.Context(), nil),
		"of container": e.Host().Command("true").Export(t.Context(), nil),
		"no names":     e.Save(t.Context(), io.Discard, nil, nil),
		"Remove":       none.Remove(t.Context()),
		"zero Remove":  (&caisson.Snapshot{}).Remove(t.Context()),
		"zero Tag":     (&caisson.Image{}).Tag(t.Context(), "x"),
		"zero Push":    (&caisson.Image{}).Push(t.Context(), "x", nil),
		"zero Export":  (&caisson.Image{}).Export(t.Context(), io.Discard),
		"zero V1":      errorOf((&caisson.Image{}).V1()),
		"zero Command": (&caisson.Image{}).Command("true").Run(t.Context()),
		"zero Start":   (&caisson.Snapshot{}).Command("true").Run(t.Context()),
	} {
		var typed *caisson.Error
		if !errors.As(err, &typed) || typed.Hint == "" || typed.Path == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := (&caisson.Snapshot{}).String(); s == "" {
		t.Error("a Snapshot that is none has no String")
	}
}

// The ID of a host, directory or snapshot is no name in a registry, though it could be read as one.
func TestOtherFormsAreNoNames(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir()}
	img := imported(t, e)
	made := randomImage(t)
	for _, ref := range []string{"host", "dir:/tmp", "dir:x", "snapshot:" + strings.Repeat("0", 64)} {
		for name, err := range map[string]error{
			"Pull":         errorOf(e.Pull(t.Context(), ref, &caisson.PullOptions{Policy: caisson.PullNever})),
			"Save":         e.Save(t.Context(), io.Discard, []string{ref}, nil),
			"RemoveImage":  errorOf(e.RemoveImage(t.Context(), ref, nil)),
			"Untag":        e.Untag(t.Context(), ref),
			"Tag":          img.Tag(t.Context(), ref),
			"Push":         img.Push(t.Context(), ref, nil),
			"Import":       errorOf(e.Import(t.Context(), made, ref)),
			"ImportRootFS": errorOf(e.ImportRootFS(t.Context(), &bytes.Buffer{}, ref, nil)),
		} {
			var typed *caisson.Error
			if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &typed) || typed.Path != ref || typed.Hint == "" {
				t.Errorf("%s(%q): %v", name, ref, err)
			}
		}
	}
	if err := img.Tag(t.Context(), "host:latest"); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"Names": errorOf(e.Host().Names(t.Context())), "Inspect": errorOf(e.Host().Inspect(t.Context())), "Tag": e.Host().Tag(t.Context(), "x"),
		"Push": e.Host().Push(t.Context(), "x", nil), "Export": e.Host().Export(t.Context(), io.Discard), "V1": errorOf(e.Host().V1()),
	} {
		var typed *caisson.Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &typed) || typed.Path != "host" || typed.Hint == "" {
			t.Errorf("%s of the host: %v", what, err)
		}
	}
}
