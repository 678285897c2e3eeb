package caisson

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// sweepOnce clears what killed programs left, for a container that needs no directory itself. There is
// nothing to clear where no container ever needed one.
func (e *Engine) sweepOnce() {
	dir, err := e.dir()
	if err != nil {
		return
	}
	if _, err := os.Lstat(filepath.Join(dir, "containers")); err != nil {
		return
	}
	if _, err := e.enterRoom(); err == nil {
		e.leaveRoom()
	}
}

// sweep removes the directories, processes and cgroups of containers whose program is gone.
func (e *Engine) sweep(base *os.File) {
	if _, err := base.Seek(0, 0); err != nil {
		return
	}
	names, _ := base.Readdirnames(-1)
	var alive map[string]bool
	for _, name := range names {
		lock, err := lockDir(base, name)
		if err == syscall.ENOTDIR || err == syscall.ELOOP {
			_ = sys.Unlinkat(int(base.Fd()), name)
		}
		if err != nil {
			continue // somebody's
		}
		if alive == nil {
			alive = layersInUse()
		}
		err = endLeftovers(lock, name, alive[name])
		if err == nil {
			err = errors.Join(removeGroups(name), e.removeTree(base, lock, name))
		}
		_ = lock.Close()
		e.log().Info("cleared a container whose program is gone", "container", name, "error", err)
	}
}

// endLeftovers kills what still runs of a container that nobody looks after: a detached one whose supervisor was
// killed, and one that shares its process namespace. What would not die keeps the container's directory.
func endLeftovers(lock *os.File, id string, inUse bool) error {
	if err := endFirst(lock); err != nil || !inUse {
		return err
	}
	return killAll(lock.Name(), func(pid int) bool { return layerOf(pid) == id })
}

// layersInUse are the IDs of the containers whose writable layer is in the root directory of a process.
func layersInUse() map[string]bool {
	ids := map[string]bool{}
	_ = eachProcess(func(pid int) { ids[layerOf(pid)] = true })
	return ids
}

// layerOf is the ID of the container whose writable layer a process has in its root directory, or "". An ID is
// random and as long as a digest, so it means one container only, whatever directory it is in.
func layerOf(pid int) (id string) {
	anyTask(pid, func(dir string) (bool, error) {
		f, err := os.Open(dir + "/mountinfo")
		if err != nil {
			return false, err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, mostMounts))
		if err == nil {
			id = layerIn(string(b))
		}
		return id != "", err
	})
	return id
}

// mostMounts bounds how much is read of a process's mounts. The root is among the first.
const mostMounts = 1 << 20

// layerIn finds the overlay at the root among mounts; proc_pid_mountinfo(5).
func layerIn(mounts string) string {
	for line := range strings.Lines(mounts) {
		mount, filesystem, _ := strings.Cut(line, " - ")
		m, f := strings.Fields(mount), strings.Fields(filesystem)
		if len(m) < 5 || m[4] != "/" || len(f) < 3 || f[0] != "overlay" {
			continue
		}
		for option := range strings.SplitSeq(f[2], ",") {
			dir, isUpper := strings.CutPrefix(option, "upperdir=")
			dir, ours := strings.CutSuffix(dir, "/upper")
			if isUpper && ours && filepath.Base(filepath.Dir(dir)) == "containers" {
				return filepath.Base(dir)
			}
		}
	}
	return ""
}
