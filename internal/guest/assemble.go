package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/caisson-go/caisson/internal/guest/cpio"
	"github.com/caisson-go/caisson/internal/guest/protocol"
	"github.com/caisson-go/caisson/internal/testneed"
	"github.com/caisson-go/caisson/internal/testroot"
)

const (
	initrdFile = "initrd"
	slowness   = "10" // by about this factor emulation is slower than the host
)

// assemble writes the initial root file system into dir.
func (c *config) assemble(ctx context.Context, dir string, tests []testPackage) (*protocol.Manifest, error) {
	modules, err := loadOrder(ctx, c.modules, strings.Split(c.wanted, ","))
	if err != nil {
		return nil, err
	}
	probe, err := buildProbe(ctx, dir)
	if err != nil {
		return nil, err
	}
	initBinary, err := buildInit(ctx, dir)
	if err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, initrdFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buffer := bufio.NewWriterSize(f, 1<<20)
	img := &image{cpio.NewWriter(buffer)}
	m := &protocol.Manifest{Disk: c.disk > 0, Runs: c.runs(tests)}
	for i, mod := range modules {
		name := fmt.Sprintf("/modules/%02d-%s.ko", i, mod.name)
		m.Modules = append(m.Modules, name)
		if err := img.bytes(name, 0o600, mod.image); err != nil {
			return nil, err
		}
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		img.skeleton(),
		img.bytes(protocol.ManifestPath, 0o600, manifest),
		img.copy("/init", 0o755, initBinary),
		img.copy(probePath, 0o755, probe),
		img.tests(tests),
		img.shell(ctx, c.busybox),
		img.Close(),
		buffer.Flush(),
		f.Close(),
	); err != nil {
		return nil, err
	}
	return m, nil
}

// probePath is where the program that tests run in containers lies in the guest.
const probePath = "/tests/probe"

// runs lists every test for every identity.
func (c *config) runs(tests []testPackage) []protocol.Run {
	var runs []protocol.Run
	limit := c.timeout * 3 / 4 // a test that hangs shall say where, before the guest is ended
	for _, id := range c.as {
		home, name := "/root", "root"
		if id.name == "user" {
			home, name = protocol.UserHome, protocol.UserName
		}
		for _, t := range tests {
			argv := append([]string{t.placed(), "-test.paniconexit0", "-test.timeout=" + limit.String()}, strings.Fields(c.testFlags)...)
			if c.verbose {
				argv = append(argv, "-test.v")
			}
			env := []string{
				"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + home, "USER=" + name, "LANG=C.UTF-8",
				testneed.Env + "=" + id.needs, testneed.PatienceEnv + "=" + slowness,
				testroot.ProgramEnv + "=" + probePath,
			}
			if c.spare > 0 && c.disk > 0 { // the second is only then the second
				env = append(env, protocol.SpareEnv+"="+protocol.SpareDevice)
			}
			runs = append(runs, protocol.Run{
				Name: t.ImportPath + " as " + id.name,
				User: id.name == "user",
				Argv: argv,
				Dir:  t.sourceDir(),
				Env:  env,
			})
		}
	}
	return runs
}

// placed is where the test binary lies in the guest.
func (t *testPackage) placed() string {
	return "/tests/" + filepath.Base(t.binary) + "/" + path.Base(t.ImportPath) + ".test"
}

// sourceDir is the package's directory in the guest. go test runs a test there, for the sake of its testdata.
func (t *testPackage) sourceDir() string {
	rel, err := filepath.Rel(t.Module.Dir, t.Dir)
	if err != nil {
		rel = t.ImportPath
	}
	return path.Join("/src", filepath.ToSlash(rel))
}

// image is an archive in the making.
type image struct{ *cpio.Writer }

func (img *image) bytes(name string, perm fs.FileMode, b []byte) error {
	return img.File(name, perm, int64(len(b)), bytes.NewReader(b))
}

func (img *image) copy(name string, perm fs.FileMode, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return img.File(name, perm, info.Size(), f)
}

// skeleton adds what every Linux machine has.
func (img *image) skeleton() error {
	for _, d := range []string{"/proc", "/sys", "/dev", "/run", "/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/etc"} {
		if err := img.Dir(d, 0o755); err != nil {
			return err
		}
	}
	account := fmt.Sprintf("%s:x:%d:", protocol.UserName, protocol.UserID)
	return errors.Join(
		img.Dir("/root", 0o700),
		img.CharDevice("/dev/console", 0o600, 5, 1), // the kernel opens it for init
		img.bytes("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n"+account+fmt.Sprintf("%d::%s:/bin/sh\n", protocol.UserID, protocol.UserHome))),
		img.bytes("/etc/group", 0o644, []byte("root:x:0:\ntty:x:5:\n"+account+"\n")),
		img.bytes("/etc/hosts", 0o644, []byte("127.0.0.1 localhost guest\n::1 localhost\n")),
		img.bytes("/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n")),
		img.bytes("/etc/os-release", 0o644, []byte("ID=guest\nNAME=\"caisson test guest\"\n")),
	)
}

// tests adds the test binaries, and for each its package's testdata.
func (img *image) tests(tests []testPackage) error {
	for _, t := range tests {
		if err := errors.Join(img.copy(t.placed(), 0o755, t.binary), img.Dir(t.sourceDir(), 0o755)); err != nil {
			return err
		}
		err := filepath.WalkDir(filepath.Join(t.Dir, "testdata"), func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(t.Dir, p)
			if err != nil {
				return err
			}
			return img.copy(path.Join(t.sourceDir(), filepath.ToSlash(rel)), 0o644, p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// shell adds busybox under all of its names.
func (img *image) shell(ctx context.Context, busybox string) error {
	if busybox == "" {
		return nil
	}
	names, err := exec.CommandContext(ctx, busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("%s --list: %w", busybox, err)
	}
	for name := range strings.FieldsSeq(string(names)) {
		if name == "busybox" {
			continue
		}
		if err := img.Symlink("/bin/"+name, "busybox"); err != nil {
			return err
		}
	}
	return img.copy("/bin/busybox", 0o755, busybox)
}
