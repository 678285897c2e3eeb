// Package statedir opens the directory that a program keeps its state in, on a way that nobody else can change.
//
// In the state directory the program writes, mounts and removes, with its own rights and, because overlay knows nothing
// else, by paths. Whoever could exchange something on the way there would choose where that happens. So nobody but this
// user and root may be able to; as long as that holds, a path stays what it was when it was looked at.
package statedir

// HintWritable is the remedy for a state directory that can not be made or opened.
const HintWritable = "set Engine.Dir to a directory that you may write to"

// Error reports what is wrong with a state directory, or on the way to it. errors.Is sees through to the errno.
type Error struct {
	Op   string // "open", "stat", "readlink", "chmod"
	Path string // the directory, or the first place on the way to it that is wrong
	Err  error
	Hint string // one remedy, if there is one
}

// Error names the step, the place and the remedy.
func (e *Error) Error() string {
	msg := e.Op + " " + e.Path + ": " + e.Err.Error()
	if e.Hint != "" {
		msg += "; " + e.Hint
	}
	return msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
