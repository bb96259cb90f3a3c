# dbx-fetch at every call that may be its last or may fail: the file is the old one or the complete new one, and the
# next run fetches only the blocks that are missing.

load helper
load fault/crash

M=1048576

setup() {
	crash_setup
	documented dbx-fetch.1
	export CTV_BACKOFF=2ms CTV_ENV_FILE=$CRASH/none
	dropbox_start
	head -c $((9 * M)) /dev/urandom >new
	dropbox_seed new /f
	echo 'the old one' >"$ARENA/f"
	# one connection: which call is the n-th is not left to chance
	command=(dbx-fetch -j 1 -o "$ARENA/f" /f)
	crash_saved
}

teardown() {
	dropbox_stop
	crash_teardown
}

broken() {
	if ! cmp -s "$ARENA/f" new; then
		[ "$status" -ne 0 ]
		cmp "$ARENA/f" saved/f
	fi
	only f .f.part .f.part.map
	# the space of a disk that is full or ill is given back
	[ "$status" -ne 74 ] || [[ $point =~ unlink|stat ]] || [ "$(ls -A "$ARENA")" = f ]
}

# what the map says to be in the part is not fetched again
again() {
	local have=0
	[ ! -e "$ARENA/.f.part" ] || have=$(($(wc -l <"$ARENA/.f.part.map") - 1))
	dropbox_control reset >/dev/null
	"${command[@]}"
	[ "$have" -lt 1 ] || [ "$(dropbox_log 'select(.route == "files/download") | .out' | awk '{ n += $1 } END { print n + 0 }')" \
		-eq $((have < 3 ? (9 - 4 * have) * M : 0)) ]
}

mended() {
	[ "$(ls -A "$ARENA")" = f ]
	cmp "$ARENA/f" new
}

@test "killed at any call" {
	crash_matrix kill
}

@test "any call fails" {
	most=3
	crash_matrix error
}
