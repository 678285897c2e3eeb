package changes_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/changes"
)

func (s *scene) list(t changes.Tree) []string {
	s.t.Helper()
	var lines []string
	for c, err := range changes.List(s.t.Context(), t) {
		if err != nil {
			s.t.Fatalf("after %q: %v", lines, err)
		}
		lines = append(lines, c.Kind.String()+" "+c.Path)
	}
	return lines
}

func TestListSaysWhatHasChanged(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		want := []string{
			"C /again", "A /again/new", "D /again/old1", "C /again/old2", "C /again/sub", "D /again/sub/old3",
			"A /bin2",
			"A /fresh", "A /fresh/dir", "A /fresh/dir/empty", "A /fresh/dir/f", "A /fresh/dir/third", "A /fresh/fifo",
			"A /fresh/link", "A /fresh/second",
			"D /gone", "C /kept", "C /linked1", "C /mode", "A /" + strings.Repeat("n", 250), "A /odd\n\xffname",
			"A /opaque", "A /secret", "A /secret/file", "A /sparse", "C /todir", "A /todir/x", "C /tofile",
			"C /touched", "C /usr", "C /usr/bin", "C /usr/bin/a", "D /usr/bin/b", "A /usr/bin/c",
		}
		got := s.list(s.tree())
		if !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
	})
}

// Whatever lies in several layers, the upper directory is compared with what they show together.
func TestListComparesWithAllLayers(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(dir string) {
			for _, n := range []string{"d/one", "d/two", "d/sub/x", "e/file", "f"} {
				put(t, dir, n, "1")
			}
		})
		// The middle layer is what a container has left behind: with whiteouts and opaque directories.
		s.inside("", "rm d/two; echo 2 > d/three; rm -r e; mkdir e; echo 2 > e/other; rm f")
		must(t, os.Rename(s.at("upper"), s.at("lower1")))
		must(t, os.Mkdir(s.at("upper"), 0o755))
		s.lower = append(s.lower, s.at("lower1"))
		s.inside("", "rm -r d; mkdir d; echo 3 > d/two; rm -r e; mkdir e; echo 3 > e/file; echo 3 > f")
		want := []string{
			"C /d", "D /d/one", "D /d/sub", "D /d/three", "A /d/two",
			"C /e", "A /e/file", "D /e/other", "A /f",
		}
		if got := s.list(s.tree()); !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
	})
}

// What the start of a container makes for mounts to stand on is not its program's doing.
func TestListLeavesOutWhatWasMadeForMounts(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(dir string) { put(t, dir, "etc/passwd", "") })
		s.inside("", ": > etc/hosts; mkdir -p data/deep srv/used; : > srv/used/file; echo text > etc/hostname; mkdir etc/x; : > etc/x/y")
		tree := s.tree()
		tree.Made = []string{"/etc/hosts", "/etc/hostname", "/data", "/data/deep", "/srv", "/srv/used"}
		want := []string{"C /etc", "A /etc/hostname", "A /etc/x", "A /etc/x/y", "A /srv", "A /srv/used", "A /srv/used/file"}
		if got := s.list(tree); !slices.Equal(got, want) {
			t.Errorf("got\n%q\nwant\n%q", got, want)
		}
		must(t, os.RemoveAll(s.at("upper/etc/x")))
		must(t, os.RemoveAll(s.at("upper/srv/used/file")))
		must(t, os.Remove(s.at("upper/etc/hostname")))
		if got := s.list(tree); got != nil {
			t.Errorf("nothing has changed, but it lists %q", got)
		}
	})
}

func TestListStopsWhenAsked(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(fill(t))
		s.inside("", script)
		for range changes.List(t.Context(), s.tree()) {
			break
		}
	})
}

// However large a directory is, a part of its names at a time is in memory.
func TestListInLittleMemory(t *testing.T) {
	both(t, func(t *testing.T, s *scene) {
		s.addLower(func(dir string) { put(t, dir, "d/0", "") })
		var want []string
		for _, d := range []string{"d", "d/e", "d/e/f"} {
			want = append(want, "A /"+d)
			must(t, os.MkdirAll(filepath.Join(s.at("upper"), d), 0o755))
			for i := range 300 {
				name := d + "/" + strings.Repeat(string(rune('a'+i%26)), 1+i/26)
				if os.Mkdir(filepath.Join(s.at("upper"), name), 0o755) == nil {
					want = append(want, "A /"+name)
				}
			}
		}
		want[0] = "C /d"
		slices.SortFunc(want, func(a, b string) int { return slices.Compare(strings.Split(a[2:], "/"), strings.Split(b[2:], "/")) })
		want = slices.Compact(want)
		tree := s.tree()
		tree.Limits.Names = 500
		got := s.list(tree)
		if !slices.Equal(got, want) {
			i := 0
			for i < min(len(got), len(want)) && got[i] == want[i] {
				i++
			}
			t.Errorf("%d changes, want %d; from %d on %q, want %q", len(got), len(want), i, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
		}
	})
}
