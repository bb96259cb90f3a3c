#!/usr/bin/env bats
# distro.sh: what it understands, and that nothing of a run stays. The chroot here is the machine's own root directory.

load helper

setup() {
	export DISTRO_CACHE=$BATS_TEST_TMPDIR/cache PATH="$BATS_TEST_TMPDIR/bin:$PATH"
	# no archive is asked
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/debootstrap"
	chmod +x "$BATS_TEST_TMPDIR/bin/debootstrap"
}

distro() { sh "$ROOT/tests/distro.sh" "$@"; }

# made: as if the chroot and its packages were there already; sets HERE
made() {
	needs_root 'to make mounts'
	may_mount
	ARCH=$(dpkg --print-architecture)
	HERE=$DISTRO_CACHE/trixie-$ARCH
	mkdir -p "$HERE/base" "$HERE/packages"
	echo "${TEST_TAGS-}" | cat "$ROOT/scripts/deps.sh" - | cksum >"$HERE/packages.of"
}

# in_it COMMAND...: by distro.sh, whose process it becomes; the machine's root directory is seen there only, and above it
# a layer that is no part of it
in_it() {
	# shellcheck disable=SC2016  # expanded by the inner shell
	exec env --default-signal=INT,QUIT unshare -m sh -euc 'mount --bind / "$1/base"; mount -t tmpfs tmpfs "$1/packages"; exec sh "$2/tests/distro.sh" trixie "$3" -- "$4" "$5" "$6"' \
		in_it "$HERE" "$ROOT" "$ARCH" "$@" 3>&-
}

@test "help is an answer wherever it stands, but for a command's own; what is no option is refused" {
	for words in --help -h 'trixie amd64 --help' 'trixie amd64 test -h' 'trixie --help' '--clean --help'; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr distro $words
		expect 0 '^usage: distro.sh '
		[ -z "$stderr" ]
	done
	table=('64|usage|' '64|usage|trixie' '64|sid: neither|sid amd64' '64|mips: neither|trixie mips' '64|--frob: no such option|trixie amd64 --frob')
	for row in "${table[@]}"; do
		IFS='|' read -r code text words <<<"$row"
		# shellcheck disable=SC2086
		run distro $words
		expect "$code" "$text"
	done
	[ ! -e "$DISTRO_CACHE" ]
}

@test "a command runs in a copy of the tree; its input, its answer and its exit status are the caller's" {
	made
	run in_it sh -c 'read -r word; echo "$word in $PWD"; touch tests/new /etc/new; exit 7' <<<'said'
	expect 7 '^said in /src$'
	for file in "$ROOT/tests/new" /etc/new "$HERE/upper" "$HERE/tmp"; do [ ! -e "$file" ]; done
}

@test "a signal ends all that runs there, and its layer is gone" {
	cd "$BATS_TEST_TMPDIR"
	made
	for row in HUP:129 INT:130 TERM:143; do
		mkfifo said
		in_it sh -c 'sleep 1000 & echo "begun"; trap "" HUP INT TERM; while :; do sleep 0.1; done' said 2>errors >said &
		pid=$!
		exec 5<said
		read -r -t 60 word <&5
		[ "$word" = begun ]
		[ -e "$HERE/upper" ]
		kill -s "${row%:*}" $pid
		# until nobody has its output open any more
		timeout 60 cat <&5 >rest
		exec 5<&-
		status=0
		wait $pid || status=$?
		output=$(cat errors)
		expect "${row#*:}"
		[ ! -e "$HERE/upper" ]
		[ ! -e "$HERE/tmp" ]
		rm said
	done
}
