package caisson_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/testneed"
)

// A state directory that cannot be used is named by whatever finds it so, with what to do.
func TestUnusableStateDirectory(t *testing.T) {
	for why, spoil := range map[string]func(dir string) (error, error){
		"a file in its place": func(dir string) (error, error) {
			return syscall.ENOTDIR, errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		},
		"no permission": func(dir string) (error, error) {
			if os.Geteuid() == 0 {
				return fs.ErrPermission, os.Chown(dir, 1234, -1)
			}
			return fs.ErrPermission, os.Chmod(dir, 0)
		},
		"an index that is none": func(dir string) (error, error) {
			return nil, os.WriteFile(filepath.Join(dir, "index.json"), []byte("{"), 0o600)
		},
	} {
		e := &caisson.Engine{Dir: filepath.Join(t.TempDir(), "state")}
		img := imported(t, e)
		calls := imageCalls(t, e, img)
		calls["V1"] = func(context.Context) error { return errorOf(img.V1()) }
		calls["FS"] = func(context.Context) error { return errorOf(fs.Stat(img.FS(), ".")) }
		calls["Run"] = func(ctx context.Context) error { return e.New(caisson.Spec{Image: img.ID()}).Run(ctx) }
		if why != "an index that is none" { // which no snapshot needs
			calls["Snapshots"] = func(ctx context.Context) error { return lastError(e.Snapshots(ctx)) }
			calls["Snapshot"] = func(ctx context.Context) error {
				return errorOf(e.Snapshot(ctx, strings.Repeat("0", 64)))
			}
		} else {
			for _, name := range []string{"V1", "FS", "ImportRootFS", "Load", "Check"} { // they say it in another way, or do without
				delete(calls, name)
			}
		}
		want, err := spoil(e.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for name, call := range calls {
			err := call(t.Context())
			var typed *caisson.Error
			if !errors.As(err, &typed) || typed.Hint == "" || typed.Path == "" || !strings.Contains(err.Error(), e.Dir) || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: %s: %v", why, name, err)
			}
			if n := strings.Count(strings.ToLower(err.Error()), "caisson: "); n != 1 {
				t.Errorf("%s: %s: says %d times whose error it is: %v", why, name, n, err)
			}
		}
		if why == "no permission" && os.Geteuid() != 0 {
			must(t, os.Chmod(e.Dir, 0o700)) //nolint:gosec // it is removed then
		}
	}
}

// Every mistake and everything that is missing is named, with what to do.
func TestErrorsAboutImagesHaveARemedy(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir(), Offline: true}
	img := imported(t, e)
	ctx, id := t.Context(), img.ID()
	saved := func(name string) error { return e.Save(ctx, io.Discard, []string{name}, nil) }
	pulled := func(ref string, o caisson.PullOptions) error { return errorOf(e.Pull(ctx, ref, &o)) }
	errs := []error{
		errorOf(e.Image(ctx, "none")), errorOf(e.Image(ctx, "deadbeef")), errorOf(e.Image(ctx, "Bad Name")), errorOf(e.Image(ctx, "")),
		errorOf(e.Image(ctx, "snapshot:1")), errorOf(e.Image(ctx, "dir:/none")),
		pulled("none", caisson.PullOptions{}), pulled("", caisson.PullOptions{}), pulled("none", caisson.PullOptions{Policy: "never"}),
		pulled("none", caisson.PullOptions{Policy: "x"}), pulled("none", caisson.PullOptions{Platform: "a/b/c/d"}),
		img.Push(ctx, "localhost:1/x", nil), img.Push(ctx, "BAD", nil), lastError(e.Tags(ctx, "x")), lastError(e.Tags(ctx, "BAD")),
		lastError(e.Catalog(ctx, "x/y")), lastError(e.Catalog(ctx, "localhost:1")), lastError(e.Search(ctx, "x", 0)),
		e.Untag(ctx, "none"), e.Untag(ctx, "BAD"), e.Untag(ctx, id), e.Untag(ctx, "mine@"+id),
		errorOf(e.RemoveImage(ctx, "none", nil)), errorOf(e.RemoveImage(ctx, "deadbeef", nil)), errorOf(e.RemoveImage(ctx, "", nil)),
		saved("none"), saved("deadbeef"), saved(""), e.Save(ctx, io.Discard, []string{"mine"}, &caisson.SaveOptions{Format: "x"}),
		errorOf(e.Load(ctx, &bytes.Buffer{}, nil)), errorOf(e.Load(ctx, strings.NewReader("no archive"), nil)),
		errorOf(e.Load(ctx, exampleRoot(), nil)), errorOf(e.Load(ctx, exampleRoot(), &caisson.LoadOptions{Names: "x"})),
		errorOf(e.ImportRootFS(ctx, strings.NewReader("no archive"), "x", nil)), errorOf(e.ImportRootFS(ctx, exampleRoot(), "X", nil)),
		errorOf(e.Import(ctx, randomImage(t), "BAD")), errorOf(e.Import(ctx, randomImage(t), "")), errorOf(e.Import(ctx, randomImage(t), "mine@"+id)),
		img.Tag(ctx, "BAD"), img.Tag(ctx, ""), img.Tag(ctx, "mine@"+id), errorOf(e.RegistryHandler(&caisson.RegistryOptions{Host: "a/b"})),
		errorOf(e.Snapshot(ctx, "x")), errorOf(e.Snapshot(ctx, strings.Repeat("0", 64))),
	}
	if _, err := e.RemoveImage(ctx, "mine", nil); err != nil {
		t.Fatal(err)
	}
	errs = append(errs, errorOf(img.Inspect(ctx)), errorOf(img.Names(ctx)), img.Tag(ctx, "x"), img.Export(ctx, io.Discard),
		img.Push(ctx, "localhost:1/x", nil), errorOf(img.V1()), errorOf(img.FS().Open("x")))
	for n, err := range errs {
		var typed *caisson.Error
		if !errors.As(err, &typed) || typed.Op == "" || typed.Path == "" || typed.Hint == "" {
			t.Errorf("error %d: %v", n, err)
		}
	}
}

// What may be read and not be written is named in the same way by those calls that write.
func TestStateDirectoryThatMayNotBeWritten(t *testing.T) {
	testneed.Unprivileged(t)
	e := &caisson.Engine{Dir: t.TempDir()}
	img := imported(t, e)
	locks := filepath.Join(e.Dir, "locks")
	must(t, os.RemoveAll(locks))
	must(t, os.Mkdir(locks, 0o500))
	again := &caisson.Engine{Dir: e.Dir} // which knows nothing yet of how the directory is
	for name, err := range map[string]error{
		"DiskUsage": errorOf(again.DiskUsage(t.Context())), "Untag": again.Untag(t.Context(), "mine"), "Tag": img.Tag(t.Context(), "other"),
		"RemoveImage": errorOf(again.RemoveImage(t.Context(), "mine", nil)), "PruneImages": errorOf(again.PruneImages(t.Context(), nil)),
		"Run": again.New(caisson.Spec{Image: img.ID()}).Run(t.Context()),
	} {
		var typed *caisson.Error
		if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &typed) || typed.Hint == "" || !strings.Contains(err.Error(), e.Dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
