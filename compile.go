package caisson

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/environ"
	"github.com/caisson-go/caisson/internal/etcfiles"
	"github.com/caisson-go/caisson/internal/plan"
)

// Plan compiles the spec for a host: what Start would do there, in order. It touches nothing, needs no
// rights and no Linux. The image's own settings are unknown here and stand as their defaults: root as
// the user, "/" as the directory, layers as a placeholder; a user or group by name, which only the image's
// /etc/passwd and /etc/group can tell, is shown as that. It is the plan of an engine's first container; as
// root the next ones of layers, if the first has not been gone for long, begin in an empty mount namespace
// instead of leaving a copy of the host's, in the steps before and behind pivot_root. A nil sup is a
// privileged Linux 6.18.
//
// Errors: *Error naming the field that cannot be, as Start's.
func (s *Spec) Plan(sup *Support) (*Plan, error) {
	if sup == nil {
		sup = &Support{Privileged: true, Kernel: newestKernel}
	}
	r := request{spec: s, support: sup, id: placeholderID, file: func(int) bool { return false }, files: plan.Rlimit{Soft: 1024, Hard: 524288}}
	if err := r.foresee(); err != nil {
		return nil, err
	}
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	compiled, err := plan.Compile(config)
	if err != nil {
		return nil, err
	}
	return newPlan(compiled, r.outside(compiled)), nil
}

// placeholderID stands for the container's ID in a plan that is not for a container.
const placeholderID = "0123456789ab"

// newestKernel has every optional ability.
var newestKernel = KernelSupport{
	OverlayFsconfig: true, OverlayLowerAdd: true, PivotRoot: true, Cgroup2: true, Mqueue: true, ProcMount: true,
}

// request is a spec with all that Start found out about it. It becomes a plan.Config in one place.
type request struct {
	spec     *Spec
	detach   bool
	dir      string      // the container's directory, once there is one
	lock     *os.File    // that directory, locked
	files    plan.Rlimit // of open descriptors; zero: 1024 of 524288
	empty    *os.File    // an empty mount namespace to begin in, or nil
	keep     bool        // leave the directory, so that the next engine's sweep finds what could not be removed
	support  *Support
	id       string
	from     *Image // what it is started from; nil where there is no engine
	image    imageConfig
	identity account.Identity
	unknown  string // what the identity depends on, where there is no image to look into
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
		ReadOnly: s.ReadOnly, Init: s.Init, Trace: s.Trace, Files: r.files, Empty: r.empty != nil, Tasks: r.tasks, ExtraFiles: r.extra, Null: r.null, Detach: r.detach,
		Root: r.root, Features: r.support.Kernel.features(), NewPrivs: s.Security.NewPrivileges, Cwd: s.Dir,
	}
	if c.Cwd == "" {
		c.Cwd = r.image.Dir
	}
	for _, err := range []error{checkName(s.Name), checkDir(c.Cwd), s.Limits.check(), r.checkStopSignal()} {
		if err != nil {
			return nil, err
		}
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
		UID: r.identity.UID, GID: r.identity.GID, Groups: r.identity.Groups, Note: r.unknown,
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

// maxName is far above what people call a container, and fits a file name.
const maxName = 128

// checkName has Docker's rule.
func checkName(name string) error {
	for i := 0; i < len(name); i++ {
		c := name[i]
		alnum := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || strings.IndexByte("_.-", c) < 0) || i == maxName {
			return &Error{"spec", "Name", fmt.Errorf("%.*q cannot be a name", maxName, name), "use letters, digits, _ . and -, a letter or digit first, 128 bytes at most"}
		}
	}
	return nil
}

// checkDir refuses what cannot be a working directory.
func checkDir(dir string) error {
	if dir != "" && !path.IsAbs(dir) {
		return &Error{"spec", "Dir", fmt.Errorf("%q is not an absolute path", shorten(dir)), "write it from the root"}
	}
	if err := checkPath(dir); err != nil {
		return &Error{"spec", "Dir", err, "give a path that can exist"}
	}
	return nil
}

// checkStopSignal refuses, before anything has started, a signal that could not be sent.
func (r *request) checkStopSignal() error {
	name := r.spec.StopSignal
	if name == "" {
		name = r.image.StopSignal
	}
	if name == "" {
		return nil
	}
	_, err := parseSignal(name)
	return err
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
		return hostnameError(name, err)
	}
	hostname, err := etcfiles.Hostname(name)
	if err != nil {
		return hostnameError(name, err)
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

// hostnameError is the public form of an error about a host name.
func hostnameError(name string, err error) error {
	var e *etcfiles.Error
	if errors.As(err, &e) {
		return &Error{"sethostname", name, errors.New(e.Reason), e.Remedy}
	}
	return &Error{"sethostname", name, err, ""}
}

// program fills in the environment, the arguments and where the program may lie.
func (r *request) program(c *plan.Config) error {
	c.Args = r.spec.Args
	if len(c.Args) == 0 {
		c.Args = r.image.Args
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return &Error{"spec", "Args", errors.New("no program"), "name one; only an image's own command can stand in for it"}
	}
	for _, a := range c.Args {
		if strings.IndexByte(a, 0) >= 0 {
			return &Error{"spec", "Args", fmt.Errorf("%q holds a NUL", shorten(a)), "arguments are C strings"}
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
		return &Error{"spec", "Env", err, ""}
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
