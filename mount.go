package caisson

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// mounts checks the mounts and fills in their defaults.
func (r *request) mounts() ([]plan.Mount, error) {
	var list []plan.Mount
	for i := range r.spec.Mounts {
		m, err := r.spec.Mounts[i].compile()
		if err != nil {
			return nil, err
		}
		if len(m.IDMap) > 0 && !r.support.Privileged {
			return nil, &Error{"mount", m.Target, errors.New("only a privileged host program can map the owners of a mount"), "leave IDs empty, or run as root"}
		}
		m.File = m.Kind == plan.Bind && r.file(i)
		list = append(list, m)
	}
	// Outer mount points first, whatever order they were written in: the inner ones lie in them.
	sort.SliceStable(list, func(a, b int) bool {
		return strings.Count(list[a].Target, "/") < strings.Count(list[b].Target, "/")
	})
	return list, nil
}

// propagations are as mount(2) has them; mount_setattr(2) makes them hold below too. The names with an r
// are those of other engines.
var propagations = map[Propagation]int{
	"": sys.MS_PRIVATE, PropagationPrivate: sys.MS_PRIVATE, PropagationSlave: sys.MS_SLAVE, PropagationShared: sys.MS_SHARED,
	"rprivate": sys.MS_PRIVATE, "rslave": sys.MS_SLAVE, "rshared": sys.MS_SHARED,
}

func (m *Mount) compile() (plan.Mount, error) {
	p := plan.Mount{
		Source: m.Source, Target: path.Clean(m.Target), ReadOnly: m.ReadOnly, Flat: m.Flat,
		Suid: m.Suid, Dev: m.Dev, NoExec: m.NoExec, Propagation: propagations[m.Propagation],
	}
	if err := firstOf(checkPath(m.Target), checkPath(m.Source)); err != nil {
		return plan.Mount{}, m.bad(err, "give paths that can exist")
	}
	if err := m.checkTarget(p.Target); err != nil {
		return plan.Mount{}, err
	}
	if field, of := m.foreign(); field != "" {
		return plan.Mount{}, m.bad(fmt.Errorf("%s is for a %s mount alone", field, of), "leave it zero, or set Type to "+string(of))
	}
	var err error
	switch m.Type {
	case MountTmpfs:
		p.Kind = plan.Tmpfs
		err = m.tmpfs(&p)
	case MountBind, "":
		err = m.bind(&p)
	default:
		err = m.bad(fmt.Errorf("unknown type %q", m.Type), "use bind or tmpfs")
	}
	return p, err
}

func (m *Mount) bad(reason error, hint string) error { return &Error{"mount", m.Target, reason, hint} }

// checkTarget refuses places that are not the caller's. What leads to one by a symbolic link of the image
// is refused when it is mounted.
func (m *Mount) checkTarget(clean string) error {
	if !path.IsAbs(m.Target) || clean == "/" {
		return m.bad(errors.New("the target is not a place below /"), "give an absolute path such as /data")
	}
	for _, own := range []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/null"} {
		if clean == own || own != "/dev" && strings.HasPrefix(clean, own+"/") {
			return m.bad(errors.New("the target is the kernel's own"), "mount it elsewhere")
		}
	}
	return nil
}

// foreign is the first field that is set and belongs to another type of mount, with that type, or "".
func (m *Mount) foreign() (field string, of MountType) {
	for _, f := range []struct {
		name string
		set  bool
		of   MountType
	}{
		{"Source", m.Source != "", MountBind}, {"Flat", m.Flat, MountBind}, {"Propagation", m.Propagation != "", MountBind},
		{"IDs", len(m.IDs) > 0, MountBind}, {"Size", m.Size != 0, MountTmpfs}, {"Mode", m.Mode != 0, MountTmpfs},
	} {
		if f.set && (f.of == MountTmpfs) != (m.Type == MountTmpfs) {
			return f.name, f.of
		}
	}
	return "", ""
}

// bind checks what only a bind mount has.
func (m *Mount) bind(p *plan.Mount) error {
	if !path.IsAbs(m.Source) {
		return m.bad(fmt.Errorf("the source %q is not an absolute path", m.Source), "a bind mount needs one")
	}
	if p.Propagation == 0 {
		return m.bad(fmt.Errorf("unknown propagation %q", m.Propagation), "use private, slave or shared")
	}
	for _, id := range m.IDs {
		if id.Count == 0 || uint64(id.Source)+uint64(id.Count) > 1<<32-1 || uint64(id.Target)+uint64(id.Count) > 1<<32-1 {
			return m.bad(fmt.Errorf("ids %+v do not fit below 4294967295", id), "count from 1 up")
		}
		p.IDMap = append(p.IDMap, plan.IDMapping(id))
	}
	return nil
}

// tmpfs checks what only a tmpfs has, and writes its options; tmpfs(5).
func (m *Mount) tmpfs(p *plan.Mount) error {
	// The bits above the permissions have two spellings: Go's, and the kernel's own.
	mode := m.Mode &^ (fs.ModeSticky | fs.ModeSetgid)
	if m.Mode&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	if m.Mode&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	switch {
	case mode&^0o3777 != 0:
		return m.bad(fmt.Errorf("the mode %#o has more than permissions, sticky and setgid", uint32(m.Mode)), "give one such as 0o1777")
	case m.Size < 0:
		return m.bad(fmt.Errorf("the size %d is negative", m.Size), "give bytes, or 0 for the kernel's default")
	case mode == 0:
		mode = 0o1777
	}
	p.Options = fmt.Sprintf("mode=%o", uint32(mode))
	if m.Size > 0 {
		p.Options += fmt.Sprintf(",size=%d", m.Size)
	}
	return nil
}
