package caisson_test

import (
	"io"
	"os"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

// The examples that start containers cannot have an Output comment: it would fail on hosts that have none.
// Here those that need nothing but a shell and its like do what they say.
func TestExamplesDoWhatTheySay(t *testing.T) {
	testneed.UserNamespaces(t)
	for _, c := range []struct {
		name    string
		example func()
		want    string // exactly; "" for whatever it prints
	}{
		{"package", Example, ""},
		{"Container", ExampleContainer, "/usr\nhello\nwhat goes in comes out\n"},
		{"Container.Start", ExampleContainer_Start, "running\n"},
		{"Container.Wait", ExampleContainer_Wait, "status 3\n"},
		{"Container.Run", ExampleContainer_Run, "true\n"},
		{"Container.Output", ExampleContainer_Output, ""},
		{"Container.CombinedOutput", ExampleContainer_CombinedOutput, "one\ntwo\n"},
		{"Container.StdinPipe", ExampleContainer_StdinPipe, "apple\npear\n"},
		{"Container.StdoutPipe", ExampleContainer_StdoutPipe, "it says: step 1\nit says: step 2\nit says: step 3\n"},
		{"Container.StderrPipe", ExampleContainer_StderrPipe, "careful\n"},
		{"Container.Signal", ExampleContainer_Signal, "143\n"},
		{"Container.Stop", ExampleContainer_Stop, "exited\n"},
		{"Container.State", ExampleContainer_State, "new\nexited\nclosed\n"},
		{"Container.Timings", ExampleContainer_Timings, ""},
		{"Container.Namespace", ExampleContainer_Namespace, ""},
		{"Process", ExampleProcess, "inside and more\n/usr\n0\n"},
		{"Process.Start", ExampleProcess_Start, "signal: killed\n"},
		{"Process.Wait", ExampleProcess_Wait, "0\n1\n2\n"},
		{"Process.Run", ExampleProcess_Run, "context deadline exceeded: signal: killed\nrunning\n"},
		{"Process.Output", ExampleProcess_Output, ""},
		{"Process.CombinedOutput", ExampleProcess_CombinedOutput, ""},
		{"Process.StdinPipe", ExampleProcess_StdinPipe, ""},
		{"Process.StdoutPipe", ExampleProcess_StdoutPipe, ""},
		{"Process.StderrPipe", ExampleProcess_StderrPipe, ""},
		{"Process.Signal", ExampleProcess_Signal, "signal: interrupt\n"},
		{"Process.Resize", ExampleProcess_Resize, "go\r\n30 100\r\n"},
		{"Engine.New", ExampleEngine_New, "one\ntwo\nthree\n"},
		{"Engine.Host", ExampleEngine_Host, "/home:\n\n/root:\n\n/tmp:\n"},
		{"Image.Command", ExampleImage_Command, ""},
		{"Probe", ExampleProbe, ""},
		{"Support.Features", ExampleSupport_Features, ""},
		{"NewNamespace", ExampleNewNamespace, ""},
		{"CommandIn", ExampleCommandIn, "inner\n"},
		{"Namespace.Kind", ExampleNamespace_Kind, "uts\n"},
		{"Namespace.Dial", ExampleNamespace_Dial, "echo\n"},
		{"Namespace.Listen", ExampleNamespace_Listen, "tcp\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := printed(t, c.example); c.want != "" && got != c.want {
				t.Errorf("it prints %q, want %q", got, c.want)
			}
		})
	}
}

// printed is what a function prints, as package testing finds it for an Output comment: standard output is
// a pipe meanwhile.
func printed(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	func() {
		defer func() { os.Stdout = stdout; _ = w.Close() }()
		f()
	}()
	got := <-text
	_ = r.Close()
	return got
}
