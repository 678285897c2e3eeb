package policy

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// forbiddenFuncs are functions that a library must not call, by package, with the reason. "*" stands for all of them.
func forbiddenFuncs() map[string]map[string]string {
	const (
		state  = "it changes the whole process, which belongs to the program"
		global = "a library reports by return values, and logs to the logger that it was given"
	)
	process := map[string]string{
		"Exit": "ending the process is the program's decision", "Chdir": state, "Fchdir": state, "Umask": state,
		"Setenv": state, "Unsetenv": state, "Clearenv": state,
	}
	return map[string]map[string]string{
		"os":                    process,
		"syscall":               process,
		"golang.org/x/sys/unix": process,
		"log":                   {"*": global},
		"log/slog": {
			"Debug": global, "Info": global, "Warn": global, "Error": global, "Log": global, "LogAttrs": global,
			"DebugContext": global, "InfoContext": global, "WarnContext": global, "ErrorContext": global,
			"Default": global, "SetDefault": global,
		},
		"fmt":       {"Print": global, "Printf": global, "Println": global},
		"os/signal": {"*": "signals are the program's"},
		"time":      {"Sleep": "wait for the event itself, or for a timer together with a context"},
	}
}

// Words returns the uses of forbidden functions in library code: not in tests, in commands, or below the exempt
// directories.
func (t *Tree) Words(exempt ...string) []string {
	var bad []string
	for _, f := range t.files {
		if f.test() || f.command() || slices.ContainsFunc(exempt, func(e string) bool { return within(e, f.dir) }) {
			continue
		}
		w := &words{t: t, funcs: forbiddenFuncs(), packages: importNames(f)}
		ast.Inspect(f.ast, w.visit)
		bad = append(bad, w.bad...)
	}
	return bad
}

type words struct {
	t        *Tree
	funcs    map[string]map[string]string
	packages map[string]string // name in the file to import path
	bad      []string
}

// importNames maps the names under which a file knows its imports to their paths.
func importNames(f *file) map[string]string {
	names := make(map[string]string)
	f.imports(func(spec *ast.ImportSpec, p string) {
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	})
	return names
}

func (w *words) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		if n.Recv == nil && n.Name.Name == "init" {
			w.add(n, "func init: importing a package must do nothing")
		}
	case *ast.SelectorExpr:
		if pkg := w.packageOf(n); pkg != "" {
			why := w.funcs[pkg][n.Sel.Name]
			if why == "" {
				why = w.funcs[pkg]["*"]
			}
			if why != "" {
				w.add(n, "%s.%s: %s", pkg, n.Sel.Name, why)
			}
		}
	case *ast.CallExpr:
		w.call(n)
	}
	return true
}

// packageOf returns the import path of the package that the selector selects from, if it does.
func (w *words) packageOf(s *ast.SelectorExpr) string {
	x, ok := s.X.(*ast.Ident)
	if !ok || x.Obj != nil { // a local variable may have a package's name
		return ""
	}
	return w.packages[x.Name]
}

func (w *words) call(c *ast.CallExpr) {
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		if fun.Obj == nil && (fun.Name == "print" || fun.Name == "println") {
			w.add(c, "%s: a library does not write to standard error", fun.Name)
		}
		w.wait(c, fun.Name)
	case *ast.SelectorExpr:
		w.wait(c, fun.Sel.Name)
		if pkg := w.packageOf(fun); fun.Sel.Name == "Join" && (pkg == "path/filepath" || pkg == "path") && len(c.Args) > 0 {
			if strings.Contains(strings.ToLower(operandName(c.Args[0])), "rootfs") {
				w.add(c, "a path below a container's root is not joined but opened in it: the container may swap a symbolic link in")
			}
		}
	}
}

// wait finds wait4(-1) under any of its wrappers' names.
func (w *words) wait(c *ast.CallExpr, name string) {
	if strings.EqualFold(name, "wait4") && len(c.Args) > 0 && isMinusOne(c.Args[0]) {
		w.add(c, "wait4(-1) takes the exit status of the program's other children")
	}
}

func isMinusOne(e ast.Expr) bool {
	u, ok := e.(*ast.UnaryExpr)
	if !ok || u.Op != token.SUB {
		return false
	}
	one, ok := u.X.(*ast.BasicLit)
	return ok && one.Value == "1"
}

// operandName is an operand's chain of names: c.rootfs.path for c.rootfs.path().
func operandName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return operandName(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return operandName(e.Fun)
	}
	return ""
}

func (w *words) add(n ast.Node, format string, args ...any) {
	w.bad = append(w.bad, w.t.at(n, format, args...))
}

// Skips returns the tests that skip by themselves, outside the exempt directories. Skip without an argument is allowed:
// it is how a fuzz target declines an input.
func (t *Tree) Skips(use string, exempt ...string) []string {
	var bad []string
	for _, f := range t.files {
		if !f.test() || slices.ContainsFunc(exempt, func(e string) bool { return within(e, f.dir) }) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := c.Fun.(*ast.SelectorExpr)
			if ok && (s.Sel.Name == "SkipNow" || s.Sel.Name == "Skipf" || s.Sel.Name == "Skip" && len(c.Args) > 0) {
				bad = append(bad, t.at(c, "%s: skip with %s, so that continuous integration can forbid it", s.Sel.Name, use))
			}
			return true
		})
	}
	return bad
}

// Names returns the directories, files and packages that have one of the words in their names. Such a name says that
// what lies there has nothing in common.
func (t *Tree) Names(forbidden ...string) []string {
	bad := make(map[string]bool)
	check := func(kind, where, name string) {
		for _, part := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' || r == '.' }) {
			if slices.Contains(forbidden, strings.ToLower(part)) {
				bad[fmt.Sprintf("%s: the %s is named %s", where, kind, strconv.Quote(part))] = true
			}
		}
	}
	for _, f := range t.files {
		check("directory", f.dir, path.Base(f.dir))
		check("file", path.Join(f.dir, f.name), strings.TrimSuffix(f.name, ".go"))
		check("package", path.Join(f.dir, f.name), f.ast.Name.Name)
	}
	list := make([]string, 0, len(bad))
	for b := range bad {
		list = append(list, b)
	}
	slices.Sort(list)
	return list
}
