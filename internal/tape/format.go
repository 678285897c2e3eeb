package tape

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"syscall"
)

// String prints the tape as strace prints a running program: one operation a line, with the name of
// the slot that its result goes to, the errno that counts as success and the branches that are taken.
func (t *Tape) String() string {
	var b strings.Builder
	named := map[int][]string{}
	for _, l := range t.labels {
		if l.name != "" {
			named[l.at] = append(named[l.at], l.name)
		}
	}
	for i := range t.ops {
		for _, name := range named[i] {
			fmt.Fprintf(&b, "%s:\n", name)
		}
		fmt.Fprintf(&b, "%5d  %s\n", i, t.FormatOp(i))
	}
	return b.String()
}

// FormatOp prints one operation.
func (t *Tape) FormatOp(i int) string {
	o := &t.ops[i]
	var b strings.Builder
	if o.call == compare {
		t.formatCompare(&b, o)
	} else {
		t.formatCall(&b, o)
	}
	if o.allow != 0 {
		fmt.Fprintf(&b, " or %s", errnoName(int(o.allow)))
	}
	if o.orElse != t.onError && o.orElse != noLabel && o.call != compare {
		fmt.Fprintf(&b, " else %s", t.labelName(o.orElse))
	}
	if o.then != noLabel && o.call != compare {
		fmt.Fprintf(&b, " then %s", t.labelName(o.then))
	}
	if note := t.NoteOf(i); note != "" {
		fmt.Fprintf(&b, "  # %s", note)
	}
	return b.String()
}

func (t *Tape) formatCompare(b *strings.Builder, o *op) {
	x, y := t.arg(o, 0), t.arg(o, 1)
	if x == y {
		fmt.Fprintf(b, "goto %s", t.labelName(o.then))
		return
	}
	fmt.Fprintf(b, "if %s == %s goto %s else %s", t.format(x, 'i'), t.format(y, 'i'), t.labelName(o.then), t.labelName(o.orElse))
}

func (t *Tape) formatCall(b *strings.Builder, o *op) {
	c := calls[o.call]
	b.WriteString(c.name)
	b.WriteByte('(')
	for j := range int(o.nargs) {
		if j > 0 {
			b.WriteString(", ")
		}
		kind := byte('x')
		if j < len(c.params) {
			kind = c.params[j]
		}
		b.WriteString(t.format(t.arg(o, j), kind))
	}
	b.WriteByte(')')
	if o.result != noWord {
		fmt.Fprintf(b, " = %s", t.format(t.given(o.result), 'x'))
	}
}

// arg is argument j as it was given.
func (t *Tape) arg(o *op, j int) Arg {
	if o.args[j] == noWord {
		return Arg{kind: argConst}
	}
	return t.given(o.args[j])
}

func (t *Tape) labelName(l Label) string {
	switch {
	case l == noLabel:
		return "next"
	case l < 0 || int(l) >= len(t.labels):
		return "a label of another tape"
	case t.labels[l].name != "":
		return t.labels[l].name
	}
	return strconv.Itoa(t.labels[l].at)
}

// format prints one argument; kind is its letter in call.params.
func (t *Tape) format(a Arg, kind byte) string { return t.formatWithin(a, kind, maxDepth) }

// maxDepth is how deep structures are printed: sendmsg's header holds a vector of buffers.
const maxDepth = 4

// formatWithin is format with structures that are at most depth deep: one may hold its own address.
func (t *Tape) formatWithin(a Arg, kind byte, depth int) string {
	switch a.kind {
	case argSlot:
		if int(a.n) < len(t.names) && t.names[a.n] != "" {
			return t.names[a.n]
		}
		return fmt.Sprintf("slot%d", a.n)
	case argField:
		return fmt.Sprintf("[%#x]", a.n)
	case argFar:
		return fmt.Sprintf("word[%#x]", a.n)
	case argSelf:
		return "failure"
	case argAddr:
		return t.formatAddr(int(a.n), kind, depth)
	}
	return formatConst(a.n, kind)
}

// formatAddr prints what lies at an address: a string, a structure, or just where it is.
func (t *Tape) formatAddr(off int, kind byte, depth int) string {
	fields, ok := t.structAt(off)
	switch {
	case kind == 's':
		return strconv.Quote(t.cstring(off))
	case kind == 'g' && len(fields) > 0:
		return "{" + formatConst(fields[0].n, 'N') + "}"
	case kind == 'o' && len(fields) == 3:
		return fmt.Sprintf("{%s, %#o, %s}", formatConst(fields[0].n, 'O'), fields[1].n, flags(fields[2].n, resolveNames))
	case kind == 'a' && len(fields) == 4:
		return t.formatMountAttr(fields)
	case kind == 'V' && len(fields) > 0:
		return t.formatStrings(fields)
	}
	if ok && depth > 0 {
		parts := make([]string, len(fields))
		for i, f := range fields {
			parts[i] = t.formatWithin(f, 'x', depth-1)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprintf("&%#x", off)
}

func (t *Tape) formatMountAttr(f []Arg) string {
	s := "{+" + flags(f[0].n, mountAttrNames)
	if f[1].n != 0 {
		s += ", -" + flags(f[1].n, mountAttrNames)
	}
	if f[2].n != 0 {
		s += ", " + flags(f[2].n, mountNames)
	}
	return s + "}"
}

// maxShown keeps a long argument vector from filling the page.
const maxShown = 8

func (t *Tape) formatStrings(f []Arg) string {
	var parts []string
	for i, a := range f[:len(f)-1] {
		if i == maxShown {
			parts = append(parts, fmt.Sprintf("... %d more", len(f)-1-i))
			break
		}
		parts = append(parts, strconv.Quote(t.cstring(int(a.n))))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (t *Tape) cstring(off int) string {
	if off < 0 || off > len(t.data) {
		return ""
	}
	s := t.data[off:]
	if n := bytes.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	const shown = 200
	if len(s) > shown {
		return string(s[:shown]) + "..."
	}
	return string(s)
}

func errnoName(n int) string {
	if s, ok := errnoNames[n]; ok {
		return s
	}
	return fmt.Sprintf("errno %d (%v)", n, syscall.Errno(n))
}

// Failure is what a tape reports of an operation that failed.
type Failure struct {
	Op    int // index of the operation; -1 if the record makes no sense
	Errno syscall.Errno
}

// FailureSize is the size of an encoded Failure.
const FailureSize = 8

// DecodeFailure reads the record that a running program wrote from FailureRecord.
func (p *Program) DecodeFailure(b []byte) Failure { return decodeFailure(b, &p.mem, p.count) }

func decodeFailure(b []byte, m *image, count int) Failure {
	if len(b) < FailureSize {
		return Failure{Op: -1}
	}
	errno := binary.LittleEndian.Uint32(b)
	return Failure{m.op(uint64(binary.LittleEndian.Uint32(b[4:])), count), syscall.Errno(errno)}
}
