package caisson

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
)

// mapNamespace makes a user namespace that nobody lives in: its id map is how the kernel is told which
// owners a mount shows; mount_setattr(2), MOUNT_ATTR_IDMAP.
func mapNamespace(ctx context.Context, e *Engine, m *plan.Mount) (f *os.File, err error) {
	var lines strings.Builder
	for _, id := range m.IDMap {
		fmt.Fprintf(&lines, "%d %d %d\n", id.Source, id.Target, id.Count)
	}
	c := &plan.Config{Args: []string{"idmap"}}
	hold := plan.CompileHold(c, sys.CLONE_NEWUSER)
	err = serveTape(ctx, e, hold, c, nil, func(s *startup, _ *os.File) error {
		dir := "/proc/" + itoa(s.stage.Pid)
		for _, name := range []string{"/uid_map", "/gid_map"} {
			if err := os.WriteFile(dir+name, []byte(lines.String()), 0); err != nil {
				return &Error{"map", m.Target, err, "the mappings may not overlap, and there may be 340 at most; user_namespaces(7)"}
			}
		}
		f, err = os.Open(dir + "/ns/user")
		return err
	})
	return f, err
}
