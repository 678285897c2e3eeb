package changes

import (
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Proxied opens files in a process that has the rights of a user namespace: files of subordinate ids, and directories
// whose mode keeps their owner out. Owners are as that namespace has them. The proxy stays the caller's; each open
// directory is open there too.
type Proxied struct{ Proxy *proxy.Proxy }

// Root opens the directory once more.
func (o Proxied) Root(f *os.File) (Dir, error) {
	fd, err := o.Proxy.Send(f)
	if err != nil {
		return nil, err
	}
	defer o.closeFD(fd)
	return o.open(fd, ".")
}

// closeFD closes a descriptor of the proxy.
func (o Proxied) closeFD(fd int) {
	_ = o.Proxy.Do(func(t *tape.Tape) { t.Close(tape.Int(fd)).Ignore() })
}

// proxiedDir is open twice: by the proxy, to look names up in it, and by this program, to read them.
type proxiedDir struct {
	Proxied
	fd int
	f  *os.File
}

func (o Proxied) open(parent int, name string) (Dir, error) {
	var r tape.Rights
	var fd int64
	files, err := o.Proxy.Collect(func(t *tape.Tape, send func(tape.Rights)) {
		end := t.Label("end")
		r = t.Rights()
		t.Openat2(tape.Int(parent), name, dirFlags, 0, inside).To(r.FD()).Else(end)
		send(r)
		t.Mark(end)
	}, func(res *proxy.Results) { fd = res.Result(r.FD()) })
	if err != nil {
		return nil, err
	}
	if fd < 0 {
		return nil, syscall.Errno(-fd)
	}
	return &proxiedDir{o, int(fd), files[0]}, nil
}

func (d *proxiedDir) Dir(name string) (Dir, error) { return d.open(d.fd, name) }

func (d *proxiedDir) Look() (sys.Look, error) { return sys.Lookat(int(d.f.Fd()), "") }

func (d *proxiedDir) Names(n int) ([]string, error) { return d.f.Readdirnames(n) }

func (d *proxiedDir) Rewind() error {
	_, err := d.f.Seek(0, 0)
	return err
}

// Batch is so many that the file descriptors are few.
func (d *proxiedDir) Batch() int { return 32 }

func (d *proxiedDir) Close() {
	d.closeFD(d.fd)
	_ = d.f.Close()
}

func (d *proxiedDir) Looks(names []string) []Looked {
	list := make([]Looked, len(names))
	results, bufs := make([]tape.Arg, len(names)), make([]tape.Ref, len(names))
	err := d.Proxy.Run(func(t *tape.Tape) {
		for i, name := range names {
			results[i], bufs[i] = t.Slot("statx"), t.Zero(sys.StatxSize)
			t.Statx(tape.Int(d.fd), name, sys.AT_SYMLINK_NOFOLLOW, sys.StatxMask, bufs[i]).To(results[i]).Ignore()
		}
	}, func(r *proxy.Results) {
		for i := range names {
			if list[i].Err = failed(r.Result(results[i])); list[i].Err == nil {
				list[i].Look, list[i].Mapped = sys.DecodeStatx(r.Buffer(bufs[i])), true
			}
		}
	})
	if err != nil {
		for i := range list {
			list[i] = Looked{Err: err}
		}
	}
	return list
}

// failed is the error that a result stands for.
func failed(result int64) error {
	if result < 0 {
		return syscall.Errno(-result)
	}
	return nil
}

// maxTarget is PATH_MAX.
const maxTarget = 4096

func (d *proxiedDir) Links(names []string) []Link {
	list := make([]Link, len(names))
	results, bufs := make([]tape.Arg, len(names)), make([]tape.Ref, len(names))
	err := d.Proxy.Run(func(t *tape.Tape) {
		for i, name := range names {
			results[i], bufs[i] = t.Slot("readlink"), t.Zero(maxTarget)
			t.Readlinkat(tape.Int(d.fd), name, bufs[i]).To(results[i]).Ignore()
		}
	}, func(r *proxy.Results) {
		for i := range names {
			n := r.Result(results[i])
			if list[i].Err = failed(n); list[i].Err == nil {
				list[i].Target = string(r.Buffer(bufs[i])[:n])
			}
			if n == maxTarget { // the kernel cuts silently
				list[i].Err = syscall.ENAMETOOLONG
			}
		}
	})
	if err != nil {
		for i := range list {
			list[i].Err = err
		}
	}
	return list
}
