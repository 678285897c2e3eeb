package cgroup

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// Nothing of version 1 can be delegated, so an ordinary user is told something else there.
func TestRemedyForOrdinaryUsers(t *testing.T) {
	one, two := tree{mount: "/one", controllers: []string{"pids"}}, tree{mount: "/two", v2: true}
	for _, tt := range []struct {
		trees []tree
		errno syscall.Errno
		want  string
	}{
		{[]tree{two}, syscall.EACCES, "Delegate=yes"},
		{[]tree{one}, syscall.EACCES, "cgroup v1 is not for ordinary users"},
		{[]tree{two, one}, syscall.EPERM, "cgroup v1 is not for ordinary users"},
		{[]tree{one}, syscall.EROFS, "read-only"},
	} {
		err := forUsers(tt.trees, fail("mkdir", "/x", tt.errno))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, tt.want) || e.Path != "/x" || !errors.Is(err, tt.errno) {
			t.Errorf("%v: %v, want %s", tt.trees, err, tt.want)
		}
	}
	if err := forUsers([]tree{one}, nil); err != nil {
		t.Error(err)
	}
	if err := forUsers([]tree{one}, fs.ErrPermission); err != fs.ErrPermission {
		t.Error(err)
	}
}
