#!/usr/bin/env bash
# The whole suite as root, with everything installed: here no test may skip for want of these needs.
set -euo pipefail
needs=root,userns,program,sources
# Kernels and machines differ in which hierarchy has the controllers; the leg guest has all of them on version 2.
if [ -d /sys/fs/cgroup/memory ]; then needs+=,cgroupv1; fi
echo "CAISSON_CI=$needs"

# What a test may not leave on the machine.
stock() {
	ls /sys/class/net
	grep -i caisson /proc/self/mountinfo || true
	find /sys/fs/cgroup -type d -iname '*caisson*'
}

before=$(stock)
# Those that need nothing that was installed have run as root in the leg test.
mapfile -t packages < <(go list ./... | grep -Ev '/internal/(flow|imageconfig|imagefs|inflate|layer|policy|plan|store|tape|testimage)(/|$)')
CAISSON_CI=$needs go test -count=1 "${packages[@]}"
after=$(stock)
if [ "$before" != "$after" ] && [ "${CI:-}" = true ]; then # elsewhere, others may be at work
	echo "the tests have left behind, or taken away:"
	diff <(printf '%s\n' "$before") <(printf '%s\n' "$after")
fi
