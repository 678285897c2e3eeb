package caisson

import (
	"errors"
	"fmt"

	"github.com/caisson-go/caisson/internal/account"
	"github.com/caisson-go/caisson/internal/plan"
)

// userName is who the program is to run as.
func (r *request) userName() string {
	if r.spec.User != "" {
		return r.spec.User
	}
	return r.image.User
}

// identityError is the public form of an error about a user or group.
func identityError(user string, err error) error {
	var u *account.UserError
	var f *account.FileError
	switch {
	case errors.As(err, &u):
		return &Error{"identity", u.Input, err, u.Remedy}
	case errors.As(err, &f):
		return &Error{"identity", user, err, "correct it in the image, or give User and Groups by number"}
	}
	return &Error{"identity", user, err, ""}
}

// checkMapped refuses ids that the user namespace does not have: the kernel would say EINVAL, and of groups
// where setgroups(2) is denied nobody would hear.
func (r *request) checkMapped(c *plan.Config) error {
	switch c.Namespaces.User.Mode {
	case plan.UserOneID:
		return r.checkOneID()
	case plan.UserRanges:
		return r.checkRanges()
	case plan.UserHost, plan.UserJoin:
	}
	return nil
}

func (r *request) checkOneID() error {
	remedy := remedySubIDs
	if r.support.Privileged {
		remedy = "leave Namespaces.User empty: then every id is there"
	}
	if g := r.spec.Groups; len(g) > 0 {
		return &Error{"identity", "group " + g[0], errors.New("one id only is mapped here, to root, and no groups can be set"), remedy}
	}
	id := &r.identity
	if id.UID == 0 && id.GID == 0 || r.unresolved() {
		return nil
	}
	return &Error{"identity", r.userName(), fmt.Errorf("uid %d, gid %d: one id only is mapped here, to root", id.UID, id.GID), remedy}
}

const remedySubIDs = "install the package uidmap and give the user a line in /etc/subuid and /etc/subgid, such as user:100000:65536"

// unresolved tells whether the ids only stand for those of a name.
func (r *request) unresolved() bool { return r.unknown != "" && r.identity.Name != "" }

func (r *request) checkRanges() error {
	id, sup := &r.identity, r.support
	if r.unresolved() {
		return nil
	}
	bad := func(kind string, n uint32) error {
		return &Error{"identity", r.userName(), fmt.Errorf("the %s %d is not mapped", kind, n),
			"take a smaller number, or give the user a longer range in /etc/subuid and /etc/subgid"}
	}
	if !maps(sup.SubUIDs, uint64(id.UID)) {
		return bad("uid", id.UID)
	}
	for _, g := range id.Groups { // the primary one is among them
		if !maps(sup.SubGIDs, uint64(g)) {
			return bad("gid", g)
		}
	}
	return nil
}
