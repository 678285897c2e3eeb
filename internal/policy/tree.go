// Package policy checks source files of a Go module against rules about imports, words, names and documentation.
//
// It reads every file whatever its build constraints say, so that a rule holds on all systems at once, and it needs
// neither the go command nor the dependencies' sources. A violation is one line that names the place and the reason.
package policy

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Tree is the parsed module.
type Tree struct {
	// Module is the module path.
	Module string

	fsys  fs.FS
	fset  *token.FileSet
	files []*file
}

// file is one parsed Go file.
type file struct {
	dir  string // relative to the module, "." for its root
	name string
	ast  *ast.File
}

// Load parses every Go file below the root of fsys. Nested modules and directories that the go command ignores
// (testdata, vendor, names that begin with a dot or an underscore) are left out.
func Load(fsys fs.FS, module string) (*Tree, error) {
	t := &Tree{Module: module, fsys: fsys, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return skipDir(fsys, p)
		case path.Ext(p) != ".go" || ignored(d.Name()):
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.fset, p, src, parser.ParseComments)
		if err != nil {
			return err
		}
		t.files = append(t.files, &file{path.Dir(p), d.Name(), parsed})
		return nil
	})
	return t, err
}

func skipDir(fsys fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	if base := path.Base(dir); ignored(base) || base == "testdata" || base == "vendor" {
		return fs.SkipDir
	}
	_, err := fs.Stat(fsys, path.Join(dir, "go.mod"))
	switch {
	case err == nil:
		return fs.SkipDir
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

func ignored(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// test reports whether the file is part of a test only.
func (f *file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// command reports whether the file belongs to a program.
func (f *file) command() bool { return f.ast.Name.Name == "main" }

// imports calls visit for each import.
func (f *file) imports(visit func(spec *ast.ImportSpec, path string)) {
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			visit(spec, p)
		}
	}
}

// at formats a violation.
func (t *Tree) at(node ast.Node, format string, args ...any) string {
	p := t.fset.Position(node.Pos())
	return fmt.Sprintf("%s:%d: %s", p.Filename, p.Line, fmt.Sprintf(format, args...))
}

// within reports whether the directory is the pattern's, or below it if the pattern ends in "/...". The pattern "..."
// covers everything.
func within(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	parent, below := strings.CutSuffix(pattern, "/...")
	return dir == parent || below && strings.HasPrefix(dir, parent+"/")
}

// public returns the files that make up a directory's package on linux/amd64. The reference system is fixed, so that
// what is said about the API does not depend on the machine that says it.
func (t *Tree) public(dir string) ([]*file, error) {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = "linux", "amd64", false
	ctx.BuildTags, ctx.ToolTags = nil, nil
	ctx.JoinPath = path.Join
	ctx.OpenFile = func(p string) (io.ReadCloser, error) { return t.fsys.Open(p) }
	var files []*file
	for _, f := range t.files {
		if f.dir != dir || f.test() {
			continue
		}
		ok, err := ctx.MatchFile(dir, f.name)
		if err != nil {
			return nil, err
		}
		if ok {
			files = append(files, f)
		}
	}
	return files, nil
}
