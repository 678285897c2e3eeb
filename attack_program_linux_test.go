package caisson_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/caisson-go/caisson"
	"github.com/caisson-go/caisson/internal/tape"
	"github.com/caisson-go/caisson/internal/testroot"
)

// CVE-2019-5736: the container writes to the program of the host that starts it, which for a library is the caller's
// own. The entrypoint is /proc/self/exe, or a script that names it as its interpreter, or a loop that opens every
// /proc/N/exe for writing while 1,000 programs (100 by default) are executed. Passes when nothing but the container's
// own programs can be written to, what is seen of the tape is a memfd with every seal, and the program that embeds the
// library is unchanged. The control is an ordinary file that is executed in the same container.
func TestAttackT01HostProgram(t *testing.T) {
	attack(t, func(t *assault) {
		before := hashOfThisProgram(t)
		t.root.File("script", "#!/proc/self/exe\n", 0o755)
		t.root.File("script1", "#!/proc/1/exe\n", 0o755)
		t.root.Link("/proc/self/exe", "linked")
		for _, entry := range []string{"/proc/self/exe", "/script", "/script1", "/linked", "/proc/1/exe", "/proc/thread-self/exe", "/proc/self/fd/3", "/proc/self/fd/64"} {
			for _, init := range []bool{false, true} {
				out, err := t.command(entry).with(func(c *caisson.Container) { c.Init = init }).CombinedOutput(t.Context())
				if err == nil {
					t.Errorf("%s ran as a program: %s", entry, out)
				}
			}
		}
		vol := t.TempDir()
		if err := attackCopy(testroot.Program(t), vol+"/tool", 0o755); err != nil {
			t.Fatal(err)
		}
		for _, add := range [][]string{nil, {"SYS_PTRACE", "DAC_READ_SEARCH"}} {
			b := t.command("exe-write").with(func(c *caisson.Container) {
				c.Init, c.Security.AddCapabilities = true, add
				c.Mounts = []caisson.Mount{{Source: vol, Target: "/naive"}}
			})
			t.writeExe(b, add != nil)
		}
		if after := hashOfThisProgram(t); after != before {
			t.Fatalf("this program was changed: %s, was %s", after, before)
		}
	})
}

// writeExe executes programs while the container's own opens for writing what it sees of them.
func (t *assault) writeExe(b *victim, tracer bool) {
	t.Helper()
	b.start()
	for range attackCount(1000, 100) / 2 {
		b.exec("/bin/true")
	}
	self, err := os.Executable()
	must(t, err)
	escaped, sealed := false, false
	judge := func(line string) {
		own := strings.Contains(line, " /naive/") || strings.Contains(line, " /bin/probe ")
		escaped = escaped || strings.HasPrefix(line, "opened /naive/") && strings.HasSuffix(line, "written")
		sealed = sealed || line == "seals /memfd:caisson (deleted) f"
		switch {
		case strings.HasPrefix(line, "opened ") && !own && line != "opened /memfd:caisson (deleted) EPERM": // sealed
			t.Errorf("a program is open for writing (tracer %v): %s", tracer, line)
		case strings.HasPrefix(line, "seals /memfd:caisson") && !sealed, strings.HasPrefix(line, "seen ") && strings.Contains(line, self):
			t.Errorf("seen (tracer %v): %s", tracer, line)
		}
	}
	naiveEscapes(t, func() bool {
		_ = b.Exec("/naive/tool", "true").Run(t.Context()) // ETXTBSY while the attacker writes to it
		for {
			select {
			case line := <-b.said:
				judge(line)
				continue
			default:
			}
			return escaped
		}
	})
	if !sealed {
		t.Errorf("the init's program was not seen to be a sealed memfd (tracer %v)", tracer)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func hashOfThisProgram(t testing.TB) string {
	t.Helper()
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// CVE-2021-43784: the records that a first process writes are decoded by the host program. A container that gets hold
// of the pipe can write anything. Passes when no record is a panic or names an operation that is not there.
func TestAttackT30DecoderOfRecords(t *testing.T) {
	p := tape.New()
	for range 100 {
		p.ExitGroup(tape.Int(1))
	}
	program, err := p.Link()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, tape.FailureSize)
	for i := range attackCount(10_000_000, 1_000_000) {
		binary.LittleEndian.PutUint64(buf, random.Uint64())
		if i%2 == 0 { // near the operations, where an offset could be believed
			binary.LittleEndian.PutUint32(buf[4:], 0x800200+uint32(random.IntN(8192)))
		}
		f := program.DecodeFailure(buf[:random.IntN(tape.FailureSize+1)])
		if f.Op < -1 || f.Op >= p.Len() {
			t.Fatalf("record %x is operation %d", buf, f.Op)
		}
		if f.Op >= 0 {
			_, _, _ = p.CallOf(f.Op).String(), p.NoteOf(f.Op), p.SectionOf(f.Op)
		}
	}
}
