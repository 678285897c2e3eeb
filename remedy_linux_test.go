package caisson_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

// files makes a directory with files, by path and mode; a program is a script whose interpreter is not there.
func files(t *testing.T, modes map[string]fs.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, mode := range modes {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/no/such/interpreter\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A failed start names what failed once, and one remedy.
func TestRemedies(t *testing.T) {
	e := engine(t)
	dir := files(t, map[string]fs.FileMode{"file": 0o644})
	mounts := func(m ...caisson.Mount) caisson.Spec { return caisson.Spec{Mounts: m} }
	for name, c := range map[string]struct {
		spec  caisson.Spec
		op    string
		is    error
		parts []string
	}{
		"by PATH": {caisson.Spec{Args: []string{"nosuch"}, Env: []string{"PATH=/bin:/none"}}, "execve", fs.ErrNotExist,
			[]string{"execve nosuch: no such file or directory (", "PATH=/bin:/none;"}},
		"by path":      {caisson.Spec{Args: []string{"/no/such"}}, "execve", fs.ErrNotExist, []string{"execve /no/such: no such file or directory (", "interpreter"}},
		"directory":    {caisson.Spec{Args: []string{"/etc"}}, "execve", fs.ErrPermission, []string{"execve /etc: permission denied (is it a directory"}},
		"no source":    {mounts(caisson.Mount{Source: dir + "/none", Target: "/m"}), "open_tree", fs.ErrNotExist, []string{"source of a bind mount", "not made"}},
		"file on dir":  {mounts(caisson.Mount{Source: dir + "/file", Target: "/usr"}), "mount", nil, []string{"one of source and target is a directory"}},
		"dir on file":  {mounts(caisson.Mount{Source: dir, Target: "/etc/passwd"}), "mount", nil, []string{"one of source and target is a directory"}},
		"below a file": {mounts(caisson.Mount{Source: dir, Target: "/etc/passwd/x"}), "mount", syscall.ENOTDIR, []string{"a part of the target is a file"}},
		"wrong kind":   {caisson.Spec{Namespaces: caisson.Namespaces{IPC: caisson.NamespaceAt("/proc/self/ns/net")}}, "setns", syscall.EINVAL, []string{"of this kind"}},
		"user":         {caisson.Spec{User: "nobodyhere"}, "identity", fs.ErrNotExist, []string{`identity nobodyhere: no entry "nobodyhere" in /etc/passwd (use a number`}},
		"group":        {caisson.Spec{Groups: []string{"nogrouphere"}}, "identity", fs.ErrNotExist, []string{`identity nogrouphere: no entry "nogrouphere" in /etc/group (`}},
		"host name":    {caisson.Spec{Hostname: "a b"}, "sethostname", nil, []string{"sethostname a b: a byte that is not a letter, digit, - or _ (use letters"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.Image = "host"
			if c.spec.Args == nil {
				c.spec.Args = []string{"true"}
			}
			err := e.New(c.spec).Run(t.Context())
			var step *caisson.Error
			if !errors.As(err, &step) || step.Op != c.op || step.Hint == "" || c.is != nil && !errors.Is(err, c.is) {
				t.Fatalf("%v, want %s: %v", err, c.op, c.is)
			}
			for _, part := range c.parts {
				if strings.Count(err.Error(), part) != 1 {
					t.Errorf("%v, want %q once", err, part)
				}
			}
			if strings.Contains(err.Error(), " "+c.op+":") {
				t.Errorf("%v says %s twice", err, c.op)
			}
		})
	}
}

// The kernel has one word for a program that is missing and for one whose interpreter is.
func TestMissingInterpreter(t *testing.T) {
	dir := files(t, map[string]fs.FileMode{"opt/script": 0o755, "opt/plain": 0o644, "bin/tool": 0o755})
	img, err := engine(t).RootFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/opt/script", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/sh", filepath.Join(dir, "out")); err != nil { // not there: it is the image's /bin
		t.Fatal(err)
	}
	for program, there := range map[string]bool{
		"/opt/script": true, "/link": true, "/opt/../opt/script": true, "tool": true, "/out": false, "/opt/none": false,
	} {
		c := img.Command(program)
		err := c.Run(t.Context())
		if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "is there: is its interpreter") != there {
			t.Errorf("%s: %v", program, err)
		}
	}
	c := img.Command("/opt/script")
	c.Mounts = []caisson.Mount{{Type: caisson.MountTmpfs, Target: "/opt"}}
	if err := c.Run(t.Context()); err == nil || strings.Contains(err.Error(), "is there") {
		t.Errorf("below a mount: %v", err)
	}
}

// What Engine.Host leaves empty can be there for the user who looks.
func TestHostDoesNotShow(t *testing.T) {
	e := engine(t)
	dir := files(t, map[string]fs.FileMode{"script": 0o755})
	hidden := strings.HasPrefix(dir, "/tmp/")
	err := e.Host().Command(dir + "/script").Run(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "Engine.Host does not show "+dir+"/script: bind it") != hidden {
		t.Error(err)
	}
}

func TestImagesThatAreNot(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir()}
	digest := "sha256:" + strings.Repeat("0", 64)
	for ref, want := range map[string]string{
		"alpine": "caisson: image alpine: not in the store (Engine.Pull gets it)",
		digest:   "caisson: image " + digest + ": not in the store (Engine.Pull gets it)",
	} {
		if _, err := e.Image(t.Context(), ref); !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := e.Pull(t.Context(), "alpine", &caisson.PullOptions{Policy: caisson.PullNever})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), ": not in the store (") {
		t.Error(err)
	}
	var step *caisson.Error
	if _, err := e.Image(t.Context(), "A B"); !errors.As(err, &step) || step.Op != "image" || step.Hint == "" {
		t.Error(err)
	}
	for dir, hint := range map[string]string{"": "name one", "/": "Engine.Host", "/..": "Engine.Host", "/dev/null": "directory", "/no/such": "Pull"} {
		if _, err := e.RootFS(dir); !errors.As(err, &step) || !strings.Contains(step.Hint, hint) {
			t.Errorf("%q: %v", dir, err)
		}
		if _, err := e.Image(t.Context(), "dir:"+dir); err == nil {
			t.Errorf("dir:%s is an image", dir)
		}
	}
	c := e.New(caisson.Spec{Image: "alpine", Args: []string{"true"}})
	if err := c.Run(t.Context()); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "Image.ID") {
		t.Error(err)
	}
}
