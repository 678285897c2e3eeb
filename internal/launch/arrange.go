package launch

import "github.com/caisson-go/caisson/internal/sys"

// none is a descriptor that is not there.
const none = ^uintptr(0)

// move makes one descriptor another, or closes it if from is none.
type move struct{ from, to, flags uintptr }

// arrange tells how a child makes fds[i] its descriptor i, for every i, and where exe is then, which closes on exec.
// What lies where something else belongs is moved out of the way first.
func arrange(exe uintptr, fds []uintptr) (moves []move, exeNow uintptr) {
	now := make([]uintptr, len(fds))
	next := max(exe+1, uintptr(len(fds)))
	for _, fd := range fds {
		if fd != none {
			next = max(next, fd+1)
		}
	}
	aside := func(fd uintptr) uintptr {
		moves = append(moves, move{fd, next, sys.O_CLOEXEC})
		next++
		return next - 1
	}
	if exe < uintptr(len(fds)) {
		exe = aside(exe)
	}
	for i, fd := range fds {
		now[i] = fd
		if fd < uintptr(i) { // it would be overwritten before its turn
			now[i] = aside(fd)
		}
	}
	for i, fd := range now {
		moves = append(moves, move{from: fd, to: uintptr(i)})
	}
	return moves, exe
}
