// Package proxy makes system calls in another process, which may live in any namespaces.
//
// The process is a tape with a loop: it reads a byte, runs the operations that lie in memory shared with
// the host program, and answers. So the host program acts inside a user namespace, a mount namespace or a
// network namespace without a thread of its own ever entering one.
//
//	p, err := proxy.Start(proxy.Options{Prelude: func(t *tape.Tape) {
//		t.Setns(tape.Int(proxy.FirstFile), sys.CLONE_NEWUSER)
//	}, Files: []*os.File{userns}})
//	err = p.Do(func(t *tape.Tape) {
//		t.Mkdirat(tape.Cwd, "/srv/a", 0o700)
//		t.Mkdirat(tape.Cwd, "/srv/b", 0o700)
//	})
//
// One round trip runs any number of operations, which is what makes a proxy fast: a thousand files made at
// once cost two wakes of a process, not six thousand.
package proxy
