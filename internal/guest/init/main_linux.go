// Command init is the first process of the test guest. It makes the initial root file system into an ordinary machine's
// root, runs the programs of the manifest, reports over a serial port, and switches the guest off.
//
// Process 1 itself only prepares the machine and reaps orphans, as every init has to; the programs are run by a second
// process, so that reaping does not take exit statuses from under os/exec.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

const worker = "worker"

func main() {
	if len(os.Args) > 1 && os.Args[1] == worker {
		if err := work(); err != nil {
			broken(err)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: this program is the first process of a test guest; see internal/guest")
		os.Exit(2)
	}
	if err := prepareAndReap(); err != nil {
		broken(err)
	}
	// With qemu's -no-reboot a restart ends the emulator.
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
}

func prepareAndReap() error {
	manifest, err := readManifest()
	if err != nil {
		return err
	}
	if err := prepare(manifest); err != nil {
		return err
	}
	pid, err := syscall.ForkExec("/init", []string{"/init", worker}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	for {
		got, err := syscall.Wait4(-1, nil, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("wait: %w", err)
		case got == pid:
			return nil
		}
	}
}

func readManifest() (*protocol.Manifest, error) {
	b, err := os.ReadFile(protocol.ManifestPath)
	if err != nil {
		return nil, err
	}
	m := new(protocol.Manifest)
	return m, json.Unmarshal(b, m)
}

// broken reports that the guest is of no use, on the event port if there is one by now, and on the console.
func broken(err error) {
	fmt.Fprintln(os.Stderr, "init:", err)
	if port, portErr := openPort(); portErr == nil {
		port.send(protocol.Event{Broken: err.Error()})
	}
}
