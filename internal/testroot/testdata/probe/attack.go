package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// cstring is a string for the kernel.
func cstring(s string) *byte { return &append([]byte(s), 0)[0] }

// flip makes two names change places without end; renameat2(2), RENAME_EXCHANGE.
func flip(args []string) {
	a, b := cstring(args[0]), cstring(args[1])
	const cwd, exchange = ^uintptr(99), 2 // AT_FDCWD
	first := true
	for {
		_, _, errno := syscall.Syscall6(sysRenameat2, cwd, uintptr(unsafe.Pointer(a)), cwd, uintptr(unsafe.Pointer(b)), exchange, 0)
		if errno != 0 {
			fail("flip: %v", errno)
		}
		if first {
			up()
			first = false
		}
	}
}

// exeWrite opens the program of every process for writing, without end: directly, and, once the process may have
// ended, through a descriptor that was opened for reading while it ran (CVE-2019-5736). A program that can be opened
// gets its first byte written over itself. It prints the link of each program it has seen, and what it managed.
func exeWrite([]string) {
	up()
	seen := map[string]bool{}
	tell := func(s string) {
		if !seen[s] {
			seen[s] = true
			fmt.Println(s)
		}
	}
	self := os.Getpid()
	for {
		for _, pid := range pids() {
			p := fmt.Sprintf("/proc/%d/exe", pid)
			link, err := os.Readlink(p)
			if err != nil || pid == self {
				continue
			}
			tell("seen " + link)
			if fd, err := syscall.Open(p, syscall.O_RDWR|syscall.O_CLOEXEC, 0); err == nil {
				tell("opened " + link + " " + overwrite(fd))
			}
			fd, err := syscall.Open(p, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			tell(fmt.Sprintf("seals %s %x", link, seals(fd)))
			again := fmt.Sprintf("/proc/self/fd/%d", fd)
			for range 100 {
				w, err := syscall.Open(again, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
				if err == nil {
					tell("opened " + link + " " + overwrite(w))
					break
				}
			}
			_ = syscall.Close(fd)
		}
	}
}

// overwrite writes a file's first byte where it stands, and closes the file.
func overwrite(fd int) string {
	defer func() { _ = syscall.Close(fd) }()
	b := make([]byte, 1)
	if _, err := syscall.Pread(fd, b, 0); err != nil {
		return result(err)
	}
	_, err := syscall.Pwrite(fd, b, 0)
	if err == nil {
		return "written"
	}
	return result(err)
}

// seals are the seals of a memfd; fcntl(2), F_GET_SEALS. All ones: it is none.
func seals(fd int) uintptr {
	const getSeals = 1034
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), getSeals, 0)
	if errno != 0 {
		return ^uintptr(0)
	}
	return n
}

// attach traces every new process as soon as it is there, without end, and looks at its descriptors. It prints what it
// got of processes that had not executed their program yet: that ran from a memfd before it and still did behind it.
func attach([]string) {
	runtime.LockOSThread() // a thread is the tracer, not a process; ptrace(2)
	self := os.Getpid()
	known := map[int]bool{self: true, 1: true}
	told := map[string]bool{}
	held := map[int]bool{} // to be looked at again: a program may yet become what it should not be
	report := func(pid int) {
		if exe := early(pid); exe != "" {
			fmt.Println("attached", exe)
			known[pid] = true
		}
	}
	up()
	for {
		release()
		for _, pid := range pids() {
			if known[pid] {
				continue
			}
			if held[pid] {
				report(pid)
				continue
			}
			for _, s := range spoils(pid) {
				if !told[s] {
					told[s] = true
					fmt.Println(s)
				}
			}
			if seize(pid) != 0 {
				continue
			}
			held[pid] = true
			report(pid)
		}
	}
}

// early is the program of a process that runs from a memfd, else "".
func early(pid int) string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || !strings.HasPrefix(exe, "/memfd:") {
		return ""
	}
	return exe
}

// release lets go on what is traced and has stopped, and reaps what has ended: else nobody else could.
func release() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG|syscall.WALL, nil)
		if err != nil || pid == 0 {
			return
		}
		if status.Stopped() {
			_, _, _ = syscall.Syscall6(syscall.SYS_PTRACE, syscall.PTRACE_CONT, uintptr(pid), 0, 0, 0, 0)
		}
	}
}

// trace holds on to the processes of a name: it neither lets them go on nor reaps them.
func trace(args []string) {
	runtime.LockOSThread()
	self := os.Getpid()
	up()
	for {
		for _, pid := range pids() {
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if pid != self && pid != 1 && strings.TrimSpace(string(comm)) == args[0] && seize(pid) == 0 {
				fmt.Println("traced")
			}
		}
	}
}

// spoils lists the descriptors above the standard ones that can be had of a process that runs from a memfd.
func spoils(pid int) []string {
	var list []string
	for n := 3; n < 20; n++ {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, n))
		if err != nil {
			continue
		}
		kind, _, _ := strings.Cut(target, "[")
		if exe := early(pid); exe != "" {
			list = append(list, fmt.Sprintf("descriptor of %s: %d %s", exe, n, kind))
		}
	}
	return list
}

// forge writes, into every descriptor 3 that it can have of a process that runs from a memfd, what a first process says
// of itself: that its number is the one given, and that it is ready. It prints how often it could write.
func forge(args []string) {
	record := make([]byte, 16)
	binary.LittleEndian.PutUint32(record, uint32(number(args, 0, 0)))
	up()
	for {
		for _, pid := range pids() {
			fd, err := syscall.Open(fmt.Sprintf("/proc/%d/fd/3", pid), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			if early(pid) != "" {
				_, err := syscall.Write(fd, record)
				say("forged", err)
			}
			_ = syscall.Close(fd)
		}
	}
}

func seize(pid int) syscall.Errno {
	const ptraceSeize = 0x4206
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceSeize, uintptr(pid), 0, 0, 0, 0)
	return errno
}

// naive does what a program that enters containers must not do: while it is there already and can be traced, it runs
// from a memfd of its own with a descriptor that is not the program's. Then it becomes the program.
func naive([]string) {
	if os.Getenv("NAIVE") == "" {
		fd, _, errno := syscall.Syscall(sysMemfdCreate, uintptr(unsafe.Pointer(cstring("naive"))), 0, 0)
		if errno != 0 {
			fail("memfd_create: %v", errno)
		}
		b, err := os.ReadFile("/proc/self/exe")
		if err == nil {
			_, err = syscall.Write(int(fd), b)
		}
		if err != nil {
			fail("%v", err)
		}
		fail("%v", syscall.Exec(fmt.Sprintf("/proc/self/fd/%d", fd), []string{"naive"}, []string{"NAIVE=1"}))
	}
	fail("%v", syscall.Exec("/bin/true", []string{"true"}, nil))
}

// inject pushes a character into the input of the terminals that it can reach; ioctl_tty(2), ioctl_console(2).
func inject([]string) {
	files := []string{"0", "1", "2"}
	for _, name := range []string{"/dev/tty", "/dev/console", "/dev/pts/0", "/dev/tty1", "/dev/tty0"} {
		if fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0); err == nil {
			files = append(files, fmt.Sprint(fd))
		}
	}
	paste := string([]byte{3}) // TIOCL_PASTESEL
	for _, f := range files {
		n := uintptr(number([]string{f}, 0, 0))
		ioctl := func(name string, request uintptr, arg *byte) {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, n, request, uintptr(unsafe.Pointer(arg)))
			if errno == 0 {
				fmt.Println(f, name, "ok")
				return
			}
			fmt.Println(f, name, errnoName(errno))
		}
		ioctl("TIOCSTI", syscall.TIOCSTI, cstring("X"))
		ioctl("TIOCLINUX", 0x541c, cstring(paste))
		ioctl("TIOCSCTTY", syscall.TIOCSCTTY, nil)
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, n, syscall.TIOCSCTTY, 1) // steal it
		fmt.Println(f, "steal", result(nonzero(errno)))
		ioctl("TIOCSTI", syscall.TIOCSTI, cstring("X"))
	}
}

// nonzero is an errno as an error, nil for success.
func nonzero(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
