package changes

import (
	"errors"
	"slices"
	"syscall"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// Opening files by a proxy: in one round trip many, with the names of their attributes. Those that have some stay open
// in the proxy until the attributes are read.

const (
	fileFlags = sys.O_RDONLY | sys.O_NOFOLLOW | sys.O_NONBLOCK | sys.O_NOCTTY | sys.O_CLOEXEC

	someNames = 4 << 10  // enough for the names of most files' attributes
	allNames  = 64 << 10 // XATTR_LIST_MAX and XATTR_SIZE_MAX, limits.h
)

// fileSlots is where the operations for one file leave what they find.
type fileSlots struct {
	rights tape.Rights
	n      tape.Arg
	buf    tape.Ref
}

// Files opens what is regular when it is looked at. In a user namespace there are no devices to open by mistake, and a
// FIFO does not wait.
func (d *proxiedDir) Files(names []string, want func(string) bool) []File {
	list := make([]File, len(names))
	slots := make([]fileSlots, len(names))
	fds, found := make([]int64, len(names)), make([][]string, len(names))
	var lengths []int64
	files, err := d.Proxy.Collect(func(t *tape.Tape, send func(tape.Rights)) {
		for i, name := range names {
			slots[i] = d.addOpen(t, name, send)
		}
	}, func(r *proxy.Results) {
		for i, s := range slots {
			n := r.Result(s.n)
			fds[i], lengths = r.Result(s.rights.FD()), append(lengths, n)
			if fds[i] >= 0 && n > 0 {
				found[i] = sys.SplitNames(r.Buffer(s.buf)[:n])
			}
		}
	})
	if err != nil {
		for i := range list {
			list[i].Err = err
		}
		return list
	}
	for i := range list {
		f := &list[i]
		if f.Err = failed(fds[i]); f.Err != nil {
			continue
		}
		f.File, files = files[0], files[1:]
		if lengths[i] == 0 || lengths[i] == -int64(syscall.ENOTSUP) {
			continue
		}
		if f.Err = failed(lengths[i]); f.Err == syscall.ERANGE {
			found[i], f.Err = d.attrNames(int(fds[i]))
		}
		if f.Err == nil {
			f.Xattrs, f.Err = d.attrs(int(fds[i]), found[i], want)
		}
		d.closeFD(int(fds[i]))
		if f.Err != nil {
			_ = f.Close()
		}
	}
	return list
}

// addOpen adds the operations for one file.
func (d *proxiedDir) addOpen(t *tape.Tape, name string, send func(tape.Rights)) fileSlots {
	s := fileSlots{rights: t.Rights(), n: t.Slot("n"), buf: t.Zero(someNames)}
	done, next := t.Label("close"), t.Label("next")
	t.Openat2(tape.Int(d.fd), name, fileFlags, 0, inside).To(s.rights.FD()).Else(next)
	send(s.rights)
	t.Flistxattr(s.rights.FD(), s.buf).To(s.n).Ignore()
	t.If(s.n, tape.Int(0), done, next)
	t.Mark(done)
	t.Close(s.rights.FD()).Ignore()
	t.Mark(next)
	return s
}

// Xattrs reads those of the directory.
func (d *proxiedDir) Xattrs(want func(string) bool) ([]Xattr, error) {
	names, err := d.attrNames(d.fd)
	if err != nil {
		return nil, err
	}
	return d.attrs(d.fd, names, want)
}

// attrNames lists the attributes of a file that the proxy has open.
func (d *proxiedDir) attrNames(fd int) (names []string, err error) {
	for _, size := range []int{someNames, allNames} {
		var n tape.Arg
		var buf tape.Ref
		rerr := d.Proxy.Run(func(t *tape.Tape) {
			n, buf = t.Slot("n"), t.Zero(size)
			t.Flistxattr(tape.Int(fd), buf).To(n).Ignore()
		}, func(r *proxy.Results) {
			if err = failed(r.Result(n)); err == nil {
				names = sys.SplitNames(r.Buffer(buf)[:r.Result(n)])
			}
		})
		if rerr != nil {
			return nil, rerr
		}
		if err != syscall.ERANGE {
			break
		}
	}
	if err == syscall.ENOTSUP {
		err = nil
	}
	return names, err
}

// attrs reads the wanted attributes of a file that the proxy has open.
func (d *proxiedDir) attrs(fd int, names []string, want func(string) bool) (list []Xattr, err error) {
	names = slices.DeleteFunc(names, func(name string) bool { return !want(name) })
	const atOnce = 16 // which the arena has room for
	for part := range slices.Chunk(names, atOnce) {
		results, bufs := make([]tape.Arg, len(part)), make([]tape.Ref, len(part))
		rerr := d.Proxy.Run(func(t *tape.Tape) {
			for i, name := range part {
				results[i], bufs[i] = t.Slot("n"), t.Zero(allNames)
				t.Fgetxattr(tape.Int(fd), name, bufs[i]).To(results[i]).Ignore()
			}
		}, func(r *proxy.Results) {
			for i, name := range part {
				n := r.Result(results[i])
				switch e := failed(n); e {
				case nil:
					list = append(list, Xattr{name, slices.Clone(r.Buffer(bufs[i])[:n]), true})
				case syscall.ENODATA: // gone again
				default:
					err = e
				}
			}
		})
		if err = errors.Join(rerr, err); err != nil {
			return nil, err
		}
	}
	return list, nil
}
