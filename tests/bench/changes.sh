#!/bin/bash
# changes.sh [ROWS] - a publishing round and its application, against reading the file (default 1800000 rows, 1.4 GB).
# Processor seconds are compared, the least of BENCH_RUNS (3), so that a machine that has other work to do says the same;
# what somebody waits for is wall time. BENCH_DIR: where (a directory in memory: the disk is not what is measured).
# shellcheck disable=SC2154  # the variables that `run` makes
set -eu
cd "$(dirname "$0")/../.."

rows=${1:-1800000}
runs=${BENCH_RUNS:-3}
make -s all
PATH=$PWD/build:$PATH
sql=$PWD/tests/bench/verify.sql
dir=$(mktemp -d "${BENCH_DIR:-/dev/shm}/ctv-changes.XXXXXX")
app='' writer=''
trap '[ -z "$writer" ] || kill "$writer"; [ -z "$app" ] || kill "$app"; rm -rf "$dir"' EXIT
cd "$dir"

# run NAME COMMAND...: the least processor and wall seconds of it, and its memory, as cpu_NAME, wall_NAME and rss_NAME;
# what it leaves is taken back by `back` before each further run
run() {
	local name=$1 i
	shift
	: >measured
	for ((i = 0; i < runs; i++)); do
		[ "$i" -eq 0 ] || back
		/usr/bin/time -q -o time -f '%U %S %e %M' "$@" >said 2>&1 || {
			echo "changes.sh: $name: $(cat said)" >&2
			exit 1
		}
		awk '{ print $1 + $2, $3, $4 }' time >>measured
	done
	read -r "cpu_$name" "wall_$name" "rss_$name" <<<"$(awk '{ for (i = 1; i <= 3; i++) if (NR == 1 || $i < v[i]) v[i] = $i }
		END { print v[1], v[2], v[3] }' measured)"
	printf '%-24s %8s s of processors  %8s s  %8s KiB\n' "$name" "$(of cpu "$name")" "$(of wall "$name")" "$(of rss "$name")"
}

of() {
	local name=$1_$2
	echo "${!name}"
}

back() {
	:
}

# goal WHAT VALUE MOST
goal() {
	awk -v what="$1" -v value="$2" -v most="$3" 'BEGIN {
		printf "%-58s %8.2f  goal %s%s\n", what, value, most, (value > most ? "  MISSED" : "") }'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { print a / (b > 0 ? b : 0.001) }'
}

# said SQL: by the application, which keeps its connection
says() {
	local answer
	echo "$1; SELECT 'done';" >&"${APP[1]}"
	until read -r answer <&"${APP[0]}" && [ "$answer" = 'done' ]; do :; done
}

confirm() {
	db-changes --confirm state
}

drop() {
	db-changes --drop state
}

sed "s/:rows/$rows/" "$sql" | sqlite3 a.db >/dev/null
# sixteen indexes, as the application has
sqlite3 a.db "PRAGMA synchronous = OFF; CREATE INDEX i10 ON spots (program); CREATE INDEX i11 ON spots (language_code, air_date);
	CREATE INDEX i12 ON spots (estimate); CREATE INDEX i13 ON spots (source_file); CREATE INDEX i14 ON spots (end_date);
	CREATE INDEX i15 ON spots (media, program); CREATE INDEX i16 ON spots (load_date); PRAGMA journal_mode = WAL" >/dev/null
size=$(stat -c %s a.db)
echo "$size bytes, $(sqlite3 a.db "SELECT count(*) FROM sqlite_schema WHERE type = 'index'") indexes"
cat a.db >/dev/null
run cat sh -c 'cat a.db >/dev/null'
db-changes --since state --file base a.db out
confirm
coproc APP { exec sqlite3 a.db; }
app=$APP_PID
says 'PRAGMA synchronous = NORMAL; UPDATE spots SET comment = 1 WHERE spot_id = 1'
db-changes --since state a.db out
confirm
cp base newest
db-apply out newest >/dev/null

says "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) UPDATE spots SET
	gross_rate = abs(random() % 100000) / 100.0, comment = hex(randomblob(20)) WHERE spot_id IN
	(SELECT 1 + abs(random()) % $rows FROM n)"
back() {
	drop
}
run quick_look db-changes --json --since state a.db out
drop
run full_look db-changes --json --full --since state a.db out
confirm
# against the pages alone
python3 - <<'EOF'
import struct, subprocess
wal = subprocess.run(["zstd", "-dc", "out"], capture_output=True, check=True).stdout
size = struct.unpack(">I", wal[8:12])[0]
open("pages", "wb").write(b"".join(wal[at + 24:at + 24 + size] for at in range(32, len(wal), 24 + size)))
EOF
zstd -q -3 -f pages -o pages.zst
goal 'bytes sent / zstd -3 of the pages' "$(ratio "$(stat -c %s out)" "$(stat -c %s pages.zst)")" 1.05
goal 'full look / cat' "$(ratio "$cpu_full_look" "$cpu_cat")" 2
goal 'quick look / cat' "$(ratio "$cpu_quick_look" "$cpu_cat")" 0.1
goal 'memory of a full look, MiB' "$(ratio "$rss_full_look" 1024)" 16

back() {
	:
}
db-changes --since state a.db out2 >/dev/null
# of many idle looks: the clock of a single one is too coarse
run idle_looks sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do db-changes --since state a.db out2; done'
goal 'an idle look, ms of a processor' "$(ratio "$cpu_idle_looks" 0.02)" 15

# db-apply, the file in memory: there is no disk to wait for
cp newest newest.was
cp newest.note newest.note.was
back() {
	cp newest.was newest
	cp newest.note.was newest.note
}
run apply db-apply out newest
rm newest.was newest.note.was
goal 'applying ten rows, ms' "$(ratio "$wall_apply" 0.001)" 100
goal 'memory of it, MiB' "$(ratio "$rss_apply" 1024)" 16

# a day as documented: 400 single edits and four imports, each import published by itself
sent=0
round() {
	db-changes --since state a.db out >/dev/null
	confirm
	sent=$((sent + $(stat -c %s out)))
}
# of one month, some stations' customers and their contracts, a price list: as a log of commercials is
imports() {
	says "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16500)
	INSERT INTO spots SELECT (SELECT max(spot_id) FROM spots) + i, 'AGENCY-' || (i % 40) || ':CLIENT-' || (i % 200),
	date('2025-0$1-01', '+' || (i % 30) || ' days'), date('2025-0$1-01', '+' || (i % 30) || ' days'), 'Mon',
	printf('%02d:%02d:00', i % 24, i % 60), printf('%02d:%02d:30', i % 24, i % 60), '00:00:30', 'MEDIA' || (i % 11),
	'PROGRAM NAME ' || (i % 60), 'E', 'FMT' || (i % 5), i % 100, i % 40, 'COM', 'EST' || (i % 80), 12.5 * (i % 40), NULL,
	12.5 * (i % 40), 10 * (i % 40), 1.5, i % 9, '2025-0$1-01', 'Sales Person ' || (i % 17), 'Internal Ad Sales', 'Calendar',
	'Agency', i % 200, i % 40, i % 12, 'C' || (i % 300), '2025-0$1-02 02:05:00', 'Commercial Log $1.xlsx',
	'remark on spot number ' || i || ' aired as scheduled by the station', 0 FROM n"
}
for part in 1 2 3 4; do
	imports "$part"
	round
	imported=$sent
	for ((i = 0; i < 100; i++)); do
		says "UPDATE spots SET gross_rate = $i.5, comment = 'edited $part $i' WHERE spot_id = $((1 + (i * 7919 + part * 104729) % rows))"
		[ $((i % 4)) -ne 3 ] || round
	done
	echo "import $part and a hundred edits: $((imported / 1000000)) MB after it, $((sent / 1000000)) MB"
done
goal 'a day of 400 edits and four imports, MB' "$(ratio "$sent" 1000000)" 75
echo .quit >&"${APP[1]}"
wait "$app" || true
app=

# under 50 commits a second: how long a commit takes, and how far the log grows
cat >writer.py <<'EOF'
import os, sqlite3, sys, time
mode, seconds = sys.argv[1], float(sys.argv[2])
db = sqlite3.connect("a.db", isolation_level=None, timeout=60)
db.execute("PRAGMA journal_mode=" + mode)
rows = db.execute("SELECT max(spot_id) FROM spots").fetchone()[0]
longest, log, end = [], 0, time.monotonic() + seconds
next = time.monotonic()
while time.monotonic() < end:
    now = time.monotonic()
    db.execute("UPDATE spots SET comment=? WHERE spot_id=?", (str(now), 1 + int(now * 7919e3) % rows))
    longest.append(time.monotonic() - now)
    if os.path.exists("a.db-wal"):
        log = max(log, os.path.getsize("a.db-wal"))
    open("begun", "a").close()
    next = max(next + 0.02, time.monotonic())
    time.sleep(max(0, next - time.monotonic()))
longest.sort()
print("%.1f %.1f %.1f" % (1000 * longest[-1], 1000 * longest[int(len(longest) * 0.99)], log / 1e6))
EOF
# what waits for a lock is measured, not what waits for a processor
first=()
[ "$(id -u)" -ne 0 ] || first=(chrt -f 5)
# under MODE SECONDS COMMAND...: the writer's figures, while the command runs again and again
under() {
	local mode=$1 seconds=$2
	shift 2
	rm -f begun
	"${first[@]}" python3 writer.py "$mode" "$seconds" >wrote &
	writer=$!
	until [ -e begun ]; do kill -0 "$writer"; done
	while kill -0 "$writer" 2>/dev/null; do "$@"; done
	wait "$writer"
	writer=
	read -r longest usual log <wrote
	printf '%-24s longest commit %s ms, 99 of 100 within %s ms, log %s MB\n' "$mode, $*" "$longest" "$usual" "$log"
}
quiet() {
	sleep 0.2
}
publishing() {
	"${first[@]}" db-changes --since state a.db out >/dev/null || [ $? -eq 75 ]
	[ ! -e out ] || confirm
	rm -f out
	sleep 1
}
looking() {
	"${first[@]}" db-changes --full --since state a.db out >/dev/null || [ $? -eq 75 ]
	[ ! -e out ] || drop
	rm -f out
	sleep 0.3
}
under wal 20 quiet
before=$longest
under wal 20 publishing
goal 'the longest commit under publishing / alone' "$(ratio "$longest" "$before")" 1.1
under delete 20 quiet
under delete 20 looking
goal 'rollback mode: the longest wait for a full look, ms' "$longest" 100
