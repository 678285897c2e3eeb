package caisson_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson"
)

func TestErrorText(t *testing.T) {
	enoent := syscall.ENOENT.Error()
	for want, e := range map[string]*caisson.Error{
		"caisson: execve nosuch: " + enoent + " (do this)": {Op: "execve", Path: "nosuch", Err: os.NewSyscallError("execve", syscall.ENOENT), Hint: "do this"},
		"caisson: mount /x: move_mount: " + enoent:         {Op: "mount", Path: "/x", Err: os.NewSyscallError("move_mount", syscall.ENOENT)},
		"caisson: open /x: " + enoent:                      {Op: "open", Path: "/x", Err: &fs.PathError{Op: "stat", Path: "/x", Err: syscall.ENOENT}},
		"caisson: pull: why":                               {Op: "pull", Err: errors.New("why")},
		`caisson: open "a\nb\x1b\x00": why`:                {Op: "open", Path: "a\nb\x1b\x00", Err: errors.New("why")},
		`caisson: open "\xff": why`:                        {Op: "open", Path: "\xff", Err: errors.New("why")},
		"caisson: open é b: why":                           {Op: "open", Path: "é b", Err: errors.New("why")},
		"caisson: open x: failed":                          {Op: "open", Path: "x"},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	long := (&caisson.Error{Op: "open", Path: strings.Repeat("\x00", 1<<20), Err: errors.New("why")}).Error()
	if len(long) > 1<<15 {
		t.Errorf("%d bytes", len(long))
	}
}
