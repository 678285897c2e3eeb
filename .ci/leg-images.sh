#!/usr/bin/env bash
# Real images, made of Debian packages: pulled, run, pushed back, exchanged with every other program, and their trees
# compared with GNU tar's and umoci's. The images stay in CAISSON_IMAGES, if that is set, for the next time.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

packages=(mmdebstrap podman buildah docker.io containerd docker-registry skopeo umoci runc crun)

# Nothing that is installed here shall run as a service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends "${packages[@]}" >"$CI_WORK/apt-images.log" 2>&1 || {
	tail -n 40 "$CI_WORK/apt-images.log"
	exit 1
}

export CAISSON_IMAGES=${CAISSON_IMAGES:-$CI_WORK/images} CAISSON_FULL=1 CAISSON_CI=root,userns,program,feature,sources
# One test binary after the other: both make images that are not there yet.
go test -count=1 -timeout 20m -p 1 ./internal/testimage/...
go test -count=1 -timeout 20m -v -run '^(TestReal|TestEveryPair)' . | grep -E '^ *(---|\||FAIL|ok|[a-z_]+_test.go)'
