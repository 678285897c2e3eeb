package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

const cgroupRoot = "/sys/fs/cgroup"

// prepareCgroups switches every controller on for the children of the root cgroup, and makes one of them for each user.
func prepareCgroups() error {
	have, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for controller := range strings.FieldsSeq(string(have)) {
		if err := os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("switch on the controller %s: %w", controller, err)
		}
	}
	if err := os.Mkdir(session(false), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(session(true), 0o755); err != nil {
		return err
	}
	// Delegation: the directory and these files, and no others (cgroup-v2.rst, "Model of Delegation").
	for _, name := range []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
		if err := os.Chown(filepath.Join(session(true), name), protocol.UserID, protocol.UserID); err != nil {
			return err
		}
	}
	return nil
}

// session is the cgroup that a run begins in, as a login session's processes begin in one of their own.
func session(user bool) string {
	if user {
		return filepath.Join(cgroupRoot, "session-user")
	}
	return filepath.Join(cgroupRoot, "session-root")
}
