package probe

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Where a limit works and where it does not, in directories that look like cgroups.
func TestLimit(t *testing.T) {
	refused := &fs.PathError{Op: "write", Path: "memory.max", Err: syscall.EBUSY}
	for _, c := range []struct {
		name    string
		version int    // of the hierarchy
		files   string // the one file that there is in it
		text    string
		noBase  bool
		limit   error
		state   State
		err     error
	}{
		{name: "version 1", version: 1, state: Works},
		{name: "version 1, refused", version: 1, limit: refused, state: Fails, err: syscall.EBUSY},
		{name: "version 2, on", version: 2, files: "cgroup.subtree_control", text: "cpu memory\n", state: Works},
		{name: "version 2, on, refused", version: 2, files: "cgroup.subtree_control", text: "memory", limit: refused, state: Fails, err: syscall.EBUSY},
		{name: "version 2, off", version: 2, files: "cgroup.controllers", text: "memory", state: Unknown},
		{name: "version 2, not there", version: 2, files: "cgroup.controllers", text: "cpu", state: Fails, err: fs.ErrNotExist},
		{name: "version 2, not to be written", version: 2, noBase: true, state: Unknown},
		{name: "none", state: Fails, err: fs.ErrNotExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.files != "" {
				if err := os.WriteFile(filepath.Join(dir, c.files), []byte(c.text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			var list []hierarchy
			if c.version != 0 {
				list = []hierarchy{{version: c.version, top: dir, own: dir, options: "rw,memory"}}
			}
			asked := false
			h := &Host{Files: os.DirFS("/"), Limit: func(_ context.Context, controller string) error {
				asked = controller == "memory"
				return c.limit
			}}
			p := &prober{Host: h}
			base := dir
			if c.noBase {
				base = ""
			}
			if err := p.limit(t.Context(), list, base, LimitMemory, "memory"); err != nil {
				t.Error(err)
			}
			res := p.report.Results[LimitMemory]
			if res.State != c.state || c.err != nil && !errors.Is(res.Err, c.err) {
				t.Errorf("%+v", res)
			}
			if want := c.state == Works || c.limit != nil; asked != want {
				t.Errorf("a limit was tried: %v, want %v", asked, want)
			}
			if left, _ := filepath.Glob(dir + "/caisson-probe-*"); len(left) > 0 {
				t.Error(left)
			}
		})
	}
}

func TestLimitWhereNoCgroupCanBeMade(t *testing.T) {
	p := &prober{Host: &Host{Files: os.DirFS("/")}}
	gone := filepath.Join(t.TempDir(), "gone")
	err := p.limit(t.Context(), []hierarchy{{version: 1, top: gone, options: "rw,pids"}}, "", LimitPids, "pids")
	var need *NeedError
	if res := p.report.Results[LimitPids]; !errors.Is(err, fs.ErrNotExist) || !errors.As(res.Err, &need) || need.Need != CgroupMake {
		t.Errorf("%v, %+v", err, res)
	}
}
