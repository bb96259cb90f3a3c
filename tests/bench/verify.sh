#!/bin/sh
# verify.sh [ROWS] - db-verify against SQLite's own checks and against reading the file (default 2350000 rows, 1.4 GB)
set -eu
cd "$(dirname "$0")/../.."

rows=${1:-2350000}
dir=${BENCH_DIR:-${TMPDIR:-/tmp}/ctv-bench}
db=$dir/verify-$rows.db
make -s all
mkdir -p "$dir"

make_db() {
	[ -e "$db" ] && return
	echo "making $db"
	rm -f "$db.part"
	sed "s/:rows/$rows/" tests/bench/verify.sql | sqlite3 "$db.part" >/dev/null
	mv "$db.part" "$db"
}

# run NAME COMMAND...: its wall and processor seconds, kept as wall_NAME and cpu_NAME, and its memory
run() {
	name=$1
	shift
	if ! /usr/bin/time -q -o "$dir/time" -f '%e %U %S %M' "$@" >"$dir/out" 2>&1; then
		echo "verify.sh: $name: $(cat "$dir/out")" >&2
		exit 1
	fi
	# shellcheck disable=SC2046  # words
	set -- $(awk '{ print $1, $2 + $3, $4 }' "$dir/time")
	eval "wall_$name=$1 cpu_$name=$2"
	printf '%-16s %8s s  %8s s of processors  %8s KiB\n' "$name" "$@"
}

# ratio WHAT A B: A / B
ratio() {
	awk -v what="$1" -v a="$2" -v b="$3" 'BEGIN { printf "%-58s %6.2f\n", what, a / (b > 0 ? b : 0.001) }'
}

least() {
	printf '%s\n' "$@" | sort -n | head -n 1
}

make_db
ls -l "$db"
cat "$db" >/dev/null
# shellcheck disable=SC2016  # $0 is the inner shell's
run read_hash sh -c 'cat "$0" | openssl dgst -sha256' "$db"
run quick_1 build/db-verify -j 1 --no-progress "$db"
run quick_2 build/db-verify -j 2 --no-progress "$db"
run full_1 build/db-verify -l full -j 1 --no-progress "$db"
run full_2 build/db-verify -l full -j 2 --no-progress "$db"
run sqlite_quick sqlite3 -readonly "$db" 'PRAGMA quick_check'
run sqlite_quick_256 sqlite3 -readonly "$db" 'PRAGMA cache_size = -262144; PRAGMA quick_check'
# SQLite forgets CHECK constraints of a database that it cannot write; quick does not
run sqlite_quick_rw sqlite3 "$db" 'PRAGMA quick_check'
run sqlite_full_256 sqlite3 -readonly "$db" 'PRAGMA cache_size = -262144; PRAGMA integrity_check'
run sqlite_full sqlite3 -readonly "$db" 'PRAGMA integrity_check'

# the variables are run's
# shellcheck disable=SC2154
{
	ratio 'integrity_check (its best) / full, goal 8' "$(least "$wall_sqlite_full" "$wall_sqlite_full_256")" "$wall_full_2"
	ratio 'the same in processor seconds' "$(least "$cpu_sqlite_full" "$cpu_sqlite_full_256")" "$cpu_full_2"
	ratio 'full / cat and SHA-256, goal at most 3' "$wall_full_2" "$wall_read_hash"
	ratio 'quick_check (its best) / quick, one job, goal 1' "$(least "$wall_sqlite_quick" "$wall_sqlite_quick_256")" "$wall_quick_1"
	ratio 'quick_check (its best) / quick, two jobs, goal 1.6' "$(least "$wall_sqlite_quick" "$wall_sqlite_quick_256")" "$wall_quick_2"
	ratio 'quick_check with CHECK constraints / quick, one job' "$wall_sqlite_quick_rw" "$wall_quick_1"
}
