package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/caisson-go/caisson/internal/guest/protocol"
)

// report turns the guest's events into lines like those of go test.
type report struct {
	out     io.Writer
	runs    []protocol.Run
	verbose bool

	kernel string
	output []byte // of the run that is going on
	ended  int
	failed int
}

// maxOutput bounds what is kept of one run's output: its beginning would scroll away, its end says why it failed.
const maxOutput = 1 << 20

// read consumes events until the guest says that it is done.
func (r *report) read(events io.Reader) error {
	dec := json.NewDecoder(events)
	for {
		var e protocol.Event
		switch err := dec.Decode(&e); {
		case errors.Is(err, io.EOF):
			return errors.New("the guest ended early")
		case err != nil:
			return fmt.Errorf("the guest's message makes no sense: %w", err)
		case e.Broken != "":
			return errors.New(e.Broken)
		case e.Run < 0 || e.Run >= len(r.runs):
			return fmt.Errorf("the guest's message is about run %d of %d", e.Run, len(r.runs))
		case e.Done:
			return nil
		}
		r.event(e)
	}
}

func (r *report) event(e protocol.Event) {
	if e.Kernel != "" {
		r.kernel = e.Kernel
		return
	}
	r.output = append(r.output, e.Output...)
	if extra := len(r.output) - maxOutput; extra > 0 {
		r.output = r.output[extra:]
	}
	if !e.Ended {
		return
	}
	word := "ok  "
	if e.Problem != "" {
		word = "FAIL"
		r.failed++
	}
	if r.verbose || e.Problem != "" {
		r.out.Write(r.output)
	}
	if e.Problem != "" {
		fmt.Fprintln(r.out, e.Problem)
	}
	fmt.Fprintf(r.out, "%s\t%s\t%.3fs\t[Linux %s]\n", word, r.runs[e.Run].Name, e.Seconds, r.kernel)
	r.output, r.ended = nil, r.ended+1
}

// unfinished shows what a run that never ended had to say.
func (r *report) unfinished() {
	if r.ended < len(r.runs) {
		r.out.Write(r.output)
		fmt.Fprintf(r.out, "FAIL\t%s\tdid not end\t[Linux %s]\n", r.runs[r.ended].Name, r.kernel)
	}
}

// err is the verdict.
func (r *report) err() error {
	if r.failed > 0 || r.ended < len(r.runs) {
		return fmt.Errorf("of %d runs %d failed and %d did not end", len(r.runs), r.failed, len(r.runs)-r.ended)
	}
	return nil
}
