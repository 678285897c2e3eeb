package policy

import (
	"go/ast"
	"go/token"
)

// Undocumented returns the exported names of a directory's package that no comment explains, and says so if the package
// itself has none. A comment on a group covers the group; struct fields and interface methods count as names.
func (t *Tree) Undocumented(dir string) ([]string, error) {
	files, err := t.public(dir)
	if err != nil {
		return nil, err
	}
	c := &commentCheck{t: t}
	packageDoc := false
	for _, f := range files {
		packageDoc = packageDoc || f.ast.Doc != nil
		for _, decl := range f.ast.Decls {
			c.decl(decl)
		}
	}
	if len(files) > 0 && !packageDoc {
		c.bad = append(c.bad, dir+": the package has no comment")
	}
	return c.bad, nil
}

type commentCheck struct {
	t   *Tree
	bad []string
}

func (c *commentCheck) decl(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if recv, _ := receiver(d); d.Name.IsExported() && (recv == "" || ast.IsExported(recv)) {
			c.name(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			c.spec(d, spec)
		}
	}
}

func (c *commentCheck) spec(d *ast.GenDecl, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			c.name(name, d.Doc, s.Doc, s.Comment)
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if d.Lparen == token.NoPos {
			c.name(s.Name, d.Doc, s.Doc, s.Comment)
		} else {
			c.name(s.Name, s.Doc, s.Comment) // a group of types is not one thing
		}
		switch typ := s.Type.(type) {
		case *ast.StructType:
			c.fields(typ.Fields)
		case *ast.InterfaceType:
			c.fields(typ.Methods)
		}
	}
}

// fields checks named fields and methods; an embedded one is explained by its type.
func (c *commentCheck) fields(list *ast.FieldList) {
	for _, field := range list.List {
		for _, name := range field.Names {
			c.name(name, field.Doc, field.Comment)
		}
	}
}

func (c *commentCheck) name(name *ast.Ident, comments ...*ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	for _, g := range comments {
		if g.Text() != "" {
			return
		}
	}
	c.bad = append(c.bad, c.t.at(name, "%s has no comment", name.Name))
}

// receiver returns the name of a method's receiver type, and whether it is a pointer.
func receiver(d *ast.FuncDecl) (name string, pointer bool) {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return "", false
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e, pointer = x.X, true
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name, pointer
		default:
			return "", pointer
		}
	}
}
