package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A blob is on the disk for good before anything refers to it, and a layer can be made again from its blob. So unpacking
// waits for no disk: the record of a new layer, unsettled.json, names the run of the kernel that holds in memory what
// the disk does not have yet, and counts in that run only. Once everything is on the disk, Settle replaces it by
// record.json, which counts for ever. Whatever a power cut left of the one, the other is not there.

// The records of a layer, below its directory.
const (
	settledRecord   = "/record.json"
	unsettledRecord = "/unsettled.json"
)

// written is how long the kernel keeps changes in memory alone, with some to spare: dirty_expire_centisecs and
// dirty_writeback_centisecs of admin-guide/sysctl/vm.rst are 30 and 5 seconds. After that settling is cheap.
const written = time.Minute

// vouch writes the record of the layer that is in the stage.
func (st *stage) vouch(r record) error {
	dir := st.path + "/layer"
	if r.Boot = st.root.Boot(); r.Boot != "" {
		r.Made = rand.Text()
		b, err := r.encode()
		if err != nil {
			return err
		}
		return writeFile(st.root, dir+unsettledRecord, b)
	}
	// Nothing tells this run of the kernel from the next. The record must not be on the disk before what it vouches for.
	if err := st.root.SyncAll(st.path); err != nil {
		return err
	}
	b, err := r.encode()
	if err != nil {
		return err
	}
	if err := writeSynced(st.root, dir+settledRecord, b); err != nil {
		return err
	}
	return st.root.SyncDir(dir)
}

// remember notes a layer that is to be settled, as an empty file. A note may be lost, or stay for nothing: it only spares
// looking through all layers.
func remember(root disk, diffID v1.Hash) error {
	if root.Boot() == "" {
		return nil
	}
	f, err := root.Create("unsettled/" + diffID.Hex)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Settle waits until all layers that have been unpacked are on the disk for good: syncfs(2), which waits for everything
// else on that file system too.
//
// Errors: *Error around ctx.Err(), the errno.
func (s *Store) Settle(ctx context.Context) error {
	root, err := s.update(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap("settle", s.dir, err)
	}
	defer root.Close()
	return wrap("settle", s.dir, settleAll(ctx, root))
}

// settleOld is Settle for a store whose layers the kernel has written out by itself. It is nothing to wait for, nor to
// fail for.
func settleOld(ctx context.Context, root disk) {
	old := false
	_ = eachName(root, "unsettled", func(name string) error {
		fi, err := root.Lstat("unsettled/" + name)
		old = old || err == nil && time.Since(fi.ModTime()) > written
		return nil
	})
	if old {
		_ = settleAll(ctx, root)
	}
}

// promise is a layer that is noted.
type promise struct {
	diffID v1.Hash
	record record // of the layer whose files are synced
	there  bool   // whether there was such a layer
}

// open reports a layer that is not settled yet.
func (p *promise) open() bool { return p.there && p.record.Boot != "" }

func settleAll(ctx context.Context, root disk) error {
	all, err := promises(root)
	if err != nil || len(all) == 0 {
		return err
	}
	if slices.ContainsFunc(all, func(p promise) bool { return p.open() }) {
		if err := root.SyncAll("layers"); err != nil {
			return err
		}
	}
	for _, p := range all {
		if err := p.keep(ctx, root); err != nil {
			return err
		}
	}
	return nil
}

// promises reads what is noted.
func promises(root disk) (all []promise, err error) {
	err = eachName(root, "unsettled", func(name string) error {
		p := promise{diffID: v1.Hash{Algorithm: "sha256", Hex: name}}
		p.record, p.there = readRecord(root, p.diffID)
		all = append(all, p)
		return nil
	})
	return all, err
}

// keep makes a layer count for ever, if it still is the one whose files were synced, and forgets the note.
func (p *promise) keep(ctx context.Context, root disk) error {
	note, dir := "unsettled/"+p.diffID.Hex, "layers/"+p.diffID.Hex
	if !p.open() {
		if fi, err := root.Lstat(note); err != nil || !p.there && time.Since(fi.ModTime()) < written {
			return nil // whoever made the note may be about to publish the layer
		}
		return ignoreGone(root.Remove(note))
	}
	release, err := lockShared(ctx, root) // nobody takes the layer away meanwhile
	if err != nil {
		return err
	}
	defer release()
	if now, ok := readRecord(root, p.diffID); !ok || now.Made != p.record.Made {
		return nil
	}
	p.record.Boot, p.record.Made = "", ""
	b, err := p.record.encode()
	if err != nil {
		return err
	}
	if err := replaceFile(ctx, root, dir+settledRecord, b); err != nil {
		return err
	}
	return errors.Join(ignoreGone(root.Remove(dir+unsettledRecord)), ignoreGone(root.Remove(note)))
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func there(root disk, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}
