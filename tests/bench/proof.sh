#!/bin/bash
# proof.sh [ROWS] - what a proof costs beside the copy of the database and the application's own start (default 2300000 rows, 1.4 GB).
# In a lab (tests/lab), where application, systemd and units are real. The whole, the copy alone and the start alone take turns; of
# BENCH_RUNS (3) the least of each counts. BENCH_DIR: where (a directory in memory: the disk is not what is measured).
set -eu
cd "$(dirname "$0")/../.."

rows=${1:-2300000}
runs=${BENCH_RUNS:-3}
make -s all
tests/lab/lab check || exit 0
dir=$(mktemp -d "${BENCH_DIR:-/dev/shm}/ctv-proof.XXXXXX")
lab() { tests/lab/lab -d "$dir/lab" "$@"; }
trap 'lab down; rm -rf "$dir"' EXIT
data=/opt/apps/ctv-bookedbiz-db/data/database

# on pi2: milliseconds of each of the three, a line a turn
cat >"$dir/turns" <<-'END'
	set -eu
	cd "$2"
	now() { date +%s%N; }
	took() { printf '%s ' $((($(now) - began) / 1000000)); }
	for turn in $(seq "$1"); do
		mkdir -p /var/lib/ctv-mirror/ask/proof
		began=$(now)
		systemctl start ctv-proof.service
		took
		[ "$(jq -r .verdict /var/lib/ctv-mirror/last-proof.json)" = ok ]
		mkdir alone
		began=$(now)
		cp -pP --reflink=auto production.db alone/
		took
		rm -r alone
		began=$(now)
		http-probe -t 5s --wait 60s --interval 50ms http://127.0.0.1:8000/api/system-stats >/dev/null & prober=$!
		systemctl start flaskapp.service
		wait $prober
		took
		systemctl stop flaskapp.service
		echo
	done
END

lab up -w $$
lab boot pi2
lab install pi2 >"$dir/said" 2>&1 || { cat "$dir/said" >&2; exit 1; }
sed "s/:rows/$rows/" tests/bench/verify.sql | sqlite3 "$dir/a.db" >/dev/null
lab run pi2 sh -c "systemctl disable -q --now ctv-status.timer ctv-status.path ctv-follow.service; systemctl stop ctv-status.service; touch /etc/ctv-lab.proof
	cat >$data/production.db; chown ctvapps:ctvapps $data/production.db; chmod 660 $data/production.db" <"$dir/a.db"
echo "$(stat -c %s "$dir/a.db") bytes"
rm "$dir/a.db"
lab run pi2 sh -s "$runs" $data <"$dir/turns" >"$dir/took"
awk '{ for (i = 1; i <= 3; i++) if (NR == 1 || $i < v[i]) v[i] = $i }
	END {
		over = (v[1] - v[2] - v[3]) / 1000
		printf "the whole proof %.2f s, the copy alone %.2f s, the start of the application alone %.2f s\n", v[1] / 1000, v[2] / 1000, v[3] / 1000
		printf "%-58s %8.2f  goal 2%s\n", "a proof beside its copy and the start, s", over, (over > 2 ? "  MISSED" : "")
	}' "$dir/took"
