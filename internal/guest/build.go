package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// testPackage is a package and its compiled test.
type testPackage struct {
	ImportPath, Dir           string
	TestGoFiles, XTestGoFiles []string
	Module                    struct{ Dir string }
	binary                    string
}

// buildTests compiles the tests of the packages that have any.
func buildTests(ctx context.Context, dir string, patterns []string) ([]testPackage, error) {
	list := goCommand(ctx, append([]string{"list", "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles,Module"}, patterns...)...)
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var tests []testPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p testPackage
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
			continue
		}
		p.binary = filepath.Join(dir, fmt.Sprintf("%d.test", len(tests)))
		if err := goCommand(ctx, "test", "-c", "-ldflags=-s -w", "-o", p.binary, p.ImportPath).Run(); err != nil {
			return nil, fmt.Errorf("build the test of %s: %w", p.ImportPath, err)
		}
		tests = append(tests, p)
	}
	if len(tests) == 0 {
		return nil, fmt.Errorf("no package has tests: %s", strings.Join(patterns, " "))
	}
	return tests, nil
}

// buildInit compiles the guest's first process.
func buildInit(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "init")
	err := goCommand(ctx, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "github.com/caisson-go/caisson/internal/guest/init").Run()
	if err != nil {
		return "", fmt.Errorf("build init: %w", err)
	}
	return path, nil
}

// buildProbe compiles the program that tests run in containers, as the guest has no Go to do it.
func buildProbe(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "probe")
	err := goCommand(ctx, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "github.com/caisson-go/caisson/internal/testroot/testdata/probe").Run()
	if err != nil {
		return "", fmt.Errorf("build the probe: %w", err)
	}
	return path, nil
}

// goCommand builds for the guest, which has no C library.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	cmd.Stderr = os.Stderr
	return cmd
}
