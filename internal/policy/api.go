package policy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"slices"
	"strings"
)

// API describes the exported names of a directory's package, one line each, sorted: the text in which a reviewer sees a
// change of the interface. Parameter names are left out, because changing them breaks nobody.
func (t *Tree) API(dir string) ([]string, error) {
	files, err := t.public(dir)
	if err != nil {
		return nil, err
	}
	a := &api{t: t}
	for _, f := range files {
		a.prefix = "pkg " + f.ast.Name.Name + ", "
		for _, decl := range f.ast.Decls {
			a.decl(decl)
		}
	}
	slices.Sort(a.lines)
	return a.lines, nil
}

type api struct {
	t      *Tree
	prefix string
	lines  []string
}

func (a *api) add(format string, args ...any) {
	a.lines = append(a.lines, a.prefix+fmt.Sprintf(format, args...))
}

func (a *api) decl(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		a.function(d)
	case *ast.GenDecl:
		var constType ast.Expr
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				a.typ(s)
			case *ast.ValueSpec:
				if s.Type != nil || len(s.Values) > 0 { // else it repeats the one before (Go specification, "Iota")
					constType = s.Type
				}
				a.value(d.Tok, s, constType)
			}
		}
	}
}

func (a *api) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	recv, pointer := receiver(d)
	switch {
	case d.Recv == nil:
		a.add("func %s%s%s", d.Name.Name, a.typeParams(d.Type.TypeParams), a.signature(d.Type))
	case !ast.IsExported(recv):
	case pointer:
		a.add("method (*%s) %s%s", recv, d.Name.Name, a.signature(d.Type))
	default:
		a.add("method (%s) %s%s", recv, d.Name.Name, a.signature(d.Type))
	}
}

// value describes constants and variables; a literal value is part of the description.
func (a *api) value(tok token.Token, s *ast.ValueSpec, typ ast.Expr) {
	for i, name := range s.Names {
		if !name.IsExported() {
			continue
		}
		line := tok.String() + " " + name.Name
		if typ != nil {
			line += " " + a.expr(typ)
		}
		if tok == token.CONST && i < len(s.Values) {
			line += " = " + a.expr(s.Values[i])
		}
		a.add("%s", line)
	}
}

func (a *api) typ(s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	name := s.Name.Name + a.typeParams(s.TypeParams)
	switch typ := s.Type.(type) {
	case *ast.StructType:
		a.add("type %s struct", name)
		a.fields(name, "struct", typ.Fields)
	case *ast.InterfaceType:
		a.add("type %s interface", name)
		a.fields(name, "interface", typ.Methods)
	default:
		equals := ""
		if s.Assign != token.NoPos {
			equals = "= "
		}
		a.add("type %s %s%s", name, equals, a.expr(s.Type))
	}
}

// fields lists the exported members. An unexported method is mentioned, because nobody else can implement the interface.
func (a *api) fields(typ, kind string, list *ast.FieldList) {
	for _, f := range list.List {
		tag := ""
		if f.Tag != nil {
			tag = " " + f.Tag.Value
		}
		if len(f.Names) == 0 {
			if kind == "interface" || ast.IsExported(baseName(f.Type)) {
				a.add("type %s %s, embedded %s%s", typ, kind, a.expr(f.Type), tag)
			}
			continue
		}
		for _, name := range f.Names {
			method, isMethod := f.Type.(*ast.FuncType)
			switch {
			case !name.IsExported():
				if kind == "interface" {
					a.add("type %s interface, unexported methods", typ)
				}
			case kind == "interface" && isMethod:
				a.add("type %s interface, %s%s", typ, name.Name, a.signature(method))
			default:
				a.add("type %s %s, %s %s%s", typ, kind, name.Name, a.expr(f.Type), tag)
			}
		}
	}
}

// baseName is the name under which an embedded field is known.
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.IndexExpr:
		return baseName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func (a *api) signature(f *ast.FuncType) string {
	results := a.types(f.Results)
	switch len(results) {
	case 0:
		return "(" + strings.Join(a.types(f.Params), ", ") + ")"
	case 1:
		return "(" + strings.Join(a.types(f.Params), ", ") + ") " + results[0]
	}
	return "(" + strings.Join(a.types(f.Params), ", ") + ") (" + strings.Join(results, ", ") + ")"
}

// types lists the types of parameters, one for each of them.
func (a *api) types(list *ast.FieldList) []string {
	if list == nil {
		return nil
	}
	var types []string
	for _, f := range list.List {
		for range max(1, len(f.Names)) {
			types = append(types, a.expr(f.Type))
		}
	}
	return types
}

func (a *api) typeParams(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var params []string
	for _, f := range list.List {
		for _, name := range f.Names {
			params = append(params, name.Name+" "+a.expr(f.Type))
		}
	}
	return "[" + strings.Join(params, ", ") + "]"
}

// expr prints an expression on one line. The types of functions are printed without parameter names, too.
func (a *api) expr(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.FuncType:
		return "func" + a.signature(e)
	case *ast.Ellipsis:
		return "..." + a.expr(e.Elt)
	}
	var b bytes.Buffer
	if err := format.Node(&b, a.t.fset, e); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
