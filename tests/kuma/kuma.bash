# kuma.bash - a real Uptime Kuma for the tests, as `make test-kuma` has installed it, and what it saw
# shellcheck shell=bash

KUMA=${CTV_BUILD:-$ROOT/build}/kuma/node_modules/uptime-kuma
export KUMA_PASSWORD=a-Secret-of-12

# keep PIDFILE COMMAND...: runs it, and again whenever it has ended, as systemd would; it ends with this shell
keep() {
	# shellcheck disable=SC2016  # the inner shell's
	setpriv --pdeathsig TERM bash -c 'trap "kill \$!; exit" TERM
		while :; do "$@" & echo $! >"$0"; wait $!; sleep 0.2; done' "$@" >>"$1.log" 2>&1 3>&- &
}

# restart PIDFILE URL: until the next one answers
restart() {
	local was
	was=$(<"$1")
	kill "$was"
	within 30 changed "$1" "$was"
	within 120 curl -s -o /dev/null "$2"
}

changed() {
	[ "$(<"$1")" != "$2" ]
}

# free_port: one that nobody has now
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# within SECONDS COMMAND...: it comes true
within() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# import FILE: the operator's command; the password is the only line of its input
import() {
	(cd "$KUMA" && echo "$KUMA_PASSWORD" | "$ROOT/scripts/kuma-import.js" "$1" "$AT")
}

# watch [TEAMS]: what Kuma at $AT has seen and sees becomes a line of $SEEN, as watch.js says
watch() {
	(cd "$KUMA" && exec setpriv --pdeathsig TERM node "$ROOT/tests/kuma/watch.js" "$AT" "$SEEN" "$@") >"$SEEN.log" 2>&1 3>&- &
}

# from_now: what came before does not count; the clock of `becomes` starts
from_now() {
	MARK=$(wc -l <"$SEEN") BEGAN=${EPOCHREALTIME/./}
}

# beats NAME STATUS [TEXT]: since then Kuma has had such a beat of this monitor; TEXT is an extended regex for its message
beats() {
	# shellcheck disable=SC2016  # jq's variables
	tail -n "+$((MARK + 1))" "$SEEN" | jq -e -n --arg name "$1" --arg status "$2" --arg text "${3-}" \
		'[inputs | select(.name == $name and .status == $status and (.msg // "" | test($text)))] != []' >/dev/null
}

# becomes SECONDS NAME STATUS [TEXT]: within that time; and says how long it took
becomes() {
	within "$1" beats "${@:2}" || {
		echo "not within $1 s: ${*:2}; but:" >&2
		tail -n "+$((MARK + 1))" "$SEEN" >&2
		return 1
	}
	local ms=$(((${EPOCHREALTIME/./} - BEGAN) / 1000))
	printf '# %s is %s after %d.%d s\n' "$2" "$3" $((ms / 1000)) $((ms % 1000 / 100)) >&3
}
