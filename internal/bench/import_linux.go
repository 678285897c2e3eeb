package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const modulePath = "github.com/caisson-go/caisson"

// importing measures what an empty program pays for the import: size and time to start.
func (b *bench) importing() error {
	if _, err := exec.LookPath("go"); err != nil {
		fmt.Println("left out: import:", err)
		return nil
	}
	library, err := b.library()
	if err != nil {
		fmt.Println("left out: import:", err)
		return nil
	}
	dir, err := b.emptyModule(library)
	if err != nil {
		return err
	}
	var all []*contestant
	rows := [][]string{{"MB", "as built", "stripped (-s -w)"}}
	var sizes [2][2]int64
	for i, p := range []struct{ name, label string }{{"without", "empty program"}, {"with", "the same with the import"}} {
		for j, flags := range []string{"", "-s -w"} {
			out := filepath.Join(dir, fmt.Sprintf("%s%d.out", p.name, j))
			// -mod=mod, because the module's go.mod names the library alone and not what that needs.
			if err := tool(b.ctx, dir, "go", "build", "-mod=mod", "-ldflags="+flags, "-o", out, "./"+p.name); err != nil {
				return err
			}
			info, err := os.Stat(out)
			if err != nil {
				return err
			}
			sizes[i][j] = info.Size()
			if j == 0 {
				all = append(all, program(p.label, 10, out))
			}
		}
		rows = append(rows, []string{p.label, megabytes(sizes[i][0]), megabytes(sizes[i][1])})
	}
	rows = append(rows, []string{"added", megabytes(sizes[1][0] - sizes[0][0]), megabytes(sizes[1][1] - sizes[0][1])})
	table("size of a program that imports the library", rows)
	able, err := compete(b.ctx, max(b.rounds/2, 20), all)
	if err != nil {
		return err
	}
	report("start to exit of the same programs", able, "empty program")
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }

// library is the directory of the module that the current directory belongs to.
func (b *bench) library() (string, error) {
	out, err := exec.CommandContext(b.ctx, "go", "list", "-m", "-f", "{{.Dir}}", modulePath).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w; run it in the checkout", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// emptyModule makes a module with two programs that do nothing.
func (b *bench) emptyModule(library string) (string, error) {
	sums, err := os.ReadFile(filepath.Join(library, "go.sum"))
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.room.dir, "import")
	for name, text := range map[string]string{
		"go.mod": "module example.org/empty\n\ngo 1.26\n\nrequire " + modulePath + " v0.0.0\n\nreplace " + modulePath +
			" => " + library + "\n",
		"go.sum":          string(sums),
		"without/main.go": "package main\n\nfunc main() {}\n",
		"with/main.go":    "package main\n\nimport _ \"" + modulePath + "\"\n\nfunc main() {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
