#!/usr/bin/env bash
# Install what the other legs need: Debian packages, and the tools of tools/go.mod.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

packages=(
	# build and check
	ca-certificates gcc libc6-dev git shellcheck xz-utils e2fsprogs cpio procps
	# other processors, other kernels
	qemu-system-x86 qemu-user-static busybox-static
	# what tests compare with, or need on the host
	uidmap crun runc bubblewrap strace docker-registry skopeo umoci mmdebstrap xfsprogs iproute2 nftables
)

twice() { # a mirror may be in the middle of an update
	"$@" && return
	echo "once more: $*"
	sleep 10
	"$@"
}

twice apt-get update -q
twice apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends "${packages[@]}" >"$CI_WORK/apt.log" 2>&1 || {
	tail -n 40 "$CI_WORK/apt.log"
	exit 1
}
echo "installed: ${packages[*]}"

GOBIN=$CI_WORK/bin go -C tools install tool
ls "$CI_WORK/bin"
