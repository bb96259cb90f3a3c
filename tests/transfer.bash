# transfer.bash - for the tests of dbx-fetch and dbx-put: one Dropbox for the file, emptied for each test, which works in
# a directory of its own. Loaded after helper.
# shellcheck shell=bash

# a MiB
# shellcheck disable=SC2034  # of the tests
M=1048576

setup_file() {
	export DROPBOX_ROOT="$BATS_FILE_TMPDIR/dropbox"
	dropbox_start
	export DROPBOX_PID
}

teardown_file() {
	dropbox_stop
}

setup() {
	mkdir "$BATS_TEST_TMPDIR/w"	# bats puts files of its own beside it
	cd "$BATS_TEST_TMPDIR/w" || return
	export CTV_BACKOFF=2ms CTV_ENV_FILE="$PWD/none.env"
	dropbox_control reset '{"data":true}' >/dev/null
	dropbox_control option '{"rate":0,"latency_ms":0,"quota":2199023255552}' >/dev/null
}

# whatever a test left running in the background
teardown() {
	local pid
	for pid in $(jobs -p); do
		kill -9 "$pid" 2>/dev/null || true
	done
}

# steady: milliseconds by a clock that nobody sets
steady() {
	local up rest
	read -r up rest </proc/uptime
	echo "${up/./}0"
}

# nothing but the names given is here, hidden ones included
only() {
	local have want
	have=$(find . -mindepth 1 -printf '%P\n' | sort)
	want=$(printf '%s\n' "$@" | sort)
	if [ "$have" != "$want" ]; then
		printf 'here are:\n%s\n' "$have" >&2
		return 1
	fi
}
