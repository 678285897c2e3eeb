package caisson_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/testimage"
	"github.com/caisson-go/caisson/internal/testneed"
)

// The formats of a file with an image.
const (
	dockerArchive = "docker-archive"
	ociArchive    = "oci-archive"
)

// pairName is how the image is called in every file.
const pairName = "localhost/pair:1"

// imageTool is a program that saves and loads images.
type imageTool struct {
	name string
	// fetch gets the image from a registry and calls it pairName.
	fetch func(ref string) error
	// save writes the image to a file; formats are those that it can write.
	save    func(file, format string) error
	formats []string
	// load reads an image from a file and runs it, if the program can. id is the digest of its configuration.
	load  func(file, format string) (id, output string, err error)
	loads []string
}

// Every program loads what every other one saves, with the same identity, and it runs. Where caisson is on neither side,
// or the other program does not know the format, the outcome is told and no more.
func TestEveryPairOfProgramsExchangesImages(t *testing.T) {
	if os.Getenv("CAISSON_FULL") != "1" {
		testneed.Feature(t, "full", errors.New("all pairs take minutes"), "set CAISSON_FULL=1")
	}
	testneed.Root(t)
	registry, image := realRegistry(t), testimage.Open(t, "busybox")
	for _, tag := range []string{"gzip", "zstd"} {
		must(t, image.Upload(t.Context(), registry.Host, tag))
	}
	tools := imageTools(t, registry.Host)
	head := []string{"saved by \\ loaded by"}
	for _, l := range tools {
		head = append(head, l.name)
	}
	table := []string{row(head), row(strings.Split(strings.Repeat("---,", len(head)-1)+"---", ","))}
	for _, s := range tools {
		for _, tag := range []string{"gzip", "zstd"} {
			for _, format := range s.formats {
				table = append(table, row(append([]string{fmt.Sprintf("%s, %s, %s", s.name, format, tag)}, pairsOf(t, s, tools, image.Ref(registry.Host, tag), format)...)))
			}
		}
	}
	t.Logf("each cell: loaded with the same configuration and run\n%s", strings.Join(table, "\n"))
}

func row(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }

// pairsOf is a row of the table: one program saves and each loads.
func pairsOf(t *testing.T, s imageTool, tools []imageTool, ref, format string) []string {
	t.Helper()
	cells := make([]string, len(tools))
	file := filepath.Join(t.TempDir(), "image.tar")
	err := s.fetch(ref)
	if err == nil {
		err = s.save(file, format)
	}
	id := "" // that of the file: some programs write another configuration than they have
	if err == nil {
		id, err = configOf(format + ":" + file)
	}
	for i, l := range tools {
		// This umoci does not know zstd in layers.
		ours := (s.name == "caisson" || l.name == "caisson") && !(l.name == "umoci" && strings.HasSuffix(ref, ":zstd"))
		switch {
		case err != nil:
			cells[i] = "(not saved)"
			if s.name == "caisson" {
				t.Errorf("save as %s: %v", format, err)
			}
		case !slices.Contains(l.loads, format):
			cells[i] = "-"
		default:
			complain := t.Logf
			if ours {
				complain = t.Errorf
			}
			cells[i] = pairOutcome(l, id, file, format, complain)
		}
	}
	t.Logf("%s, %s, %s: %v (%v)", s.name, format, ref, cells, err)
	return cells
}

func pairOutcome(l imageTool, id, file, format string, complain func(string, ...any)) string {
	const want = "hello 1000 /work\n"
	got, output, err := l.load(file, format)
	switch {
	case err != nil:
		complain("%s does not load this %s: %v", l.name, format, err)
		return "no"
	case l.name != "skopeo" && strings.ReplaceAll(output, "\r", "") != want:
		complain("%s, loaded from %s, prints %q", l.name, format, output)
		return "does not run"
	case strings.TrimPrefix(got, "sha256:") != strings.TrimPrefix(id, "sha256:"):
		complain("%s loads %s as %s, not %s", l.name, format, got, id)
		return "another id"
	}
	return "yes"
}
