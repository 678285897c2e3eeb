package guardian

import (
	"errors"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/caisson-go/caisson/internal/sys"
)

const (
	entrySize = 8 // a process id, in eight bytes so that one store sets it whole
	unused    = 0 // what an entry that guards nothing holds

	// firstSize is a page of 64 KiB, the largest on arm64. Pages never touched take no memory.
	firstSize = 64 << 10

	// maxPid is the most processes that a kernel has, and one more than the largest process id;
	// proc_sys_kernel(5), pid_max.
	maxPid = 1 << 22
)

// table is the memory that the guardian reads.
type table struct {
	file *os.File
	mem  []byte
	next int   // entries from here on were never used
	free []int // entries before it that are free again
}

func newTable() (*table, error) {
	f, err := sys.SharedMemory("caisson-guard", firstSize)
	if err != nil {
		return nil, err
	}
	mem, err := sys.Map(f, firstSize)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &table{file: f, mem: mem}, nil
}

// set puts a process into the first free entry and returns its index.
func (t *table) set(pid int) (int, error) {
	i := t.next
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		if (i+1)*entrySize > len(t.mem) {
			if err := t.grow(); err != nil {
				return 0, err
			}
		}
		t.next++
	}
	t.store(i, uint64(pid))
	return i, nil
}

func (t *table) clear(i int) {
	t.store(i, unused)
	t.free = append(t.free, i)
}

// store is one store to memory: the host program may be killed before it or behind it, not within.
func (t *table) store(i int, v uint64) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&t.mem[i*entrySize])), v)
}

// grow doubles the table. The guardian reads to the end of the file, wherever that is by then.
func (t *table) grow() error {
	size := 2 * len(t.mem)
	if err := t.file.Truncate(int64(size)); err != nil {
		return err
	}
	mem, err := sys.Map(t.file, size)
	if err != nil {
		return err
	}
	old := t.mem
	t.mem = mem
	return sys.Unmap(old)
}

func (t *table) close() {
	_ = sys.Unmap(t.mem)
	_ = t.file.Close()
	t.mem = nil
}
