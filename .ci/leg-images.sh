#!/usr/bin/env bash
# Images made of Debian packages, from Debian's registry: pulled, run, pushed back, and compared with what GNU tar and umoci
# make of them. With CAISSON_FULL=1 the large ones too, and every pair of programs that save and load; that takes ten
# minutes more. Making images needs the package sources; where these cannot be reached the leg says so and passes.
# CAISSON_IMAGES, if it is set, keeps them for the next time.
set -euo pipefail
if ! apt-get download --print-uris busybox-static >/dev/null 2>&1; then
	echo "the package sources cannot be reached: not run"
	exit 0
fi
export CAISSON_IMAGES=${CAISSON_IMAGES:-$CI_WORK/images} CAISSON_CI=root,userns,program

if [ "${CAISSON_FULL:-}" = 1 ]; then
	# Nothing that is installed here shall run as a service.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends \
		mmdebstrap podman buildah docker.io containerd >"$CI_WORK/apt-images.log" 2>&1 || {
		tail -n 40 "$CI_WORK/apt-images.log"
		exit 1
	}
fi
# One test binary after the other: both make images that are not there yet.
go test -count=1 -timeout 20m -p 1 ./internal/testimage/... ./internal/archive
go test -count=1 -timeout 20m -v -run '^(TestReal|TestEveryPair)' . | grep -E '^ *(---|\||FAIL|ok|[a-z_]+_test.go)'
