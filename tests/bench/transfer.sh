#!/bin/bash
# transfer.sh - dbx-fetch and dbx-put against curl, rclone and the Python SDK on the local Dropbox, as ratios with
# the goal beside each. BENCH_SIZE (1400M): of the file; BENCH_RUNS (3): the best of so many; BENCH_DIR: where. As root.
set -eu
cd "$(dirname "$0")/../.."

size=${BENCH_SIZE:-1400M}
runs=${BENCH_RUNS:-3}
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/ctv-transfer.XXXXXX")
export BATS_TEST_TMPDIR=$dir
bats_require_minimum_version() { :; }
# shellcheck disable=SC1091  # linted by itself
. tests/helper.bash
trap 'dropbox_stop; rm -rf "$dir"' EXIT
make -s all

# run NAME COMMAND...: in Dropbox's world; appends its wall and processor seconds and peak KiB to NAME.runs
run() {
	local name=$1
	shift
	# what the run before left to be written is not this one's
	sync
	dropbox_inside /usr/bin/time -q -o time -f '%e %U %S %M' "$@" >out 2>&1 || {
		echo "transfer.sh: $name: $(cat out)" >&2
		exit 1
	}
	awk '{ print $1, $2 + $3, $4 }' time >>"$name.runs"
	rm -f got got.*
}

# best NAME FIELD: its least wall seconds (1), processor seconds (2), its largest KiB (3)
best() {
	case $2 in
	3) sort -k3,3nr "$1.runs" ;;
	*) sort -k"$2,$2n" "$1.runs" ;;
	esac | awk -v field="$2" 'NR == 1 { print $field }'
}

# ratio WHAT A B FIELD GOAL: A's FIELD by B's
ratio() {
	awk -v what="$1" -v a="$(best "$2" "$4")" -v b="$(best "$3" "$4")" -v goal="$5" \
		'BEGIN { printf "%-58s %6.2f  goal %s\n", what, a / (b > 0 ? b : 0.01), goal }'
}

# the bytes by four ranges at a time, then one pass that joins and hashes them
by_hand() {
	cat >by-hand <<-'END'
	token=$1 bytes=$2 step=$((($2 + 3) / 4))
	for i in 0 1 2 3; do
		curl -sSf ${DROPBOX_CA_FILE:+--cacert "$DROPBOX_CA_FILE"} -H "Authorization: Bearer $token" \
			-H 'Dropbox-API-Arg: {"path":"/f"}' -r "$((i * step))-$(((i + 1) * step - 1))" \
			-o "got.$i" "$DROPBOX_CONTENT_URL/2/files/download" &
	done
	wait
	cat got.0 got.1 got.2 got.3 | tee got | openssl dgst -sha256
	[ "$(stat -c %s got)" = "$bytes" ]
	END
	run "$1" sh -eu by-hand "$(dropbox_token)" "$(stat -c %s f)"
}

one_curl() {
	run "$1" curl -sSf ${DROPBOX_CA_FILE:+--cacert "$DROPBOX_CA_FILE"} -H "Authorization: Bearer $(dropbox_token)" \
		-H 'Dropbox-API-Arg: {"path":"/f"}' -o got "$DROPBOX_CONTENT_URL/2/files/download"
}

fetch() {
	run "$1" dbx-fetch -o got /f
}

put() {
	run "$1" dbx-put -f f "/$1"
}

rc() {
	run "$1" env SSL_CERT_FILE="$DROPBOX_CA_FILE" rclone --config rclone.conf --retries 1 "${@:2}"
}

sdk() {
	run "$1" env REQUESTS_CA_BUNDLE="$DROPBOX_CA_FILE" /usr/bin/python3 -W ignore sdk.py "$2"
}

cd "$dir"
head -c "$size" /dev/urandom >f
cat >sdk.py <<'END'
import os, sys, dropbox
from dropbox.files import CommitInfo, UploadSessionCursor, WriteMode
dbx = dropbox.Dropbox(oauth2_refresh_token=os.environ["DROPBOX_REFRESH_TOKEN"], app_key=os.environ["DROPBOX_APP_KEY"],
    app_secret=os.environ["DROPBOX_APP_SECRET"], ca_certs=os.environ["DROPBOX_CA_FILE"])
if sys.argv[1] == "fetch":
    dbx.files_download_to_file("got", "/f")
else:
    with open("f", "rb") as f:
        cursor = UploadSessionCursor(dbx.files_upload_session_start(b"").session_id, 0)
        while chunk := f.read(8 << 20):
            dbx.files_upload_session_append_v2(chunk, cursor)
            cursor.offset += len(chunk)
        dbx.files_upload_session_finish(b"", cursor, CommitInfo("/sdk", mode=WriteMode.overwrite))
END

dropbox_world
export DROPBOX_ROOT=$dir/tls	# a directory dropbox would hide the SDK
dropbox_start --tls --world
cat >rclone.conf <<END
[box]
type = dropbox
client_id = $DROPBOX_APP_KEY
client_secret = $DROPBOX_APP_SECRET
token = {"access_token":"sl.old","token_type":"bearer","refresh_token":"$DROPBOX_REFRESH_TOKEN","expiry":"2020-01-01T00:00:00Z"}
END
dropbox_seed f /f
for _ in $(seq "$runs"); do
	by_hand tls_hand
	fetch tls_fetch
	rc rclone_fetch copyto box:f got
	sdk sdk_fetch fetch
	put tls_put
	rc rclone_put -I --dropbox-batch-mode off copyto f box:rclone
	sdk sdk_put put
done
dropbox_control option '{"rate":50000000}' >/dev/null
one_curl slow_tls_curl
fetch slow_tls_fetch
dropbox_stop

DROPBOX_ROOT=$dir/plain
dropbox_start
dropbox_seed f /f
for _ in $(seq "$runs"); do
	by_hand plain_hand
	fetch plain_fetch
	put plain_put
done
dropbox_control option '{"rate":50000000}' >/dev/null
one_curl slow_curl
fetch slow_fetch

printf '%-16s %8s %8s %8s   (%s, the best of %s)\n' '' 'wall s' 'cpu s' 'peak KiB' "$size" "$runs"
for name in *.runs; do
	name=${name%.runs}
	printf '%-16s %8s %8s %8s\n' "$name" "$(best "$name" 1)" "$(best "$name" 2)" "$(best "$name" 3)"
done
ratio 'dbx-fetch / curl ranges and openssl, TLS' tls_fetch tls_hand 1 '0.75'
ratio 'dbx-fetch / curl ranges and openssl, plain' plain_fetch plain_hand 1 '0.75'
ratio 'dbx-fetch / curl at 50 MB/s, TLS' slow_tls_fetch slow_tls_curl 1 '1.02'
ratio 'dbx-fetch / curl at 50 MB/s, plain' slow_fetch slow_curl 1 '1.02'
ratio 'dbx-fetch / rclone, processor seconds, TLS' tls_fetch rclone_fetch 2 '0.6'
ratio 'dbx-fetch / rclone, TLS' tls_fetch rclone_fetch 1 '-'
ratio 'dbx-fetch / Python SDK, TLS' tls_fetch sdk_fetch 1 '-'
ratio 'dbx-fetch / Python SDK, processor seconds, TLS' tls_fetch sdk_fetch 2 '-'
ratio 'dbx-put / rclone, TLS' tls_put rclone_put 1 '1'
ratio 'dbx-put / rclone, processor seconds, TLS' tls_put rclone_put 2 '0.6'
ratio 'dbx-put / Python SDK, TLS' tls_put sdk_put 1 '-'
awk -v fetch="$(best tls_fetch 3)" -v put="$(best tls_put 3)" 'BEGIN {
	printf "%-58s %6.2f  goal 16\n%-58s %6.2f  goal 16\n", "dbx-fetch, peak MiB, TLS", fetch / 1024, "dbx-put, peak MiB, TLS", put / 1024 }'
