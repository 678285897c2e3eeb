package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/caisson-go/caisson/internal/testimage"
)

// pullOptions are the flags of the part pull.
type pullOptions struct {
	image, tag, who, profile string
}

// registrar is whoever pulls: a program, or a daemon with a client. Each round begins with nothing: begin makes an empty
// store, and end takes it away.
type registrar struct {
	name  string
	begin func(ctx context.Context, dir string) (session, error)
	colds []used
	warms []used
}

// session is a store that a registrar has open.
type session struct {
	cold func() (used, error)
	warm func() (used, error) // nil: there is no such thing
	end  func() error
}

// used is what a pull has cost.
type used struct {
	wall, cpu time.Duration
	resident  int64 // the most at once, in bytes; 0: not known
}

// pull measures how long it takes until an image of a registry on this machine is unpacked.
func (b *bench) pull() (err error) {
	if !b.root {
		fmt.Println("left out: pull: the peers need root")
		return nil
	}
	image, err := testimage.Make(b.ctx, b.pulls.image)
	if err != nil {
		return err
	}
	cache, err := testimage.Cache()
	if err != nil {
		return err
	}
	registry, err := testimage.StartRegistry(b.ctx, filepath.Join(cache, "registry"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Stop()) }()
	if err := image.Upload(b.ctx, registry.Host, b.pulls.tag); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	all := chosenRegistrars(b.registrars(image, image.Ref(registry.Host, b.pulls.tag)), b.pulls.who)
	if all, err = b.pullRounds(all, dir); err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("nobody is left")
	}
	b.reportPulls(all, registry.Host, image)
	return nil
}

func chosenRegistrars(all []*registrar, who string) []*registrar {
	if who == "" {
		return all
	}
	names := strings.Split(who, ",")
	return slices.DeleteFunc(all, func(r *registrar) bool { return !slices.Contains(names, r.name) })
}

// pullRounds leaves out whoever fails. Their first time is not counted: it fills caches, the registry's among them.
func (b *bench) pullRounds(all []*registrar, dir string) ([]*registrar, error) {
	rounds := b.pullRoundsCount()
	for round := range rounds + 1 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i := 0; i < len(all); i++ {
			if err := b.ctx.Err(); err != nil {
				return nil, err
			}
			r := all[i]
			if err := r.once(b.ctx, dir, round > 0); err != nil {
				fmt.Printf("left out: %s: %v\n", r.name, err)
				all = slices.Delete(all, i, i+1)
				i--
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *registrar) int {
		return int(median(walls(a.colds)) - median(walls(b.colds)))
	})
	return all, nil
}

func (b *bench) pullRoundsCount() int {
	switch {
	case b.given > 0:
		return b.given
	case b.short:
		return 1
	}
	return 5
}

// once pulls into an empty store, and some times more when all is there.
func (r *registrar) once(ctx context.Context, dir string, count bool) (err error) {
	d, err := newDisk(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	s, err := r.begin(ctx, d.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	cold, err := s.cold()
	if err != nil {
		return err
	}
	if count {
		r.colds = append(r.colds, cold)
	}
	for range 3 {
		if s.warm == nil {
			break
		}
		warm, err := s.warm()
		if err != nil {
			return fmt.Errorf("once more: %w", err)
		}
		if count {
			r.warms = append(r.warms, warm)
		}
	}
	return nil
}
