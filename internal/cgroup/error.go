package cgroup

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
)

// Error reports the file or group that a step failed for. errors.Is sees through to fs.ErrNotExist,
// fs.ErrPermission, errors.ErrUnsupported and the errno.
type Error struct {
	Op   string // "limit", "mkdir", "enable", "join", "kill", "freeze", "remove", "open"
	Path string
	Err  error
	Hint string // one remedy, or ""
}

// Error names the step, the object and the remedy.
func (e *Error) Error() string {
	msg := "cgroup: " + e.Op + " " + e.Path + ": " + e.Err.Error()
	if e.Hint != "" {
		msg += " (" + e.Hint + ")"
	}
	return msg
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// fail makes an *Error of what the system said. The path that an *fs.PathError has too is not said twice.
func fail(op, path string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &Error{op, path, err, hint(op, err)}
}

// hint is what to do about an errno.
func hint(op string, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or in a cgroup v2 that is delegated to you: systemd-run --user --scope -p Delegate=yes"
	case errors.Is(err, syscall.EROFS):
		return "the cgroup filesystem is read-only here: mount it to write, or have the outer container mount it so"
	case op == "enable" && errors.Is(err, syscall.EBUSY):
		return "the group above has processes of its own: move them into a group below it; cgroup-v2.rst, No Internal Process Constraint"
	case op == "limit" && errors.Is(err, syscall.EBUSY):
		return "the group uses more already, and none of it can be taken back"
	case op == "mkdir" && errors.Is(err, syscall.EAGAIN):
		return "raise cgroup.max.descendants or cgroup.max.depth of the groups above"
	case op == "join" && errors.Is(err, syscall.EBUSY):
		return "the group has limited groups below it, and version 2 puts processes only into the lowest"
	case op == "remove" && errors.Is(err, syscall.EBUSY):
		return "processes in it are still alive; kill them, and if they do not die, see why they hang"
	}
	return ""
}

// forUsers mends the remedy of what was refused where a tree is of version 1, of which nothing is ever delegated.
func forUsers(trees []tree, err error) error {
	var e *Error
	one := slices.ContainsFunc(trees, func(t tree) bool { return !t.v2 })
	if one && errors.As(err, &e) && errors.Is(err, fs.ErrPermission) {
		return &Error{e.Op, e.Path, e.Err, "run as root: cgroup v1 is not for ordinary users; or boot with systemd.unified_cgroup_hierarchy=1"}
	}
	return err
}

// gone tells whether a group has been removed. A file of it that is still open says ENODEV.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) }
