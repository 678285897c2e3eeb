package guardian

import "time"

// IdleFor changes how long the guardian stays without anything to guard, before its first use.
func (g *Guardian) IdleFor(d time.Duration) { g.idleFor = d }
