//go:build linux && !amd64

package launch

// execute starts an open program.
func execute(exe uintptr, fds []uintptr, o *Options) (pid, pidfd int, err error) {
	return executeSlowly(exe, fds, o)
}
