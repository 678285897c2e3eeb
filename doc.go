// Package caisson runs containers inside a Go program. There is no daemon, no cgo, no helper program to install and
// no line to add to main.
//
//	var engine caisson.Engine
//	out, err := engine.Host().Command("hostname").Output(ctx)
//
// This page is the manual. It goes from the shape of the API through the life of a container to what happens in the
// kernel. The names in brackets lead to the details. RATIONALE.md in the module says why things are as they are, and
// SECURITY.md what a container keeps out and what it does not.
//
// # The types
//
//	Engine --Host, RootFS, Pull, Load, Image--> Image --Command--> Container --Exec--> Process
//	  |                                                        ^  |  |
//	  +------------------- New(Spec) --------------------------+  |  +--Dial, Listen--> net.Conn, net.Listener
//	                                                              +--Namespace--> Namespace --Command--> Process
//
//	Spec --Plan(Support)--> Plan        what a start would do, printed before it is done
//	Probe --> Support                   what this host can do, found out by doing it
//	Cgroup, Overlay, Namespace          the kernel's parts, each usable without a container
//
// An [Engine] is a state directory and some settings; its zero value works. An [Image] is a root filesystem: this
// machine's own ([Engine.Host]), a directory ([Engine.RootFS]), or one from a registry ([Engine.Pull]). A [Spec] says
// what a container shall be. It is plain data, to be marshalled, kept and sent, and nothing of this machine is
// in it. A [Container] is a Spec and what belongs to one run: readers, writers, the process. It is used like an
// exec.Cmd: set the fields, then call [Container.Start]. A [Process] is a further program in it.
//
// # The life of a container
//
//	new --Start--> running --(its first process ends)--> exited --Close--> closed
//
// [Container.Start] returns when the program has been executed, or with the error of the step that failed; then
// nothing is left behind. [Container.Wait] waits for the end and for the output. [Container.Stop] asks with the stop
// signal, waits for Spec.StopTimeout and kills. [Container.Close] kills what runs and takes everything away:
// processes, namespaces with their mounts, cgroups, files. Whoever starts a container closes it. [Container.Run],
// [Container.Output] and [Container.CombinedOutput] do all of that, and when their context ends they call Cancel,
// which kills unless it is set to something else; a program that is still there after WaitDelay is killed. Then the
// error is that of the context, with the [*ExitError] if there is one. A context given to Start bounds the start only,
// and one given to Wait the waiting only.
//
// A container has one start, also if it fails. For another take another one, by [Engine.New] with the same Spec. What
// the fields say counts until Start, which takes a copy.
//
// The methods of a Container and a [Process] may be called from several goroutines at any time. They do not wait for
// each other: State and Signal answer while Start or Close is at work, and Close ends a Start.
//
// # What is isolated
//
// By default every namespace is new but two. The time namespace is the host's. There is a user namespace only where
// the host program is not privileged. [Spec.Namespaces] changes each: new, the host's, another container's
// ([NamespaceOf] of its Pid) or that behind a file ([NamespaceAt]).
//
//	mnt      the container's root alone; nothing of the host is mounted in it but what Mounts says
//	pid      the program is PID 1, and when it ends everything in the container is killed
//	net      loopback, up, and nothing else
//	ipc uts  its own shared memory, message queues and host name
//	cgroup   its own cgroup looks like the root
//
// A program has nine capabilities as root, CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE
// SYS_CHROOT, and none as anybody else; the inheritable and ambient sets are empty. no_new_privs is set. A seccomp
// filter refuses typing into terminals (TIOCSTI, TIOCLINUX) and the keyrings (add_key, request_key, keyctl). The root
// filesystem and every mount of Spec.Mounts are nosuid and nodev. [Spec.Security] and the fields of [Mount] change
// that.
//
// /proc is the pid namespace's, with bus, fs, irq, sys and sysrq-trigger read-only. /sys is read-only. /dev is a
// tmpfs of 64 KiB with null, zero, full, random, urandom and tty, a devpts instance of its own, 64 MiB of shm, and
// mqueue; with a terminal there is console. In a user namespace the six are the host's own nodes, bound read-only.
// Where /sys/fs/cgroup is cgroup v2, it is there, read-only. /etc/hosts, hostname and resolv.conf are generated;
// resolv.conf is empty, because there is no network. These are covered by /dev/null or by an empty directory:
//
//	/proc: acpi asound config.gz interrupts iomem ioports kallsyms kcore key-users keys kmsg kpagecgroup kpagecount
//	       kpageflags latency_stats modules pagetypeinfo sched_debug scsi slabinfo timer_list timer_stats vmallocinfo
//	/sys:  devices/virtual/powercap firmware fs/bpf kernel/debug kernel/notes kernel/security kernel/tracing module
//
// The environment is PATH, HOME, HOSTNAME, the image's and the Spec's. Nothing is taken from the host program's. The
// umask is 022, the resource limits are the host program's. [Limits] bounds memory, processor time and the number of
// processes by a cgroup; without limits there is no cgroup.
//
// # This machine as an image
//
// [Engine.Host] shows the directories of the host's root directory, each with a writable layer in memory above it. No
// byte is copied, and what the container writes is gone with it. Files directly in the root directory are left out.
// Empty are /home, /root, /run, /tmp, /media, /mnt, /boot, /var/log, /var/spool and /var/tmp, also where these are
// symbolic links; what they lead to is nowhere then. Not there are the engine's state directory, and what only root
// reads on a host: password hashes, keys of SSH, TLS, disks, tunnels and wireless networks, credentials of clouds,
// clusters, registries and package sources, the state of other container engines and virtual machines, databases,
// mail, cron and backups. hostSecrets in the source lists them by name, and [Support].HostHidden is what of it this
// host has. Everything else can be read with the host program's rights: as root, a file in /srv or /opt is.
//
// What is mounted below a directory is shown with a layer of its own, if its filesystem keeps files, on a disk or on a
// server. Other filesystems are not there: proc, tmpfs, cgroups, FUSE, other overlays. A read-only image such as
// squashfs, FAT, and a file that is a mount point are shown read-only, without layer. A socket or FIFO of the host's
// has nobody at its other end. A user namespace may not take a directory apart from what is mounted below it: there it
// is a new directory of the same mode, with each directory in it as above, its files read-only, and links. If that
// were more than 512 names, or may not be listed, it is empty.
//
// Every start looks at the host again. What is hidden and comes into being while a container runs can be seen in it,
// but for the state directory.
//
// # Images and the store
//
// [Engine.Pull] gets an image from a registry, [Image.Push] sends one there; [Engine.Load] and [Engine.Save] read and write
// the files of docker save and OCI archives, [Engine.Import] and [Image.V1] are the way from and to go-containerregistry,
// [Engine.ImportRootFS], [Image.Export] and [Container.Export] read and write root filesystems, and [Container.Commit] makes an
// image of a container. [Engine.RegistryHandler] serves the images as a registry. [Image.FS] reads one without
// unpacking it. None of these needs Linux, apart from containers. [Engine.Images], [Image.Inspect], [Image.Tag],
// [Engine.Untag], [Engine.RemoveImage], [Engine.PruneImages] and [Engine.DiskUsage] do what the docker commands of
// these names do.
//
// References are Docker's. What stands before the first slash is a registry if it is localhost or has a dot or a colon;
// else the registry is docker.io, and a single word means library/word there. Without tag and digest the tag is
// latest; with both, the digest counts. "host", and what begins with "dir:" or "snapshot:", are no references but IDs of
// what is not in the store; an image of such a name is host:latest or docker.io/library/host. An image is found by a reference, by the digest of its manifest ([Image.ID]) or of its
// configuration, which Docker shows as the ID, and by the beginning of one.
//
// The state directory is an OCI image layout that other tools read as it is, with the layers unpacked beside it:
//
//	oci-layout, index.json, blobs/sha256/   the images
//	layers/                                 unpacked layers, each once, shared by the images that have it
//	containers/  snapshots/                 writable layers
//	staging/  locks/                        what is being made, and files to lock
//
// Any number of programs share it. Nothing can be seen before it is complete, verified and on the disk; locks end with
// their process; what a killed program leaves is cleared by the next one. An image that a container uses or a
// [Snapshot] stands on is not removed. [Engine.Check] reads everything again and finds one flipped bit.
//
// A layer is unpacked by a process that can do nothing else: it is in namespaces of its own, with the layer's
// directory as its root, no network and Landlock rules, as far as the host allows. Setuid bits, file capabilities, extended
// attributes and times stay; device nodes are left out, and so are attributes that only the host's own programs may set.
//
// # Snapshots
//
// [Container.Snapshot] keeps the writable layer of a container. Of one that has ended this is a rename, whatever its
// size; of one that runs, a copy, while its processes stand still. Any number of containers start from it by
// [Snapshot.Command], each with an empty layer above. [Container.Restore] starts a container again from a snapshot: a
// database in a test is back to where it was in the time of a start. Snapshots last until they are removed or the machine
// restarts.
//
// # Root and rootless
//
// There is one way of working and three kinds of host program. [Support] says which one this is.
//
//	privileged             root of the machine, with CAP_SYS_ADMIN: no user namespace, unless Namespaces.User is new
//	subordinate ids        newuidmap, newgidmap, and a line in /etc/subuid and /etc/subgid: the user is root in
//	                       the container, ids from 1 on are its subordinate ones
//	one id                 any other user: it is root in the container, and no other id exists there
//
// With one id a Spec.User other than root is an error that says so, chown to another id and setgroups fail, and a
// file that belongs to anybody else, the host's root included, belongs to nobody (65534) and cannot be changed where
// its mode does not allow that. So a package manager or a server that drops root does not work. With subordinate ids
// the last point remains for files of the host's users, and the files of images have the owners that the image says; with
// one id they are all the user's own, so that in the container they are root's. Limits need a cgroup that the user may
// write to.
//
// # Streams and terminals
//
// Stdin, Stdout and Stderr are as in exec.Cmd: an *os.File is passed as it is, anything else is copied by a
// goroutine, nil is /dev/null. WaitDelay bounds the copying after the end. ExtraFiles become descriptors 3 and up;
// every other descriptor is closed on exec. [Container.StdinPipe] and its siblings must be called before Start, and
// Wait and Close close them. A Reader or Writer of the caller's that never returns keeps Wait waiting, as in exec.Cmd,
// but neither Close nor, beyond a second, WaitDelay: its goroutine is left behind and ends when it returns.
//
// With Spec.TTY the program gets a terminal out of its own devpts, as its controlling terminal and as /dev/console.
// Its output goes to Stdout, standard error included: StderrPipe gives the end at once. [Container.Resize] changes its
// size. What is read from Stdin is typed; its end is not the terminal's, whose end of file is a character. Once Wait
// has returned, nothing more is read from an *os.File, such as os.Stdin; another Reader finishes the Read that it is
// in, which is lost. The host program's own terminal is untouched: putting it into raw mode is the caller's business.
//
// # Exit codes
//
// Wait returns nil for status 0 and an [*ExitError] otherwise, with 128+n as the code for signal n. Its OOM is set if
// the kernel killed a process of the container because of the memory limit. [ExitCode] turns any error of this
// package into a command line's status, as docker run does: 125 if the container could not be made, 126 if the
// program cannot be executed, 127 if it is not there.
//
// # Signals and PID 1
//
// The kernel gives PID 1 of a pid namespace only the signals that it handles, and SIGKILL; pid_namespaces(7). A sleep
// as PID 1 cannot be ended by SIGTERM. Spec.Init puts an init of 32 KiB in front: it passes signals on, reaps
// orphans, reports the program's status and ends with it.
//
// # Nothing is left behind
//
//   - Close, a failed Start, and a context that ends take back everything.
//   - When the host program ends, by a panic, os.Exit or kill -9, or executes another, one process of caisson's, the
//     guardian, kills its containers at once. There is one guardian for a program, while it has containers and two
//     seconds more, of 12 KiB.
//   - Directories and cgroups of a killed program are cleared by the next engine that starts a container in the same
//     state directory.
//
// With Container.Detach a container outlives its program under a supervisor, which keeps its directory locked and
// writes its exit status there. The container ends with it. There is no call yet by which another program finds it.
//
// With the pid namespace of the host or of another container the kernel does not kill what the first process has
// started. [Container.Close] does: it finds what lives in the container's mount namespace. Where nobody closes it, the
// guardian ends the first process only, and the next engine the rest, if there are Limits or the writable layer is on
// disk. What has made itself another mount namespace is found by its cgroup or not at all. Programs of [Process] that
// run in such a container, or by [Namespace.Command] in no container at all, are not the guardian's to kill either.
//
// # The kernel's parts
//
// [Spec.Plan] compiles a spec for a host, this one or an imagined one, and needs neither rights nor Linux.
// [Plan.String] prints a line for each step with the manual page that explains it, [Plan.Syscalls] every system call.
//
// [NewNamespace], [OpenNamespace] and [Container.Namespace] give a [Namespace], in which programs of the host run
// ([Namespace.Command]); [NewNamespaces] makes several for one program ([CommandIn]). [Container.Dial],
// [Container.Listen] and the methods of the same names of a network namespace make connections from inside, without
// a published port; give Dial to an http.Transport. [Overlay] mounts a union of directories. [Cgroup] limits, freezes
// and kills any processes, of cgroup v1 and v2.
//
// [Probe] tries each thing that matters on this host, and tells for what fails the reason and the remedy.
//
// # What it leaves alone
//
// No thread of the host program enters a namespace; what must happen there happens in a process without Go or libc in
// it. The package has no init functions, installs no signal handlers, changes neither the working directory nor umask
// nor environment, does not become a subreaper, waits for none but its own children, and logs only to Engine.Logger.
// Its global state is the guardian and a pool of buffers. In return the host program must not wait for children that
// it did not start, as wait4(-1) does: it would take the exit status away.
//
// # State directory
//
//	oci-layout, index.json, blobs/sha256/   images, in the layout of the OCI image specification
//	layers/<diff id>/                       their layers, unpacked, shared
//	containers/<id>/                        a container's writable layer, or a detached one's first process and exit
//	                                        status; locked while its program or supervisor lives
//	staging/, locks/                        what is being made, and locks
//
// The place is [Engine].Dir. A directory is made when it is needed: a container of Engine.Host without limits writes
// nothing to disk. Programs and engines of one user may share one directory. Nobody else but root may be able to change
// it, nor what is above it, unless that is sticky, as /tmp is: no container is put into another place.
//
// # Errors
//
// Errors are [*Error], which names the step, its object, the cause and often a remedy, or for a mistake in a Spec the
// field; [*ExitError]; exec.ErrWaitDelay; and those of the caller's Readers and Writers. That a context is done is the
// cause in an *Error, or from Wait and Run by itself. errors.Is sees through to the errno and to fs.ErrNotExist, fs.ErrPermission and errors.ErrUnsupported, and for a container or a
// process at the wrong time to [ErrNotStarted], [ErrStarted], os.ErrProcessDone once its program has ended, or
// [ErrClosed]. On systems other than Linux everything compiles, and what needs Linux is errors.ErrUnsupported.
//
// # The source
//
//	.                     the API: a file for each noun
//	caissontest           containers in tests, in the manner of httptest
//	examples              programs to read and to run
//	internal/plan         compiles a container to steps and system calls; pure
//	internal/tape         programs of system calls, and their interpreter
//	internal/launch       starts a tape as a process
//	internal/guardian     ends containers with their program
//	internal/probe        tries what a host can do
//	internal/proxy        system calls in another process
//	internal/cgroup       control groups
//	internal/store        images and layers on disk
//	internal/registry     images from registries
//	internal/layer        unpacks a layer
//	internal/inroot       paths in a hostile root directory
//	internal/account      who a user is, by passwd and group
//	internal/subid        subordinate ids
//	internal/environ      environments
//	internal/etcfiles     hosts, hostname, resolv.conf
//	internal/sys          system calls and constants; the one place that imports golang.org/x/sys/unix
package caisson
