package tape_test

import (
	"encoding/binary"

	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// A program for both the interpreter under test and a model of it in Go. Every branch leads forward but
// that of a loop, which needs a byte of input for each turn: every program ends.
type program struct {
	steps  []step
	vars   int // odd ones are slots, even ones fields
	input  []byte
	onFail int // the step where errors go that say nothing else; 0 for none
}

type step struct {
	kind       stepKind
	a, b       operand
	dst        int // variable for the result, or -1
	allow      int
	then, fail int // steps further on; 0 for none
	back       int // of a loop: steps back
	mark       byte
}

type stepKind uint8

const (
	doCompare stepKind = iota
	doUmask            // returns the mask before
	doWrite            // a byte to the output
	doMkdir            // fails: EEXIST
	doClose            // fails: EBADF
	doRead             // a byte of input to the input variable
	doLoop             // doRead, and back if there was one
	doExit
	stepKinds
)

// operand is a variable, a constant, or what was read last.
type operand struct {
	kind, n int
}

const (
	isConst = iota
	isVar
	isInput
	operandKinds
)

// decode makes a program of any bytes.
func decode(data []byte) program {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	p := program{vars: 1 + next()%7}
	for range next() % 9 {
		p.input = append(p.input, byte(next()))
	}
	value := func() operand {
		o := operand{next() % operandKinds, 0}
		switch o.kind {
		case isConst:
			o.n = []int{0, 1, -17, -9, 0o22, 0o777, next()}[next()%7]
		case isVar:
			o.n = next() % p.vars
		}
		return o
	}
	for n := 1 + next()%32; n > 0; n-- {
		s := step{kind: stepKind(next()) % stepKinds, a: value(), b: value(), dst: next()%(p.vars+1) - 1}
		s.allow = []int{0, 0, sys.EEXIST, sys.ENOENT}[next()%4]
		s.then, s.fail = max(next()%8-3, 0), max(next()%8-3, 0)
		s.back = next() % 8
		s.mark = byte('a' + next()%26)
		p.steps = append(p.steps, s)
	}
	if next()%2 == 1 {
		p.onFail = next() % len(p.steps)
	}
	return p
}

// outcome is what can be seen of a program that has run.
type outcome struct {
	output string
	code   int
}

// errEnd is where errors go that no step handles: a program that ends so leaves no variables.
const errEnd = -1

// compile makes the tape. Its end writes what the variables hold, whatever the way there.
func (p *program) compile() *tape.Tape {
	t := tape.New()
	labels := make([]tape.Label, len(p.steps)+1)
	for i := range labels {
		labels[i] = t.Label("")
	}
	broken := t.Label("broken")
	in, vars := t.Zero(8), make([]tape.Arg, p.vars)
	dump := t.Zero(8 * p.vars)
	for i := range vars {
		vars[i] = t.Slot("")
		if i%2 == 0 {
			t.Bytes(make([]byte, i)) // so that fields lie anywhere
			vars[i] = t.Zero(8).Field(0)
		}
	}
	t.Umask(0) // the model begins so
	arg := func(o operand) tape.Arg {
		switch o.kind {
		case isVar:
			return vars[o.n]
		case isInput:
			return in.Field(0)
		}
		return tape.Int(o.n)
	}
	for i := range p.steps {
		t.Mark(labels[i])
		t.OnError(broken)
		if p.onFail > i {
			t.OnError(labels[p.onFail])
		}
		p.compileStep(t, i, labels, arg, vars, in)
	}
	t.Mark(labels[len(p.steps)])
	t.OnError(broken)
	for i := range vars {
		t.UmaskTo(vars[i])
		t.Umask(0).To(dump.Field(8 * i))
	}
	t.WriteMem(tape.Int(1), dump.Addr(), dump.Len())
	t.ExitGroup(tape.Int(0))
	t.Mark(broken)
	t.ExitGroup(tape.Int(200))
	return t
}

func (p *program) compileStep(t *tape.Tape, i int, labels []tape.Label, arg func(operand) tape.Arg, vars []tape.Arg, in tape.Ref) {
	s := &p.steps[i]
	at := func(n int) tape.Label { return labels[p.ahead(i, n)] }
	var op tape.Op
	switch s.kind {
	case doCompare:
		t.If(arg(s.a), arg(s.b), at(max(s.then, 1)), at(max(s.fail, 1)))
		return
	case doUmask:
		op = t.UmaskTo(arg(s.a))
	case doWrite:
		op = t.Write(tape.Int(1), string(s.mark))
	case doMkdir:
		op = t.Mkdirat(tape.Cwd, "/", 0)
	case doClose:
		op = t.Close(tape.Int(987))
	case doRead:
		op = t.Read(tape.Int(0), tape.Ref(in)) // of one byte: see input
	case doLoop:
		n := t.Slot("n")
		t.Read(tape.Int(0), in).To(n)
		t.If(n, tape.Int(1), labels[max(i-s.back, 0)], at(1))
		return
	case doExit:
		t.ExitGroup(arg(s.a))
		return
	}
	if s.dst >= 0 {
		op.To(vars[s.dst])
	}
	op.Allow(s.allow)
	if s.then > 0 {
		op.Then(at(s.then))
	}
	if s.fail > 0 {
		op.Else(at(s.fail))
	}
}

// ahead is the step n steps on, or the end.
func (p *program) ahead(i, n int) int { return min(i+n, len(p.steps)) }

// model runs a program in Go.
func (p *program) model() outcome {
	vars := make([]int64, p.vars)
	input, read, mask := p.input, int64(0), int64(0)
	var out []byte
	value := func(o operand) int64 {
		switch o.kind {
		case isVar:
			return vars[o.n]
		case isInput:
			return read
		}
		return int64(o.n)
	}
	take := func() int64 {
		if len(input) == 0 {
			return 0
		}
		read, input = int64(input[0]), input[1:]
		return 1
	}
	for i := 0; i < len(p.steps); {
		s := &p.steps[i]
		var result int64
		switch s.kind {
		case doCompare:
			if value(s.a) == value(s.b) {
				i = p.ahead(i, max(s.then, 1))
			} else {
				i = p.ahead(i, max(s.fail, 1))
			}
			continue
		case doUmask:
			result, mask = mask, value(s.a)&0o777
		case doWrite:
			result, out = 1, append(out, s.mark)
		case doMkdir:
			result = -sys.EEXIST
		case doClose:
			result = -9 // EBADF
		case doRead:
			result = take()
		case doLoop:
			if take() == 1 {
				i = max(i-s.back, 0)
			} else {
				i = p.ahead(i, 1)
			}
			continue
		case doExit:
			return outcome{string(out), int(value(s.a) & 0xff)}
		}
		if s.dst >= 0 {
			vars[s.dst] = result
		}
		if i = p.after(i, s, result); i == errEnd {
			return outcome{string(out), 200}
		}
	}
	for _, v := range vars {
		out = binary.LittleEndian.AppendUint64(out, uint64(v&0o777))
	}
	return outcome{string(out), 0}
}

// after is the step that follows step i and its result.
func (p *program) after(i int, s *step, result int64) int {
	switch {
	case result >= 0 || int64(s.allow) == -result:
		return p.ahead(i, max(s.then, 1))
	case s.fail > 0:
		return p.ahead(i, s.fail)
	case p.onFail > i:
		return p.onFail
	}
	return errEnd
}
