package testimage_test

import (
	"testing"

	"github.com/caisson-go/caisson/internal/testimage"
)

func TestMake(t *testing.T) {
	for _, name := range testimage.Names() {
		t.Run(name, func(t *testing.T) {
			i := testimage.Open(t, name)
			tags, err := i.Tags()
			t.Log(i.Layout, tags, err)
		})
	}
}
