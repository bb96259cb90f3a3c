# dbx-put at every call that may be its last or may fail, and at every moment of its talk with Dropbox: what is there
# is the old content or the complete new one, and the next run ends it.

load helper
load fault/crash

M=1048576

setup() {
	crash_setup
	documented dbx-put.1
	export CTV_BACKOFF=2ms CTV_ENV_FILE=$CRASH/none
	dropbox_start
	# a session of two pieces
	head -c $((17 * M)) /dev/urandom >"$ARENA/f"
	hash=$(dbx-put --json "$ARENA/f" /hash | jq -r .content_hash)
	command=(dbx-put -f -j 1 "$ARENA/f" /f)
	crash_saved
}

teardown() {
	dropbox_stop
	crash_teardown
}

begin() {
	dropbox_control reset '{"data":true}' >/dev/null
	dropbox_control put '{"path":"/f","text":"the old one"}' >/dev/null
}

# is /f what was to be uploaded?
uploaded() {
	[[ $(dbx-ls --json /f) == *"\"content_hash\":\"$hash\""* ]]
}

broken() {
	if ! uploaded; then
		[ "$status" -ne 0 ]
		[ "$(dropbox_get /f)" = 'the old one' ]
	fi
	cmp "$ARENA/f" saved/f
	only f "$(cd "$ARENA" && echo .f.????????.upload)"
}

mended() {
	uploaded
	[ "$(ls -A "$ARENA")" = f ]
}

@test "killed at any call" {
	crash_matrix kill
}

@test "any call fails" {
	most=2
	crash_matrix error
}

@test "killed at any moment of its talk with Dropbox: one revision comes of it" {
	local route kind points=0
	for route in get_metadata upload_session/start upload_session/append_v2 upload_session/finish; do
		for kind in stall stall-mid stall-after; do
			# a question has no body to be in the middle of
			[ "$kind" != stall-mid ] || [ "$route" = upload_session/append_v2 ] || continue
			point="KILL at $kind $route"
			crash_fresh
			dropbox_fault "{\"route\":\"files/$route\",\"kind\":\"$kind\"}"
			"${command[@]}" 2>err 3>&- &
			dropbox_control wait '{"stalled":1}' >/dev/null
			status=0
			{ kill -9 $! && wait $!; } 2>/dev/null || status=$?
			[ "$status" -eq 137 ]
			broken
			dropbox_control reset >/dev/null
			again
			mended
			[ "$(dropbox_api files/list_revisions '{"path":"/f"}' | jq '.entries | length')" -eq 2 ]
			points=$((points + 1))
		done
	done
	echo "# $points points" >&3
}
