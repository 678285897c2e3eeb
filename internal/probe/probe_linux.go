package probe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/caisson-go/caisson/internal/sys"
)

// recorder is a report that is written from several goroutines.
type recorder struct {
	mu     sync.Mutex
	report Report
}

func (r *recorder) record(id ID, detail string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.record(id, detail, err)
}

func (r *recorder) unknown(id ID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.unknown(id, err)
}

func (r *recorder) result(id ID) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report.Results[id]
}

// prober is one run.
type prober struct {
	*Host
	recorder
	scratch string // where the state directory is, or would be: a directory that exists
}

// Run tries everything. The report is never nil; what ctx left no time for is unknown in it.
//
// Errors: ctx.Err.
func Run(ctx context.Context, h *Host) (*Report, error) {
	p := &prober{Host: h, scratch: os.TempDir()}
	if h.StateDir != "" {
		p.scratch = nearest(h.StateDir)
	}
	p.report.CgroupMode = cgroupMode(h.hierarchies())
	p.report.AppArmor, p.report.SELinux = h.appArmor(), h.seLinux()
	var all sync.WaitGroup
	for _, trial := range []func(context.Context){
		p.filesystems, p.ids, p.cgroups, p.calls, p.users, p.here,
		func(ctx context.Context) { p.run(ctx, namespaces(h)) },
		func(ctx context.Context) { p.run(ctx, userNamespace(h)) },
	} {
		all.Go(func() { trial(ctx) })
	}
	all.Wait()
	if !h.Privileged {
		p.report.Results[OrdinaryUser] = p.report.Results[User]
	}
	p.report.conclude(h)
	return &p.report, ctx.Err()
}

// nearest is a directory, or the closest one above it that exists.
func nearest(dir string) string {
	for dir != "" && dir != "/" && dir != "." {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	return "/"
}

// users tries what an ordinary user could do, which only root can ask for somebody else.
func (p *prober) users(ctx context.Context) {
	if p.Privileged {
		p.run(ctx, ordinaryUser())
	}
}

// filesystems runs the script of the same name, with directories for an overlay on disk.
func (p *prober) filesystems(ctx context.Context) {
	if p.StateDir == "" {
		p.unknown(OverlayState, errors.New("there is no default state directory: HOME is not set"))
		p.run(ctx, filesystems(p.Host, ""))
		return
	}
	dir, err := layersIn(p.scratch)
	if err != nil {
		p.record(OverlayState, "", err)
	} else {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	p.run(ctx, filesystems(p.Host, dir))
}

// layersIn makes the directories of an overlay in a new directory, whose path has no symbolic link.
func layersIn(parent string) (string, error) {
	parent, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, ".caisson-probe-")
	if err != nil {
		return "", err
	}
	for _, d := range layerDirs {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// here tries what harms nobody in this process.
func (p *prober) here(context.Context) {
	fd, err := sys.PidfdOpen(os.Getpid())
	p.record(Pidfd, "", errors.Join(err, closed(fd, err)))
	fd, err = sys.Openat2(sys.AT_FDCWD, "/", sys.O_PATH|sys.O_CLOEXEC, 0, sys.RESOLVE_IN_ROOT)
	p.record(Openat2, "", errors.Join(os.NewSyscallError("openat2", err), closed(fd, err)))
	abi, err := sys.LandlockABI()
	p.record(Landlock, landlockDetail(abi), err)
	p.binfmt()
}

// closed closes a descriptor that was opened without error.
func closed(fd int, err error) error {
	if err != nil {
		return nil
	}
	return sys.CloseFD(fd)
}

// memory tries a file in memory, and tells whether one can be made.
func (p *prober) memory() bool {
	f, err := sys.Memfd("caisson-probe")
	if err != nil {
		p.record(MemfdExec, "", err)
		p.unknown(MemfdSeal, err)
		p.unknown(TmpfsXattr, err)
		return false
	}
	defer func() { _ = f.Close() }()
	// Such a file lies on the kernel's own tmpfs.
	p.record(TmpfsXattr, "", os.NewSyscallError("fsetxattr", sys.Fsetxattr(int(f.Fd()), "user.caisson", []byte("1"))))
	p.record(MemfdSeal, "", sys.Seal(f))
	return true
}

// binfmt looks which interpreters the kernel knows for programs of other machines. Registering one to
// try it would show to everybody.
func (p *prober) binfmt() {
	const dir = "/proc/sys/fs/binfmt_misc"
	if !p.exists(dir + "/register") {
		p.record(Binfmt, "", &fs.PathError{Op: "open", Path: dir + "/register", Err: syscall.ENOENT})
		return
	}
	entries, err := fs.ReadDir(p.Files, dir[1:])
	if err != nil {
		p.record(Binfmt, "", err)
		return
	}
	var names []string
	for _, e := range entries {
		if e.Name() != "register" && e.Name() != "status" {
			names = append(names, e.Name())
		}
	}
	p.record(Binfmt, strings.Join(names, " "), nil)
}

func landlockDetail(abi int) string {
	if abi == 0 {
		return ""
	}
	return "ABI " + strconv.Itoa(abi)
}
