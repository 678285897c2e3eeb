package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

var errPrivileged = errors.New("not needed: this program is privileged")

// ids looks for what it takes to map a range of ids, and maps one; then it tries an idmapped mount with it.
func (p *prober) ids(ctx context.Context) {
	p.parts()
	r, err := p.start(ctx, mapped(), nil)
	if err == nil {
		defer func() { _, _ = r.end() }()
		var failure error
		_, failure, err = r.next()
		err = errors.Join(failure, err)
	}
	if err != nil {
		p.unknown(IDMaps, &NeedError{User, err})
		p.unknown(IDMapped, &NeedError{User, err})
		return
	}
	if !p.maps(r.process.Pid) {
		return
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(r.process.Pid) + "/ns/user")
	if err != nil {
		p.unknown(IDMapped, err)
		return
	}
	defer func() { _ = ns.Close() }()
	p.run(ctx, idMapped(p.Host, p.scratch), ns)
}

// parts looks for the two programs that map ids for an ordinary user, and for the lines they go by.
func (p *prober) parts() {
	for _, part := range []struct {
		program, line ID
		name, file    string
		ranges        string
	}{
		{Newuidmap, SubUID, "newuidmap", "/etc/subuid", p.SubUIDs}, {Newgidmap, SubGID, "newgidmap", "/etc/subgid", p.SubGIDs},
	} {
		if p.Privileged {
			p.unknown(part.program, errPrivileged)
			p.unknown(part.line, errPrivileged)
			continue
		}
		path, err := p.LookPath(part.name)
		p.record(part.program, path, err)
		err = p.SubErr
		if err == nil && part.ranges == "" {
			err = fmt.Errorf("no line for user %s: %w", p.name(), fs.ErrNotExist)
		}
		p.record(part.line, part.ranges, err)
	}
}

// maps fills the id maps of a process's user namespace: a range if that is possible, else one id. It
// tells whether they are filled.
func (p *prober) maps(pid int) bool {
	var err error
	switch {
	case p.Privileged:
		err = writeMaps(pid, "0 100000 65536", "0 100000 65536")
	case !p.mayMap():
		return writeMaps(pid, fmt.Sprintf("0 %d 1", p.UID), fmt.Sprintf("0 %d 1", p.GID)) == nil
	default:
		err = p.MapIDs(pid)
	}
	p.record(IDMaps, "", err)
	if err != nil {
		p.unknown(IDMapped, &NeedError{IDMaps, err})
	}
	return err == nil
}

// mayMap tells whether there is what it takes to map a range, and else what is missing.
func (p *prober) mayMap() bool {
	for _, need := range []ID{Newuidmap, Newgidmap, SubUID, SubGID} {
		if res := p.result(need); res.State != Works {
			p.unknown(IDMaps, &NeedError{need, res.Err})
			return false
		}
	}
	return true
}

// writeMaps writes maps of one line from outside; user_namespaces(7). Without privilege the group map can
// only be written once setgroups(2) is denied.
func writeMaps(pid int, uids, gids string) error {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, f := range [][2]string{{"setgroups", "deny"}, {"uid_map", uids}, {"gid_map", gids}} {
		if err := os.WriteFile(dir+f[0], []byte(f[1]), 0); err != nil {
			return err
		}
	}
	return nil
}
