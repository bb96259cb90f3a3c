# helper.bash - what the bats files share. Each test works in its own $BATS_TEST_TMPDIR.

bats_require_minimum_version 1.5.0
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PATH="${CTV_BUILD:-$ROOT/build}:$ROOT/scripts:$PATH"
export TZ=UTC LC_ALL=C.UTF-8
unset CTV_ENV_FILE NO_COLOR

# expect STATUS [REGEX]: after `run`; the exit status, and an extended regex that the output must match
expect() {
	if [ "$status" -ne "$1" ]; then
		printf 'status %s, wanted %s; output:\n%s\n' "$status" "$1" "$output" >&2
		return 1
	fi
	if [ -n "${2-}" ] && ! grep -Eq -- "$2" <<<"$output"; then
		printf 'output does not match %s:\n%s\n' "$2" "$output" >&2
		return 1
	fi
}

# eventually COMMAND: becomes true, or the test fails instead of hanging
eventually() {
	local tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 6000 ] || return 1
		sleep 0.01
	done
}

# needs_root WHAT-FOR: skips by name without it (which CI takes for a failure)
needs_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root $1"
}

# may_mount: who mounts in a namespace of his own is root, in a root directory that is a mount point
may_mount() {
	unshare -m true 2>/dev/null || skip 'needs root to mount, and a root directory that is a mount point'
}

# for the tests of memory and libraries, of which the sanitizers bring their own
unsanitized() {
	[ -z "${SANITIZE-}" ] || skip 'built with sanitizers'
}

# a leak check cannot trace a process that is traced already
strace() {
	ASAN_OPTIONS=detect_leaks=0 command strace "$@"
}

# bad_settings_files: here, a file of each kind that is no /etc/ctv-db-sync.env, and two that others may read or write
bad_settings_files() {
	mkfifo fifo
	ln -s loop loop
	echo A=1 >readable
	chmod 0644 readable
	echo A=1 >writable
	chmod 0602 writable
	echo nonsense >line
	echo 'A="x' >quote
	printf 'A=1\0\n' >nul
	printf '\xef\xbb\xbfA=1\n' >bom
	yes A=1 | head -c 70000 >huge
	echo data >file
}

# debs DIR: there, the Debian packages of this tree, which are built once for all files that want them
debs() {
	local made=${CTV_BUILD:-$ROOT/build}/debs of
	of=$({ git -C "$ROOT" ls-files -z | tar -C "$ROOT" -c --null -T - && dpkg-query -W; } | sha256sum)
	mkdir -p "$made"
	(
		flock 8
		if [ "$(cat "$made/of" 2>/dev/null)" != "$of" ]; then
			rm -f "$made/of"
			make -s -C "$ROOT" B="$made" deb >"$made/log" 2>&1 || { tail -n 20 "$made/log" >&2; exit 1; }
			echo "$of" >"$made/of"
		fi
		cp -r "$made/deb" "$1"
	) 8>"$made/lock"
}

# ---- the local Dropbox (tests/dropboxd) ----

# dropbox_start [OPTION...]: starts it on free ports with its data in $DROPBOX_ROOT (default
# $BATS_TEST_TMPDIR/dropbox, kept over dropbox_stop), waits until it is ready, exports the DROPBOX_…
# variables of a working configuration and sets DROPBOX_PID. --tls serves https by a CA of our own.
dropbox_start() {
	DROPBOX_ROOT=${DROPBOX_ROOT:-$BATS_TEST_TMPDIR/dropbox}
	local env="$DROPBOX_ROOT.env" fifo="$DROPBOX_ROOT.fifo" line=
	unset DROPBOX_CA_FILE DROPBOX_ACCESS_TOKEN
	if [ "${1-}" = --tls ]; then
		shift
		[ -e "$DROPBOX_ROOT.ca/ca.crt" ] || make_ca "$DROPBOX_ROOT.ca"
		export DROPBOX_CA_FILE="$DROPBOX_ROOT.ca/ca.crt"
		set -- --tls-cert "$DROPBOX_ROOT.ca/server.crt" --tls-key "$DROPBOX_ROOT.ca/server.key" "$@"
		if [ "${5-}" = --world ]; then
			set -- "${@:1:4}" --api 127.0.0.1:443 --content 127.0.0.2:443 --notify 127.0.0.3:443 "${@:6}"
		fi
	fi
	rm -f "$fifo"
	mkfifo "$fifo"
	# it ends with the shell that started it, even when that one is killed; 3 is bats' own
	dropbox_inside setpriv --pdeathsig TERM dropboxd --root "$DROPBOX_ROOT" --env "$env" "$@" >"$fifo" 3>&- &
	DROPBOX_PID=$!
	read -r -t 20 line <"$fifo" || true
	rm -f "$fifo"
	if [ "$line" != ready ]; then
		echo "the local Dropbox did not start" >&2
		return 1
	fi
	set -a
	# shellcheck disable=SC1090  # written by the server
	. "$env"
	set +a
}

# dropbox_world: a network of its own in which Dropbox's names are the addresses of the local one, for
# clients whose hosts cannot be set; sets DROPBOX_NS. Start with `dropbox_start --tls --world` then, and
# run those clients by dropbox_inside. Fails where namespaces cannot be made.
dropbox_world() {
	local dir="$BATS_TEST_TMPDIR/world" line=
	mkdir "$dir"
	printf '127.0.0.1 localhost api.dropboxapi.com api.dropbox.com\n127.0.0.2 content.dropboxapi.com\n127.0.0.3 notify.dropboxapi.com\n' >"$dir/hosts"
	mkfifo "$dir/fifo"
	# shellcheck disable=SC2016  # the inner shell expands
	setpriv --pdeathsig TERM unshare -n -m sh -c 'ip link set lo up && mount --bind "$1/hosts" /etc/hosts &&
		echo up >"$1/fifo" && exec sleep infinity; echo down >"$1/fifo"' sh "$dir" 3>&- &
	DROPBOX_NS=$!
	# <> waits for nobody: where it failed there is no writer
	read -r -t 20 line <>"$dir/fifo" || true
	[ "$line" = up ]
}

# dropbox_inside COMMAND...: in the world of dropbox_world, if there is one
dropbox_inside() {
	if [ -n "${DROPBOX_NS-}" ]; then
		nsenter -t "$DROPBOX_NS" -n -m -r --wdns="$PWD" -- "$@"
	else
		"$@"
	fi
}

# ends it (and its world) and waits for its end; no harm without one. No server has port 1, which the addresses have after
# that: the one that was ours may by now be another test's.
dropbox_stop() {
	local pid url
	for pid in ${DROPBOX_PID-} ${DROPBOX_NS-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	DROPBOX_PID='' DROPBOX_NS=''
	for url in DROPBOX_API_URL DROPBOX_CONTENT_URL DROPBOX_NOTIFY_URL DROPBOX_TOKEN_URL; do
		[[ ! ${!url-} =~ ^(https?://[^:/]+):[0-9]+(.*)$ ]] || export "$url=${BASH_REMATCH[1]}:1${BASH_REMATCH[2]}"
	done
}

# dropbox_curl ARG...: curl, which trusts our CA and says only what is wrong
dropbox_curl() {
	dropbox_inside curl -sS --max-time 60 ${DROPBOX_CA_FILE:+--cacert "$DROPBOX_CA_FILE"} "$@"
}

# dropbox_control WHAT [JSON]: the control route (tests/dropboxd/README.md)
dropbox_control() {
	dropbox_curl --fail-with-body ${2+--data-binary "$2"} "$DROPBOX_API_URL/control/$1"
}

# dropbox_fault JSON: what shall go wrong, e.g. '{"route":"files/download","kind":"429","count":2}'
dropbox_fault() {
	dropbox_control fault "$1" >/dev/null
}

# dropbox_log [JQ-FILTER [JQ-OPTION...]]: the finished calls, an object a line, when none is under way
dropbox_log() {
	local filter=${1:-.}
	[ $# -eq 0 ] || shift
	dropbox_control log | jq -c "$@" "$filter"
}

# dropbox_calls ROUTE: how many calls of that route there were
dropbox_calls() {
	# shellcheck disable=SC2016  # jq's variable
	dropbox_log 'select(.route == $r)' --arg r "$1" | wc -l
}

# dropbox_seed LOCAL REMOTE [TIME]: puts a file there as if another client had; any size
dropbox_seed() {
	dropbox_control put "$(jq -nc --arg from "$(realpath "$1")" --arg path "$2" --arg t "${3-}" \
		'{$path, $from} + if $t == "" then {} else {client_modified: $t} end')" >/dev/null
}

# dropbox_token [JSON]: an access token, e.g. '{"scope":"files.metadata.read","expires_in":-1}'
# shellcheck disable=SC2120  # the tests pass one
dropbox_token() {
	dropbox_control token "${1:-{\}}" | jq -r .access_token
}

# dropbox_own: sets $own to the token of the calls below, which a clock set forward does not end
dropbox_own() {
	if ! read -r own 2>/dev/null <"$DROPBOX_ROOT.own"; then
		own=$(dropbox_token '{"expires_in":1000000000}')
		echo "$own" >"$DROPBOX_ROOT.own"
	fi
}

# dropbox_api ROUTE [JSON]: one RPC call, its reply
dropbox_api() {
	local own
	dropbox_own
	dropbox_curl -H "Authorization: Bearer $own" -H 'Content-Type: application/json' \
		--data-binary "${2:-null}" "$DROPBOX_API_URL/2/$1"
}

# dropbox_get REMOTE: its bytes
dropbox_get() {
	local own
	dropbox_own
	dropbox_curl -f -H "Authorization: Bearer $own" \
		-H "Dropbox-API-Arg: $(jq -nac --arg path "$1" '{$path}')" \
		"$DROPBOX_CONTENT_URL/2/files/download"
}

# dropbox_upload ROUTE JSON FILE: one call of the upload style, its reply
dropbox_upload() {
	local own
	dropbox_own
	dropbox_curl -H "Authorization: Bearer $own" -H "Dropbox-API-Arg: $2" \
		-H 'Content-Type: application/octet-stream' -H 'Expect:' --data-binary "@$3" \
		"$DROPBOX_CONTENT_URL/2/$1"
}

# make_ca DIR [NAME...]: ca.crt, and server.crt and server.key for localhost, 127.0.0.1-3, Dropbox's
# hosts and the names given
make_ca() {
	local dir=$1 name san='DNS:localhost,IP:127.0.0.1,IP:127.0.0.2,IP:127.0.0.3'
	shift
	for name in api.dropboxapi.com content.dropboxapi.com notify.dropboxapi.com "$@"; do
		san="$san,DNS:$name"
	done
	mkdir -p "$dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj '/CN=Test CA' -addext 'basicConstraints=critical,CA:TRUE' \
		-addext 'keyUsage=critical,keyCertSign' \
		-keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' \
		-keyout "$dir/server.key" -out "$dir/server.csr" 2>/dev/null
	openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days 2 \
		-CAcreateserial -out "$dir/server.crt" -extfile <(printf '%s\n' "subjectAltName=$san" \
		'basicConstraints=CA:FALSE' 'extendedKeyUsage=serverAuth') 2>/dev/null
}

# as_nobody COMMAND...: without groups and rights; who is not root has none over its own files of mode 0 either
as_nobody() {
	[ "$(id -u)" -eq 0 ] || { "$@"; return; }
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
