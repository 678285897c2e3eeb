package caisson

import (
	"fmt"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/proxy"
	"github.com/caisson-go/caisson/internal/tape"
)

// What a container wrote, and the layers of its image, belong to its users: on disk they are the ids that its user
// namespace maps to. A program with the rights of one user can neither make nor read nor remove all of them. A process
// in a user namespace as the container's can.

// inUserNamespace has a proxy enter a user namespace as a container of this request has. If a container has none, the
// proxy stays in the host's.
func (r *request) inUserNamespace(o *proxy.Options) error {
	user, err := r.userNamespace()
	if err != nil || user.Mode == plan.UserHost {
		return err
	}
	o.Enter = func(t *tape.Tape) { plan.EnterUser(t, &user) }
	if user.Mode == plan.UserRanges {
		o.Map = func(pid int) error { return (&startup{support: r.support}).writeMaps(pid) }
		o.Prelude = func(t *tape.Tape) { t.Setresgid(0); t.Setresuid(0) }
	}
	return nil
}

// userProxy is a process in such a user namespace.
func (r *request) userProxy(name string, files ...*os.File) (*proxy.Proxy, error) {
	o := proxy.Options{Name: name, Files: files}
	if err := r.inUserNamespace(&o); err != nil {
		return nil, err
	}
	return proxy.Start(o)
}

// nobody is who a container sees as the owner of files that belong to ids it does not have; user_namespaces(7).
const nobody = 65534

// inside is what the container calls an owner that the host calls by these numbers.
func (s *Support) inside(user *plan.UserNamespace) func(uid, gid int) (int, int, error) {
	uids, gids := s.SubUIDs, s.SubGIDs
	if user.Mode != plan.UserRanges {
		uids, gids = nil, nil
	}
	return func(uid, gid int) (int, int, error) {
		return idInside(uid, s.UID, uids), idInside(gid, s.GID, gids), nil
	}
}

// idInside is an id of the host as a container has it, whose root is own and whose other ids are the ranges, from 1 on.
func idInside(id, own int, ranges []IDRange) int {
	if id == own {
		return 0
	}
	next := 1
	for _, r := range ranges {
		if first := int(r.Start); id >= first && id-first < int(r.Count) {
			return next + id - first
		}
		next += int(r.Count)
	}
	return nobody
}

// outside is what the host calls an owner that the container calls by these numbers, with subordinate ids.
func (s *Support) outside(uid, gid int) (int, int, error) {
	u, ok := idOutside(uid, s.UID, s.SubUIDs)
	g, also := idOutside(gid, s.GID, s.SubGIDs)
	if !ok || !also {
		return 0, 0, fmt.Errorf("owner %d:%d: there are not so many subordinate ids: %w", uid, gid, syscall.EINVAL)
	}
	return u, g, nil
}

// idOutside is idInside the other way round.
func idOutside(id, own int, ranges []IDRange) (int, bool) {
	if id == 0 {
		return own, true
	}
	next := 1
	for _, r := range ranges {
		if id < next+int(r.Count) {
			return int(r.Start) + id - next, true
		}
		next += int(r.Count)
	}
	return 0, false
}
