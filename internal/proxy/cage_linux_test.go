package proxy_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testneed"
)

// caged are the options of a proxy in a cage, in a user namespace of one id if asked for.
func caged(t testing.TB, dir string, user bool) proxy.Options {
	t.Helper()
	d, err := os.Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	o := proxy.Options{}
	c := proxy.Cage{FileSize: 1 << 20}
	if user {
		o = oneID()
		c.Capabilities = 1<<sys.CAP_CHOWN | 1<<sys.CAP_DAC_OVERRIDE
	}
	o.Files = []*os.File{d}
	before := o.Prelude
	o.Prelude = func(tp *tape.Tape) {
		if before != nil {
			before(tp)
		}
		c.Shut(tp)
	}
	return o
}

// In a cage everything but the directory is out of reach, by any name, and so are the network and other programs.
func TestCage(t *testing.T) {
	testneed.UserNamespaces(t)
	top := t.TempDir()
	must(t, os.Mkdir(top+"/in", 0o700))
	must(t, os.WriteFile(top+"/canary", []byte("alive"), 0o600))
	must(t, os.WriteFile(top+"/in/file", []byte("x"), 0o700))
	must(t, os.Symlink(top+"/canary", top+"/in/absolute"))
	must(t, os.Symlink("../canary", top+"/in/relative"))
	p := start(t, caged(t, top+"/in", true))
	c := p.Caged()
	if !c.Network || !c.Mounts || !c.Root {
		t.Errorf("%+v", c)
	}
	try := func(add func(tp *tape.Tape)) error {
		return p.Do(add)
	}
	must(t, try(func(tp *tape.Tape) { tp.Mkdirat(tape.Cwd, "/made", 0o700) }))
	must(t, try(func(tp *tape.Tape) { tp.Mkdirat(tape.Int(proxy.FirstFile), "made/by", 0o700) }))
	if _, err := os.Stat(filepath.Join(top, "in/made/by")); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"absolute", "relative", "../canary", "/../canary", top + "/canary", "/proc/self", "/etc", "../../../../../etc"} {
		err := try(func(tp *tape.Tape) { tp.Openat(tape.Cwd, name, sys.O_PATH|sys.O_CLOEXEC, 0) })
		if !errors.Is(err, syscall.ENOENT) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for what, add := range map[string]func(tp *tape.Tape){
		"mount":  func(tp *tape.Tape) { tp.Mount("/", "/made", "", sys.MS_BIND, "") },
		"chroot": func(tp *tape.Tape) { tp.Chroot("/made") },
		"too big": func(tp *tape.Tape) {
			tp.Openat(tape.Cwd, "big", sys.O_CREAT|sys.O_WRONLY, 0o600).To(proxy.Word(1))
			tp.Ftruncate(proxy.Word(1), 2<<20)
		},
	} {
		if try(add) == nil {
			t.Errorf("%s is possible", what)
		}
	}
	testneed.Feature(t, "Landlock", landlockAbsent(c), "boot with landlock in the list lsm=, on Linux 5.19 or newer")
	for what, add := range map[string]func(tp *tape.Tape){
		"reading a file": func(tp *tape.Tape) { tp.Openat(tape.Cwd, "file", sys.O_RDONLY|sys.O_CLOEXEC, 0) },
		"execution":      func(tp *tape.Tape) { tp.Execve("/file", tp.Strings([]string{"file"}), tp.Strings(nil)) },
	} {
		if err := try(add); !errors.Is(err, syscall.EACCES) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func landlockAbsent(c proxy.Caged) error {
	if c.Landlock {
		return nil
	}
	return errors.New("the kernel has no rules for us")
}

func BenchmarkCagedStart(b *testing.B) {
	for _, user := range []bool{false, true} {
		b.Run(fmt.Sprint("user=", user), func(b *testing.B) {
			testneed.UserNamespaces(b)
			o := caged(b, b.TempDir(), user)
			for b.Loop() {
				p, err := proxy.Start(o)
				if err != nil {
					b.Fatal(err)
				}
				p.Close()
			}
		})
	}
}
