package caisson

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/environ"
	"github.com/caisson-go/caisson/internal/etcfiles"
	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// Plan compiles the spec for a host: what Start would do there, in order. It touches nothing, needs no
// rights and no Linux. The image's own settings are unknown here and stand as their defaults: root as
// the user, "/" as the directory, layers as a placeholder. A nil sup is a privileged Linux 6.18.
//
// Errors: *Error naming the field that cannot be.
func (s *Spec) Plan(sup *Support) (*Plan, error) {
	if sup == nil {
		sup = &Support{Privileged: true, Kernel: newestKernel}
	}
	r := request{spec: s, support: sup, id: placeholderID, file: func(int) bool { return false }}
	r.identity = account.Identity{Home: "/root", Groups: []uint32{0}}
	if s.Image == hostImage {
		r.root = hostRoot(sup)
	} else {
		r.root = plan.Root{Lower: []string{"layers/" + s.Image}, Upper: "containers/" + r.id + "/upper", Work: "containers/" + r.id + "/work"}
	}
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	compiled, err := plan.Compile(config)
	if err != nil {
		return nil, err
	}
	return newPlan(compiled), nil
}

// placeholderID stands for the container's ID in a plan that is not for a container.
const placeholderID = "0123456789ab"

// newestKernel has every optional ability.
var newestKernel = Kernel{
	OverlayFsconfig: true, OverlayLowerAdd: true, PivotRoot: true, Cgroup2: true, Mqueue: true, ProcMount: true,
}

// request is a spec with all that Start found out about it. It becomes a plan.Config in one place.
type request struct {
	spec     *Spec
	detach   bool
	dir      string   // the container's directory, once there is one
	lock     *os.File // that directory, locked
	keep     bool     // leave the directory, so that the next engine's sweep finds what could not be removed
	support  *Support
	id       string
	image    imageConfig
	identity account.Identity
	root     plan.Root
	tasks    []string       // cgroup v1 files to join
	extra    int            // descriptors passed behind the standard ones
	null     [3]bool        // standard files that nothing was given for
	file     func(int) bool // whether the source of mount i is not a directory
}

// imageConfig is what an image says about the programs in it.
type imageConfig struct {
	Args       []string
	Env        []string
	Dir        string
	User       string
	StopSignal string
	entrypoint []string
}

func (r *request) config() (*plan.Config, error) {
	s := r.spec
	c := &plan.Config{
		ReadOnly: s.ReadOnly, Init: s.Init, Trace: s.Trace, Tasks: r.tasks, ExtraFiles: r.extra, Null: r.null, Detach: r.detach,
		Root: r.root, Features: r.support.Kernel.features(), NewPrivs: s.Security.NewPrivileges,
	}
	c.Cwd = s.Dir
	if c.Cwd == "" {
		c.Cwd = r.image.Dir
	}
	if strings.IndexByte(c.Cwd, 0) >= 0 {
		return nil, &Error{"chdir", fmt.Sprintf("%q", c.Cwd), errors.New("the path holds a NUL"), "paths are C strings"}
	}
	if c.Cwd != "" && !path.IsAbs(c.Cwd) {
		return nil, &Error{"chdir", shorten(c.Cwd), errors.New("not an absolute path"), "write it from the root, such as /" + shorten(c.Cwd)}
	}
	if err := checkPath(c.Cwd); err != nil {
		return nil, &Error{"chdir", shorten(c.Cwd), err, "the working directory is a path of the container"}
	}
	if s.TTY != nil {
		c.TTY = &plan.Winsize{Rows: s.TTY.Rows, Cols: s.TTY.Cols}
	}
	var err error
	if c.Namespaces, err = r.namespaces(); err != nil {
		return nil, err
	}
	if c.Mounts, err = r.mounts(); err != nil {
		return nil, err
	}
	if c.Caps, err = capabilities(&s.Security); err != nil {
		return nil, err
	}
	c.Identity = plan.Identity{
		UID: r.identity.UID, GID: r.identity.GID, Groups: r.identity.Groups,
		SetGroups: c.Namespaces.User.Mode != plan.UserOneID,
	}
	if err := r.checkMapped(c); err != nil {
		return nil, err
	}
	if err := r.names(c); err != nil {
		return nil, err
	}
	c.Etc = slices.DeleteFunc(c.Etc, func(f plan.File) bool {
		return slices.ContainsFunc(c.Mounts, func(m plan.Mount) bool { return m.Target == "/etc/"+f.Name })
	})
	return c, r.program(c)
}

// checkMapped refuses ids that the user namespace does not have: the kernel would say EINVAL.
func (r *request) checkMapped(c *plan.Config) error {
	if c.Namespaces.User.Mode != plan.UserOneID || c.Identity.UID == 0 && c.Identity.GID == 0 {
		return nil
	}
	return &Error{"identity", r.userName(), fmt.Errorf("uid %d, gid %d: this host maps one id only, to root", c.Identity.UID, c.Identity.GID), remedySubIDs}
}

const remedySubIDs = "install the package uidmap and give the user a line in /etc/subuid and /etc/subgid, such as user:100000:65536"

func (r *request) userName() string {
	if r.spec.User != "" {
		return r.spec.User
	}
	return r.image.User
}

// names fills in the host name and the generated files.
func (r *request) names(c *plan.Config) error {
	name := r.spec.Hostname
	if name == "" {
		name = r.id[:12]
	}
	if c.Namespaces.UTS.Mode != plan.New {
		if r.spec.Hostname != "" {
			return &Error{"sethostname", name, errors.New("the UTS namespace is not the container's own"), "leave Hostname empty or Namespaces.UTS new"}
		}
		return nil
	}
	c.Hostname = name
	hosts, err := etcfiles.Hosts(name)
	if err != nil {
		return &Error{"sethostname", name, err, "use letters, digits, dots and hyphens"}
	}
	hostname, err := etcfiles.Hostname(name)
	if err != nil {
		return &Error{"sethostname", name, err, "use letters, digits, dots and hyphens"}
	}
	c.Etc = []plan.File{{Name: "hostname", Content: string(hostname)}, {Name: "hosts", Content: string(hosts)}}
	if c.Namespaces.Net.Mode == plan.New {
		resolv, err := etcfiles.Resolv(etcfiles.Resolver{})
		if err != nil {
			return err
		}
		c.Etc = append(c.Etc, plan.File{Name: "resolv.conf", Content: string(resolv)})
	}
	return nil
}

// program fills in the environment, the arguments and where the program may lie.
func (r *request) program(c *plan.Config) error {
	c.Args = r.spec.Args
	if len(c.Args) == 0 {
		c.Args = r.image.Args
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return &Error{"execve", "", errors.New("no program"), "set Args: the image names none"}
	}
	for _, a := range c.Args {
		if strings.IndexByte(a, 0) >= 0 {
			return &Error{"execve", c.Args[0], fmt.Errorf("argument %q holds a NUL", a), "arguments are C strings"}
		}
	}
	defaults := []string{"PATH=" + environ.DefaultPath, "HOME=" + r.identity.Home}
	if c.Hostname != "" {
		defaults = append(defaults, "HOSTNAME="+c.Hostname)
	}
	if c.TTY != nil {
		defaults = append(defaults, "TERM=xterm")
	}
	env, _, err := environ.Merge(append(defaults, r.image.Env...), r.spec.Env)
	if err != nil {
		return &Error{"execve", c.Args[0], err, ""}
	}
	c.Env = env
	c.Paths = searchPath(c.Args[0], env)
	return nil
}

// searchPath lists where a program may lie; execvp(3).
func searchPath(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	dirs, _ := environ.Lookup(env, "PATH")
	var list []string
	for _, d := range strings.Split(dirs, ":") {
		if d == "" {
			d = "." // execvp(3): an empty entry is the working directory
		}
		list = append(list, d+"/"+name)
	}
	return list
}

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

var propagations = map[string]int{
	"": sys.MS_PRIVATE, "private": sys.MS_PRIVATE, "slave": sys.MS_SLAVE, "shared": sys.MS_SHARED,
	"rprivate": sys.MS_PRIVATE, "rslave": sys.MS_SLAVE, "rshared": sys.MS_SHARED,
}

func (m *Mount) compile() (plan.Mount, error) {
	p := plan.Mount{
		Source: m.Source, Target: path.Clean(m.Target), ReadOnly: m.ReadOnly, Flat: m.Flat,
		Suid: m.Suid, Dev: m.Dev, NoExec: m.NoExec,
	}
	bad := func(reason, hint string) (plan.Mount, error) {
		return plan.Mount{}, &Error{"mount", m.Target, errors.New(reason), hint}
	}
	if err := firstOf(checkPath(m.Target), checkPath(m.Source)); err != nil {
		return plan.Mount{}, &Error{"mount", shorten(m.Target), err, "give paths that can exist"}
	}
	if !path.IsAbs(m.Target) || p.Target == "/" {
		return bad("the target is not a place below /", "give an absolute path such as /data")
	}
	for _, own := range []string{"/proc", "/sys", "/dev", "/dev/pts", "/dev/null"} {
		if p.Target == own || own != "/dev" && strings.HasPrefix(p.Target, own+"/") {
			return bad("the target is the kernel's own", "mount it elsewhere")
		}
	}
	var known bool
	if p.Propagation, known = propagations[m.Propagation]; !known {
		return bad(fmt.Sprintf("unknown propagation %q", m.Propagation), "use private, slave or shared")
	}
	for _, id := range m.IDs {
		if id.Count == 0 || uint64(id.Source)+uint64(id.Count) > 1<<32-1 || uint64(id.Target)+uint64(id.Count) > 1<<32-1 {
			return bad(fmt.Sprintf("ids %+v do not fit below 4294967295", id), "count from 1 up")
		}
		p.IDMap = append(p.IDMap, plan.IDMapping(id))
	}
	switch m.Type {
	case MountTmpfs:
		p.Kind, p.Options = plan.Tmpfs, m.tmpfsOptions()
		if m.Source != "" || m.Size < 0 || len(m.IDs) > 0 {
			return bad("a tmpfs has no source, and a size above 0", "")
		}
	case MountBind, "":
		if !path.IsAbs(m.Source) {
			return bad(fmt.Sprintf("the source %q is not an absolute path", m.Source), "a bind mount needs one")
		}
	default:
		return bad(fmt.Sprintf("unknown type %q", m.Type), "use bind or tmpfs")
	}
	return p, nil
}

func (m *Mount) tmpfsOptions() string {
	mode := m.Mode.Perm()
	if mode == 0 {
		mode = 0o777 | 0o1000
	}
	s := fmt.Sprintf("mode=%o", mode)
	if m.Size > 0 {
		s += fmt.Sprintf(",size=%d", m.Size)
	}
	return s
}

// capabilities is the set that the profile leaves.
func capabilities(s *Security) (uint64, error) {
	set := uint64(0)
	for _, n := range defaultCapabilities {
		bit, _ := capability(n)
		set |= bit
	}
	for _, change := range []struct {
		names []string
		apply func(bit uint64)
	}{{s.Drop, func(b uint64) { set &^= b }}, {s.Add, func(b uint64) { set |= b }}} {
		for _, n := range change.names {
			bit, err := capability(n)
			if err != nil {
				return 0, err
			}
			change.apply(bit)
		}
	}
	return set, nil
}

func capability(name string) (uint64, error) {
	short := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	if short == "ALL" {
		return plan.AllCaps, nil
	}
	for i, n := range plan.CapNames {
		if n == short {
			return 1 << i, nil
		}
	}
	return 0, &Error{"capabilities", name, errors.New("no such capability"), "capabilities(7) lists them"}
}
