package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/caisson-go/caisson"
)

// options are what the command line says.
type options struct {
	spec             caisson.Spec
	interactive, tty bool
	image            string // to pull; else
	rootfs           string // a directory; else
	host             bool   // this machine's own root
	command          []string
	insecure         []string
	pull             caisson.PullPolicy
	platform, state  string
}

const usage = `usage: run [FLAG...] IMAGE [COMMAND ARGUMENT...]
       run [FLAG...] --host COMMAND [ARGUMENT...]
       run [FLAG...] --rootfs DIR COMMAND [ARGUMENT...]

`

// parse reads flags up to the first word that is none. The rest is the image and its command. Package flag takes one
// hyphen or two before any name; a name that has a short form is simply there twice.
func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(io.Discard) // what it has to say is in the error too; the list of flags is for who asks for it
	o.define(f)
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		f.SetOutput(os.Stdout)
		fmt.Print(usage)
		f.PrintDefaults()
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w; run -h lists the flags", err)
	}
	o.command = f.Args()
	if o.host && o.rootfs != "" {
		return nil, errors.New("--host and --rootfs are two different root filesystems")
	}
	if !o.host && o.rootfs == "" {
		if len(o.command) == 0 {
			return nil, errors.New("no image; run -h tells how it is used")
		}
		o.image, o.command = o.command[0], o.command[1:]
	}
	return o, nil
}

func (o *options) define(f *flag.FlagSet) {
	s := &o.spec
	boolean := func(p *bool, usage string, names ...string) {
		for _, n := range names {
			f.BoolVar(p, n, false, usage)
		}
	}
	text := func(set func(string) error, usage string, names ...string) {
		for _, n := range names {
			f.Func(n, usage, set)
		}
	}
	boolean(&o.interactive, "pass standard input on", "i", "interactive")
	boolean(&o.tty, "give the program a terminal", "t", "tty")
	for _, n := range []string{"it", "ti"} { // package flag knows no clusters; this one everybody types
		f.BoolFunc(n, "-i and -t", func(string) error { o.interactive, o.tty = true, true; return nil })
	}
	f.Bool("rm", true, "remove the container when it has ended, which is always done")
	boolean(&o.host, "run a program of this machine on this machine's own root", "host")
	boolean(&s.ReadOnly, "make the root filesystem read-only", "read-only")
	boolean(&s.Init, "run an init as PID 1 that passes signals on and reaps", "init")
	boolean(&s.Security.NewPrivileges, "let setuid programs raise privileges", "allow-new-privileges")
	text(o.env, "set `KEY=VALUE`, or KEY to this program's own value", "e", "env")
	text(o.volume, "bind `SOURCE:TARGET[:ro]`", "v", "volume")
	text(o.tmpfs, "mount memory at `TARGET[:size=64m]`", "tmpfs")
	text(into(&s.Dir), "working `directory`", "w", "workdir")
	text(into(&s.User), "`user[:group]`, by name or number", "u", "user")
	text(into(&s.Hostname), "the `host name`", "hostname")
	text(into(&s.StopSignal), "the `signal` that ends the program", "stop-signal")
	text(into(&o.rootfs), "use a `directory` as the root filesystem", "rootfs")
	text(into(&o.platform), "pull for a `platform` such as linux/arm64", "platform")
	text(into(&o.state), "the engine's state `directory`", "state")
	text(into(&o.pull), "ask the registry `when`: missing, always or never", "pull")
	text(appendTo(&s.Groups), "add a supplementary `group`", "group-add")
	text(appendTo(&s.Security.AddCapabilities), "add a `capability`", "cap-add")
	text(appendTo(&s.Security.DropCapabilities), "drop a `capability`, or ALL", "cap-drop")
	text(appendTo(&o.insecure), "a `registry` that may be plain HTTP", "insecure")
	text(func(v string) (err error) { s.Limits.Memory, err = size(v); return err }, "limit memory to `bytes`, such as 64m", "m", "memory")
	f.Float64Var(&s.Limits.CPU, "cpus", 0, "limit to so many `processors`, such as 0.5")
	f.Int64Var(&s.Limits.Processes, "pids-limit", 0, "limit the `number` of processes")
	text(o.network, "`none` or host", "network", "net")
}

// into and appendTo are flags that keep what they are given.
func into[S ~string](p *S) func(string) error {
	return func(v string) error { *p = S(v); return nil }
}

func appendTo(p *[]string) func(string) error {
	return func(v string) error { *p = append(*p, v); return nil }
}

// env is KEY=VALUE, or KEY for what this program's own environment has; nothing if it has not. A container gets
// nothing of that environment by itself.
func (o *options) env(v string) error {
	if !strings.Contains(v, "=") {
		value, ok := os.LookupEnv(v)
		if !ok {
			return nil
		}
		v += "=" + value
	}
	o.spec.Env = append(o.spec.Env, v)
	return nil
}

func (o *options) volume(v string) error {
	part := strings.Split(v, ":")
	if len(part) < 2 || len(part) > 3 {
		return errors.New("want SOURCE:TARGET or SOURCE:TARGET:ro")
	}
	source, err := filepath.Abs(part[0])
	if err != nil {
		return err
	}
	m := caisson.Mount{Source: source, Target: part[1]}
	for _, option := range strings.Split(strings.Join(part[2:], ""), ",") {
		switch option {
		case "", "rw":
		case "ro":
			m.ReadOnly = true
		case "noexec":
			m.NoExec = true
		default:
			return fmt.Errorf("unknown option %q", option)
		}
	}
	o.spec.Mounts = append(o.spec.Mounts, m)
	return nil
}

func (o *options) tmpfs(v string) error {
	target, option, _ := strings.Cut(v, ":")
	m := caisson.Mount{Type: caisson.MountTmpfs, Target: target}
	if option != "" {
		bytes, ok := strings.CutPrefix(option, "size=")
		if !ok {
			return fmt.Errorf("unknown option %q", option)
		}
		var err error
		if m.Size, err = size(bytes); err != nil {
			return err
		}
	}
	o.spec.Mounts = append(o.spec.Mounts, m)
	return nil
}

func (o *options) network(v string) error {
	switch v {
	case "none":
	case "host":
		o.spec.Namespaces.Net = caisson.NamespaceHost
	default:
		return errors.New("want none or host")
	}
	return nil
}

// size reads 64m as 64 MiB.
func size(v string) (int64, error) {
	number := strings.TrimRight(strings.ToLower(v), "bkmg")
	shift, known := map[string]uint{"": 0, "b": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(v[len(number):])]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n < 0 || n > 1<<(62-shift) {
		return 0, errors.New("want a number and b, k, m or g")
	}
	return n << shift, nil
}
