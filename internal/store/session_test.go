package store

import (
	"errors"
	"path"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// tearingDisk writes half of a line of a writer's list, once for each time it is told to.
type tearingDisk struct {
	disk
	tear *int
}

type tearing struct {
	output
	tear *int
}

func (d tearingDisk) Create(name string) (output, error) {
	f, err := d.disk.Create(name)
	if err != nil || path.Base(name) != listName {
		return f, err
	}
	return tearing{f, d.tear}, nil
}

func (t tearing) Write(p []byte) (int, error) {
	if *t.tear == 0 {
		return t.output.Write(p)
	}
	*t.tear--
	n, err := t.output.Write(p[:len(p)/2])
	return n, errors.Join(err, syscall.ENOSPC)
}

// A list of which a line could not be written keeps what comes behind it.
func TestSessionTornLine(t *testing.T) {
	tear := 0
	s := withDisk(open(t), func(d disk) disk { return tearingDisk{d, &tear} })
	release, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	first := putBytes(t, s, "x", []byte("first"))
	tear = 2
	for range tear {
		if err := s.note(t.Context(), digest([]byte("torn"))); !isFull(err) {
			t.Fatal(err)
		}
	}
	second := putBytes(t, s, "x", []byte("second"))
	third := putBytes(t, s, "x", []byte("third"))
	if _, err := openAt(t, s.Dir()).Prune(t.Context(), PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, d := range []v1.Descriptor{first, second, third} {
		if !has(s, d.Digest) {
			t.Errorf("blob %d is gone", i)
		}
	}
}
