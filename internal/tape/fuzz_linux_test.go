package tape_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/caisson-go/caisson/internal/tape"
)

// FuzzTape runs random programs in the interpreter and in the model. The input comes a byte a message, as
// a datagram socket keeps them apart, so that reads of any size get one.
func FuzzTape(f *testing.F) {
	r := rand.New(rand.NewSource(1))
	for range 40 {
		b := make([]byte, r.Intn(400))
		r.Read(b)
		f.Add(b)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		p := decode(data)
		tp := p.compile()
		for _, a := range []tape.Arch{tape.AMD64, tape.ARM64} {
			if err := tp.CheckImage(a); err != nil {
				t.Fatalf("%s: %v\n%s", a, err, tp)
			}
		}
		prog, err := tp.Link()
		if err != nil {
			t.Fatalf("Link: %v\n%s", err, tp)
		}
		if got, want := execute(t, dir, prog, p.input), p.model(); got != want {
			t.Errorf("got %q and %d, want %q and %d\n%s", got.output, got.code, want.output, want.code, tp)
		}
	})
}

// execute runs a program with an input.
func execute(t *testing.T, dir string, prog *tape.Program, input []byte) outcome {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	stdin := os.NewFile(uintptr(pair[0]), "input")
	defer func() { _ = stdin.Close() }()
	for i := range input {
		if _, err := syscall.Write(pair[1], input[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	_ = syscall.Close(pair[1])
	file, err := os.CreateTemp(dir, "tape")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(prog.ELF())
	if err := errors.Join(err, file.Chmod(0o700), file.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file.Name())
	if emulator := os.Getenv("CAISSON_EMULATOR"); emulator != "" {
		cmd = exec.Command(emulator, file.Name())
	}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Dir = stdin, &out, filepath.Dir(file.Name())
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		t.Fatalf("killed by %v", ws.Signal())
	}
	return outcome{out.String(), cmd.ProcessState.ExitCode()}
}

// FuzzTapeMistakes builds tapes that make no sense, to see that linking and printing them ends in an error
// or in an image without an address that leads out of it.
func FuzzTapeMistakes(f *testing.F) {
	r := rand.New(rand.NewSource(2))
	for range 40 {
		b := make([]byte, r.Intn(300))
		r.Read(b)
		f.Add(b)
	}
	foreign := tape.New()
	for range 64 {
		foreign.Slot("foreign")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tp := tape.New()
		args := []tape.Arg{{}, tape.Cwd, tape.Null, tape.FailureRecord, foreign.Slot("one"), tp.Slot("own")}
		labels := []tape.Label{tp.Label("a"), tp.Label("b"), tp.Far("far", 0x1234), 40, -1, -2}
		for len(data) >= 8 {
			c := data[:8]
			data = data[8:]
			arg := func(i int) tape.Arg { return args[int(c[i])%len(args)] }
			label := func(i int) tape.Label { return labels[int(c[i])%len(labels)] }
			n := int(int8(c[7]))
			var op tape.Op
			switch c[0] % 12 {
			case 0:
				args = append(args, tp.Slot(string(c[1:3])))
				continue
			case 1:
				ref := tp.Bytes(c[1:max(1, c[2]%8)])
				args = append(args, ref.Addr(), ref.At(n), ref.Field(n))
				continue
			case 2:
				ref := tp.Words(arg(1), arg(2), tape.Int(n))
				args = append(args, ref.Addr(), ref.Field(n))
				continue
			case 3:
				if l := label(1); l >= 0 && l < 2 {
					tp.Mark(l)
				}
				continue
			case 4:
				op = tp.If(arg(1), arg(2), label(3), label(4))
			case 5:
				op = tp.Goto(label(1))
			case 6:
				op = tp.Execve(string(c[1:4]), tape.Ref{}, tp.Strings([]string{string(c[4:7])}))
			case 7:
				op = tp.Clone3(uint64(n), n, arg(1))
			case 8:
				op = tp.MountSetattr(arg(1), string(c[2:4]), n, 1, 2, 3, arg(4))
			case 9:
				op = tp.WriteMem(arg(1), arg(2), n)
			case 10:
				op = tp.ExitGroup(arg(1))
			case 11:
				op = tp.UmaskTo(arg(1))
			}
			if c[5]%2 == 0 {
				op.To(arg(5))
			}
			if c[6]%4 == 0 {
				op.Else(label(6))
			}
			if c[6]%4 == 1 {
				op.Ignore()
			}
		}
		_ = tp.String()
		for _, a := range []tape.Arch{tape.AMD64, tape.ARM64} {
			if err := tp.CheckImage(a); err != nil {
				t.Fatalf("%s: %v", a, err)
			}
		}
		_, _ = tp.Link()
		_, _ = tp.LinkArena(make([]byte, 1<<14), tape.ArenaAddr)
	})
}

// FuzzDecodeFailure reads records that a broken or hostile process may write.
func FuzzDecodeFailure(f *testing.F) {
	tp := tape.New()
	for range 100 {
		tp.Setsid()
	}
	tp.ExitGroup(tape.Int(0))
	p, err := tp.Link()
	if err != nil {
		f.Fatal(err)
	}
	arena, err := tp.LinkArena(make([]byte, 1<<16), tape.ArenaAddr)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{2, 0, 0, 0, 0x10, 0x02, 0x80, 0}) // ENOENT, operation 0
	f.Add([]byte{2, 0, 0, 0, 0x3c, 0x02, 0x80, 0}) // operation 1
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0x10})       // operation 0 in the arena
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, got := range []tape.Failure{p.DecodeFailure(b), arena.DecodeFailure(b)} {
			if got.Op < -1 || got.Op > 100 {
				t.Fatalf("%+v", got)
			}
			_ = got.Errno.Error()
			if len(b) >= 8 && uint32(got.Errno) != binary.LittleEndian.Uint32(b) {
				t.Fatalf("%+v", got)
			}
			if got.Op >= 0 && tp.FormatOp(got.Op) == "" {
				t.Fatalf("%+v", got)
			}
		}
	})
}
