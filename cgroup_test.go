package caisson_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/caisson-go/caisson"
)

// Limits that cannot be are refused before anything happens, on every system.
func TestImpossibleLimitsAreRefused(t *testing.T) {
	engine := &caisson.Engine{Dir: t.TempDir()}
	for _, l := range []caisson.Limits{
		{Memory: -1}, {Memory: 4096}, {CPU: -1}, {CPU: 0.001}, {CPU: math.NaN()}, {CPU: math.Inf(1)},
		{Processes: -1}, {Processes: math.MaxInt64},
	} {
		_, err := caisson.NewCgroup("never", l)
		var e *caisson.Error
		if !errors.As(err, &e) || e.Op != "limit" || e.Hint == "" {
			t.Errorf("NewCgroup, %+v: %v", l, err)
		}
		c := engine.Host().Command("true")
		c.Limits = l
		err = c.Start(t.Context())
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("Start, %+v: %v", l, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNamesThatAreNoneOfACgroup(t *testing.T) {
	for _, name := range []string{"", "/", ".", "..", "../x", "a/../../b", "a//b", "a\x00b"} {
		for what, err := range map[string]error{
			"NewCgroup":  second(caisson.NewCgroup(name, caisson.Limits{})),
			"OpenCgroup": second(caisson.OpenCgroup(name)),
		} {
			var e *caisson.Error
			if !errors.As(err, &e) || e.Hint == "" {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// What cannot be a limit is refused before anything is made, and the error says what could be one.
func ExampleNewCgroup_mistake() {
	_, err := caisson.NewCgroup("jobs", caisson.Limits{CPU: 0.001})
	fmt.Println(err)
	// Output: caisson: limit Limits.CPU: 0.001 processors are less than the kernel can measure out (give at least 0.01, or 0 for no limit)
}
