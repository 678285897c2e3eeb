package caisson

import (
	"io/fs"

	"github.com/caisson-go/caisson/internal/plan"
)

// hostRoot is the root filesystem of Engine.Host on a host.
func hostRoot(sup *Support) plan.Root {
	root := plan.Root{
		Kind: plan.Composite, Entries: hostPlan(sup.HostRoot), Hidden: sup.HostHidden,
		Attrs: make(map[string]plan.Attr, len(sup.HostDirs)),
		Dirs:  []plan.Entry{{Name: "var/tmp", Mode: 0o1777}, {Name: "var/log", Mode: 0o755}, {Name: "var/spool", Mode: 0o755}},
	}
	for _, d := range sup.HostDirs {
		root.Attrs[d.Path] = plan.Attr{Mode: modeBits(d.Mode), UID: uint32(d.UID), GID: uint32(d.GID)}
	}
	return root
}

func hostPlan(entries []HostEntry) []plan.Entry {
	var list []plan.Entry
	for i := range entries {
		e := &entries[i]
		mode := uint32(0o755)
		if e.Name == "tmp" {
			mode = 0o1777
		}
		list = append(list, plan.Entry{
			Name: e.Name, Kind: e.Kind.plan(), Target: e.Target, Mode: mode, Locked: e.Locked,
			Below: hostPlan(e.Below), Parts: hostPlan(e.Parts),
		})
	}
	return list
}

func (k HostEntryKind) plan() plan.EntryKind {
	switch k {
	case HostOverlay, "":
		return plan.EntryOverlay
	case HostMount:
		return plan.EntryMount
	case HostBind:
		return plan.EntryBind
	case HostFile:
		return plan.EntryFile
	case HostLink:
		return plan.EntryLink
	}
	return plan.EntryEmpty
}

// specialBits are the bits of a mode that Go has elsewhere than chmod(2).
var specialBits = [...]struct {
	mode fs.FileMode
	bit  uint32
}{{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000}}

// modeBits is a mode as chmod(2) has it.
func modeBits(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	for _, s := range specialBits {
		if m&s.mode != 0 {
			bits |= s.bit
		}
	}
	return bits
}

// fileMode is a mode of chmod(2) as Go has it.
func fileMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits) & fs.ModePerm
	for _, s := range specialBits {
		if bits&s.bit != 0 {
			m |= s.mode
		}
	}
	return m
}
