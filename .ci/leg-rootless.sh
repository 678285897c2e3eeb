#!/usr/bin/env bash
# The whole suite as an ordinary user: one without subordinate ids, and one with. Both are made for the run and removed
# after it; each has a copy of the sources and a home, a build cache and a module cache of its own.
set -euo pipefail

plain=caisson-ci-plain
ranged=caisson-ci-ranged
go_dir=$(dirname "$(command -v go)")
mod_cache=$(go env GOMODCACHE)

remove_user() {
	id "$1" >/dev/null 2>&1 || return 0
	local pid
	for pid in $(pgrep -u "$1"); do kill -KILL "$pid" 2>/dev/null || true; done
	userdel -r -f "$1" >/dev/null 2>&1
}
remove_users() {
	remove_user "$plain"
	remove_user "$ranged"
}
trap remove_users EXIT
remove_users

# Subordinate ids come with a new account by default; 0 of them means none.
useradd -m -s /bin/bash -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "$plain"
useradd -m -s /bin/bash -K SUB_UID_COUNT=65536 -K SUB_GID_COUNT=65536 "$ranged"
if grep -q "^$plain:" /etc/subuid /etc/subgid; then
	echo "$plain has subordinate ids"
	exit 1
fi
for file in /etc/subuid /etc/subgid; do
	grep -q "^$ranged:" "$file" || {
		echo "$ranged has no range in $file"
		exit 1
	}
done

as_user() { # user, needs, command...
	local user=$1 needs=$2
	shift 2
	setpriv --reuid "$user" --regid "$user" --init-groups \
		env -i -C "/home/$user/src" HOME="/home/$user" USER="$user" LOGNAME="$user" LANG=C.UTF-8 TZ=UTC \
		PATH="$go_dir:/usr/local/bin:/usr/bin:/bin" GOPROXY="$(go env GOPROXY)" GOSUMDB="$(go env GOSUMDB)" GOWORK=off \
		CAISSON_CI="$needs" "$@"
}

suite() { # user, needs, packages...
	local home=/home/$1 left
	mkdir -p "$home/src" "$home/go/pkg/mod/cache"
	tar --exclude=./.git -cf - . | tar -xf - -C "$home/src"
	# The downloads are the machine's, so that they are not fetched again; they are checked against go.sum all the same.
	[ -d "$home/go/pkg/mod/cache/download" ] || cp -a "$mod_cache/cache/download" "$home/go/pkg/mod/cache/"
	chown -R "$1:" "$home"
	echo "as $1, CAISSON_CI=$2"
	as_user "$1" "$2" go test -count=1 "${@:3}"
	if [ -d examples/quickstart ]; then as_user "$1" "$2" go run ./examples/quickstart; fi
	# Zombies are dead; a machine's own init may take its time to reap what outlived its parent.
	left=$(pgrep -a -r D,R,S,T,t -u "$1" || true)
	if [ -n "$left" ]; then
		printf 'processes left behind:\n%s\n' "$left"
		return 1
	fi
}

# What depends neither on the user nor on its rights has run in the leg test.
mapfile -t packages < <(go list ./... | grep -Ev '/internal/(flow|imageconfig|imagefs|inflate|policy|plan|registry|tape|testimage|v1image)(/|$)')
suite "$plain" unprivileged,userns,sources "${packages[@]}"
# The second user inherits the build cache, as far as it is the same for both: compiling everything twice proves nothing.
mkdir -p "/home/$ranged/.cache"
mv "/home/$plain/.cache/go-build" "/home/$ranged/.cache/"
suite "$ranged" unprivileged,userns,subids,sources . ./internal/{changes,proxy,statedir,subid}
as_user "$ranged" unprivileged,userns,subids,sources go test -count=1 -run 'Subordinate|Confine|Layer$|LikeTar' ./internal/layer ./internal/store
