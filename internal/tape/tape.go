package tape

// Tape is a program under construction. The zero value is not ready: use New or NewArena.
// It is not safe for concurrent use.
type Tape struct {
	ops     []op
	words   []Arg // constants and slots: eight bytes each at run time
	names   []string
	data    []byte // strings and structures
	labels  []label
	structs map[int][]Arg // structures by offset in data, for printing
	consts  map[constant]int
	strs    map[string]Ref
	small   [256]int32 // the words of the constants up to 255, counted from 1
	section int
	onError Label
}

// op is an operation before addresses are known.
type op struct {
	call    Call
	args    [6]int // indexes of words; noWord for none
	fields  [6]Arg // set where the argument is a field of a structure, or no word of this tape
	nargs   int
	allow   int // errno that counts as success
	result  Arg // kind argNone, argSlot or argField
	then    Label
	orElse  Label
	section int
	note    string
}

type label struct {
	name string
	at   int    // index of an operation, -1 while unbound
	far  uint64 // an address outside this tape, for Far
}

type constant struct {
	kind argKind
	n    uint64
}

const noWord = -1

// New returns an empty tape whose failing operations fall through to nothing: bind OnError first.
func New() *Tape {
	t := &Tape{
		structs: map[int][]Arg{},
		consts:  map[constant]int{},
		strs:    map[string]Ref{},
		ops:     make([]op, 0, 256),
		words:   make([]Arg, 0, 256),
		data:    make([]byte, 0, 4096),
		onError: noLabel,
	}
	return t
}

// Reset empties the tape and keeps its memory for the next one.
func (t *Tape) Reset() {
	clear(t.structs)
	clear(t.consts)
	clear(t.strs)
	t.small = [256]int32{}
	clear(t.ops) // they hold remarks
	t.ops, t.words, t.names = t.ops[:0], t.words[:0], t.names[:0]
	t.data, t.labels = t.data[:0], t.labels[:0]
	t.section, t.onError = 0, noLabel
}

// Label names an operation that others branch to. Labels are made before or after what they name.
type Label int

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
func (t *Tape) Section(n int) { t.section = n }

// Len is the number of operations.
func (t *Tape) Len() int { return len(t.ops) }

// SectionOf is the tag of operation i, or -1 if there is no such operation.
func (t *Tape) SectionOf(i int) int {
	if i < 0 || i >= len(t.ops) {
		return -1
	}
	return t.ops[i].section
}

// NoteOf is the remark on operation i.
func (t *Tape) NoteOf(i int) string { return t.ops[i].note }

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
func (o Op) To(dst Arg) Op { o.t.ops[o.i].result = dst; return o }

// Allow lets one errno count as success.
func (o Op) Allow(errno int) Op { o.t.ops[o.i].allow = errno; return o }

// Then continues at l instead of at the operation behind.
func (o Op) Then(l Label) Op { o.t.ops[o.i].then = l; return o }

// Else continues at l when the operation fails.
func (o Op) Else(l Label) Op { o.t.ops[o.i].orElse = l; return o }

// Ignore lets every errno count as success.
func (o Op) Ignore() Op { return o.Else(o.t.after(o.i)) }

// Note adds a remark to the printed form.
func (o Op) Note(s string) Op { o.t.ops[o.i].note = s; return o }

func (t *Tape) after(i int) Label {
	t.labels = append(t.labels, label{at: i + 1})
	return Label(len(t.labels) - 1)
}

// add appends a system call.
func (t *Tape) add(c Call, args ...Arg) Op {
	o := op{call: c, nargs: len(args), then: noLabel, orElse: t.onError, section: t.section}
	for i := range o.args {
		o.args[i] = noWord
		if i < len(args) {
			o.args[i], o.fields[i] = t.word(args[i])
		}
	}
	t.ops = append(t.ops, o)
	return Op{t, len(t.ops) - 1}
}

// word finds or makes the word that holds a at run time.
func (t *Tape) word(a Arg) (int, Arg) {
	switch a.kind {
	case argField:
		return noWord, a
	case argSlot:
		if a.n >= uint64(len(t.words)) || t.words[a.n].kind != argSlot {
			return noWord, a // a slot of another tape: Link says so
		}
		return int(a.n), Arg{}
	}
	if a.kind == argConst && a.n < uint64(len(t.small)) {
		// Most constants are small, and looking them up in a map is most of what compiling costs.
		return t.smallWord(a), Arg{}
	}
	if a.kind == argAddr {
		t.words = append(t.words, a) // eight bytes more are cheaper than the look-up
		return len(t.words) - 1, Arg{}
	}
	k := constant(a)
	if i, ok := t.consts[k]; ok {
		return i, Arg{}
	}
	t.words = append(t.words, a)
	t.consts[k] = len(t.words) - 1
	return len(t.words) - 1, Arg{}
}

// Far makes a label for an address outside this tape: operation 0 of the arena, or, from an arena,
// an operation of the program that runs it.
func (t *Tape) Far(name string, addr uint64) Label {
	t.labels = append(t.labels, label{name: name, at: -1, far: addr})
	return Label(len(t.labels) - 1)
}

// OpAddr is the address that operation o of a program will have, for Far in an arena.
func (o Op) OpAddr() uint64 { return headerAddr + headerSize + uint64(o.i*opSize) }

func (t *Tape) smallWord(a Arg) int {
	if t.small[a.n] == 0 {
		t.words = append(t.words, a)
		t.small[a.n] = int32(len(t.words))
	}
	return int(t.small[a.n]) - 1
}
