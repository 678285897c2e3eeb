package layer

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caisson-go/caisson/internal/testneed"
)

// everyWay are the tests of what a layer becomes, which must not depend on whose hands make it.
var everyWay = []struct {
	name string
	test func(*testing.T)
}{
	{"Breakouts", TestLayerBreakouts}, {"Race", TestLayerRace}, {"Refusals", TestLayerRefusals},
	{"BrokenStream", TestLayerBrokenStream}, {"Context", TestLayerContext}, {"EntryTypes", TestLayerEntryTypes},
	{"Times", TestLayerTimes}, {"Whiteouts", TestLayerWhiteouts}, {"RootOpaque", TestLayerRootOpaque},
	{"LaterEntryWins", TestLayerLaterEntryWins}, {"RestrictedDirectories", TestLayerRestrictedDirectories},
	{"Owners", TestLayerOwners}, {"Xattrs", TestLayerXattrs}, {"Devices", TestLayerDevices},
	{"Overlay", TestLayerOverlay}, {"Sparse", TestLayerSparse}, {"RemoveAllDeep", TestRemoveAllDeep},
	{"ForgetsDirectories", TestLayerForgetsDirectories}, {"KeepsHoles", TestLayerKeepsHoles},
}

// The other tests of this package run in the first way that this machine allows.
func TestLayerEveryWay(t *testing.T) {
	for _, way := range []string{"process", "direct"} {
		t.Run(way, func(t *testing.T) {
			for _, e := range everyWay {
				t.Run(e.name, e.test)
			}
		})
	}
}

// takersFor are the ways for a test, by its name.
func takersFor(t testing.TB, o *Options) []taker {
	parts := strings.Split(t.Name(), "/")
	switch {
	case slices.Contains(parts, "confined"):
		return []taker{inUserNamespace}
	case slices.Contains(parts, "process"):
		return []taker{inProcess}
	case slices.Contains(parts, "direct"):
		return []taker{newDirect}
	}
	return takers(o)
}

// Where the host can, the unpacker is confined.
func TestLayerConfinement(t *testing.T) {
	w := newWorld(t)
	st := w.mustUnpack(file("f", "x"))
	t.Logf("%+v", st.Confined)
	if !st.Confined.Process {
		t.Error("no other process has unpacked")
	}
	testneed.UserNamespaces(t)
	if c := st.Confined; !c.User || !c.Network || !c.Mounts || !c.Root {
		t.Errorf("%+v", c)
	}
	if os.Geteuid() == 0 {
		if st, err := unpackBy(t.Context(), newWorld(t).open(), pack(t, file("f", "x")), Defaults(), []taker{inProcess}); err != nil || !st.Confined.Root || st.Confined.User {
			t.Errorf("%+v, %v", st.Confined, err)
		}
	}
}
