package caisson_test

import (
	"context"
	"strings"
	"testing"
	"os"

	"github.com/caisson-go/caisson"
)

func TestHostRunsAProgram(t *testing.T) {
	e := &caisson.Engine{Dir: t.TempDir()}
	out, err := e.Host().Command("sh", "-c", "cat /proc/self/mountinfo; cat /proc/self/status | grep -i cap; ls -la /proc/self/fd").CombinedOutput(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "/dev/vda rw") { t.Errorf("%s", out) }
	t.Logf("%s", out[len(out)-600:])
}
func BenchmarkSmall(b *testing.B) {
	root := os.Getenv("ROOT")
	e := &caisson.Engine{Dir: os.Getenv("DIR")}
	img, err := e.RootFS(root)
	if err != nil { b.Fatal(err) }
	for b.Loop() {
		if err := img.Command("/bin/true").Run(context.Background()); err != nil { b.Fatal(err) }
	}
}
func BenchmarkHost(b *testing.B) {
	e := &caisson.Engine{Dir: os.Getenv("DIR")}
	for b.Loop() {
		if err := e.Host().Command("/bin/true").Run(context.Background()); err != nil { b.Fatal(err) }
	}
}
