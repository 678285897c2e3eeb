package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
)

// State is what came of a trial.
type State uint8

// The states.
const (
	Unknown State = iota // not tried, or what it depends on failed
	Works
	Fails
)

// Result is what came of one trial.
type Result struct {
	State  State
	Err    error  // why it fails or is unknown; errors.Is finds the errno
	Detail string // what was found
	Remedy string // what to do if it fails
}

// Report is what came of all trials, and what was found on the way.
type Report struct {
	Results    [numTrials]Result
	CgroupMode string // "v1", "v2", "hybrid" or ""
	AppArmor   string // the profile of this program, "" without AppArmor
	SELinux    string // "enforcing", "permissive" or ""
}

// record takes down a result: an error fails the trial, unless it is one that tells nothing.
func (r *Report) record(id ID, detail string, err error) {
	res := Result{State: Works, Detail: detail, Err: err}
	if err != nil {
		res.State = Fails
	}
	if slices.ContainsFunc(passing, func(e error) bool { return errors.Is(err, e) }) {
		res.State = Unknown
	}
	r.Results[id] = res
}

// passing are errors that say that the machine was busy, not what it can do.
var passing = []error{
	syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE, syscall.EINTR,
	context.Canceled, context.DeadlineExceeded,
}

// unknown takes down that a trial could not be made.
func (r *Report) unknown(id ID, err error) { r.Results[id] = Result{Err: err} }

// conclude turns failures that another failure explains into not knowing, and finds the remedies.
func (r *Report) conclude(h *Host) {
	before := r.Results
	for id := range r.Results {
		res := &r.Results[id]
		if res.State == Works {
			continue
		}
		for _, n := range needs(h, ID(id)) {
			if before[n].State == Works {
				continue
			}
			*res = Result{Err: &NeedError{n, res.Err}}
			break
		}
		if res.State == Fails {
			res.Remedy = remedy(h, r, ID(id))
		}
	}
}

// needs are what must work for a failure of a trial to mean anything. Without privilege a namespace is made
// in a user namespace, or not at all.
func needs(h *Host, id ID) []ID {
	if !h.Privileged && slices.Contains(spaces, id) {
		return []ID{User}
	}
	return trials[id].needs
}

// NeedError says that something could not be tried for want of something else.
type NeedError struct {
	Need ID
	Err  error // what came of trying it all the same, or nil
}

// Error names what is missing.
func (e *NeedError) Error() string { return fmt.Sprintf("needs %s", e.Need.Name()) }

// Unwrap is what came of trying it all the same.
func (e *NeedError) Unwrap() error { return e.Err }

// offError says that a cgroup controller is there, and not switched on for the cgroups below a directory.
type offError struct{ controller, dir string }

// Error names the file that it would be switched on by.
func (e *offError) Error() string {
	return e.controller + " is not switched on in " + e.dir + "/cgroup.subtree_control; the first container with such a limit tries that"
}
