#!/bin/bash
# restore.sh [ROWS] - cli-db-sync restore of a day with 1,440 changes against the download and full verification of its base
# alone, every call to the local Dropbox taking 50 ms, and a listing coming 500 names a page, the fewest that its users tell of
# (default 2300000 rows, 1.4 GB). BENCH_CHANGES (1440): how many.
# BENCH_DIR: where (a directory in memory: the disk is not what is measured).
set -eu
cd "$(dirname "$0")/../.."

rows=${1:-2300000}
changes=${BENCH_CHANGES:-1440}
sql=$PWD/tests/bench/verify.sql
dir=$(mktemp -d "${BENCH_DIR:-/dev/shm}/ctv-restore.XXXXXX")
export BATS_TEST_TMPDIR=$dir
bats_require_minimum_version() { :; }
# shellcheck disable=SC1091  # linted by itself
. tests/helper.bash
app=
trap 'dropbox_stop; [ -z "$app" ] || kill "$app" 2>/dev/null; rm -rf "$dir"' EXIT
make -s all
cd "$dir"
export CTV_ENV_FILE=/nonexistent CTV_NODE=pi2 DATABASE_PATH=$dir/data/production.db CTV_STATE_DIR=$dir CTV_LOG_DIR=$dir \
	CTV_MIN_SIZE=20K CTV_REQUIRE_TABLES=spots:10

# says SQL: by the application, which keeps its connection
says() {
	local answer
	echo "$1; SELECT 'done';" >&"${APP[1]}"
	until read -r answer <&"${APP[0]}" && [ "$answer" = 'done' ]; do :; done
}

# keep N: what the last look made is state N, a minute after the one before
keep() {
	local at
	at=$(date -u -d "2026-11-20 00:00 $1 minutes" +%Y%m%dT%H%M00Z)
	mv out "objects/$(printf %09d "$1")-$at.wal.zst"
	db-changes --confirm state
}

# wall COMMAND...: its seconds
wall() {
	/usr/bin/time -q -o time -f %e "$@" >said 2>&1 || {
		echo "restore.sh: $(cat said)" >&2
		exit 1
	}
	cat time
}

mkdir objects data
sed "s/:rows/$rows/" "$sql" | sqlite3 a.db >/dev/null
sqlite3 a.db 'PRAGMA journal_mode = WAL' >/dev/null
db-changes --since state --file base a.db out >/dev/null
keep 1
coproc APP { exec sqlite3 a.db; }
app=$APP_PID
says 'PRAGMA synchronous = OFF'
for ((n = 2; n <= changes + 1; n++)); do
	says "UPDATE spots SET comment = hex(randomblob(20)) WHERE spot_id IN ($n, abs(random()) % $rows, abs(random()) % $rows)"
	db-changes --since state a.db out >/dev/null
	keep "$n"
done
echo "$(stat -c %s base) bytes, $changes changes, $(du -sb objects | cut -f 1) bytes"

dropbox_start --page 500
dropbox_seed base /backups/database_backup_20261120_000100.db
for object in objects/*; do
	day=${object#*-}
	printf 'url = "%s/control/put"\nno-progress-meter\noutput = /dev/null\nfail\ndata-binary = "{\\"from\\":\\"%s\\",\\"path\\":\\"/changes/%s/%s\\"}"\nnext\n' \
		"$DROPBOX_API_URL" "$dir/$object" "${day%%T*}" "${object##*/}"
done >seeds
# the last `next` has nothing behind it
sed -i '$d' seeds
curl -sS -K seeds
rm -r objects base
dropbox_fault '{"kind":"delay","ms":50,"count":-1}'
alone=$(wall sh -c 'dbx-fetch --no-progress -o got /backups/database_backup_20261120_000100.db && db-verify -l full got')
rm got
whole=$(wall restore-state.sh --state "$((changes + 1))" -o got)
grep -e ' ✓ ' said
awk -v a="$whole" -v b="$alone" 'BEGIN {
	printf "%-58s %8.2f  goal 3%s\n", "restore --at (" a " s) / its base alone (" b " s)", a / b, (a / b > 3 ? "  MISSED" : "") }'
