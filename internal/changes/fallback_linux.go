package changes

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/caisson-go/caisson/internal/proxy"
)

// Fallback opens files with the rights of the program, and where those are not enough by a proxy, which is started when
// the first file needs it.
type Fallback struct {
	// Start starts the proxy, in a user namespace as the container's is.
	Start func() (*proxy.Proxy, error)

	mu    sync.Mutex
	proxy *proxy.Proxy
	err   error
}

// Close ends the proxy, if there is one.
func (o *Fallback) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.proxy.Close()
	o.proxy, o.err = nil, proxy.ErrClosed
}

// through is the proxy.
func (o *Fallback) through() (Proxied, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.proxy == nil && o.err == nil {
		o.proxy, o.err = o.Start()
	}
	return Proxied{o.proxy}, o.err
}

// Root opens the directory once more.
func (o *Fallback) Root(f *os.File) (Dir, error) {
	d, err := Direct{}.Root(f)
	if err == nil {
		return &fallbackDir{directDir: d.(*directDir), o: o}, nil
	}
	if !denied(err) {
		return nil, err
	}
	p, perr := o.through()
	if perr != nil {
		return nil, errors.Join(err, perr)
	}
	return p.Root(f)
}

// denied tells the errors that more rights would help against.
func denied(err error) bool { return err != nil && errors.Is(err, fs.ErrPermission) }

// fallbackDir is a directory that this program may read. Perhaps not what is in it.
type fallbackDir struct {
	*directDir
	o     *Fallback
	again Dir // the same directory, open in the proxy; nil: not yet
}

// via is the directory in the proxy. why is what it is needed for.
func (d *fallbackDir) via(why error) (Dir, error) {
	if d.again != nil {
		return d.again, nil
	}
	p, err := d.o.through()
	if err == nil {
		d.again, err = p.Root(d.f)
	}
	if err != nil {
		return nil, errors.Join(why, err)
	}
	return d.again, nil
}

func (d *fallbackDir) Dir(name string) (Dir, error) {
	child, err := d.directDir.Dir(name)
	if err == nil {
		return &fallbackDir{directDir: child.(*directDir), o: d.o}, nil
	}
	if !denied(err) {
		return nil, err
	}
	via, err := d.via(err)
	if err != nil {
		return nil, err
	}
	return via.Dir(name)
}

func (d *fallbackDir) Looks(names []string) []Looked {
	list := d.directDir.Looks(names)
	for _, l := range list {
		if denied(l.Err) { // the directory keeps all of its names to itself
			via, err := d.via(l.Err)
			if err != nil {
				return list
			}
			return via.Looks(names)
		}
	}
	return list
}

func (d *fallbackDir) Links(names []string) []Link {
	list := d.directDir.Links(names)
	for _, l := range list {
		if denied(l.Err) {
			via, err := d.via(l.Err)
			if err != nil {
				return list
			}
			return via.Links(names)
		}
	}
	return list
}

// Files opens by the proxy what cannot be opened here, all at once.
func (d *fallbackDir) Files(names []string, want func(string) bool) []File {
	list := d.directDir.Files(names, want)
	var missing []string
	var at []int
	for i, f := range list {
		if denied(f.Err) {
			missing, at = append(missing, names[i]), append(at, i)
		}
	}
	if missing == nil {
		return list
	}
	via, err := d.via(list[at[0]].Err)
	if err != nil {
		return list
	}
	for i, f := range via.Files(missing, want) {
		list[at[i]] = f
	}
	return list
}

func (d *fallbackDir) Xattrs(want func(string) bool) ([]Xattr, error) {
	list, err := d.directDir.Xattrs(want)
	if !denied(err) {
		return list, err
	}
	via, err := d.via(err)
	if err != nil {
		return nil, err
	}
	return via.Xattrs(want)
}

// Batch is large once the directory has turned out to hold files of others.
func (d *fallbackDir) Batch() int {
	if d.again == nil {
		return d.directDir.Batch()
	}
	return d.again.Batch()
}

func (d *fallbackDir) Close() {
	d.directDir.Close()
	if d.again != nil {
		d.again.Close()
	}
}
