// The runtime must not open files of its own before the probe has counted those that it was given.

//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command probe is the program of test root filesystems. It looks at what a program in a container can see, and tries
// what one must not manage. It answers to the names of its commands, and runs several, separated by "--".
//
// A command says what came of it on standard output, a line each, with the name of the errno where the kernel refused.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// commands are what the probe can do. The names are read from this table by the package that builds it.
var commands = map[string]func(args []string){
	"abstract":   abstract,
	"args":       func(args []string) { fmt.Printf("%q\n", args) },
	"attach":     attach,
	"cat":        cat,
	"cgroups":    cgroups,
	"chown":      chown,
	"cwd":        cwd,
	"defy":       defy,
	"env":        func([]string) { fmt.Printf("%q\n", os.Environ()) },
	"exe-write":  exeWrite,
	"exit":       func(args []string) { os.Exit(number(args, 0, 0)) },
	"fds":        fds,
	"fifo":       func(args []string) { say(args[0], syscall.Mkfifo(args[0], 0o666)) },
	"flip":       flip,
	"forge":      forge,
	"grip":       grip,
	"headless":   headless,
	"hold":       hold,
	"in-cgroups": inCgroups,
	"inject":     inject,
	"keys":       keys,
	"ls":         ls,
	"mess":       mess,
	"mode":       mode,
	"naive":      naive,
	"open":       open,
	"outside":    outside,
	"owner":      owner,
	"processes":  processes,
	"put":        put,
	"rm":         func(args []string) { say(args[0], os.RemoveAll(args[0])) },
	"run":        run,
	"segment":    segment,
	"shm":        shm,
	"spawn":      spawn,
	"stat":       stat,
	"status":     status,
	"stdio-mode": stdioMode,
	"symlink":    func(args []string) { say(args[1], syscall.Symlink(args[0], args[1])) },
	"touch-suid": touchSuid,
	"trace":      trace,
	"true":       func([]string) {},
	"uname":      uname,
	"writable":   writable,
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if _, ok := commands[name]; !ok {
		if len(args) == 0 {
			fail("no command")
		}
		name, args = args[0], args[1:]
	}
	for {
		command, ok := commands[name]
		if !ok {
			fail("no command %q", name)
		}
		next := slices.Index(args, "--")
		if next < 0 || next+1 == len(args) {
			command(args)
			return
		}
		command(args[:next])
		name, args = args[next+1], args[next+2:]
	}
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "probe: "+format+"\n", args...)
	os.Exit(111)
}

// say prints what came of something done to an object.
func say(object string, err error) { fmt.Println(object, result(err)) }

// result is "ok" or the errno.
func result(err error) string {
	if err == nil {
		return "ok"
	}
	for {
		switch e := err.(type) {
		case syscall.Errno:
			return errnoName(e)
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		default:
			return strings.ReplaceAll(err.Error(), " ", "-")
		}
	}
}

func errnoName(e syscall.Errno) string {
	names := map[syscall.Errno]string{
		syscall.EPERM: "EPERM", syscall.EACCES: "EACCES", syscall.ENOENT: "ENOENT", syscall.EROFS: "EROFS", syscall.ESRCH: "ESRCH",
		syscall.EINVAL: "EINVAL", syscall.ENOTTY: "ENOTTY", syscall.EIO: "EIO", syscall.ETXTBSY: "ETXTBSY", syscall.ELOOP: "ELOOP",
		syscall.ENXIO: "ENXIO", syscall.EBADF: "EBADF", syscall.ENOSYS: "ENOSYS", syscall.ENOTDIR: "ENOTDIR", syscall.ENOKEY: "ENOKEY",
		syscall.EBUSY: "EBUSY", syscall.EOVERFLOW: "EOVERFLOW", syscall.ECONNREFUSED: "ECONNREFUSED", syscall.EISDIR: "EISDIR",
	}
	if n, ok := names[e]; ok {
		return n
	}
	return fmt.Sprintf("errno%d", int(e))
}

// number is an argument as a number.
func number(args []string, i, missing int) int {
	if i >= len(args) {
		return missing
	}
	n, err := strconv.Atoi(args[i])
	if err != nil {
		fail("%v", err)
	}
	return n
}

// up tells who started the probe that it is ready.
func up() { fmt.Println("up") }

// hold does nothing until it is killed.
func hold([]string) {
	up()
	for {
		_ = syscall.Pause()
	}
}

// spawn starts the probe again, with other arguments and in a session of its own, and ends.
func spawn(args []string) {
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		fail("%v", err)
	}
	self := "/proc/self/exe"
	_, err = os.StartProcess(self, args, &os.ProcAttr{Files: []*os.File{null, null, null}, Sys: &syscall.SysProcAttr{Setsid: true}})
	say(args[0], err)
}

// run executes another program in the probe's place.
func run(args []string) { fail("%s: %s", args[0], result(syscall.Exec(args[0], args, os.Environ()))) }

// pids lists the processes of /proc.
func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var list []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, n)
		}
	}
	return list
}
