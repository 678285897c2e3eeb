package testroot

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"

	"github.com/caisson-go/caisson/internal/testneed"
)

//go:embed testdata/probe/*.go
var sources embed.FS

// Program is the probe, built on first use. Builds of the same sources by the same Go share a file in the user's cache
// directory.
func Program(t TB) string {
	t.Helper()
	if p := os.Getenv(ProgramEnv); p != "" {
		return p
	}
	testneed.Program(t, "go", "install Go and put it on PATH")
	p, err := build()
	if err != nil {
		t.Fatalf("testroot: %v", err)
	}
	return p
}

var build = sync.OnceValues(func() (string, error) {
	key, err := digest()
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, fmt.Sprintf("caisson-test-probe-%d", os.Getuid()), key)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "probe")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	return program, compile(dir, program)
})

// digest names a build by what goes into it.
func digest() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), runtime.GOARCH)
	err := eachSource(func(name string, b []byte) error {
		fmt.Fprintln(h, name, len(b))
		_, err := h.Write(b)
		return err
	})
	return hex.EncodeToString(h.Sum(nil)[:12]), err
}

func eachSource(visit func(name string, b []byte) error) error {
	return fs.WalkDir(sources, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := sources.ReadFile(p)
		if err != nil {
			return err
		}
		return visit(filepath.Base(p), b)
	})
}

// compile builds beside its final place and renames, so that test binaries that run at once do not disturb each other.
func compile(dir, program string) (err error) {
	work, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	err = eachSource(func(name string, b []byte) error { return os.WriteFile(filepath.Join(work, name), b, 0o600) })
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte("module probe\n\ngo 1.26\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "probe", ".")
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "PWD="+work)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the probe: %w\n%s", err, out)
	}
	return os.Rename(filepath.Join(work, "probe"), program)
}

// Commands are the names that the probe answers to, from the table in its main.go.
func Commands() []string {
	var names []string
	b, _ := sources.ReadFile("testdata/probe/main.go") // it is embedded: it cannot fail
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z0-9-]+)":`).FindAllSubmatch(b, -1) {
		names = append(names, string(m[1]))
	}
	return names
}
