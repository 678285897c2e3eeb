package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// cat prints files. It waits for none: what a device or FIFO does not have at once is not there.
func cat(args []string) {
	buf := make([]byte, 1<<16)
	for _, name := range args {
		fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
		if err != nil {
			say(name, err)
			continue
		}
		for range 64 {
			n, err := syscall.Read(fd, buf)
			if err != nil {
				say(name, err)
			}
			if n <= 0 {
				break
			}
			_, _ = os.Stdout.Write(buf[:n])
		}
		_ = syscall.Close(fd)
	}
}

// ls prints the names in directories.
func ls(args []string) {
	for _, dir := range args {
		entries, err := os.ReadDir(dir)
		if err != nil {
			say(dir, err)
		}
		for _, e := range entries {
			fmt.Println(e.Name())
		}
	}
}

// fds prints the open descriptors of a process, by default its own from the start: number and target.
func fds(args []string) {
	if len(args) == 0 {
		for _, n := range inherited {
			target, err := os.Readlink("/proc/self/fd/" + n)
			if err != nil {
				target = result(err)
			}
			fmt.Println(n, target)
		}
		return
	}
	dir := "/proc/" + args[0] + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		say(dir, err)
	}
	for _, e := range entries {
		target, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			target = result(err)
		}
		fmt.Println(e.Name(), target)
	}
}

// inherited is what the probe had open when it started, before the Go runtime opened anything for it.
var inherited = func() []string {
	var list []string
	for n := range 4096 {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(n), syscall.F_GETFD, 0); errno == 0 {
			list = append(list, strconv.Itoa(n))
		}
	}
	return list
}()

// cwd prints the working directory, and whether walking up from it ends at the root.
func cwd([]string) {
	dir, err := syscallGetcwd()
	fmt.Println("cwd", dir, result(err))
	for range 4096 {
		var before, after syscall.Stat_t
		_ = syscall.Stat(".", &before)
		if err := syscall.Chdir(".."); err != nil {
			say("..", err)
			return
		}
		_ = syscall.Stat(".", &after)
		if before.Dev == after.Dev && before.Ino == after.Ino {
			break
		}
	}
	var top, root syscall.Stat_t
	_ = syscall.Stat(".", &top)
	_ = syscall.Stat("/", &root)
	fmt.Println("top-is-root", top.Dev == root.Dev && top.Ino == root.Ino)
}

// syscallGetcwd is getcwd(2) itself: it says "(unreachable)" of a directory outside the root.
func syscallGetcwd() (string, error) {
	buf := make([]byte, 4096)
	n, _, errno := syscall.Syscall(syscall.SYS_GETCWD, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0)
	if errno != 0 {
		return "", errno
	}
	return string(buf[:n-1]), nil
}

// stat prints what files are: name, type and mode in octal, owner, device number, size, type of filesystem.
func stat(args []string) {
	for _, name := range args {
		var st syscall.Stat_t
		if err := syscall.Lstat(name, &st); err != nil {
			say(name, err)
			continue
		}
		var fsys syscall.Statfs_t
		_ = syscall.Statfs(name, &fsys)
		major, minor := st.Rdev>>8&0xfff, st.Rdev&0xff|st.Rdev>>12&^0xff
		fmt.Printf("%s mode=%o owner=%d:%d rdev=%d:%d size=%d fs=%x flags=%x dev=%d\n",
			name, st.Mode, st.Uid, st.Gid, major, minor, st.Size, fsys.Type, fsys.Flags, st.Dev)
	}
}

// status prints /proc/self/status, or another process's.
func status(args []string) {
	who := "self"
	if len(args) > 0 {
		who = args[0]
	}
	cat([]string{"/proc/" + who + "/status"})
}

// processes prints the visible processes: pid, program and name.
func processes([]string) {
	for _, pid := range pids() {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		fmt.Printf("%d %s %s\n", pid, exe, strings.TrimSpace(string(comm)))
	}
}

func uname([]string) {
	var u syscall.Utsname
	_ = syscall.Uname(&u)
	var b []byte
	for _, c := range u.Nodename {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	fmt.Println(string(b))
}

// open tries to open files, without waiting: open r|w|rw name...
func open(args []string) {
	flags := map[string]int{"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[args[0]]
	for _, name := range args[1:] {
		fd, err := syscall.Open(name, flags|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
		say(name, err)
		if err == nil {
			_ = syscall.Close(fd)
		}
	}
}

// writable prints the files and directories below its arguments that can be written to, but for those of processes.
// A file of the kernel's that takes no writing says EIO to a write of nothing, however it was opened.
func writable(args []string) {
	for _, top := range args {
		_ = filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if _, err := strconv.Atoi(d.Name()); filepath.Dir(p) == "/proc" && (err == nil || d.Type()&fs.ModeSymlink != 0) {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			switch {
			case d.IsDir():
				if err := syscall.Mkdir(p+"/probe-was-here", 0o700); err == nil {
					fmt.Println("dir", p)
					_ = syscall.Rmdir(p + "/probe-was-here")
				}
			case d.Type().IsRegular():
				writableFile(p)
			}
			return nil
		})
	}
}

func writableFile(p string) {
	fd, err := syscall.Open(p, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	var st syscall.Stat_t // of what is mounted over it, perhaps
	if err := syscall.Fstat(fd, &st); err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG {
		if _, err := syscall.Write(fd, nil); err != syscall.EIO {
			fmt.Println("file", p, result(err))
		}
	}
	_ = syscall.Close(fd)
}

// outside tries the ways out of the container that go through /proc: of every process its root and working
// directory, and what these lead up to. It prints the names in each top directory that differ from the root's.
func outside([]string) {
	var root syscall.Stat_t
	_ = syscall.Stat("/", &root)
	for _, pid := range pids() {
		for _, link := range []string{"root", "cwd"} {
			p := fmt.Sprintf("/proc/%d/%s", pid, link)
			up := p + strings.Repeat("/..", 64)
			for _, at := range []string{p, up} {
				var st syscall.Stat_t
				if err := syscall.Stat(at, &st); err != nil {
					continue
				}
				if (link == "root" || at == up) && (st.Dev != root.Dev || st.Ino != root.Ino) {
					fmt.Println("escape", pid, at)
				}
			}
		}
	}
	fmt.Println("looked")
}
