package caisson_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/caisson-go/caisson"
)

// A spec can be stored and sent: it is data, and nothing in it belongs to one machine or one moment.
func ExampleSpec() {
	spec := caisson.Spec{Image: "host", Args: []string{"make", "test"}, ReadOnly: true}
	stored, err := json.Marshal(spec)
	if err != nil {
		log.Fatal(err)
	}
	var again caisson.Spec
	if err := json.Unmarshal(stored, &again); err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Args, again.ReadOnly)
	// Output: [make test] true
}

// What a start would do, before it does it and without any rights.
func ExampleSpec_Plan() {
	spec := caisson.Spec{
		Image:    "host",
		Args:     []string{"/usr/sbin/nginx"},
		Hostname: "web",
		Security: caisson.Security{DropCapabilities: []string{"ALL"}, AddCapabilities: []string{"NET_BIND_SERVICE"}},
	}
	plan, err := spec.Plan(nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range plan.Steps {
		switch step.Verb {
		case "pivot_root", "sethostname", "capabilities", "execve":
			fmt.Println(step.Verb, step.Object)
		}
	}
	// Output:
	// pivot_root . .
	// sethostname web
	// capabilities NET_BIND_SERVICE
	// execve /usr/sbin/nginx
}

// The same container for a user without privilege: a user namespace comes first.
func ExampleSpec_Plan_rootless() {
	spec := caisson.Spec{Image: "host", Args: []string{"true"}}
	plan, err := spec.Plan(&caisson.Support{UID: 1000, GID: 1000})
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range plan.Steps {
		switch step.Verb {
		case "unshare", "map":
			fmt.Println(step.Verb, step.Object)
		}
	}
	// Output:
	// unshare user
	// map uid 0 -> 1000, gid 0 -> 1000
}

// A directory of the host to read from, another to write to, and memory for what is thrown away.
func ExampleSpec_mounts() {
	var engine caisson.Engine
	c := engine.Host().Command("cp", "-r", "/in/.", "/out")
	c.ReadOnly = true
	c.Mounts = []caisson.Mount{
		{Source: "/srv/job/input", Target: "/in", ReadOnly: true, NoExec: true},
		{Source: "/srv/job/output", Target: "/out"},
		{Type: caisson.MountTmpfs, Target: "/tmp", Size: 64 << 20},
	}
	if err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// A program that may use half a processor, 64 MiB and twenty processes.
func ExampleSpec_limits() {
	var engine caisson.Engine
	c := engine.Host().Command("make", "-j")
	c.Limits = caisson.Limits{CPU: 0.5, Memory: 64 << 20, Processes: 20}
	if err := c.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// Two containers that share a network: what the one listens to on localhost, the other reaches there.
func ExampleNamespaceOf() {
	ctx := context.Background()
	var engine caisson.Engine
	server := engine.Host().Command("python3", "-m", "http.server", "80")
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := engine.Host().Command("curl", "-s", "--retry", "5", "--retry-connrefused", "http://localhost/")
	client.Namespaces.Net = caisson.NamespaceOf(server.Pid())
	out, err := client.Output(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// A network that was made beforehand: ip netns add blue.
func ExampleNamespaceAt() {
	var engine caisson.Engine
	c := engine.Host().Command("ip", "address")
	c.Namespaces.Net = caisson.NamespaceAt("/run/netns/blue")
	out, err := c.Output(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", out)
}

// Every system call of a container, as strace would show it, before it is made.
func ExamplePlan_Syscalls() {
	spec := caisson.Spec{Image: "host", Args: []string{"true"}}
	plan, err := spec.Plan(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Syscalls())
}

// A line for each step: what is done, to what, and where to read about it.
func ExamplePlan_String() {
	spec := caisson.Spec{Image: "host", Args: []string{"true"}}
	plan, err := spec.Plan(nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan)
}
