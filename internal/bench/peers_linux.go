package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// peers are the other runtimes, each as it is used: a process for each container. They run the same program in
// the same root with the same six namespaces, without any network but an empty namespace. None of them makes an
// overlay, which is 60 to 90 us that they save; crun and runc make a cgroup, where caisson makes one only for limits.
// That cgroup is of version 2, where joining one costs least: with version 1 both take about 10 ms more.
func (b *bench) peers(unified *worker, runs int) ([]*contestant, error) {
	few := max(2, runs*2/5)
	peers := []*contestant{b.bubblewrap(runs)}
	if unified == nil {
		return peers, nil
	}
	bundle, err := b.bundle("start", "/bin/true")
	if err != nil {
		return nil, err
	}
	runc := b.oci("runc", "run", "--bundle", bundle, b.id())
	peers = append(peers,
		unified.program("crun run", few, b.oci("crun", "run", "--bundle", bundle, b.id())...),
		unified.program("runc run", few, runc...))
	if cgroups() != unifiedCgroups {
		peers = append(peers, program("runc run, cgroups of this host", 2, runc...))
	}
	return peers, nil
}

// bubblewrap has no cgroup and no masks.
func (b *bench) bubblewrap(runs int) *contestant {
	return program("bwrap", runs, "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
		"--unshare-cgroup", "--bind", b.room.root, "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys", "/bin/true")
}

// oci is a command line of a runtime, with its state in the room.
func (b *bench) oci(runtime string, args ...string) []string {
	return append([]string{runtime, "--root", filepath.Join(b.room.dir, "peers", runtime)}, args...)
}

// id is a container's name that nobody else has.
func (b *bench) id() string { return "caisson-bench-" + strconv.Itoa(os.Getpid()) }

// bundle writes what runc's spec command would: the default mounts, masks and read-only paths, and a new namespace of
// each kind. The cgroup path is of a name that is free.
func (b *bench) bundle(name, program string) (string, error) {
	dir := filepath.Join(b.room.dir, "peers", name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	text, err := json.Marshal(b.ociSpec(program))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644)
}

type object = map[string]any

func (b *bench) ociSpec(program string) object {
	var namespaces []object
	for _, kind := range []string{"pid", "network", "ipc", "uts", "mount", "cgroup"} {
		namespaces = append(namespaces, object{"type": kind})
	}
	mount := func(at, kind, source string, options ...string) object {
		return object{"destination": at, "type": kind, "source": source, "options": options}
	}
	caps := []string{"CAP_KILL", "CAP_NET_BIND_SERVICE"}
	return object{
		"ociVersion": "1.0.2", "hostname": "bench",
		"root": object{"path": b.room.root},
		"process": object{
			"args": []string{program}, "cwd": "/", "env": []string{"PATH=/bin"}, "noNewPrivileges": true,
			"user":         object{"uid": 0, "gid": 0},
			"capabilities": object{"bounding": caps, "effective": caps, "permitted": caps},
		},
		"mounts": []object{
			mount("/proc", "proc", "proc"),
			mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
			mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
			mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
			mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
			mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
		},
		"linux": object{
			"namespaces": namespaces, "cgroupsPath": "/" + b.id(),
			"maskedPaths": []string{
				"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
				"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap", "/proc/interrupts",
			},
			"readonlyPaths": []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
		},
	}
}
