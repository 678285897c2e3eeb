package testimage

import (
	"os"
	"path/filepath"
	"testing"
)

// A changed recipe is another image; the same recipe is the same one in every program.
func TestKey(t *testing.T) {
	a := recipes()["odd"]
	before := a.key()
	if again := recipes()["odd"].key(); again != before {
		t.Errorf("%s, then %s", before, again)
	}
	for name, change := range map[string]func(*recipe){
		"a package": func(r *recipe) { r.layers[0].packages = append(r.layers[0].packages, "more") },
		"a mode":    func(r *recipe) { r.layers[0].extra[0].Mode++ },
		"content":   func(r *recipe) { r.layers[1].extra[0].content += "x" },
		"a setting": func(r *recipe) { r.config.User = "somebody" },
		"a variant": func(r *recipe) { r.variants = r.variants[1:] },
		"attribute": func(r *recipe) { r.layers[0].extra[1] = r.layers[0].extra[1].with("user.x", "1") },
	} {
		r := recipes()["odd"]
		change(&r)
		if r.key() == before {
			t.Errorf("%s does not change the key", name)
		}
	}
}

func TestImagesWhoseMakingFailsLeaveNothing(t *testing.T) {
	cache := t.TempDir()
	if err := build(t.Context(), cache, filepath.Join(cache, "x"), recipe{platforms: []platform{{}}, layers: []source{{packages: []string{"no/such package"}}}}); err == nil {
		t.Fatal("made of a package that there is not")
	}
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "debs" {
			t.Errorf("%s is left", e.Name())
		}
	}
}
