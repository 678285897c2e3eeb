package plan

import "strings"

// Overlay describes one overlay mount. Kernels before 6.5 know overlay by mount(2) alone, which takes
// a path to attach it at and one page of options.
type Overlay struct {
	Lower       []string // bottom to top
	Upper, Work string   // "": read-only
	UserXattr   bool     // keep its marks in user.overlay.*, which needs no privilege; since 5.11
	Volatile    bool     // leave out every sync; since 5.10
}

// maxParam is what fsconfig(2) takes for a string, without the final NUL.
const maxParam = 255

// Limits of the kernel: layers of an overlay (OVL_MAX_STACK), and what mount(2) copies of its options, a page with
// the final NUL.
const (
	maxLower   = 500
	maxOptions = 4095
)

// plain are the features of overlayfs that a kernel or a module's parameter may turn on by default, all off: with them an
// upper directory holds names, contents and hard links in ways that only overlayfs reads, and cannot be mounted again over
// other layers. For redirect_dir "nofollow" is the off that userxattr goes with, and that no default changes. All since
// 4.19; Documentation/filesystems/overlayfs.rst, fs/overlayfs/params.c.
func plain() []param {
	return []param{{"redirect_dir", "nofollow"}, {"metacopy", "off"}, {"index", "off"}, {"nfs_export", "off"}, {"xino", "off"}}
}

// below is the overlay with one more directory at the very bottom, unless that is one too many.
func (o Overlay) below(dir string, f Features) Overlay {
	with := o
	with.Lower = append([]string{dir}, o.Lower...)
	if _, ok := with.Params(f); len(with.Lower) > maxLower || !ok && len(with.Options()) > maxOptions {
		return o
	}
	return with
}

// Params is the overlay for fsconfig(2), if it can be said so.
func (o *Overlay) Params(f Features) ([]param, bool) {
	if !f.OverlayFsconfig || len(o.Upper) > maxParam || len(o.Work) > maxParam {
		return nil, false
	}
	var params []param
	if len(o.Lower) == 1 || !f.OverlayLowerAdd {
		list := escapeList(o.Lower)
		if len(list) > maxParam {
			return nil, false
		}
		params = append(params, param{"lowerdir", list})
	} else {
		for i := len(o.Lower) - 1; i >= 0; i-- {
			if len(o.Lower[i]) > maxParam {
				return nil, false
			}
			params = append(params, param{"lowerdir+", o.Lower[i]})
		}
	}
	if o.Upper != "" {
		params = append(params, param{"upperdir", o.Upper}, param{"workdir", o.Work})
	}
	params = append(params, plain()...)
	if o.UserXattr {
		params = append(params, param{"userxattr", ""})
	}
	if o.Volatile {
		params = append(params, param{"volatile", ""})
	}
	return params, true
}

// Options is the overlay for mount(2): one string, in which commas separate and layers go top to bottom.
func (o *Overlay) Options() string {
	comma := strings.NewReplacer(`\`, `\\`, ",", `\,`)
	s := "lowerdir=" + strings.ReplaceAll(escapeList(o.Lower), ",", `\,`)
	if o.Upper != "" {
		s += ",upperdir=" + comma.Replace(o.Upper) + ",workdir=" + comma.Replace(o.Work)
	}
	for _, p := range plain() {
		s += "," + p[0] + "=" + p[1]
	}
	if o.UserXattr {
		s += ",userxattr"
	}
	if o.Volatile {
		s += ",volatile"
	}
	return s
}

// escapeList joins layers, given bottom to top, as lowerdir wants them: top to bottom, separated by
// colons, with colons and backslashes of a path escaped.
func escapeList(lower []string) string {
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	parts := make([]string, len(lower))
	for i, l := range lower {
		if strings.ContainsAny(l, `:\`) {
			l = escape.Replace(l)
		}
		parts[len(lower)-1-i] = l
	}
	return strings.Join(parts, ":")
}
