package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// put writes text to a file, which it makes: put name text
func put(args []string) {
	say(args[0], os.WriteFile(args[0], []byte(args[1]), 0o644))
}

// chown gives everything below a directory to owners one after the other, and makes it setuid: chown dir uid...
func chown(args []string) {
	for i := range args[1:] {
		uid := number(args, i+1, 0)
		_ = filepath.WalkDir(args[0], func(p string, _ fs.DirEntry, err error) error {
			if err == nil {
				err = syscall.Lchown(p, uid, uid)
			}
			fmt.Println(uid, p, result(err))
			return nil
		})
	}
}

// owner changes the owner of a file: owner name uid gid
func owner(args []string) {
	say(args[0], syscall.Lchown(args[0], number(args, 1, 0), number(args, 2, 0)))
}

// mode changes the mode of a file: mode name octal
func mode(args []string) {
	var m uint32
	_, _ = fmt.Sscanf(args[1], "%o", &m)
	say(args[0], syscall.Chmod(args[0], m))
}

// stdioMode tries to change the mode of what the standard files are to what it is. It prints device and inode.
func stdioMode([]string) {
	for n := range 3 {
		var st syscall.Stat_t
		if err := syscall.Fstat(n, &st); err != nil {
			fmt.Println(n, result(err))
			continue
		}
		fmt.Println(n, st.Dev, st.Ino, result(syscall.Fchmod(n, st.Mode&0o7777)))
	}
}

// touchSuid does to a setuid file what makes overlay copy it up, and to copies of it.
func touchSuid(args []string) {
	for _, name := range args {
		say("open", func() error {
			fd, err := syscall.Open(name, syscall.O_WRONLY, 0)
			_ = syscall.Close(fd)
			return err
		}())
		say("chmod", syscall.Chmod(name, 0o4755))
		say("utimes", os.Chtimes(name, os.FileInfo.ModTime(info(name)), os.FileInfo.ModTime(info(name))))
		say("lchown", syscall.Lchown(name, 0, 0))
		say("chmod", syscall.Chmod(name, 0o4755))
		say("link", syscall.Link(name, name+".link"))
		say("setxattr", syscall.Setxattr(name, "user.test", []byte("x"), 0))
		say("rename", syscall.Rename(name, name+".moved"))
	}
}

func info(name string) os.FileInfo {
	i, err := os.Lstat(name)
	if err != nil {
		fail("%v", err)
	}
	return i
}

// shm leaves MiBs in /dev/shm and tells what was there before.
func shm(args []string) {
	ls([]string{"/dev/shm"})
	f, err := os.Create("/dev/shm/left-by-the-last")
	if err != nil {
		fail("%v", err)
	}
	block := make([]byte, 1<<20)
	for range number(args, 0, 1) {
		if _, err := f.Write(block); err != nil {
			say("write", err)
			return
		}
	}
}

// segment leaves a System V segment and tells how many there were before; shmget(2), proc(5) sysvipc/shm.
func segment([]string) {
	b, err := os.ReadFile("/proc/sysvipc/shm")
	fmt.Println("segments", strings.Count(string(b), "\n")-1, result(err))
	const create = 0o1000 | 0o600
	id, _, errno := syscall.Syscall(syscall.SYS_SHMGET, 0x5eed, 1<<20, create)
	if errno != 0 {
		fmt.Println("shmget", errnoName(errno), id)
	}
}

// abstract lists the abstract sockets of the network namespace and tries to connect to each; unix(7).
func abstract([]string) {
	b, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		fail("%v", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[7], "@") {
			continue
		}
		c, err := net.Dial("unix", f[7])
		say(f[7], err)
		if err == nil {
			_ = c.Close()
		}
	}
}

// keys looks for a key of type user in the keyrings of the session and of the user; keyctl(2).
func keys(args []string) {
	const link, search, read = 8, 10, 11
	kind, key := cstring("user"), cstring(args[0])
	// Who may link a keyring into one of its own possesses what is in it; keyrings(7), "Possession".
	for _, ring := range []int{-4, -5} {
		_, _, _ = syscall.Syscall(sysKeyctl, link, uintptr(ring), ^uintptr(2))
	}
	for ring, name := range map[int]string{-3: "session", -4: "user", -5: "user-session", -2: "process", -1: "thread"} {
		id, _, errno := syscall.Syscall6(sysKeyctl, search, uintptr(ring), uintptr(unsafe.Pointer(kind)), uintptr(unsafe.Pointer(key)), 0, 0)
		if errno != 0 {
			fmt.Println(name, errnoName(errno))
			continue
		}
		buf := make([]byte, 256)
		n, _, errno := syscall.Syscall6(sysKeyctl, read, id, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
		if errno != 0 {
			fmt.Println(name, "found", errnoName(errno))
			continue
		}
		fmt.Println(name, "found", string(buf[:n]))
	}
	id, _, errno := syscall.Syscall6(sysRequestKey, uintptr(unsafe.Pointer(kind)), uintptr(unsafe.Pointer(key)), 0, 0, 0, 0)
	if errno != 0 {
		fmt.Println("request_key", errnoName(errno))
		return
	}
	fmt.Println("request_key found", id)
}

// mess leaves what is hard to remove: links to a directory, directories that may not be entered, deeper than a path can
// say, files of every kind, odd names.
func mess(args []string) {
	for i, top := range []string{"/mess", "/tmp/mess", "/bin/mess"} {
		_ = os.MkdirAll(top, 0o755)
		_ = os.Symlink(args[0], top+"/link")
		_ = os.Symlink(args[0], top+"/work")
		_ = syscall.Mkfifo(top+"/fifo", 0o600)
		if l, err := net.Listen("unix", top+"/socket"); err == nil {
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = l.Close()
		}
		for _, name := range []string{"\n", "\x1b[2J", "-rf", strings.Repeat("n", 255), "\xff\xfe", ".wh..wh..opq"} {
			_ = os.WriteFile(top+"/"+name, nil, 0)
		}
		_ = os.MkdirAll(top+"/closed/closed/closed", 0o700)
		_ = os.Symlink(args[0], top+"/closed/closed/link")
		for _, d := range []string{"/closed/closed/closed", "/closed/closed", "/closed"} {
			_ = os.Chmod(top+d, 0)
		}
		_ = os.Chdir(top)
		for range 500 * (i + 1) {
			if os.Mkdir("ddddddddddddddd", 0o700) != nil || os.Chdir("ddddddddddddddd") != nil {
				break
			}
		}
		_ = os.Chdir("/")
	}
	// What is mounted in a directory keeps it from being removed, but not from being moved.
	for _, d := range []string{"/etc", "/dev", "/proc", "/sys", "/vol"} {
		_ = os.RemoveAll(d)
		say(d, os.Rename(d, d+".moved"))
		_ = os.Symlink(args[0], d)
	}
}
