package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/caisson-go/caisson/internal/layer"
)

// record is layers/<diff id>/record.json, or unsettled.json beside it. A layer without one is not complete.
type record struct {
	DiffID    v1.Hash `json:"diffID"`
	Boot      string  `json:"boot,omitempty"` // of an unsettled layer: the run of the kernel that made it
	Made      string  `json:"made,omitempty"` // and what tells it from every other that has been in its place
	UserXattr bool    `json:"userXattr,omitempty"`
	Owners    string  `json:"owners"`
	layer.Stats
}

// owners names what becomes of the owners of a layer's files.
func owners(o layer.Options) string {
	switch {
	case o.IgnoreOwners:
		return "squashed"
	case o.Owner != nil || o.User != nil:
		return "mapped"
	}
	return "kept"
}

// LayerDir is the directory of an unpacked layer, to be a lower directory of an overlay. It is there once PutLayer has
// returned. It is "" for what is no SHA-256 digest.
func (s *Store) LayerDir(diffID v1.Hash) string {
	if checkHash(diffID) != nil {
		return ""
	}
	return filepath.Join(s.dir, "layers", diffID.Hex, "fs")
}

// LayerStats is what came of unpacking a layer, if it is there.
func (s *Store) LayerStats(diffID v1.Hash) (layer.Stats, bool) {
	if checkHash(diffID) != nil {
		return layer.Stats{}, false
	}
	root, err := s.read()
	if err != nil {
		return layer.Stats{}, false
	}
	defer root.Close()
	r, ok := readRecord(root, diffID)
	return r.Stats, ok
}

// PutLayer unpacks the tar stream that open yields, unless the layer is there. The stream is read to its end and must
// have the digest diffID. Several callers, in this and other processes, wait for the first one to unpack.
//
// It does not wait until the layer is on the disk for good: until Settle a layer is there for this run of the kernel,
// and has to be unpacked anew, from its blob, after a restart of the machine.
//
// Errors: *Error around *layer.Error, ErrDigest, ErrLayerOptions (it is there, unpacked with other options),
// errors.ErrUnsupported (not on Linux, or not SHA-256), the error of open, ctx.Err(), the errno.
func (s *Store) PutLayer(ctx context.Context, diffID v1.Hash, open func() (io.ReadCloser, error), o layer.Options) error {
	return wrap("layer", diffID.String(), s.putLayer(ctx, diffID, open, o))
}

func (s *Store) putLayer(ctx context.Context, diffID v1.Hash, open func() (io.ReadCloser, error), o layer.Options) error {
	return s.fillLayer(ctx, diffID, o, func(_ disk, dir *os.File) (layer.Stats, error) {
		rc, err := open()
		if err != nil {
			return layer.Stats{}, err
		}
		stats, err := unpackVerified(ctx, dir, rc, diffID, o)
		if cerr := rc.Close(); err == nil {
			err = cerr
		}
		return stats, err
	})
}

// filler unpacks something into a directory.
type filler func(root disk, dir *os.File) (layer.Stats, error)

// fillLayer makes a layer, unless it is there.
func (s *Store) fillLayer(ctx context.Context, diffID v1.Hash, o layer.Options, fill filler) error {
	if err := checkHash(diffID); err != nil {
		return err
	}
	root, err := s.write(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := s.note(ctx, diffID); err != nil {
		return err
	}
	if done, err := present(root, diffID, o); done || err != nil {
		return err
	}
	// One lock for 256th of all layers: a lock file for each would stay forever.
	release, err := lock(ctx, root, "layer-"+diffID.Hex[:2])
	if err != nil {
		return err
	}
	defer release()
	if done, err := present(root, diffID, o); done || err != nil {
		return err
	}
	st, err := newStage(ctx, root)
	if err != nil {
		return err
	}
	defer st.discard()
	if err := unpack(st, diffID, o, fill); err != nil {
		return err
	}
	if err := remember(root, diffID); err != nil {
		return err
	}
	return publish(st, diffID)
}

// present reports whether a layer is complete, and fails if it was made in another way.
func present(root disk, diffID v1.Hash, o layer.Options) (bool, error) {
	r, ok := readRecord(root, diffID)
	if !ok {
		return false, nil
	}
	if r.UserXattr != o.UserXattr || r.Owners != owners(o) {
		return true, &Error{Op: "layer", Path: diffID.String(), Err: ErrLayerOptions,
			Hint: "remove the images that have it and pull them again, or use another directory"}
	}
	return true, nil
}

// maxRecord bounds a record: 256 skipped things with the longest names there are.
const maxRecord = 8 << 20

// readRecord reads the completion record of a layer, and reports whether the layer is there.
func readRecord(root disk, diffID v1.Hash) (record, bool) {
	dir := "layers/" + diffID.Hex
	r, err := readRecordAt(root, dir+settledRecord)
	if errors.Is(err, fs.ErrNotExist) {
		if r, err = readRecordAt(root, dir+unsettledRecord); err == nil && r.Boot != root.Boot() {
			return record{}, false
		}
	}
	return r, err == nil && r.DiffID == diffID && isDir(root, dir+"/fs")
}

func readRecordAt(root disk, name string) (record, error) {
	f, err := root.Open(name)
	if err != nil {
		return record{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return record{}, err
	}
	return decodeRecord(b)
}

// encode makes a line of JSON with its digest, another JSON value, on a line behind it: nothing else would tell a record
// that was damaged on the disk.
func (r record) encode() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s\n%q\n", b, sumOf(b)), nil
}

func decodeRecord(b []byte) (record, error) {
	var r record
	line, sum, _ := bytes.Cut(b, []byte("\n"))
	if string(sum) != fmt.Sprintf("%q\n", sumOf(line)) {
		return r, ErrDigest
	}
	return r, json.Unmarshal(line, &r)
}

func sumOf(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }

// unpack makes layer/fs and its record in the stage.
func unpack(st *stage, diffID v1.Hash, o layer.Options, fill filler) error {
	dst := st.path + "/layer/fs"
	if err := st.root.MkdirAll(dst, 0o700); err != nil {
		return err
	}
	dir, err := st.root.Open(dst)
	if err != nil {
		return err
	}
	defer dir.Close()
	stats, err := fill(st.root, dir)
	if err == nil {
		err = writeImplied(st, stats.ImpliedPaths)
	}
	if err != nil {
		return err
	}
	return st.vouch(record{DiffID: diffID, UserXattr: o.UserXattr, Owners: owners(o), Stats: stats})
}

// publish renames the layer into place. What is there without a record, or with that of another run of the kernel, and
// so is not a layer, makes way.
func publish(st *stage, diffID v1.Hash) error {
	to := "layers/" + diffID.Hex
	if err := st.root.Rename(to, st.path+"/broken"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return st.root.Rename(st.path+"/layer", to)
}
