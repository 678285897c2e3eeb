package tape

// Tape is a program under construction. The zero value is not ready: use New or NewArena.
// It is not safe for concurrent use.
type Tape struct {
	ops     []op
	words   []Arg // constants and slots: eight bytes each at run time
	places  []Arg // what is no word of this tape: fields of structures
	names   []string
	notes   []string
	data    []byte // strings and structures
	labels  []label
	structs []structure // by offset in data
	fields  []Arg       // of the structures, one behind the other
	small   [256]int32  // the words of the constants up to 255, counted from 1
	section int32
	onError Label
}

// op is an operation before addresses are known. A plan has 250 of them, so they are small.
type op struct {
	call    Call
	nargs   uint8
	args    [6]operand
	result  operand
	allow   int32 // errno that counts as success
	then    Label
	orElse  Label
	section int32
	note    int32 // index of notes, counted from 1
}

// operand is where an operation finds an argument or leaves its result: the index of a word, noWord, or below
// that the index of a place.
type operand int32

const noWord operand = -1

// structure is a run of eight-byte fields in data.
type structure struct{ off, first, count int32 }

type label struct {
	name string
	at   int    // index of an operation, -1 while unbound
	far  uint64 // an address outside this tape, for Far
}

// New returns an empty tape whose failing operations fall through to nothing: bind OnError first.
func New() *Tape {
	t := &Tape{
		ops:     make([]op, 0, 256),
		words:   make([]Arg, 0, 256),
		data:    make([]byte, 0, 4096),
		onError: noLabel,
	}
	return t
}

// Reset empties the tape and keeps its memory for the next one.
func (t *Tape) Reset() {
	t.small = [256]int32{}
	t.ops, t.words, t.places, t.names, t.notes = t.ops[:0], t.words[:0], t.places[:0], t.names[:0], t.notes[:0]
	t.data, t.labels, t.structs, t.fields = t.data[:0], t.labels[:0], t.structs[:0], t.fields[:0]
	t.section, t.onError = 0, noLabel
}

// Label names an operation that others branch to. Labels are made before or after what they name.
type Label int32

// noLabel means: the operation behind this one.
const noLabel Label = -1

// Label makes a label that Mark binds later. The name is for people.
func (t *Tape) Label(name string) Label {
	t.labels = append(t.labels, label{name: name, at: -1})
	return Label(len(t.labels) - 1)
}

// Mark binds l to the operation that is added next.
func (t *Tape) Mark(l Label) { t.labels[l].at = len(t.ops) }

// Here makes a label and binds it to the operation that is added next.
func (t *Tape) Here(name string) Label {
	l := t.Label(name)
	t.Mark(l)
	return l
}

// OnError is where operations added from now on go when they fail and say nothing else.
func (t *Tape) OnError(l Label) { t.onError = l }

// Section tags the operations added from now on, so that a failure can be traced to what they are for.
func (t *Tape) Section(n int) { t.section = int32(n) }

// Len is the number of operations.
func (t *Tape) Len() int { return len(t.ops) }

// SectionOf is the tag of operation i, or -1 if there is no such operation.
func (t *Tape) SectionOf(i int) int {
	if i < 0 || i >= len(t.ops) {
		return -1
	}
	return int(t.ops[i].section)
}

// NoteOf is the remark on operation i.
func (t *Tape) NoteOf(i int) string {
	if n := t.ops[i].note; n > 0 {
		return t.notes[n-1]
	}
	return ""
}

// CallOf is the system call of operation i.
func (t *Tape) CallOf(i int) Call { return t.ops[i].call }

// Op is an operation just added, for saying more about it.
type Op struct {
	t *Tape
	i int
}

// Index is the operation's place on its tape, as Failure reports it.
func (o Op) Index() int { return o.i }

// To stores the operation's result, an errno negated, in a slot or a field of a structure.
func (o Op) To(dst Arg) Op { o.t.ops[o.i].result = o.t.place(dst); return o }

// Allow lets one errno count as success.
func (o Op) Allow(errno int) Op { o.t.ops[o.i].allow = int32(errno); return o }

// Then continues at l instead of at the operation behind.
func (o Op) Then(l Label) Op { o.t.ops[o.i].then = l; return o }

// Else continues at l when the operation fails.
func (o Op) Else(l Label) Op { o.t.ops[o.i].orElse = l; return o }

// Ignore lets every errno count as success.
func (o Op) Ignore() Op { return o.Else(o.t.after(o.i)) }

// Note adds a remark to the printed form.
func (o Op) Note(s string) Op {
	o.t.notes = append(o.t.notes, s)
	o.t.ops[o.i].note = int32(len(o.t.notes))
	return o
}

func (t *Tape) after(i int) Label {
	t.labels = append(t.labels, label{at: i + 1})
	return Label(len(t.labels) - 1)
}

// add appends a system call.
func (t *Tape) add(c Call, args ...Arg) Op {
	t.ops = append(t.ops, op{
		call: c, nargs: uint8(len(args)), args: [6]operand{noWord, noWord, noWord, noWord, noWord, noWord},
		result: noWord, then: noLabel, orElse: t.onError, section: t.section,
	})
	o := &t.ops[len(t.ops)-1]
	for i, a := range args {
		o.args[i] = t.operand(a)
	}
	return Op{t, len(t.ops) - 1}
}

// operand finds or makes the word that holds a at run time. Only small constants are looked for, which most are:
// eight bytes more are cheaper than a look-up.
func (t *Tape) operand(a Arg) operand {
	switch {
	case a.kind == argField || a.kind == argSlot || a.kind == argFar:
		return t.place(a)
	case a.kind == argConst && a.n < uint64(len(t.small)):
		if t.small[a.n] == 0 {
			t.words = append(t.words, a)
			t.small[a.n] = int32(len(t.words))
		}
		return operand(t.small[a.n] - 1)
	}
	t.words = append(t.words, a)
	return operand(len(t.words) - 1)
}

// place is the operand of a slot or a field. A slot of another tape becomes one that Link refuses.
func (t *Tape) place(a Arg) operand {
	if a.kind == argSlot && a.n < uint64(len(t.words)) && t.words[a.n].kind == argSlot {
		return operand(a.n)
	}
	t.places = append(t.places, a)
	return noWord - operand(len(t.places))
}

// given is an operand as it was given, or the zero Arg.
func (t *Tape) given(o operand) Arg {
	switch {
	case o == noWord:
		return Arg{}
	case o < noWord:
		return t.places[noWord-o-1]
	}
	return t.words[o]
}

// Far makes a label for an address outside this tape: operation 0 of the arena, or, from an arena,
// an operation of the program that runs it.
func (t *Tape) Far(name string, addr uint64) Label {
	t.labels = append(t.labels, label{name: name, at: -1, far: addr})
	return Label(len(t.labels) - 1)
}

// OpAddr is the address that operation o of a program will have, for Far in an arena.
func (o Op) OpAddr() uint64 { return headerAddr + headerSize + uint64(o.i*opSize) }

// NextAddr is the address of the four bytes that say, in a program, which operation follows o: an address too, that
// the program may read from somewhere, and so be told where to go.
func (o Op) NextAddr() Arg { return Uint(o.OpAddr() + opNext) }

// Arg puts another value in the place of argument i.
func (o Op) Arg(i int, a Arg) Op { o.t.ops[o.i].args[i] = o.t.operand(a); return o }
