package caisson

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// String is a table for people: who the host program is, and then each feature with what came of it, the
// kernel release it came with, and below it, where it does not work, the reason and the remedy.
func (s *Support) String() string {
	var b strings.Builder
	s.writeIdentity(&b)
	width := 0
	for _, f := range s.Features() {
		width = max(width, utf8.RuneCountInString(f.Name))
	}
	last := ""
	for title, f := range s.Features() {
		if title != last {
			fmt.Fprintf(&b, "\n%s\n", title)
			last = title
		}
		f.writeRow(&b, width)
	}
	return b.String()
}

// writeIdentity writes who the host program is.
func (s *Support) writeIdentity(b *strings.Builder) {
	b.WriteString("who you are\n")
	line := func(name, value string) { fmt.Fprintf(b, "  %-9s  %s\n", name, value) }
	who, where := "without privilege", "containers live in a user namespace"
	switch {
	case s.Privileged:
		who, where = "privileged", "containers need no user namespace"
	case s.UID == 0:
		who = "root without privilege on the machine"
	}
	if s.Namespaces.User.Name != "" { // else nobody has tried to make one
		who += ": " + where
	}
	line("user", fmt.Sprintf("uid %d, gid %d, %s", s.UID, s.GID, who))
	if s.Release != "" {
		line("kernel", s.Release)
	}
	if s.Cgroups.Mode != CgroupNone {
		line("cgroups", string(s.Cgroups.Mode))
	}
	if s.Security.AppArmor != "" {
		line("AppArmor", s.Security.AppArmor)
	}
	if s.Security.SELinux != "" {
		line("SELinux", s.Security.SELinux)
	}
}

// writeRow writes one feature.
func (f *Feature) writeRow(b *strings.Builder, width int) {
	pad := strings.Repeat(" ", width-utf8.RuneCountInString(f.Name))
	row := fmt.Sprintf("  %s%s  %-7s  %-7s", f.Name, pad, f.State, f.Since)
	if f.State == FeatureWorks && f.Detail != "" {
		row += "  " + f.Detail
	}
	b.WriteString(strings.TrimRight(row, " ") + "\n")
	if f.State == FeatureWorks {
		return
	}
	if reason := f.reason(); reason != "" {
		fmt.Fprintf(b, "      %s\n", reason)
	}
	if f.Remedy != "" {
		fmt.Fprintf(b, "      remedy: %s\n", f.Remedy)
	}
}
