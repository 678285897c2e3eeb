package tape

import "github.com/caisson-go/caisson/internal/sys"

// The operations. Each takes what its system call takes, strings and structures as Go values.
// The manual page of the same name, section 2, says what it does.

// If branches: to equal where the two words are equal, else to other.
func (t *Tape) If(a, b Arg, equal, other Label) Op {
	return t.add(compare, a, b).Then(equal).Else(other)
}

// Goto continues at l.
func (t *Tape) Goto(l Label) Op { return t.add(compare, Int(0), Int(0)).Then(l).Else(l) }

// Openat opens a file.
func (t *Tape) Openat(dir Arg, path string, flags int, mode uint32) Op {
	return t.add(openat, dir, t.Str(path).Addr(), Int(flags), Int(int(mode)))
}

// Openat2 opens a file with rules for resolving its path.
func (t *Tape) Openat2(dir Arg, path string, flags int, mode uint32, resolve int) Op {
	how := t.Words(Int(flags), Int(int(mode)), Int(resolve))
	return t.add(openat2, dir, t.Str(path).Addr(), how.Addr(), Int(how.Len()))
}

// Close closes a descriptor.
func (t *Tape) Close(fd Arg) Op { return t.add(closeFD, fd) }

// CloseRange closes, or with flags marks, the descriptors from first to last.
func (t *Tape) CloseRange(first, last uint32, flags int) Op {
	return t.add(close_range, Int(int(first)), Int(int(last)), Int(flags))
}

// Read reads up to len(buf) bytes into buf.
func (t *Tape) Read(fd Arg, buf Ref) Op { return t.add(read, fd, buf.Addr(), Int(buf.Len())) }

// Write writes a string.
func (t *Tape) Write(fd Arg, s string) Op {
	return t.add(write, fd, t.Str(s).Addr(), Int(len(s)))
}

// WriteMem writes n bytes of memory.
func (t *Tape) WriteMem(fd, addr Arg, n int) Op { return t.add(write, fd, addr, Int(n)) }

// Dup3 makes newfd another name of fd.
func (t *Tape) Dup3(fd, newfd Arg, flags int) Op { return t.add(dup3, fd, newfd, Int(flags)) }

// Fcntl manipulates a descriptor.
func (t *Tape) Fcntl(fd Arg, cmd int, arg Arg) Op { return t.add(fcntl, fd, Int(cmd), arg) }

// Ioctl asks something of a descriptor's driver.
func (t *Tape) Ioctl(fd Arg, request int, arg Arg) Op {
	return t.add(ioctl, fd, Int(request), arg)
}

// Mkdirat makes a directory.
func (t *Tape) Mkdirat(dir Arg, path string, mode uint32) Op {
	return t.add(mkdirat, dir, t.Str(path).Addr(), Int(int(mode)))
}

// Mknodat makes a file of any type; mode holds type and permissions.
func (t *Tape) Mknodat(dir Arg, path string, mode uint32, dev uint64) Op {
	return t.add(mknodat, dir, t.Str(path).Addr(), Int(int(mode)), Uint(dev))
}

// Symlinkat makes path a symbolic link to target.
func (t *Tape) Symlinkat(target string, dir Arg, path string) Op {
	return t.add(symlinkat, t.Str(target).Addr(), dir, t.Str(path).Addr())
}

// Unlinkat removes a name; with AT_REMOVEDIR a directory.
func (t *Tape) Unlinkat(dir Arg, path string, flags int) Op {
	return t.add(unlinkat, dir, t.Str(path).Addr(), Int(flags))
}

// Fchmodat changes a file's mode.
func (t *Tape) Fchmodat(dir Arg, path string, mode uint32) Op {
	return t.add(fchmodat, dir, t.Str(path).Addr(), Int(int(mode)))
}

// Fchownat changes a file's owner.
func (t *Tape) Fchownat(dir Arg, path string, uid, gid uint32, flags int) Op {
	return t.add(fchownat, dir, t.Str(path).Addr(), Int(int(uid)), Int(int(gid)), Int(flags))
}

// Getdents64 reads directory entries into buf.
func (t *Tape) Getdents64(fd Arg, buf Ref) Op {
	return t.add(getdents64, fd, buf.Addr(), Int(buf.Len()))
}

// Mount attaches or changes a mount by path. Empty strings become null pointers.
func (t *Tape) Mount(source, target, fstype string, flags int, data string) Op {
	return t.add(mount, t.orNull(source), t.Str(target).Addr(), t.orNull(fstype), Int(flags), t.orNull(data))
}

func (t *Tape) orNull(s string) Arg {
	if s == "" {
		return Null
	}
	return t.Str(s).Addr()
}

// Umount2 detaches a mount.
func (t *Tape) Umount2(target string, flags int) Op {
	return t.add(umount2, t.Str(target).Addr(), Int(flags))
}

// PivotRoot changes the root mount.
func (t *Tape) PivotRoot(newRoot, putOld string) Op {
	return t.add(pivot_root, t.Str(newRoot).Addr(), t.Str(putOld).Addr())
}

// Chroot changes the root directory.
func (t *Tape) Chroot(path string) Op { return t.add(chroot, t.Str(path).Addr()) }

// Chdir changes the working directory.
func (t *Tape) Chdir(path string) Op { return t.add(chdir, t.Str(path).Addr()) }

// Fchdir changes the working directory to an open one.
func (t *Tape) Fchdir(fd Arg) Op { return t.add(fchdir, fd) }

// Fsopen starts the configuration of a new filesystem.
func (t *Tape) Fsopen(fstype string) Op {
	return t.add(fsopen, t.Str(fstype).Addr(), Int(sys.FSOPEN_CLOEXEC))
}

// FsconfigString sets a parameter to a string.
func (t *Tape) FsconfigString(fs Arg, key, value string) Op {
	return t.add(fsconfig, fs, Int(sys.FSCONFIG_SET_STRING), t.Str(key).Addr(), t.Str(value).Addr(), Int(0))
}

// FsconfigFlag sets a parameter without a value.
func (t *Tape) FsconfigFlag(fs Arg, key string) Op {
	return t.add(fsconfig, fs, Int(sys.FSCONFIG_SET_FLAG), t.Str(key).Addr(), Null, Int(0))
}

// FsconfigFD sets a parameter to an open file.
func (t *Tape) FsconfigFD(fs Arg, key string, fd Arg) Op {
	return t.add(fsconfig, fs, Int(sys.FSCONFIG_SET_FD), t.Str(key).Addr(), Null, fd)
}

// FsconfigCreate makes the configured filesystem.
func (t *Tape) FsconfigCreate(fs Arg) Op {
	return t.add(fsconfig, fs, Int(sys.FSCONFIG_CMD_CREATE), Null, Null, Int(0))
}

// Fsmount makes a detached mount of a configured filesystem.
func (t *Tape) Fsmount(fs Arg, attrs int) Op {
	return t.add(fsmount, fs, Int(sys.FSMOUNT_CLOEXEC), Int(attrs))
}

// OpenTree opens, or with OPEN_TREE_CLONE copies, a mount.
func (t *Tape) OpenTree(dir Arg, path string, flags int) Op {
	return t.add(open_tree, dir, t.Str(path).Addr(), Int(flags|sys.OPEN_TREE_CLOEXEC))
}

// MoveMount attaches the mount behind an open descriptor at a path.
func (t *Tape) MoveMount(from, dir Arg, path string, flags int) Op {
	return t.add(move_mount, from, t.Str("").Addr(), dir, t.Str(path).Addr(), Int(flags|sys.MOVE_MOUNT_F_EMPTY_PATH))
}

// MountSetattr changes the attributes of a mount.
func (t *Tape) MountSetattr(dir Arg, path string, flags int, set, clear, propagation uint64, userns Arg) Op {
	attr := t.Words(Uint(set), Uint(clear), Uint(propagation), userns)
	return t.add(mount_setattr, dir, t.Str(path).Addr(), Int(flags), attr.Addr(), Int(attr.Len()))
}

// Unshare leaves namespaces for new ones.
func (t *Tape) Unshare(flags int) Op { return t.add(unshare, Int(flags)) }

// Setns enters the namespace behind a descriptor, or with a pidfd the process's namespaces in flags.
func (t *Tape) Setns(fd Arg, flags int) Op { return t.add(setns, fd, Int(flags)) }

// Clone makes a process that goes on behind this operation with the result 0, on a copy of this memory. signal is
// sent to the parent at its end; with CLONE_PARENT it is the one that this process sends. It has no CLONE_NEWTIME,
// whose bit is among those of the signal, and filters that cannot read the flags of clone3 let it pass; clone(2).
func (t *Tape) Clone(flags uint64, signal int) Op { return t.add(clone, Uint(flags|uint64(signal))) }

// Clone3 makes a process that goes on behind this operation with the result 0.
// signal is sent to the parent at its end; it must be 0 with CLONE_PARENT.
func (t *Tape) Clone3(flags uint64, signal int, cgroup Arg) Op {
	args := t.Words(Uint(flags), Int(0), Int(0), Int(0), Int(signal), Int(0), Int(0), Int(0), Int(0), Int(0), cgroup)
	return t.add(clone3, args.Addr(), Int(args.Len()))
}

// Execve replaces the program. argv and envp are made by Strings.
func (t *Tape) Execve(path string, argv, envp Ref) Op {
	return t.add(execve, t.Str(path).Addr(), argv.Addr(), envp.Addr())
}

// ExitGroup ends the process.
func (t *Tape) ExitGroup(code Arg) Op { return t.add(exit_group, code) }

// Wait4 waits for a child; status receives four bytes.
func (t *Tape) Wait4(pid Arg, status Ref, options int) Op {
	return t.add(wait4, pid, status.Addr(), Int(options), Null)
}

// Kill signals a process.
func (t *Tape) Kill(pid, signal Arg) Op { return t.add(kill, pid, signal) }

// Prctl changes an attribute of the process.
func (t *Tape) Prctl(option int, args ...Arg) Op {
	all := [5]Arg{Int(option)}
	return t.add(prctl, all[:1+copy(all[1:], args)]...)
}

// Prlimit64 sets a resource limit of this process.
func (t *Tape) Prlimit64(resource int, soft, hard uint64) Op {
	return t.add(prlimit64, Int(0), Int(resource), t.Words(Uint(soft), Uint(hard)).Addr(), Null)
}

// Capset sets the effective, permitted and inheritable capabilities.
func (t *Tape) Capset(effective, permitted, inheritable uint64) Op {
	const low = 0xffffffff
	header := t.Words(Uint(sys.LINUX_CAPABILITY_V3)) // version, then pid 0: this thread
	data := t.Words(                                 // two structures of three 32-bit fields
		Uint(effective&low|permitted&low<<32),
		Uint(inheritable&low|(effective>>32)<<32),
		Uint(permitted>>32|(inheritable>>32)<<32))
	return t.add(capset, header.Addr(), data.Addr())
}

// Setgroups sets the supplementary groups.
func (t *Tape) Setgroups(gids []uint32) Op {
	b := make([]byte, 0, 4*len(gids))
	for _, g := range gids {
		b = append(b, byte(g), byte(g>>8), byte(g>>16), byte(g>>24))
	}
	return t.add(setgroups, Int(len(gids)), t.Bytes(b).Addr())
}

// Setresgid sets the real, effective and saved group id.
func (t *Tape) Setresgid(gid uint32) Op {
	return t.add(setresgid, Int(int(gid)), Int(int(gid)), Int(int(gid)))
}

// Setresuid sets the real, effective and saved user id.
func (t *Tape) Setresuid(uid uint32) Op {
	return t.add(setresuid, Int(int(uid)), Int(int(uid)), Int(int(uid)))
}

// Setsid makes the process the leader of a session without a terminal.
func (t *Tape) Setsid() Op { return t.add(setsid) }

// Sethostname sets the host name of the UTS namespace.
func (t *Tape) Sethostname(name string) Op {
	return t.add(sethostname, t.Str(name).Addr(), Int(len(name)))
}

// Umask sets the file mode creation mask.
func (t *Tape) Umask(mask uint32) Op { return t.add(umask, Int(int(mask))) }

// Socket makes a socket.
func (t *Tape) Socket(domain, kind, protocol int) Op {
	return t.add(socket, Int(domain), Int(kind), Int(protocol))
}

// SendFD sends the bytes of msg and one descriptor over a UNIX socket (unix(7), SCM_RIGHTS).
// The descriptor may be a constant or a slot.
func (t *Tape) SendFD(sock Arg, msg string, fd Arg) Op {
	iov := t.Words(t.Str(msg).Addr(), Int(len(msg)))
	const lenAndRights = 20 // CMSG_LEN(4)
	control := t.Words(Int(lenAndRights), Uint(sys.SOL_SOCKET|sys.SCM_RIGHTS<<32), Int(0))
	header := t.Words(Null, Int(0), iov.Addr(), Int(1), control.Addr(), Int(control.Len()), Int(0))
	t.Move(fd, control.Field(16))
	return t.add(sendmsg, sock, header.Addr(), Int(sys.MSG_NOSIGNAL))
}

// Move copies the descriptor in a word to another word. There is no such operation: fcntl(F_DUPFD)
// of the descriptor gives one that is equally good, marked to close on exec.
func (t *Tape) Move(fd, dst Arg) Op {
	const dupCloexec = 1030 // F_DUPFD_CLOEXEC
	return t.add(fcntl, fd, Int(dupCloexec), Int(0)).To(dst)
}

// Ppoll waits until a descriptor, known beforehand, is readable, or forever with a null timeout.
func (t *Tape) Ppoll(fd int, timeout Arg) Op {
	poll := t.Words(Uint(uint64(fd) | sys.POLLIN<<32))
	return t.add(ppoll, poll.Addr(), Int(1), timeout, Null, Int(0))
}

// PpollAny waits until one of several descriptors, known beforehand, is readable or at its end. The result is how many.
func (t *Tape) PpollAny(timeout Arg, fds ...int) Op {
	fields := make([]Arg, len(fds)) // a struct pollfd is eight bytes
	for i, fd := range fds {
		fields[i] = Uint(uint64(fd) | sys.POLLIN<<32)
	}
	return t.add(ppoll, t.Words(fields...).Addr(), Int(len(fds)), timeout, Null, Int(0))
}

// BlockSignals blocks the signals in a set of 64, bit n-1 for signal n.
func (t *Tape) BlockSignals(how int, set uint64) Op {
	return t.add(rt_sigprocmask, Int(how), t.Words(Uint(set)).Addr(), Null, Int(8))
}

// Sigwait waits for one of the signals in a set and returns its number.
func (t *Tape) Sigwait(set uint64) Op {
	return t.add(rt_sigtimedwait, t.Words(Uint(set)).Addr(), Null, Null, Int(8))
}

// Mmap maps an open file at a fixed address, shared.
func (t *Tape) Mmap(addr uint64, size int, fd Arg) Op {
	return t.add(mmap, Uint(addr), Int(size), Int(sys.PROT_READ|sys.PROT_WRITE),
		Int(sys.MAP_SHARED|sys.MAP_FIXED), fd, Int(0))
}

// PidfdSendSignal signals the process behind a pidfd.
func (t *Tape) PidfdSendSignal(pidfd Arg, signal int) Op {
	return t.add(pidfd_send_signal, pidfd, Int(signal), Null, Int(0))
}

// PidfdOpen opens a process.
func (t *Tape) PidfdOpen(pid Arg) Op { return t.add(pidfd_open, pid, Int(0)) }

// ClockGettime stores seconds and nanoseconds of a clock.
func (t *Tape) ClockGettime(clock int, at Arg) Op { return t.add(clock_gettime, Int(clock), at) }

// Fstatfs describes the filesystem of an open file; the type is the first word of buf.
func (t *Tape) Fstatfs(fd Arg, buf Ref) Op { return t.add(fstatfs, fd, buf.Addr()) }
