package testneed

// Trying without a helper program: a child is cloned with the wanted namespaces and then told to execute a file name
// that no kernel accepts, being longer than PATH_MAX. ENAMETOOLONG (execve(2)) therefore means that every step before
// the execve worked, and any other errno belongs to the step that failed.

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var (
	root           = sync.OnceValue(tryRoot)
	userNamespaces = sync.OnceValue(tryUserNamespace)
	subordinateIDs = sync.OnceValue(trySubordinateIDs)
)

func tryRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("the effective user id is %d", uid)
	}
	// user_namespaces(7): the initial user namespace maps every id but the last to itself.
	maps, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	if f := strings.Fields(string(maps)); len(f) != 3 || f[0] != "0" || f[1] != "0" || f[2] != "4294967295" {
		return errors.New("user 0 here is root of a user namespace only")
	}
	if err := try(&syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}); err != nil {
		return fmt.Errorf("a mount namespace is refused: %w", err)
	}
	return nil
}

func tryUserNamespace() error {
	one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	err := try(&syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWUSER,
		UidMappings:  one(os.Geteuid()),
		GidMappings:  one(os.Getegid()),
		Unshareflags: syscall.CLONE_NEWNS, // also makes / private: a mount, so it shows that mounting is allowed
	})
	if err != nil {
		return fmt.Errorf("a user namespace with a mount namespace in it is refused: %w", err)
	}
	return nil
}

// try clones a child with these attributes; see the head of this file.
func try(attr *syscall.SysProcAttr) error {
	beyond := "/" + strings.Repeat("x", 2*syscall.PathMax)
	_, err := syscall.ForkExec(beyond, []string{beyond}, &syscall.ProcAttr{Sys: attr})
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return nil
	}
	return err
}

// userNamespaceRemedy names the knob that is closed, where one of the known ones is.
func userNamespaceRemedy() string {
	for _, knob := range []struct{ name, closed, open string }{
		{"user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"},
		{"kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"},
		{"kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"},
	} {
		b, err := os.ReadFile("/proc/sys/" + knob.name)
		if err == nil && string(bytes.TrimSpace(b)) == knob.closed {
			return knob.open
		}
	}
	return "allow user namespaces, or run outside the container or sandbox that forbids them"
}

// trySubordinateIDs maps a range for a child that waits in an empty user namespace. The child is cat, which waits for
// the end of its input and is there wherever the two map programs are.
func trySubordinateIDs() error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	child := exec.Command("cat")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	stdin, err := child.StdinPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	defer func() {
		stdin.Close()
		child.Wait()
	}()
	for _, m := range []struct{ program, file, own string }{
		{"newuidmap", "/etc/subuid", me.Uid},
		{"newgidmap", "/etc/subgid", me.Gid},
	} {
		first, count, err := subordinateRange(m.file, me)
		if err != nil {
			return err
		}
		path, err := program(m.program)
		if err != nil {
			return err
		}
		out, err := exec.Command(path, strconv.Itoa(child.Process.Pid), "0", m.own, "1", "1", first, count).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", m.program, err, bytes.TrimSpace(out))
		}
	}
	return nil
}

func subordinateRange(file string, me *user.User) (first, count string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	return findRange(f, file, me.Username, me.Uid)
}

// findRange returns the first range of the user's, who may be named by name or by number (subuid(5)).
func findRange(r io.Reader, file, name, uid string) (first, count string, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		part := strings.Split(lines.Text(), ":")
		if len(part) == 3 && (part[0] == name || part[0] == uid) {
			return part[1], part[2], nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", fmt.Errorf("%s: %w", file, err)
	}
	return "", "", fmt.Errorf("%s has no range for user %s", file, name)
}
