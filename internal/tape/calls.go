package tape

// Call is a system call, independent of the architecture.
type Call uint16

// call describes one system call: its name, its numbers and how to print its arguments.
// The numbers are those of arch/x86/entry/syscalls/syscall_64.tbl and of
// include/uapi/asm-generic/unistd.h, which arm64 uses.
type call struct {
	name         string
	amd64, arm64 int32
	params       string // one letter an argument, see format.go
}

// The system calls a tape can make. compare is the pseudo-operation of the interpreter.
const (
	compare Call = iota
	accept4
	bind
	capset
	chdir
	chroot
	clock_gettime
	clone
	clone3
	closeFD
	close_range
	connect
	dup3
	execve
	execveat
	exit_group
	fchdir
	fchmod
	fchmodat
	fchmodat2
	fchown
	fchownat
	fcntl
	fgetxattr
	flistxattr
	fsconfig
	fsetxattr
	fsmount
	fsopen
	fstatfs
	ftruncate
	getdents64
	getpid
	ioctl
	kill
	landlock_add_rule
	landlock_create_ruleset
	landlock_restrict_self
	linkat
	listen
	mkdirat
	mknodat
	mmap
	mount
	mount_setattr
	move_mount
	open_tree
	openat
	openat2
	pidfd_open
	pidfd_send_signal
	pivot_root
	ppoll
	prctl
	prlimit64
	pwrite64
	read
	readlinkat
	recvmsg
	renameat2
	rt_sigaction
	rt_sigprocmask
	rt_sigtimedwait
	sendmsg
	setdomainname
	setgroups
	sethostname
	setns
	setresgid
	setresuid
	setsid
	socket
	statx
	symlinkat
	umask
	umount2
	unlinkat
	unshare
	utimensat
	wait4
	write
	numCalls
)

var calls = [numCalls]call{
	compare:           {"compare", -1, -1, "ww"},
	accept4:           {"accept4", 288, 242, "fppx"},
	bind:              {"bind", 49, 200, "fpi"},
	capset:            {"capset", 126, 91, "pp"},
	chdir:             {"chdir", 80, 49, "s"},
	chroot:            {"chroot", 161, 51, "s"},
	clock_gettime:     {"clock_gettime", 228, 113, "ip"},
	clone:             {"clone", 56, 220, "N"},
	clone3:            {"clone3", 435, 435, "gi"},
	closeFD:           {"close", 3, 57, "f"},
	close_range:       {"close_range", 436, 436, "iiR"},
	connect:           {"connect", 42, 203, "fpi"},
	dup3:              {"dup3", 292, 24, "ffO"},
	execve:            {"execve", 59, 221, "sVp"},
	execveat:          {"execveat", 322, 281, "fsVpA"},
	exit_group:        {"exit_group", 231, 94, "i"},
	fchdir:            {"fchdir", 81, 50, "f"},
	fchmod:            {"fchmod", 91, 52, "fm"},
	fchmodat:          {"fchmodat", 268, 53, "fsm"},
	fchmodat2:         {"fchmodat2", 452, 452, "fsmA"},
	fchown:            {"fchown", 93, 55, "fii"},
	fchownat:          {"fchownat", 260, 54, "fsiiA"},
	fcntl:             {"fcntl", 72, 25, "fii"},
	fgetxattr:         {"fgetxattr", 193, 10, "fspi"},
	flistxattr:        {"flistxattr", 196, 13, "fpi"},
	fsconfig:          {"fsconfig", 431, 431, "fCssi"},
	fsetxattr:         {"fsetxattr", 190, 7, "fssix"},
	fsmount:           {"fsmount", 432, 432, "fxE"},
	fsopen:            {"fsopen", 430, 430, "sx"},
	fstatfs:           {"fstatfs", 138, 44, "fp"},
	ftruncate:         {"ftruncate", 77, 46, "fi"},
	getdents64:        {"getdents64", 217, 61, "fpi"},
	getpid:            {"getpid", 39, 172, ""},
	ioctl:             {"ioctl", 16, 29, "fIp"},
	kill:              {"kill", 62, 129, "iS"},
	linkat:            {"linkat", 265, 37, "fsfsA"},
	listen:            {"listen", 50, 201, "fi"},
	mkdirat:           {"mkdirat", 258, 34, "fsm"},
	mknodat:           {"mknodat", 259, 33, "fsmD"},
	mmap:              {"mmap", 9, 222, "xixxfi"},
	mount:             {"mount", 165, 40, "sssMs"},
	mount_setattr:     {"mount_setattr", 442, 442, "fsTai"},
	move_mount:        {"move_mount", 429, 429, "fsfsV"},
	open_tree:         {"open_tree", 428, 428, "fsT"},
	openat:            {"openat", 257, 56, "fsOm"},
	openat2:           {"openat2", 437, 437, "fsoi"},
	pidfd_open:        {"pidfd_open", 434, 434, "ix"},
	pidfd_send_signal: {"pidfd_send_signal", 424, 424, "fSpx"},
	pivot_root:        {"pivot_root", 155, 41, "ss"},
	ppoll:             {"ppoll", 271, 73, "pippi"},
	prctl:             {"prctl", 157, 167, "Piiii"},
	prlimit64:         {"prlimit64", 302, 261, "iipp"},
	read:              {"read", 0, 63, "fpi"},
	readlinkat:        {"readlinkat", 267, 78, "fspi"},
	recvmsg:           {"recvmsg", 47, 212, "fpx"},
	renameat2:         {"renameat2", 316, 276, "fsfsx"},
	rt_sigaction:      {"rt_sigaction", 13, 134, "Sppi"},
	rt_sigprocmask:    {"rt_sigprocmask", 14, 135, "ippi"},
	rt_sigtimedwait:   {"rt_sigtimedwait", 128, 137, "pppi"},
	sendmsg:           {"sendmsg", 46, 211, "fpx"},
	setdomainname:     {"setdomainname", 171, 162, "si"},
	setgroups:         {"setgroups", 116, 159, "ip"},
	sethostname:       {"sethostname", 170, 161, "si"},
	setns:             {"setns", 308, 268, "fN"},
	setresgid:         {"setresgid", 119, 149, "iii"},
	setresuid:         {"setresuid", 117, 147, "iii"},
	setsid:            {"setsid", 112, 157, ""},
	socket:            {"socket", 41, 198, "ixi"},
	statx:             {"statx", 332, 291, "fsAxp"},
	symlinkat:         {"symlinkat", 266, 36, "sfs"},
	umask:             {"umask", 95, 166, "m"},
	umount2:           {"umount2", 166, 39, "sU"},
	unlinkat:          {"unlinkat", 263, 35, "fsA"},
	unshare:           {"unshare", 272, 97, "N"},
	utimensat:         {"utimensat", 280, 88, "fspA"},
	wait4:             {"wait4", 61, 260, "ipxp"},
	write:             {"write", 1, 64, "fsi"},
	pwrite64:          {"pwrite64", 18, 68, "fpii"},

	landlock_add_rule:       {"landlock_add_rule", 445, 445, "fipx"},
	landlock_create_ruleset: {"landlock_create_ruleset", 444, 444, "pix"},
	landlock_restrict_self:  {"landlock_restrict_self", 446, 446, "fx"},
}

// String is the system call's name as the manual spells it.
func (c Call) String() string { return calls[c].name }

// number is the system call's number on an architecture.
func (c Call) number(a Arch) int32 {
	if a == ARM64 {
		return calls[c].arm64
	}
	return calls[c].amd64
}
