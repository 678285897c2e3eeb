package policy

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// ImportRule says what the packages of some directories may import. Packages of the module itself are written as their
// directory with "./" before it, or "." for the root; "/..." at the end of any pattern means everything below too.
type ImportRule struct {
	From     string   // the directories that the rule is about, without "./"
	Except   []string // those among them that it lets off
	Allow    []string // if not nil, nothing else may be imported beside the standard library
	Deny     []string // may not be imported
	Tests    bool     // it holds for test files too
	Commands bool     // it holds for package main too
	Why      string
}

// Imports returns the imports that break a rule, and the rules that speak of no directory: a rule for a package that was
// renamed protects nothing. A directory that is listed in later is exempt from the second.
func (t *Tree) Imports(rules []ImportRule, later ...string) []string {
	var bad []string
	for _, r := range rules {
		about := false
		for _, f := range t.files {
			if !within(r.From, f.dir) {
				continue
			}
			about = true
			if r.holdsFor(f) {
				bad = append(bad, t.brokenImports(r, f)...)
			}
		}
		if !about && !slices.Contains(later, r.From) {
			bad = append(bad, fmt.Sprintf("the import rule for %s is about no file", r.From))
		}
	}
	return bad
}

func (r *ImportRule) holdsFor(f *file) bool {
	for _, e := range r.Except {
		if within(e, f.dir) {
			return false
		}
	}
	return (r.Tests || !f.test()) && (r.Commands || !f.command())
}

func (t *Tree) brokenImports(r ImportRule, f *file) []string {
	var bad []string
	f.imports(func(spec *ast.ImportSpec, path string) {
		name := t.local(path)
		matches := func(pattern string) bool { return within(pattern, name) }
		switch {
		case slices.ContainsFunc(r.Deny, matches),
			r.Allow != nil && !standard(path) && !slices.ContainsFunc(r.Allow, matches):
			bad = append(bad, t.at(spec, "%s may not import %s: %s", f.dir, name, r.Why))
		}
	})
	return bad
}

// local writes an import path the way that rules do.
func (t *Tree) local(path string) string {
	if path == t.Module {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, t.Module+"/"); ok {
		return "./" + rest
	}
	return path
}

// standard reports whether the path is of the standard library: only there does the first element have no dot. The
// pseudo-package C is not.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && path != "C"
}
