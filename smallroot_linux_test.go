package caisson_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

const smallProgram = `package main

import (
	"os"
	"path/filepath"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "sleep" {
		time.Sleep(time.Hour)
	}
}
`

// smallRootOnce builds a root filesystem of one static program with two names.
var smallRootOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "caisson-root-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	root := filepath.Join(dir, "root")
	for _, d := range []string{"bin", "proc", "sys", "dev", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	src := filepath.Join(dir, "main.go")
	if err := os.WriteFile(src, []byte(smallProgram), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(root, "bin/true"), src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	return root, os.Link(filepath.Join(root, "bin/true"), filepath.Join(root, "bin/sleep"))
})
