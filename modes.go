package caisson

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caisson-go/caisson/internal/plan"
)

// namespaces turns the choices of a spec into those of a plan.
func (r *request) namespaces() (plan.Namespaces, error) {
	s := &r.spec.Namespaces
	var n plan.Namespaces
	for _, c := range []struct {
		name  string
		mode  NamespaceMode
		unset plan.Mode
		to    *plan.Namespace
	}{
		{"mnt", s.Mount, plan.New, &n.Mount}, {"pid", s.PID, plan.New, &n.PID}, {"net", s.Net, plan.New, &n.Net},
		{"ipc", s.IPC, plan.New, &n.IPC}, {"uts", s.UTS, plan.New, &n.UTS},
		{"cgroup", s.Cgroup, plan.New, &n.Cgroup}, {"time", s.Time, plan.Host, &n.Time},
	} {
		ns, err := c.mode.compile(c.name, c.unset)
		if err != nil {
			return n, err
		}
		*c.to = ns
	}
	if n.Mount.Mode == plan.Host {
		return n, &Error{"clone", "mnt", errors.New("a container needs a mount namespace of its own"), "to run a program in the host's, use os/exec"}
	}
	if n.Mount.Mode == plan.Join && (len(r.spec.Mounts) > 0 || r.spec.ReadOnly) {
		return n, &Error{"mount", string(s.Mount), errors.New("the mounts of a joined mount namespace are not the container's to change"), "leave Mounts and ReadOnly empty"}
	}
	user, err := r.userNamespace()
	n.User = user
	return n, err
}

func (m NamespaceMode) compile(kind string, unset plan.Mode) (plan.Namespace, error) {
	switch {
	case m == NamespaceDefault:
		return plan.Namespace{Mode: unset}, nil
	case m == NamespaceNew:
		return plan.Namespace{Mode: plan.New}, nil
	case m == NamespaceHost:
		return plan.Namespace{Mode: plan.Host}, nil
	case m.path(kind) != "":
		return plan.Namespace{Mode: plan.Join, Object: m.path(kind)}, nil
	}
	return plan.Namespace{}, &Error{"setns", string(m), fmt.Errorf("unknown mode for the %s namespace", kind), "use NamespaceNew, NamespaceHost, NamespaceOf or NamespaceAt"}
}

// path is the file that the namespace to join stands behind, or "".
func (m NamespaceMode) path(kind string) string {
	if pid, ok := strings.CutPrefix(string(m), "pid:"); ok && pid != "" && strings.Trim(pid, "0123456789") == "" {
		return "/proc/" + pid + "/ns/" + kind
	}
	p, _ := strings.CutPrefix(string(m), "path:")
	if p == string(m) {
		return ""
	}
	return p
}

// userNamespace decides for the user namespace: none for a privileged host program, else one with the
// subordinate ids it may use, else one with its own id alone.
func (r *request) userNamespace() (plan.UserNamespace, error) {
	sup, mode := r.support, r.spec.Namespaces.User
	if p := mode.path("user"); p != "" {
		return plan.UserNamespace{Mode: plan.UserJoin, Object: p}, nil
	}
	if !slices.Contains([]NamespaceMode{NamespaceDefault, NamespaceNew, NamespaceHost}, mode) {
		_, err := mode.compile("user", plan.New)
		return plan.UserNamespace{}, err
	}
	if mode == NamespaceHost && !sup.Privileged {
		return plan.UserNamespace{}, &Error{"clone", "user", errors.New("without privilege a container needs a user namespace"), "leave Namespaces.User empty, or run as root with CAP_SYS_ADMIN"}
	}
	if sup.Privileged && mode != NamespaceNew {
		return plan.UserNamespace{Mode: plan.UserHost}, nil
	}
	if len(sup.SubUIDs) > 0 && len(sup.SubGIDs) > 0 {
		return plan.UserNamespace{Mode: plan.UserRanges, HasGID5: maps(sup.SubGIDs, 5)}, nil
	}
	return plan.UserNamespace{Mode: plan.UserOneID, UID: uint32(sup.UID), GID: uint32(sup.GID)}, nil
}

// maps tells whether ranges, mapped from 1 on, reach an id.
func maps(ranges []IDRange, id uint64) bool {
	next := uint64(1)
	for _, r := range ranges {
		next += uint64(r.Count)
	}
	return id < next
}
