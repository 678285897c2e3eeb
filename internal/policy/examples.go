package policy

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"unicode"
)

// ExampleRule says what must have an Example.
type ExampleRule struct {
	Types   []string          // types whose exported methods each need one; a type that does not exist yet needs none
	Exempt  map[string]string // "Type.Method" or "Func", with the reason
	Methods []string          // method names that need none on any type
}

// Examples returns the functions and the methods of the rule's types for which the directory's tests have no Example, and
// the exemptions that have become pointless.
func (t *Tree) Examples(dir string, rule ExampleRule) ([]string, error) {
	files, err := t.public(dir)
	if err != nil {
		return nil, err
	}
	shown := t.exampleNames(dir)
	var bad []string
	seen := make(map[string]bool)
	for _, f := range files {
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || !rule.covers(d) {
				continue
			}
			name := strings.Join(symbol(d), ".")
			seen[name] = true
			has := slices.ContainsFunc(shown, func(e string) bool { return demonstrates(e, strings.Join(symbol(d), "_")) })
			_, exempt := rule.Exempt[name]
			switch {
			case !has && !exempt:
				bad = append(bad, t.at(d, "%s has no Example%s", name, strings.Join(symbol(d), "_")))
			case has && exempt:
				bad = append(bad, t.at(d, "%s is exempt from having an Example, and has one", name))
			}
		}
	}
	for name := range rule.Exempt {
		if !seen[name] {
			bad = append(bad, fmt.Sprintf("%s is exempt from having an Example, and does not exist", name))
		}
	}
	slices.Sort(bad)
	return bad, nil
}

func (r *ExampleRule) covers(d *ast.FuncDecl) bool {
	if !d.Name.IsExported() {
		return false
	}
	recv, _ := receiver(d)
	return d.Recv == nil || slices.Contains(r.Types, recv) && !slices.Contains(r.Methods, d.Name.Name)
}

// symbol is the type, if any, and the name.
func symbol(d *ast.FuncDecl) []string {
	if recv, _ := receiver(d); recv != "" {
		return []string{recv, d.Name.Name}
	}
	return []string{d.Name.Name}
}

// exampleNames lists the Example functions of a directory, without the word.
func (t *Tree) exampleNames(dir string) []string {
	var names []string
	for _, f := range t.files {
		if f.dir != dir || !f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil {
				if name, ok := strings.CutPrefix(d.Name.Name, "Example"); ok {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// demonstrates reports whether an Example of this name is about the symbol: the name itself, or with a suffix that begins
// with a small letter (package testing, "Examples").
func demonstrates(example, symbol string) bool {
	rest, ok := strings.CutPrefix(example, symbol)
	if !ok || rest == "" {
		return ok
	}
	suffix, ok := strings.CutPrefix(rest, "_")
	return ok && suffix != "" && unicode.IsLower([]rune(suffix)[0])
}
