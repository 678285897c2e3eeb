package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is one kernel module, decompressed.
type module struct {
	name  string
	image []byte
}

// moduleTree finds modules in a kernel's directory. A kernel package as it is unpacked has no modules.dep (depmod makes
// it on installation), so dependencies are read from the modules themselves.
type moduleTree struct {
	files   map[string]string // name to path
	builtin map[string]bool
	done    map[string]bool
	order   []module
}

// loadOrder returns the wanted modules and everything that they depend on, dependencies first.
func loadOrder(ctx context.Context, dir string, wanted []string) ([]module, error) {
	t := &moduleTree{files: make(map[string]string), builtin: make(map[string]bool), done: make(map[string]bool)}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(d.Name(), ".ko") {
			t.files[moduleName(d.Name())] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, fmt.Errorf("%w (the directory of modules is lib/modules/RELEASE)", err)
	}
	for line := range strings.Lines(string(list)) {
		t.builtin[moduleName(filepath.Base(strings.TrimSpace(line)))] = true
	}
	for _, name := range wanted {
		if err := t.add(ctx, moduleName(strings.TrimSpace(name))); err != nil {
			return nil, err
		}
	}
	return t.order, nil
}

// moduleName is the name that the kernel uses: no suffix, and underscores for hyphens.
func moduleName(file string) string {
	name, _, _ := strings.Cut(file, ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

func (t *moduleTree) add(ctx context.Context, name string) error {
	if name == "" || t.done[name] || t.builtin[name] {
		return nil
	}
	t.done[name] = true
	path, ok := t.files[name]
	if !ok {
		return fmt.Errorf("the kernel has no module %s: %w", name, fs.ErrNotExist)
	}
	image, err := decompress(ctx, path)
	if err != nil {
		return fmt.Errorf("module %s: %w", path, err)
	}
	needs, err := dependencies(image)
	if err != nil {
		return fmt.Errorf("module %s: %w", path, err)
	}
	for _, need := range needs {
		if err := t.add(ctx, need); err != nil {
			return fmt.Errorf("%s needs %w", name, err)
		}
	}
	t.order = append(t.order, module{name, image})
	return nil
}

// dependencies reads the entry "depends=a,b" of the section .modinfo, whose entries end in NUL.
func dependencies(image []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("it has no section .modinfo")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	var needs []string
	for entry := range strings.SplitSeq(string(info), "\x00") {
		list, ok := strings.CutPrefix(entry, "depends=")
		if !ok {
			continue
		}
		for need := range strings.SplitSeq(list, ",") {
			needs = append(needs, moduleName(need))
		}
	}
	return needs, nil
}

// decompress reads a module in whatever compression the distribution chose. The guest could do it, but slowly.
func decompress(ctx context.Context, path string) ([]byte, error) {
	switch filepath.Ext(path) {
	case ".xz", ".zst":
		tool := map[string]string{".xz": "xz", ".zst": "zstd"}[filepath.Ext(path)]
		out, err := exec.CommandContext(ctx, tool, "-dc", path).Output()
		if err != nil {
			return nil, fmt.Errorf("%s (is it installed?): %w", tool, err)
		}
		return out, nil
	case ".gz":
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	return os.ReadFile(path)
}
