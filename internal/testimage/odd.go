package testimage

import (
	"strings"
	"time"
)

// odd is an image of few files that has one of each kind, a layer that removes and replaces, and a third that brings
// some of it back. A static shell makes it run.
func odd() []source {
	return []source{
		{packages: []string{"busybox-static"}, extra: append(oddBase(""), symlink("bin", "usr/bin"), symlink("usr/bin/sh", "busybox"),
			file("twice", "first\n"), file("twice", "the second one counts\n").perm(0o600))},
		{extra: oddRemoved()},
		{extra: []entry{dir("gone", 0o700), file("gone/back", "back\n"), dir("opaque", 0o755), file("opaque/old", "back\n"),
			file("single", "again\n")}},
	}
}

// capPing is the value of security.capability that gives CAP_NET_RAW; struct vfs_cap_data of version 2,
// include/uapi/linux/capability.h.
const capPing = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// oddBase is one of each kind below a directory, "" or with a slash at its end. A file that a layer has twice is not among
// them: podman refuses such a layer.
func oddBase(under string) []entry {
	var list []entry
	for i, c := range under {
		if c == '/' {
			list = append(list, dir(under[:i], 0o755))
		}
	}
	long := strings.Repeat("long-name-", 20)
	for _, e := range []entry{
		dir("gone", 0o755), file("gone/one", "1\n"), dir("gone/deep", 0o750), file("gone/deep/two", "2\n"),
		dir("opaque", 0o755), file("opaque/old", "old\n"), dir("opaque/dir", 0o755), file("opaque/dir/x", "x\n"),
		dir("again", 0o755), file("again/old", "old\n"), dir("becomes-file", 0o755), file("becomes-file/x", "x\n"),
		file("becomes-dir", "a file\n"), file("becomes-link", "a file\n"), file("single", "once\n"), symlink("link-gone", "single"),
		dir("kinds", 0o755), file("kinds/empty", ""), file("kinds/big", strings.Repeat("0123456789abcdef", 40_000)),
		symlink("kinds/absolute", "/etc/passwd"), symlink("kinds/relative", "../single"), symlink("kinds/nowhere", "not/there"),
		symlink("kinds/itself", "itself"), symlink("kinds/up", "../../../../../.."), fifo("kinds/queue").owned(7, 8),
		dir("hard", 0o755), file("hard/first", "linked\n").owned(3, 4), hardlink("hard/second", under+"hard/first"),
		dir("hard/sub", 0o755), hardlink("hard/sub/third", under+"hard/first"), hardlink("hard/queue", under+"kinds/queue"),
		symlink("hard/link", "first"), hardlink("hard/link-too", under+"hard/link"),
		dir("modes", 0o755), file("modes/setuid", "#!").perm(0o4755), file("modes/setgid", "#!").perm(0o2755).owned(0, 42),
		file("modes/none", "secret").perm(0), file("modes/all", "").perm(0o7777), dir("modes/sticky", 0o1777),
		dir("modes/shared", 0o2775).owned(0, 50), dir("modes/closed", 0), file("modes/closed/inside", "in").perm(0o400),
		dir("modes/readonly", 0o555), file("modes/readonly/inside", "in"),
		dir("owners", 0o755), file("owners/app", "").owned(1000, 1000), file("owners/nobody", "").owned(65534, 65534),
		file("owners/far", "").owned(100_000, 200_000), file("owners/huge", "").owned(2_000_000_000, 2_100_000_000),
		symlink("owners/link", "app").owned(1000, 1001), dir("owners/dir", 0o750).owned(33, 33),
		dir("times", 0o755), file("times/fraction", "").at(time.Unix(1_600_000_000, 123_456_789)), file("times/epoch", "").at(time.Unix(0, 0)),
		file("times/before", "").at(time.Unix(-86_400, 0)), file("times/far", "").at(time.Unix(4_200_000_000, 0)),
		dir("times/dir", 0o755).at(time.Unix(1_000_000_000, 0)), file("times/dir/inside", "").at(time.Unix(1_500_000_000, 500)),
		symlink("times/link", "epoch").at(time.Unix(1_234_567_890, 0)),
		dir("names", 0o755), file("names/"+long, "long"), dir("names/"+long+"dir", 0o755), file("names/"+long+"dir/"+long, "longer"),
		file("names/späße ☃", "unicode"), file("names/with space", ""), file("names/new\nline", ""), file("names/-dash", ""),
		file("names/back\\slash", ""), file("names/.whatever", "no whiteout"), file("names/..dots", ""), file("names/a*?[b]", ""),
		symlink("names/long-link", strings.Repeat("far/", 40)+"away"),
		dir("xattrs", 0o755).with("user.dir", "of a directory"), file("xattrs/user", "x").with("user.note", "value"),
		file("xattrs/binary", "x").with("user.binary", "\x01\xff\x02"), file("xattrs/ping", "#!").perm(0o755).with("security.capability", capPing),
	} {
		e.Name = under + e.Name
		list = append(list, e)
	}
	return list
}

// oddRemoved removes and replaces in each way that a layer can.
func oddRemoved() []entry {
	return []entry{
		whiteout("gone"), whiteout("link-gone"), whiteout("single"), whiteout("never-there"),
		dir("opaque", 0o711), opaque("opaque"), file("opaque/new", "new\n"),
		whiteout("again"), dir("again", 0o700), file("again/new", "new\n"),
		whiteout("becomes-file"), file("becomes-file", "now a file\n"),
		whiteout("becomes-dir"), dir("becomes-dir", 0o755), file("becomes-dir/x", "x\n"),
		whiteout("becomes-link"), symlink("becomes-link", "twice"),
		dir("hard", 0o755), whiteout("hard/first"), file("hard/second", "linked no more\n"),
		dir("modes", 0o700), file("modes/setuid", "#!").perm(0o755), dir("kinds", 0o755), whiteout("kinds/queue"),
	}
}
