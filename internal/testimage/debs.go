package testimage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// packages downloads Debian packages, for whatever architecture, without touching what the machine has installed.
type packages struct {
	dir    string // packages lie here, by architecture
	debian string // "" is this machine's architecture
}

// files are the packages of these names, in their order.
func (p packages) files(ctx context.Context, names []string) ([]string, error) {
	arch, err := p.arch(ctx)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(p.dir, arch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var missing, found []string
	for _, n := range names {
		if _, err := newest(dir, n); err != nil {
			missing = append(missing, n)
		}
	}
	if len(missing) > 0 {
		if err := p.download(ctx, dir, missing); err != nil {
			return nil, err
		}
	}
	for _, n := range names {
		f, err := newest(dir, n)
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

// newest is a package of a name that lies in the directory.
func newest(dir, name string) (string, error) {
	list, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("package %s: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	return list[len(list)-1], nil
}

func (p packages) arch(ctx context.Context) (string, error) {
	if p.debian != "" {
		return p.debian, nil
	}
	out, err := exec.CommandContext(ctx, "dpkg", "--print-architecture").Output()
	return strings.TrimSpace(string(out)), err
}

// download gets packages from the sources that the machine is configured with. For another architecture apt has lists of
// its own, in the cache.
func (p packages) download(ctx context.Context, dir string, names []string) error {
	var update error
	options := []string{"-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"}
	if p.debian != "" {
		lists := filepath.Join(p.dir, "apt-"+p.debian)
		for _, d := range []string{"lists/partial", "cache/archives/partial"} {
			if err := os.MkdirAll(filepath.Join(lists, d), 0o755); err != nil {
				return err
			}
		}
		options = append(options, "-o", "APT::Architecture="+p.debian, "-o", "APT::Architectures::="+p.debian,
			"-o", "Dir::State::Lists="+filepath.Join(lists, "lists"), "-o", "Dir::Cache="+filepath.Join(lists, "cache"),
			"-o", "Dir::State::status=/dev/null")
		update = tool(ctx, dir, "apt-get", slices.Concat(options, []string{"update"})...)
	}
	// One source that is not reached may not be the one that is needed.
	if err := tool(ctx, dir, "apt-get", slices.Concat(options, []string{"download"}, names)...); err != nil {
		return errors.Join(update, err)
	}
	return nil
}

// filesystem is the tar stream inside a package; close waits for the program that reads it.
func filesystem(ctx context.Context, deb string) (stream io.Reader, close func() error, err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return bufio.NewReaderSize(out, 1<<20), func() error {
		_, err := io.Copy(io.Discard, out)
		if err = errors.Join(err, cmd.Wait()); err != nil {
			return fmt.Errorf("dpkg-deb: %w: %s", err, bytes.TrimSpace(words.Bytes()))
		}
		return nil
	}, nil
}

// minbase writes the tar of a minimal Debian of the release and the sources that this machine has.
func minbase(ctx context.Context, to string) error {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return err
	}
	var suite string
	for line := range strings.Lines(string(release)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			suite = name
		}
	}
	sources := "/etc/apt/sources.list.d/debian.sources"
	if _, err := os.Stat(sources); err != nil {
		sources = "/etc/apt/sources.list"
	}
	return tool(ctx, filepath.Dir(to), "mmdebstrap", "--variant=minbase", "--quiet", suite, to, sources)
}

// tool runs a program; what it prints is in the error.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}
