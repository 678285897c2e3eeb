package sys

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
	"golang.org/x/sys/unix"
)

// constants holds each constant of this package beside the one of golang.org/x/sys/unix, for the
// architecture that the test is built for.
var constants = map[string]struct{ got, want int64 }{
	"CLONE_VM":                {CLONE_VM, unix.CLONE_VM},
	"CLONE_VFORK":             {CLONE_VFORK, unix.CLONE_VFORK},
	"CLONE_PARENT":            {CLONE_PARENT, unix.CLONE_PARENT},
	"CLONE_PIDFD":             {CLONE_PIDFD, unix.CLONE_PIDFD},
	"CLONE_NEWTIME":           {CLONE_NEWTIME, unix.CLONE_NEWTIME},
	"CLONE_NEWNS":             {CLONE_NEWNS, unix.CLONE_NEWNS},
	"CLONE_NEWCGROUP":         {CLONE_NEWCGROUP, unix.CLONE_NEWCGROUP},
	"CLONE_NEWUTS":            {CLONE_NEWUTS, unix.CLONE_NEWUTS},
	"CLONE_NEWIPC":            {CLONE_NEWIPC, unix.CLONE_NEWIPC},
	"CLONE_NEWUSER":           {CLONE_NEWUSER, unix.CLONE_NEWUSER},
	"CLONE_NEWPID":            {CLONE_NEWPID, unix.CLONE_NEWPID},
	"CLONE_NEWNET":            {CLONE_NEWNET, unix.CLONE_NEWNET},
	"CLONE_INTO_CGROUP":       {CLONE_INTO_CGROUP, unix.CLONE_INTO_CGROUP},
	"CLONE_CLEAR_SIGHAND":     {CLONE_CLEAR_SIGHAND, unix.CLONE_CLEAR_SIGHAND},
	"O_RDONLY":                {O_RDONLY, unix.O_RDONLY},
	"O_WRONLY":                {O_WRONLY, unix.O_WRONLY},
	"O_RDWR":                  {O_RDWR, unix.O_RDWR},
	"O_CREAT":                 {O_CREAT, unix.O_CREAT},
	"O_EXCL":                  {O_EXCL, unix.O_EXCL},
	"O_NOCTTY":                {O_NOCTTY, unix.O_NOCTTY},
	"O_TRUNC":                 {O_TRUNC, unix.O_TRUNC},
	"O_APPEND":                {O_APPEND, unix.O_APPEND},
	"O_NONBLOCK":              {O_NONBLOCK, unix.O_NONBLOCK},
	"O_CLOEXEC":               {O_CLOEXEC, unix.O_CLOEXEC},
	"O_PATH":                  {O_PATH, unix.O_PATH},
	"AT_FDCWD":                {AT_FDCWD, unix.AT_FDCWD},
	"AT_SYMLINK_NOFOLLOW":     {AT_SYMLINK_NOFOLLOW, unix.AT_SYMLINK_NOFOLLOW},
	"AT_REMOVEDIR":            {AT_REMOVEDIR, unix.AT_REMOVEDIR},
	"AT_SYMLINK_FOLLOW":       {AT_SYMLINK_FOLLOW, unix.AT_SYMLINK_FOLLOW},
	"AT_EMPTY_PATH":           {AT_EMPTY_PATH, unix.AT_EMPTY_PATH},
	"AT_RECURSIVE":            {AT_RECURSIVE, unix.AT_RECURSIVE},
	"RESOLVE_NO_XDEV":         {RESOLVE_NO_XDEV, unix.RESOLVE_NO_XDEV},
	"RESOLVE_NO_MAGICLINKS":   {RESOLVE_NO_MAGICLINKS, unix.RESOLVE_NO_MAGICLINKS},
	"RESOLVE_NO_SYMLINKS":     {RESOLVE_NO_SYMLINKS, unix.RESOLVE_NO_SYMLINKS},
	"RESOLVE_BENEATH":         {RESOLVE_BENEATH, unix.RESOLVE_BENEATH},
	"RESOLVE_IN_ROOT":         {RESOLVE_IN_ROOT, unix.RESOLVE_IN_ROOT},
	"MS_RDONLY":               {MS_RDONLY, unix.MS_RDONLY},
	"MS_NOSUID":               {MS_NOSUID, unix.MS_NOSUID},
	"MS_NODEV":                {MS_NODEV, unix.MS_NODEV},
	"MS_NOEXEC":               {MS_NOEXEC, unix.MS_NOEXEC},
	"MS_REMOUNT":              {MS_REMOUNT, unix.MS_REMOUNT},
	"MS_NOSYMFOLLOW":          {MS_NOSYMFOLLOW, unix.MS_NOSYMFOLLOW},
	"MS_BIND":                 {MS_BIND, unix.MS_BIND},
	"MS_MOVE":                 {MS_MOVE, unix.MS_MOVE},
	"MS_REC":                  {MS_REC, unix.MS_REC},
	"MS_UNBINDABLE":           {MS_UNBINDABLE, unix.MS_UNBINDABLE},
	"MS_PRIVATE":              {MS_PRIVATE, unix.MS_PRIVATE},
	"MS_SLAVE":                {MS_SLAVE, unix.MS_SLAVE},
	"MS_SHARED":               {MS_SHARED, unix.MS_SHARED},
	"MS_STRICTATIME":          {MS_STRICTATIME, unix.MS_STRICTATIME},
	"MNT_DETACH":              {MNT_DETACH, unix.MNT_DETACH},
	"OPEN_TREE_CLONE":         {OPEN_TREE_CLONE, unix.OPEN_TREE_CLONE},
	"OPEN_TREE_CLOEXEC":       {OPEN_TREE_CLOEXEC, unix.OPEN_TREE_CLOEXEC},
	"MOVE_MOUNT_F_EMPTY_PATH": {MOVE_MOUNT_F_EMPTY_PATH, unix.MOVE_MOUNT_F_EMPTY_PATH},
	"MOVE_MOUNT_T_SYMLINKS":   {MOVE_MOUNT_T_SYMLINKS, unix.MOVE_MOUNT_T_SYMLINKS},
	"MOVE_MOUNT_T_EMPTY_PATH": {MOVE_MOUNT_T_EMPTY_PATH, unix.MOVE_MOUNT_T_EMPTY_PATH},
	"FSOPEN_CLOEXEC":          {FSOPEN_CLOEXEC, unix.FSOPEN_CLOEXEC},
	"FSMOUNT_CLOEXEC":         {FSMOUNT_CLOEXEC, unix.FSMOUNT_CLOEXEC},
	"FSCONFIG_SET_FLAG":       {FSCONFIG_SET_FLAG, unix.FSCONFIG_SET_FLAG},
	"FSCONFIG_SET_STRING":     {FSCONFIG_SET_STRING, unix.FSCONFIG_SET_STRING},
	"FSCONFIG_SET_FD":         {FSCONFIG_SET_FD, unix.FSCONFIG_SET_FD},
	"FSCONFIG_CMD_CREATE":     {FSCONFIG_CMD_CREATE, unix.FSCONFIG_CMD_CREATE},
	"MOUNT_ATTR_RDONLY":       {MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	"MOUNT_ATTR_NOSUID":       {MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	"MOUNT_ATTR_NODEV":        {MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	"MOUNT_ATTR_NOEXEC":       {MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	"MOUNT_ATTR_STRICTATIME":  {MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME},
	"MOUNT_ATTR_IDMAP":        {MOUNT_ATTR_IDMAP, unix.MOUNT_ATTR_IDMAP},
	"MOUNT_ATTR_NOSYMFOLLOW":  {MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	"PR_SET_PDEATHSIG":        {PR_SET_PDEATHSIG, unix.PR_SET_PDEATHSIG},
	"PR_SET_DUMPABLE":         {PR_SET_DUMPABLE, unix.PR_SET_DUMPABLE},
	"PR_SET_KEEPCAPS":         {PR_SET_KEEPCAPS, unix.PR_SET_KEEPCAPS},
	"PR_SET_NAME":             {PR_SET_NAME, unix.PR_SET_NAME},
	"PR_CAPBSET_DROP":         {PR_CAPBSET_DROP, unix.PR_CAPBSET_DROP},
	"PR_SET_SECUREBITS":       {PR_SET_SECUREBITS, unix.PR_SET_SECUREBITS},
	"PR_SET_SECCOMP":          {PR_SET_SECCOMP, unix.PR_SET_SECCOMP},
	"SECCOMP_MODE_FILTER":     {SECCOMP_MODE_FILTER, unix.SECCOMP_MODE_FILTER},
	"PR_SET_NO_NEW_PRIVS":     {PR_SET_NO_NEW_PRIVS, unix.PR_SET_NO_NEW_PRIVS},
	"PR_CAP_AMBIENT":          {PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT},
	"PR_CAP_AMBIENT_RAISE":    {PR_CAP_AMBIENT_RAISE, unix.PR_CAP_AMBIENT_RAISE},
	"PR_CAP_AMBIENT_CLEAR":    {PR_CAP_AMBIENT_CLEAR, unix.PR_CAP_AMBIENT_CLEAR_ALL},
	"LINUX_CAPABILITY_V3":     {LINUX_CAPABILITY_V3, unix.LINUX_CAPABILITY_VERSION_3},
	"CLOSE_RANGE_CLOEXEC":     {CLOSE_RANGE_CLOEXEC, unix.CLOSE_RANGE_CLOEXEC},
	"SECBIT_NO_SETUID_FIXUP":  {SECBIT_NO_SETUID_FIXUP, 1 << 2}, // linux/securebits.h: bit SECURE_NO_SETUID_FIXUP
	"S_IFIFO":                 {S_IFIFO, unix.S_IFIFO},
	"S_IFCHR":                 {S_IFCHR, unix.S_IFCHR},
	"S_IFBLK":                 {S_IFBLK, unix.S_IFBLK},
	"S_IFREG":                 {S_IFREG, unix.S_IFREG},
	"SIGKILL":                 {SIGKILL, int64(unix.SIGKILL)},
	"SIGTERM":                 {SIGTERM, int64(unix.SIGTERM)},
	"SIGCHLD":                 {SIGCHLD, int64(unix.SIGCHLD)},
	"SIG_BLOCK":               {SIG_BLOCK, unix.SIG_BLOCK},
	"SIG_UNBLOCK":             {SIG_UNBLOCK, unix.SIG_UNBLOCK},
	"SIG_SETMASK":             {SIG_SETMASK, unix.SIG_SETMASK},
	"WNOHANG":                 {WNOHANG, unix.WNOHANG},
	"WALL":                    {WALL, unix.WALL},
	"POLLIN":                  {POLLIN, unix.POLLIN},
	"AF_UNIX":                 {AF_UNIX, unix.AF_UNIX},
	"AF_INET":                 {AF_INET, unix.AF_INET},
	"AF_INET6":                {AF_INET6, unix.AF_INET6},
	"SOCK_STREAM":             {SOCK_STREAM, unix.SOCK_STREAM},
	"SOCK_DGRAM":              {SOCK_DGRAM, unix.SOCK_DGRAM},
	"SOCK_NONBLOCK":           {SOCK_NONBLOCK, unix.SOCK_NONBLOCK},
	"SOCK_CLOEXEC":            {SOCK_CLOEXEC, unix.SOCK_CLOEXEC},
	"SOL_SOCKET":              {SOL_SOCKET, unix.SOL_SOCKET},
	"SCM_RIGHTS":              {SCM_RIGHTS, unix.SCM_RIGHTS},
	"MSG_NOSIGNAL":            {MSG_NOSIGNAL, unix.MSG_NOSIGNAL},
	"MSG_CMSG_CLOEXEC":        {MSG_CMSG_CLOEXEC, unix.MSG_CMSG_CLOEXEC},
	"SIOCSIFFLAGS":            {SIOCSIFFLAGS, unix.SIOCSIFFLAGS},
	"IFF_UP":                  {IFF_UP, unix.IFF_UP},
	"IFF_RUNNING":             {IFF_RUNNING, unix.IFF_RUNNING},
	"TIOCSCTTY":               {TIOCSCTTY, unix.TIOCSCTTY},
	"TIOCSWINSZ":              {TIOCSWINSZ, unix.TIOCSWINSZ},
	"TIOCSPTLCK":              {TIOCSPTLCK, unix.TIOCSPTLCK},
	"TIOCGPTPEER":             {TIOCGPTPEER, unix.TIOCGPTPEER},
	"F_DUPFD":                 {F_DUPFD, unix.F_DUPFD},
	"F_SETFD":                 {F_SETFD, unix.F_SETFD},
	"F_SETFL":                 {F_SETFL, unix.F_SETFL},
	"F_SETPIPE_SZ":            {F_SETPIPE_SZ, unix.F_SETPIPE_SZ},
	"FD_CLOEXEC":              {FD_CLOEXEC, unix.FD_CLOEXEC},
	"PROT_READ":               {PROT_READ, unix.PROT_READ},
	"PROT_WRITE":              {PROT_WRITE, unix.PROT_WRITE},
	"MAP_SHARED":              {MAP_SHARED, unix.MAP_SHARED},
	"MAP_FIXED":               {MAP_FIXED, unix.MAP_FIXED},
	"RLIMIT_CORE":             {RLIMIT_CORE, unix.RLIMIT_CORE},
	"RLIMIT_NOFILE":           {RLIMIT_NOFILE, unix.RLIMIT_NOFILE},
	"CLOCK_MONOTONIC":         {CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC},
	"EPERM":                   {EPERM, int64(unix.EPERM)},
	"ENOENT":                  {ENOENT, int64(unix.ENOENT)},
	"EINTR":                   {EINTR, int64(unix.EINTR)},
	"E2BIG":                   {E2BIG, int64(unix.E2BIG)},
	"ENOEXEC":                 {ENOEXEC, int64(unix.ENOEXEC)},
	"EAGAIN":                  {EAGAIN, int64(unix.EAGAIN)},
	"EACCES":                  {EACCES, int64(unix.EACCES)},
	"EBUSY":                   {EBUSY, int64(unix.EBUSY)},
	"EEXIST":                  {EEXIST, int64(unix.EEXIST)},
	"ENOTDIR":                 {ENOTDIR, int64(unix.ENOTDIR)},
	"EINVAL":                  {EINVAL, int64(unix.EINVAL)},
	"ENOTTY":                  {ENOTTY, int64(unix.ENOTTY)},
	"ELOOP":                   {ELOOP, int64(unix.ELOOP)},
	"ECHILD":                  {ECHILD, int64(unix.ECHILD)},
	"ESRCH":                   {ESRCH, int64(unix.ESRCH)},
	"ENOSYS":                  {ENOSYS, int64(unix.ENOSYS)},
	"O_DIRECTORY":             {O_DIRECTORY, unix.O_DIRECTORY},
	"O_NOFOLLOW":              {O_NOFOLLOW, unix.O_NOFOLLOW},
	"RLIMIT_FSIZE":            {RLIMIT_FSIZE, unix.RLIMIT_FSIZE},
	"EBADF":                   {EBADF, int64(unix.EBADF)},

	"LANDLOCK_RULE_PATH_BENEATH":          {LANDLOCK_RULE_PATH_BENEATH, unix.LANDLOCK_RULE_PATH_BENEATH},
	"LANDLOCK_ACCESS_FS_EXECUTE":          {LANDLOCK_ACCESS_FS_EXECUTE, unix.LANDLOCK_ACCESS_FS_EXECUTE},
	"LANDLOCK_ACCESS_FS_WRITE_FILE":       {LANDLOCK_ACCESS_FS_WRITE_FILE, unix.LANDLOCK_ACCESS_FS_WRITE_FILE},
	"LANDLOCK_ACCESS_FS_READ_FILE":        {LANDLOCK_ACCESS_FS_READ_FILE, unix.LANDLOCK_ACCESS_FS_READ_FILE},
	"LANDLOCK_ACCESS_FS_READ_DIR":         {LANDLOCK_ACCESS_FS_READ_DIR, unix.LANDLOCK_ACCESS_FS_READ_DIR},
	"LANDLOCK_ACCESS_FS_REMOVE_DIR":       {LANDLOCK_ACCESS_FS_REMOVE_DIR, unix.LANDLOCK_ACCESS_FS_REMOVE_DIR},
	"LANDLOCK_ACCESS_FS_REMOVE_FILE":      {LANDLOCK_ACCESS_FS_REMOVE_FILE, unix.LANDLOCK_ACCESS_FS_REMOVE_FILE},
	"LANDLOCK_ACCESS_FS_MAKE_CHAR":        {LANDLOCK_ACCESS_FS_MAKE_CHAR, unix.LANDLOCK_ACCESS_FS_MAKE_CHAR},
	"LANDLOCK_ACCESS_FS_MAKE_DIR":         {LANDLOCK_ACCESS_FS_MAKE_DIR, unix.LANDLOCK_ACCESS_FS_MAKE_DIR},
	"LANDLOCK_ACCESS_FS_MAKE_REG":         {LANDLOCK_ACCESS_FS_MAKE_REG, unix.LANDLOCK_ACCESS_FS_MAKE_REG},
	"LANDLOCK_ACCESS_FS_MAKE_SOCK":        {LANDLOCK_ACCESS_FS_MAKE_SOCK, unix.LANDLOCK_ACCESS_FS_MAKE_SOCK},
	"LANDLOCK_ACCESS_FS_MAKE_FIFO":        {LANDLOCK_ACCESS_FS_MAKE_FIFO, unix.LANDLOCK_ACCESS_FS_MAKE_FIFO},
	"LANDLOCK_ACCESS_FS_MAKE_BLOCK":       {LANDLOCK_ACCESS_FS_MAKE_BLOCK, unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK},
	"LANDLOCK_ACCESS_FS_MAKE_SYM":         {LANDLOCK_ACCESS_FS_MAKE_SYM, unix.LANDLOCK_ACCESS_FS_MAKE_SYM},
	"LANDLOCK_ACCESS_FS_REFER":            {LANDLOCK_ACCESS_FS_REFER, unix.LANDLOCK_ACCESS_FS_REFER},
	"LANDLOCK_ACCESS_FS_TRUNCATE":         {LANDLOCK_ACCESS_FS_TRUNCATE, unix.LANDLOCK_ACCESS_FS_TRUNCATE},
	"LANDLOCK_ACCESS_FS_IOCTL_DEV":        {LANDLOCK_ACCESS_FS_IOCTL_DEV, unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
	"LANDLOCK_ACCESS_NET_BIND_TCP":        {LANDLOCK_ACCESS_NET_BIND_TCP, unix.LANDLOCK_ACCESS_NET_BIND_TCP},
	"LANDLOCK_ACCESS_NET_CONNECT_TCP":     {LANDLOCK_ACCESS_NET_CONNECT_TCP, unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
	"LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET": {LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET},
	"LANDLOCK_SCOPE_SIGNAL":               {LANDLOCK_SCOPE_SIGNAL, unix.LANDLOCK_SCOPE_SIGNAL},
	"CAP_CHOWN":                           {CAP_CHOWN, unix.CAP_CHOWN},
	"CAP_DAC_OVERRIDE":                    {CAP_DAC_OVERRIDE, unix.CAP_DAC_OVERRIDE},
	"CAP_DAC_READ_SEARCH":                 {CAP_DAC_READ_SEARCH, unix.CAP_DAC_READ_SEARCH},
	"CAP_FOWNER":                          {CAP_FOWNER, unix.CAP_FOWNER},
	"CAP_FSETID":                          {CAP_FSETID, unix.CAP_FSETID},
	"CAP_SETFCAP":                         {CAP_SETFCAP, unix.CAP_SETFCAP},
}

func TestConstants(t *testing.T) {
	for name, c := range constants {
		if c.got != c.want {
			t.Errorf("%s is %#x, want %#x", name, c.got, c.want)
		}
	}
}

// A constant that is not in the table above is checked by nothing.
func TestEveryConstantIsChecked(t *testing.T) {
	testneed.Sources(t)
	for _, file := range []string{"consts.go", "openflags_other.go", "openflags_arm64.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					if _, ok := constants[name.Name]; !ok {
						t.Errorf("%s of %s is not in the table of this test", name.Name, file)
					}
				}
			}
		}
	}
}

func TestMakedev(t *testing.T) {
	for _, c := range [][2]uint32{{0, 0}, {1, 3}, {5, 2}, {10, 229}, {136, 1048575}, {4095, 255}, {4096, 256}, {1<<32 - 1, 1<<32 - 1}} {
		if got, want := Makedev(c[0], c[1]), unix.Mkdev(c[0], c[1]); got != want {
			t.Errorf("Makedev(%d, %d) = %#x, want %#x", c[0], c[1], got, want)
		}
	}
}
