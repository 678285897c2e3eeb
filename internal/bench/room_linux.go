package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// room is the directory in which everything is measured, with what is run there.
type room struct {
	dir        string
	root       string // the small root filesystem
	program    string // this program, where everybody can execute it
	floor      string // the compiled floors, or ""
	execFloor  string
	filesystem string   // what the room lies on, for people
	notes      []string // what is missing
}

// The user id of the worker without rights. No account needs to have it.
const ordinary = 54321

// newRoom makes the room in memory, so that no disk is measured.
func newRoom(ctx context.Context) (_ *room, err error) {
	base, what := quickDir()
	dir, err := os.MkdirTemp(base, "caisson-bench-")
	if err != nil {
		return nil, err
	}
	r := &room{dir: dir, root: filepath.Join(dir, "root"), program: filepath.Join(dir, "bench"), filesystem: what}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if err := copyFile("/proc/self/exe", r.program); err != nil {
		return nil, err
	}
	if err := r.furnish(); err != nil {
		return nil, err
	}
	return r, r.compile(ctx)
}

// quickDir is a directory in memory in which programs can be executed, else the one for temporary files.
func quickDir() (dir, what string) {
	for _, d := range []string{"/dev/shm", "/run", os.TempDir()} {
		var s syscall.Statfs_t
		if syscall.Statfs(d, &s) == nil && s.Type == tmpfsMagic && s.Flags&noExec == 0 && syscall.Access(d, 2) == nil {
			return d, "tmpfs"
		}
	}
	return os.TempDir(), "a disk"
}

// furnish makes the directories. The small root has the files under /etc that every distribution's image has.
func (r *room) furnish() error {
	for _, d := range []string{"bin", "proc", "sys", "dev", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(r.root, d), 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"hostname", "hosts", "resolv.conf"} {
		if err := os.WriteFile(filepath.Join(r.root, "etc", f), nil, 0o644); err != nil {
			return err
		}
	}
	for _, d := range []string{"scratch", "state", "user", "peers"} {
		if err := os.Mkdir(filepath.Join(r.dir, d), 0o755); err != nil {
			return err
		}
	}
	if os.Geteuid() == 0 {
		return os.Chown(filepath.Join(r.dir, "user"), ordinary, ordinary)
	}
	return nil
}

func (r *room) close() error { return os.RemoveAll(r.dir) }

// compile makes the programs of the small root, and the floors.
func (r *room) compile(ctx context.Context) error {
	cc, err := exec.LookPath("cc")
	if err != nil {
		r.notes = append(r.notes, "the floor, bare: cc is not installed; the program in the containers is compiled by Go, which adds 1 ms to each start")
	}
	for name, source := range map[string]string{"true": goTrue, "sleep": goSleep} {
		to := filepath.Join(r.root, "bin", name)
		var err error
		if cc != "" {
			err = compileC(ctx, cc, to, map[string]string{"true": cTrue, "sleep": cSleep}[name])
		} else {
			err = compileGo(ctx, to, source)
		}
		if err != nil {
			return err
		}
	}
	if cc == "" {
		return nil
	}
	for name, to := range map[string]*string{"floor": &r.floor, "xfloor": &r.execFloor} {
		source := filepath.Join("..", "shared", "bench", name+".c")
		if _, err := os.Stat(source); err != nil {
			r.notes = append(r.notes, fmt.Sprintf("%s: %v; run in the checkout, with shared/bench beside it", name, err))
			continue
		}
		out := filepath.Join(r.dir, name)
		if err := tool(ctx, "", cc, "-O2", "-w", "-static", "-o", out, source); err != nil {
			return err
		}
		*to = out
	}
	return nil
}

const (
	cTrue   = "int main(void) { return 0; }\n"
	cSleep  = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
	goTrue  = "package main\n\nfunc main() {}\n"
	goSleep = "package main\n\nimport (\n\t\"os\"\n\t\"os/signal\"\n)\n\nfunc main() {\n\tc := make(chan os.Signal, 1)\n\tsignal.Notify(c)\n\t<-c\n}\n"
)

func compileC(ctx context.Context, cc, to, source string) error {
	file := to + ".c"
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		return err
	}
	return errors.Join(tool(ctx, "", cc, "-O2", "-static", "-o", to, file), os.Remove(file))
}

func compileGo(ctx context.Context, to, source string) error {
	file := to + ".go"
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		return err
	}
	return errors.Join(tool(ctx, "", "go", "build", "-o", to, file), os.Remove(file))
}

// tool runs a compiler; what it prints is in the error.
func tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
