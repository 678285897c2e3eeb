package caissontest_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/caisson-go/caisson/caissontest"
)

// fake is a TB that remembers.
type fake struct {
	mu              sync.Mutex
	ctx             context.Context
	logs            []string
	failed, skipped []string
	cleanups        []func()
	over            bool
	late            []string // logged after the test, on which package testing panics
}

func (f *fake) Helper()                  {}
func (f *fake) Context() context.Context { return f.ctx }

func (f *fake) Cleanup(c func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, c)
}

func (f *fake) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		f.late = append(f.late, fmt.Sprintf(format, args...))
	}
	f.logs = append(f.logs, fmt.Sprintf(format, args...))
}

func (f *fake) Fatalf(format string, args ...any) {
	f.mu.Lock()
	f.failed = append(f.failed, fmt.Sprintf(format, args...))
	f.mu.Unlock()
	runtime.Goexit()
}

func (f *fake) Skipf(format string, args ...any) {
	f.mu.Lock()
	f.skipped = append(f.skipped, fmt.Sprintf(format, args...))
	f.mu.Unlock()
	runtime.Goexit()
}

// run is a test with a fake TB, from its beginning to the end of its cleanups.
func run(test func(t caissontest.TB)) *fake {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fake{ctx: ctx}
	apart(func() { test(f) })
	cancel()
	for _, c := range slices.Backward(f.cleanups) {
		apart(c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	return f
}

// apart calls a function that may end its goroutine.
func apart(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (f *fake) log() string { return strings.Join(f.logs, "\n") }
