# receiver.bash - an alert receiver (receiver.py) for the tests: its data in $R, its address in $url

# receiver_start: with the settings of every channel in $CTV_ENV_FILE
receiver_start() {
	R=$BATS_TEST_TMPDIR/receiver
	mkdir -p "$R" "$BATS_TEST_TMPDIR/state"
	mkfifo "$R/port"
	setpriv --pdeathsig TERM python3 "$ROOT/tests/receiver.py" "$R" >"$R/port" 3>&- &
	RECEIVER_PID=$!
	read -r -t 20 port <"$R/port"
	url=http://127.0.0.1:$port
	: >"$R/log"
	export CTV_STATE_DIR=$BATS_TEST_TMPDIR/state CTV_ENV_FILE=$BATS_TEST_TMPDIR/env
	unset CREDENTIALS_DIRECTORY
	settings
}

# settings [CHANNEL...]: these have an address (default: teams slack ntfy kuma kuma-sync healthchecks)
settings() {
	local channel name
	[ $# -gt 0 ] || set -- teams slack ntfy kuma kuma-sync healthchecks
	for channel in "$@"; do
		name=${channel^^}
		echo "CTV_${name//-/_}_URL=$url/$channel/s3cr3t"
	done >"$CTV_ENV_FILE"
	chmod 600 "$CTV_ENV_FILE"
}

receiver_stop() {
	kill "$RECEIVER_PID" 2>/dev/null || true
	wait "$RECEIVER_PID" 2>/dev/null || true
}

# answer HOW [CHANNEL]
answer() {
	echo "$1" >"$R/answer${2:+.$2}"
}

# got [CHANNEL]: how many requests came
got() {
	grep -c "\"path\": \"/${1-}" "$R/log" || true
}

# sent CHANNEL [JQ-FILTER]: of the last request's body
sent() {
	jq -c 'select(.path | startswith("/'"$1"'/")) | .body' "$R/log" | tail -n 1 | jq -r "fromjson | ${2:-.}"
}
