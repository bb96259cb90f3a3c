#!/bin/sh
# snapshot.sh - db-snapshot of an idle database and under a writer of 50 commits a second: its time, and how long a
# commit waited. BENCH_SIZE (1400M): of the database; BENCH_RUNS (3): the best of so many; BENCH_DIR: where.
set -eu
cd "$(dirname "$0")/../.."

size=${BENCH_SIZE:-1400M}
runs=${BENCH_RUNS:-3}
make -s all
PATH=$PWD/build:$PATH
dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/ctv-snapshot.XXXXXX")
writer=
trap '[ -z "$writer" ] || kill "$writer"; rm -rf "$dir"' EXIT
cd "$dir"

# a commit each 20 ms until the file `stop` is there; a late one is not made up for
cat >writer.py <<'END'
import os, sqlite3, time
db = sqlite3.connect("a.db", isolation_level=None, timeout=60)
commits, longest, begin = 0, 0.0, time.monotonic()
next = begin
while not os.path.exists("stop"):
    now = time.monotonic()
    db.execute("UPDATE t SET body = randomblob(900) WHERE id = 1 + abs(random()) % (SELECT max(id) FROM t)")
    took = time.monotonic() - now
    longest = max(longest, took)
    commits += 1
    if commits == 1:
        open("begun", "w").close()
    next = max(next + 0.02, now + took)
    time.sleep(max(0, next - time.monotonic()))
print("%.1f %.3f" % (commits / (time.monotonic() - begin), longest))
END

# the least seconds of all runs
snapshots() {
	for _ in $(seq "$runs"); do
		/usr/bin/time -q -f %e -o time db-snapshot a.db copy.db
		cat time
		rm copy.db
	done | sort -n | head -n 1
}

rows=$(($(numfmt --from=iec "$size") / 1024))
sqlite3 a.db "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 100000;
	CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
	INSERT INTO t SELECT i, randomblob(900) FROM n;" >/dev/null
idle=$(snapshots)
python3 writer.py >wrote &
writer=$!
until [ -e begun ]; do
	kill -0 "$writer"
	sleep 0.1
done
busy=$(snapshots)
touch stop
wait "$writer"
writer=
read -r rate longest <wrote

printf 'idle %s s, under a writer of %s commits/s %s s   (%s, the best of %s)\n' "$idle" "$rate" "$busy" \
	"$(stat -c %s a.db | numfmt --to=iec)" "$runs"
awk -v idle="$idle" -v busy="$busy" -v longest="$longest" 'BEGIN {
	printf "%-58s %6.2f  goal 1.5\n", "snapshot under the writer / idle", busy / (idle > 0 ? idle : 0.01)
	printf "%-58s %6.2f  goal 1\n", "the longest commit of the writer, s", longest }'
