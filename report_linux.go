package caisson

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/caisson-go/caisson/internal/plan"
	"github.com/caisson-go/caisson/internal/sys"
	"github.com/caisson-go/caisson/internal/tape"
)

// report is what a tape said before it became the program, or died.
type report struct {
	pid    int  // of the container's first process, if a stage made it
	ready  bool // everything was set up
	failed bool
	denied []tape.Failure // places of the program that may not be executed
	last   tape.Failure
	began  []time.Duration
	end    time.Duration
}

// read reads records of eight bytes until the pipe ends: a pid, a failed operation, or the times of the steps. A
// pipe of one page was marked by a process that was ready.
func (s *startup) read() (report, error) {
	var r report
	buf := make([]byte, tape.FailureSize)
	for {
		_, err := io.ReadFull(s.status, buf)
		if errors.Is(err, io.EOF) {
			r.ready = sys.PipeSize(s.status) == os.Getpagesize()
			return r, nil
		}
		if err != nil {
			return r, err
		}
		first, op := binary.LittleEndian.Uint32(buf), binary.LittleEndian.Uint32(buf[4:])
		switch {
		case op == 0 && first == 0:
			if err := s.readMarks(&r); err != nil {
				return r, err
			}
		case op == 0 && (r.pid != 0 || !s.made(int(first))):
			// It is not from the stage.
		case op == 0:
			r.pid = int(first)
			if s.first != nil {
				s.first <- r.pid
			}
			if err := s.guard(r.pid); err != nil {
				return r, err
			}
		default:
			f := s.program.DecodeFailure(buf)
			r.last = f
			if s.isCandidate(f) {
				r.denied = append(r.denied, f)
			} else {
				r.failed = true
			}
		}
	}
}

// isCandidate tells whether the failed operation is an attempt to execute that another follows.
func (s *startup) isCandidate(f tape.Failure) bool {
	return f.Errno == syscall.EACCES && f.Op >= 0 && s.plan.Tape.CallOf(f.Op).String() == "execve" && f.Op != s.plan.LastExec
}

func (s *startup) readMarks(r *report) error {
	if s.plan.Marks == 0 {
		return nil
	}
	buf := make([]byte, s.plan.Marks*plan.MarkSize)
	if _, err := io.ReadFull(s.status, buf); err != nil {
		return err
	}
	for i := range s.plan.Marks {
		sec := binary.LittleEndian.Uint64(buf[i*plan.MarkSize:])
		nsec := binary.LittleEndian.Uint64(buf[i*plan.MarkSize+8:])
		r.began = append(r.began, time.Duration(sec)*time.Second+time.Duration(nsec))
	}
	r.end = r.began[len(r.began)-1]
	return nil
}
