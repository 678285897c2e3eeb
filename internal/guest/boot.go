package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// boot runs the guest to its end. The guest's events go to read; the kernel's own messages are shown only if it fails.
func (c *config) boot(ctx context.Context, dir string, read func(io.Reader) error) error {
	console := filepath.Join(dir, "console")
	args := []string{
		"-accel", "tcg", "-cpu", "max", "-m", strconv.Itoa(c.memory), "-smp", strconv.Itoa(c.cpus),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", c.kernel, "-initrd", filepath.Join(dir, initrdFile),
		// A panic restarts at once, and a restart ends qemu. Mitigations protect nobody here and cost emulated time.
		"-append", "console=ttyS0 quiet panic=-1 oops=panic mitigations=off",
		"-serial", "file:" + console, "-serial", "stdio",
	}
	for _, d := range []struct {
		name string
		size int
	}{{"disk", c.disk}, {"spare", c.spare}} {
		if d.size == 0 {
			continue
		}
		disk := filepath.Join(dir, d.name)
		if err := makeDisk(ctx, disk, d.size); err != nil {
			return err
		}
		args = append(args, "-drive", "if=virtio,format=raw,cache=unsafe,file="+disk)
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (apt-get install qemu-system-x86)", err)
	}
	err = errors.Join(read(events), drain(events), cmd.Wait())
	if err == nil {
		return nil
	}
	if messages, readErr := os.ReadFile(console); readErr == nil {
		fmt.Fprintf(os.Stderr, "last messages of the guest's kernel:\n%s\n", tail(string(messages), 40))
	}
	return err
}

// drain reads on, so that a guest that still writes is not stopped by a full pipe.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// makeDisk makes an empty ext4 file system of that many MiB in a file. It has no lazily written parts: they would keep
// the guest busy.
func makeDisk(ctx context.Context, disk string, size int) error {
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(disk, int64(size)<<20); err != nil {
		return err
	}
	tool, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		tool = "/usr/sbin/mkfs.ext4" // not in an ordinary user's PATH on Debian
	}
	out, err := exec.CommandContext(ctx, tool, "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4 (apt-get install e2fsprogs, or -disk 0 -spare 0): %w: %s", err, out)
	}
	return nil
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
