#!/bin/sh
# demo.sh - the main job end to end on this machine: a primary, a Dropbox and a standby, and the proof
#
# Two directories play the two hosts, build/dropboxd plays Dropbox; everything else is the real thing: the
# scripts and tools that run at night, and between two nights. DEMO_SIZE=1400M shows it at the size of the real database.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
demo=$root/build/demo

case ${1-} in
'') ;;
-h | --help)
	cat <<'END'
usage: [DEMO_SIZE=SIZE] demo.sh

Installs what is missing, builds, and shows the main job end to end on this machine.
SIZE is that of the database, in M or G (default 200M). Files are in build/demo.
END
	exit 0
	;;
*) echo "demo.sh: $1: no operand is taken" >&2; exit 64 ;;
esac
size=${DEMO_SIZE:-200M}
case $size in
*[!0-9]?* | *[!0-9MG] | [MG]* | 0?*) echo "demo.sh: DEMO_SIZE: $size: not a size in M or G" >&2; exit 64 ;;
??????????*) echo "demo.sh: DEMO_SIZE: $size: too large" >&2; exit 64 ;;
*G) megabytes=$((${size%G} * 1024)) ;;
*) megabytes=${size%M} ;;
esac
[ "$megabytes" -ge 1 ] || { echo "demo.sh: DEMO_SIZE: $size: too small" >&2; exit 64; }

server='' writer='' services=
# ends every process that the demo has started, however the demo itself ends
clean_up() {
	code=$?
	trap '' INT TERM HUP
	trap - EXIT
	for pid in $services; do
		# with what it has started
		kill -- "-$pid" 2>/dev/null || kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	for pid in $writer $server; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	exit "$code"
}
trap clean_up EXIT
trap 'echo; echo "stopped; nothing is left running"; exit 130' INT
trap 'exit 143' TERM HUP

# clock: sets $now, hundredths of a second
clock() {
	read -r now _ </proc/uptime
	now=${now%.*}${now#*.}
}
# took SINCE: sets $took, `1.2 s`
took() {
	clock
	took="$(((now - $1) / 100)).$(((now - $1) % 100 / 10)) s"
}

title() {
	printf '\n%s%s%s\n\n' "$bold" "$1" "$plain"
}
bold='' plain=
if [ -t 1 ] && [ -z "${NO_COLOR-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi

# on HOST COMMAND...: as that host would run it, with its own configuration and nothing of ours
on() {
	host=$1
	shift
	env -i PATH="$root/build:$root/scripts:$PATH" HOME="${HOME:-/}" TERM="${TERM:-dumb}" LANG="${LANG:-C.UTF-8}" \
		CTV_ENV_FILE="$demo/$host/ctv-db-sync.env" "$@"
}

# sql DB STATEMENT: its answer
sql() {
	sqlite3 -batch -bail -cmd '.timeout 10000' "$1" "$2"
}

# thousands N: 1234567 as 1,234,567
thousands() {
	echo "$1" | sed -e :a -e 's/^\([0-9]*[0-9]\)\([0-9]\{3\}\)/\1,\2/' -e ta
}

sh scripts/deps.sh build
mkdir -p build
clock; began=$now
# a newcomer wants to see the mirror, not the compiler
if ! make -s -j"$(nproc)" all >build/make.log 2>&1; then
	tail -n 20 build/make.log >&2
	echo "demo.sh: the build failed, see build/make.log" >&2
	exit 70
fi
took "$began"
[ ! -s build/make.log ] || printf 'built in %s\n\n' "$took"

free=$(($(df -Pk build | awk 'NR == 2 { print $4 }') / 1024))
[ "$free" -ge $((megabytes * 6)) ] || {
	echo "demo.sh: $root/build: $free MiB are free, $((megabytes * 6)) are needed; a smaller DEMO_SIZE needs less" >&2
	exit 74
}

cat <<END
${bold}ctv-mirror: a warm standby for a SQLite-backed web application, over nothing but Dropbox${plain}

Your application runs on one small machine, with one database file. Every night that machine
puts a verified copy into Dropbox, and a second machine brings it home and checks it again.
Between two nights it sends what changed, minute by minute. If the first one dies, the second
one starts the same application.

   pi-ctv  build/demo/pi-ctv   the primary: serves, and writes to its database all the time
   pi2     build/demo/pi2      the standby: sleeps, with a copy that it can trust
   Dropbox build/demo/dropbox  here a local one that speaks as the real one does
END

# ---- 1 ----
title "1. pi-ctv: a database of $megabytes MiB, in use"

rm -rf "$demo"
mkdir -p "$demo/pi-ctv/data" "$demo/pi2/data"
primary=$demo/pi-ctv/data/production.db
standby=$demo/pi2/data/production.db

# one spot takes about 225 bytes with its share of the four indexes
rows=$((megabytes * 1024 * 1024 / 225))
clock; began=$now
{
	echo 'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; BEGIN;'
	grep -v -e '^CREATE INDEX' -e '^PRAGMA' tests/app/schema.sql
	cat <<END
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19)
	INSERT INTO agencies (agency_name) SELECT 'Agency ' || i FROM n;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 399)
	INSERT INTO customers (normalized_name, agency_id) SELECT 'Customer ' || i, 1 + i % 20 FROM n;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $rows)
	INSERT INTO spots (customer_id, broadcast_month, air_date, gross_rate, note)
	SELECT 1 + i * 7 % 400, printf('%d-%02d', 2021 + i / 12 % 5, 1 + i % 12),
		printf('%d-%02d-%02d', 2021 + i % 5, 1 + i % 12, 1 + i % 28), 25 * (1 + i % 40),
		printf('order %d, thirty seconds in the evening block, %d', i / 50, i * 7919 % 100003) FROM n;
INSERT INTO budget (ae_name, year, month, budget_amount)
	SELECT 'AE ' || a.agency_id, 2020 + y.agency_id, m.agency_id, 1000 * m.agency_id
	FROM agencies a, agencies y, agencies m WHERE a.agency_id <= 5 AND y.agency_id <= 5 AND m.agency_id <= 12;
END
	grep '^CREATE INDEX' tests/app/schema.sql
	echo 'COMMIT; PRAGMA journal_mode = WAL;'
} | SQLITE_TMPDIR=$demo sqlite3 -batch -bail "$primary" >/dev/null
took "$began"
echo "   made in $took: $(thousands "$(sql "$primary" 'SELECT count(*) FROM spots')") spots in $(($(stat -c %s "$primary") >> 20)) MiB, WAL mode"

# the application at work: one commit after the other until the end
while sleep 0.05; do
	echo "INSERT INTO spots (customer_id, broadcast_month, gross_rate, note, load_date)
		VALUES (abs(random()) % 400 + 1, '2026-11', 25, 'entered live', strftime('%Y-%m-%d %H:%M:%f', 'now'));"
done | setpriv --pdeathsig TERM sqlite3 -batch -cmd '.timeout 10000' "$primary" >/dev/null &
writer=$!
echo "   from now on its application commits a new spot many times a second"

# ---- Dropbox and the two configurations ----
mkfifo "$demo/ready"
setpriv --pdeathsig TERM build/dropboxd --root "$demo/dropbox" --env "$demo/dropbox.env" >"$demo/ready" 2>"$demo/dropbox.log" &
server=$!
read -r ready <"$demo/ready" || ready=
rm -f "$demo/ready"
[ "$ready" = ready ] || { echo "demo.sh: build/dropboxd: did not start, see $demo/dropbox.log" >&2; exit 70; }
for host in pi-ctv pi2; do
	(
		umask 077
		cat "$demo/dropbox.env" - >"$demo/$host/ctv-db-sync.env" <<END
CTV_NODE=$host
DATABASE_PATH="$demo/$host/data/production.db"
CTV_APP_DIR="$demo/$host"
CTV_STATE_DIR="$demo/$host/state"
CTV_LOG_DIR="$demo/$host/log"
CTV_SERVICE=ctv-mirror-demo.service
CTV_CHANGES_EVERY=5s
CTV_PRIMARY_URL=http://127.0.0.1:9
CTV_STANDBY_URL=http://127.0.0.1:9
CTV_MIN_SIZE=$((megabytes / 2 + 1))M
CTV_REQUIRE_TABLES="spots:1000 customers budget"
END
	)
	mkdir -p "$demo/$host/state/changes"
done
echo primary >"$demo/pi-ctv/state/role"
echo standby >"$demo/pi2/state/role"

# ---- 2 and 3 ----
title "2. 02:05 on pi-ctv: daily-upload.sh"
on pi-ctv scripts/daily-upload.sh

title "3. 02:30 on pi2: daily-download.sh"
on pi2 scripts/daily-download.sh

# ---- 4 ----
title "4. The proof"

prove() {
	if [ "$2" = "$3" ]; then
		printf '   %-22s %s\n' "$1" "${4:-$2}"
	else
		printf '   %-22s DIFFERS: %s, wanted %s\n' "$1" "$2" "$3"
		exit 65
	fi
}
prove integrity_check "$(sql "$standby" 'PRAGMA integrity_check')" ok "ok, says SQLite itself of pi2's copy"
hash=$(on pi2 mirror-head show -f content_hash)
on pi2 db-verify -l header --hash "$hash" "$standby" >/dev/null
prove content_hash "$hash" "$(on pi2 dbx-ls --json /database.db | sed -n 's/.*"content_hash":"\([0-9a-f]*\)".*/\1/p')" \
	"$(echo "$hash" | cut -c 1-16)... on pi2, in the record and in Dropbox"
# ids only grow, so what pi2 has must be just the beginning of what pi-ctv has now
last=$(sql "$standby" 'SELECT max(spot_id) FROM spots')
sums="SELECT count(*), sum(spot_id * customer_id), total(gross_rate), max(load_date) FROM spots WHERE spot_id <= $last"
prove "spots" "$(sql "$standby" "$sums")" "$(sql "$primary" "$sums")" \
	"$(thousands "$(sql "$standby" 'SELECT count(*) FROM spots')"), the same to the last cent as pi-ctv had at the snapshot"
for table in customers agencies budget; do
	count="SELECT count(*) FROM $table"
	prove "$table" "$(sql "$standby" "$count")" "$(sql "$primary" "$count")"
done
since=$(sql "$primary" "SELECT count(*) FROM spots WHERE spot_id > $last")
pause=$(sql "$primary" "SELECT printf('%.2f', max(gap) * 86400) FROM (SELECT julianday(load_date) -
	julianday(lag(load_date) OVER (ORDER BY spot_id)) AS gap FROM spots WHERE note = 'entered live')")
printf '   %-22s %s\n' "age" "$(on pi2 age-check "$standby" | sed 's/ *|.*//; s/.*production.db is //')"
printf '   %-22s %s\n' "meanwhile on pi-ctv" "$since spots entered since the snapshot; the longest wait between two was $pause s"

title "5. The next night, had nothing changed"
on pi2 scripts/daily-download.sh

title "6. Between two nights, every 5 seconds: publish-changes.sh, follow-changes.sh"

# service HOST SCRIPT: as systemd would keep it running, with a log
service() {
	mkdir -p "$demo/$1/log"
	on "$1" setsid setpriv --pdeathsig TERM "$root/scripts/$2" >>"$demo/$1/log/${2%.sh}.log" 2>&1 &
	services="$services $!"
}
# newest FIELD: of what is followed on pi2
newest() {
	on pi2 db-apply --show --shell "$followed" 2>/dev/null | sed -n "s/^$1='\(.*\)'/\1/p"
}
# followed_beyond TIME: waits until what was committed by then is on pi2
followed_beyond() {
	clock; began=$now
	until [ -e "$followed" ] && expr "$(newest snapshot_at)" \> "$1" >/dev/null; do
		clock
		[ $((now - began)) -lt 12000 ] || { echo "demo.sh: $followed: nothing newer within two minutes, see build/demo/*/log" >&2; exit 75; }
		sleep 0.1
	done
}
utc() { date -u +%Y-%m-%dT%H:%M:%SZ; }

followed=$demo/pi2/data/.follow/newest.db
service pi-ctv publish-changes.sh
service pi2 follow-changes.sh
followed_beyond "$(utc)"
echo "   pi2 follows, in a file of its own: state $(newest n)"
for order in 1 2 3; do
	sql "$primary" "INSERT INTO spots (customer_id, broadcast_month, gross_rate, note) VALUES ($order, '2026-11', 25, 'the order $order')"
	followed_beyond "$(utc)"
	took "$began"
	printf '   %-22s %s\n' "order $order" "committed on pi-ctv, on pi2 $took later, as state $(newest n)"
done
bytes=$(on pi2 dbx-ls -l -R /changes | awk '$1 != "-" { bytes += $1; n++ } END { printf "%d states, %d KiB", n, bytes / 1024 }')
printf '   %-22s %s\n' "sent" "$bytes, of a database of $(($(stat -c %s "$primary") >> 20)) MiB"

title "7. What a failover would lose now: failover-to-pi2.sh --dry-run"
# behind these lines it asks for the application's unit, and none is installed here
on pi2 scripts/failover-to-pi2.sh --dry-run 2>&1 | sed -n '1,/you would lose/p'

title "8. A bad UPDATE, and the moment before it: cli-db-sync restore --at"
followed_beyond "$(utc)"
before=$(newest snapshot_at)
budget="SELECT total(budget_amount) FROM budget"
was=$(sql "$primary" "$budget")
sql "$primary" "UPDATE budget SET budget_amount = 0"
followed_beyond "$(utc)"
echo "   somebody forgets the WHERE of an UPDATE, and seconds later pi2 has that, too
"
on pi2 scripts/cli-db-sync.sh restore --at "$before" -o "$demo/before.db"
echo
prove "the budget" "$(sql "$demo/before.db" "$budget")" "$was" "as it was at $before"
prove "the orders" "$(sql "$demo/before.db" "SELECT count(*) FROM spots WHERE note LIKE 'the order %'")" 3 "all three are in it"

title "What is where"
on pi2 dbx-ls -l -R / | sed -E 's/^/   /; s/([0-9a-f]{12})[0-9a-f]{52}/\1.../'
cat <<END

   build/demo/pi2/data/production.db    the standby's copy: open it, it is plain SQLite
   build/demo/*/log, build/demo/*/state the logs, and the record of each run for the status page
   build/demo/*/ctv-db-sync.env         the two configurations

Nothing is left running. With a real Dropbox the same scripts run unchanged: man -l man/ctv-mirror.7
END
