#!/usr/bin/env bash
# The same tests on Debian's older kernels, under qemu's software emulation, with every cgroup v2 controller.
set -euo pipefail

# The packages whose tests are run in the guest, and those among them that are not ready for it: this is the one place
# to list them. Not ready is a test with a limit of time that does not ask testneed.Patience. The attacks, which are races
packages=(. ./internal/{cgroup,guardian,guest/powercut,inroot,launch,plan,probe,proxy,sys,tape,testneed})
not_ready='^$'
# Attacks are too slow under emulation, and so is what unpacks images or shuts itself in a cage.
skipped='^(TestAttack|TestCage|TestLane|TestCollect|TestCommit|TestDiff|TestExport$|TestImageInUse|TestNames(Are|Of)|TestReal|TestRestore|TestSnapshot|TestCloseEnds)'

# Debian's packages that always depend on the newest build of one kernel release.
kernels=(linux-image-cloud-amd64 linux-image-6.12-cloud-amd64)

work=$CI_WORK/guest
mkdir -p "$work"
go build -o "$work/guest" ./internal/guest
mapfile -t packages < <(go list "${packages[@]}" | grep -Ev "$not_ready")
for meta in "${kernels[@]}"; do
	package=$(apt-cache depends "$meta" | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
	if [ -z "$package" ]; then
		echo "the configured package sources do not have $meta"
		exit 1
	fi
	echo "$package"
	tested=("${packages[@]}")
	users=(-as "root=root,userns,cgroupv2,feature:powercut")
	if [ "$meta" = "${kernels[0]}" ]; then # power is cut on the newer one only: 25 cuts take more than a minute
		mapfile -t tested < <(printf '%s\n' "${packages[@]}" | grep -Ev '/(powercut)$')
	else
		users+=(-as "user=unprivileged,userns")
	fi
	(cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$package")
	dpkg-deb -x "$work/$package"_*.deb "$work/$package"
	TMPDIR=$work "$work/guest" -kernel "$work/$package"/boot/vmlinuz-* -modules "$work/$package"/lib/modules/* \
		-memory 3072 -busybox /bin/busybox -timeout 8m -testflags "-test.short -test.skip=$skipped" \
		"${users[@]}" "${tested[@]}"
done
