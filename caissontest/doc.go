// Package caissontest runs containers for tests, in the manner of net/http/httptest: a container is started in
// one line, and the test cleans it up by itself.
//
//	func TestGreeting(t *testing.T) {
//		engine := caissontest.Engine(t)
//		c := engine.Host().Command("python3", "-u", "-m", "http.server", "80")
//		web := caissontest.Run(t, c)
//		web.WaitFor(t.Context(), "Serving HTTP")
//		r, err := web.Client().Get("http://localhost/")
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer r.Body.Close()
//	}
//
// What the container writes is logged to the test, line by line. No port is published: Server.Client, and Dial
// for everything else, connect from inside the container's own network, so that tests in parallel, on this or
// in another process, do not get into each other's way.
//
// # Where there are no containers
//
// On a host that cannot run containers, a test is skipped with the reason and the remedy. In continuous
// integration that would hide a broken machine: where the environment variable CAISSON_CI is set, to whatever,
// such a test fails instead.
//
// The package does not import testing, and neither do programs that use it outside of tests.
package caissontest
