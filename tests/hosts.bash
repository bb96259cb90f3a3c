# hosts.bash - two hosts in two directories and a local Dropbox between them, for the tests of the scripts.

# hosts_start: pi-ctv with a database and pi2 with none, both standing where an installation leaves them
hosts_start() {
	export CTV_BACKOFF=5ms
	cd "$BATS_TEST_TMPDIR"
	dropbox_start
	mkdir -p pi-ctv/data pi-ctv/state pi2/data pi2/state
	echo primary >pi-ctv/state/role
	echo standby >pi2/state/role
	live=$PWD/pi-ctv/data/production.db
	copy=$PWD/pi2/data/production.db
	make_db "$live"
}

# hosts_night: the same with one night behind them, which is made once for the file
hosts_night() {
	local night=$BATS_FILE_TMPDIR/night
	if [ ! -e "$night" ]; then
		hosts_start
		upload >log
		download >>log
		next_second
		dropbox_stop
		mkdir "$night"
		cp -a . "$night"
	fi
	export CTV_BACKOFF=5ms
	cd "$BATS_TEST_TMPDIR"
	cp -a "$night/." .
	dropbox_start
	live=$PWD/pi-ctv/data/production.db
	copy=$PWD/pi2/data/production.db
}

# wrap=(COMMAND...): what each command of a host is run by, for this test
wrap=()

# on HOST COMMAND...: with that host's settings; DROPBOX_... come from dropbox_start
on() {
	local host=$1
	shift
	env CTV_ENV_FILE=/nonexistent CTV_NODE="$host" DATABASE_PATH="$BATS_TEST_TMPDIR/$host/data/production.db" \
		CTV_APP_DIR="$BATS_TEST_TMPDIR/$host/app" CTV_STATE_DIR="$BATS_TEST_TMPDIR/$host/state" \
		CTV_LOG_DIR="$BATS_TEST_TMPDIR/$host/log" CTV_MIN_SIZE="${MIN_SIZE-20K}" \
		CTV_REQUIRE_TABLES="${TABLES-spots:10 customers}" ${wrap[@]+"${wrap[@]}"} "$@"
}

upload() {
	on pi-ctv daily-upload.sh "$@"
}

download() {
	on pi2 daily-download.sh "$@"
}

# make_db FILE [ROWS]: a database of the shape of the real one, in WAL mode
make_db() {
	sqlite3 -batch -bail "$1" >/dev/null <<END
PRAGMA journal_mode = WAL;
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE spots (id INTEGER PRIMARY KEY AUTOINCREMENT, customer INTEGER REFERENCES customers (id), note TEXT);
CREATE INDEX spots_note ON spots (note);
INSERT INTO customers VALUES (1, 'one'), (2, 'two');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${2:-500})
	INSERT INTO spots (customer, note) SELECT 1 + i % 2, 'spot ' || i || hex(randomblob(20)) FROM n;
END
}

# sql FILE STATEMENT...: its answer
sql() {
	sqlite3 -batch -bail -cmd '.timeout 5000' "$@"
}

# crashed_writer FILE STATEMENT: SQLite itself is killed behind its commit, which is in the WAL only
crashed_writer() {
	mkfifo never
	sqlite3 -batch -bail "$1" 'PRAGMA wal_autocheckpoint = 0' "$2" '.shell touch in; cat never' >/dev/null 3>&- &
	eventually [ -e in ]
	kill -KILL $!
	wait $! || true
	: >never
	[ -s "$1-wal" ]
}

# within_reach: the programs, for users other than root: the project may stand where only he goes
within_reach() {
	local tool
	if [ ! -e reach ]; then
		cp -r "$ROOT/scripts" reach
		for tool in "$ROOT"/tools/*.c; do
			tool=${tool##*/}
			cp "${CTV_BUILD:-$ROOT/build}/${tool%.c}" reach
		done
	fi
	PATH=${PATH//"$ROOT/scripts"/"$PWD/reach"}
	PATH=${PATH//"${CTV_BUILD:-$ROOT/build}"/"$PWD/reach"}
}

# group_of HOST: its files are a group's, as an installation leaves them; then `member USER` is who comes next. irc, a
# user of every Debian, is alone in the group irc; anybody else may be given that group.
group_of() {
	needs_root 'to be several users'
	within_reach
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	mkdir -p "$1/log"
	chown -R irc:irc "$1"
	chmod -R g+rwX "$1"
	find "$1" -type d -exec chmod g+s {} +
}

member() {
	wrap=(setpriv --reuid "$1" --regid irc --clear-groups)
}

# unindex FILE: a row goes while SQLite does not know of an index, whose entry stays; only a full verification sees it
unindex() {
	sqlite3 -batch -bail -cmd '.dbconfig defensive off' "$1" >/dev/null <<END
PRAGMA writable_schema = ON;
CREATE TEMP TABLE was AS SELECT * FROM sqlite_schema WHERE name = 'spots_note';
DELETE FROM sqlite_schema WHERE name = 'spots_note';
PRAGMA writable_schema = RESET;
UPDATE spots SET note = 'changed' WHERE id = 7;
PRAGMA writable_schema = ON;
INSERT INTO sqlite_schema SELECT * FROM was;
END
}

# rows FILE: what is in it, to compare two databases by
rows() {
	sql "$1" 'SELECT count(*), sum(id), sum(length(note)), max(note) FROM spots; SELECT count(*) FROM customers;
		PRAGMA integrity_check;'
}

# power_cut HOST: SIGKILL for the run that holds its lock (started by setsid) and for all that it started
power_cut() {
	local pid
	pid=$(sed -n 's/.*, pid \([0-9]*\),.*/\1/p' "$BATS_TEST_TMPDIR/$1/state/lock")
	# job-run, the script and its tools have groups of their own, in one session
	pkill -KILL -s "$pid"
	# its lock dies with its last process
	flock -w 20 "$BATS_TEST_TMPDIR/$1/state/lock" true
}

# stop_run HOST: SIGTERM for the script that holds its lock, for nobody else
stop_run() {
	kill -TERM "$(sed -n 's/.*, pid \([0-9]*\),.*/\1/p' "$BATS_TEST_TMPDIR/$1/state/lock")"
}

# last HOST TASK FILTER: of the record that the task left
last() {
	jq -r "$3" "$BATS_TEST_TMPDIR/$1/state/last-$2.json"
}

# tree DIR: everything in it with its content, mode, owner and time, to see that nothing was touched
tree() {
	(cd "$1" && find . -printf '%P %y %m %u %T@ ' \( -type f -exec sha256sum {} \; -o -printf '\n' \)) | sort
}

# head_rev: the revision that the head record names
head_rev() {
	on pi2 mirror-head show -f rev
}

# bytes_of ROUTE MATCH FIELD: bytes that went over the wire (in or out) in calls of that route
bytes_of() {
	dropbox_log 'select(.route == $r and (.arg | tostring | test($m)))' --arg r "$1" --arg m "$2" |
		jq -s "map(.$3) | add // 0"
}

# on_full HOST DIRECTORY COMMAND...: with that directory of the host on a disk of its own, which has no room any more
on_full() {
	stub full <<-'END'
		[ -n "$FULL" ] || exec unshare -m env FULL=yes "$0" "$@"
		mkdir -p "$1"
		rm -rf was
		cp -a "$1" was
		mount -t tmpfs -o size=1m none "$1"
		cp -a was/. "$1/"
		head -c 2000000 /dev/zero >"$1/filler" 2>/dev/null
		shift
		exec "$@"
	END
	local wrap=(env FULL= full "$PWD/$1/$2") host=$1
	shift 2
	on "$host" "$@"
}

# next_second: the times of data are whole seconds, and what is done behind this has another one than what was done before
next_second() {
	local now
	now=$(date +%s)
	until [ "$(date +%s)" -ne "$now" ]; do sleep 0.02; done
}

# stub NAME: standard input becomes a script that comes before the real program of this name ($real in it)
stub() {
	local real
	real=$(command -v "$1" || true)
	mkdir -p "$BATS_TEST_TMPDIR/stubs"
	{ echo '#!/bin/sh'; echo "real=$real"; cat; } >"$BATS_TEST_TMPDIR/stubs/$1"
	chmod +x "$BATS_TEST_TMPDIR/stubs/$1"
	PATH=$BATS_TEST_TMPDIR/stubs:$PATH
}

# hosts_minutes: two nights behind them and a minute after that, which pi2 has followed; made once for the file. $night is the state
# that is installed, 2; $before it the one before, 1; $newest is state 3.
hosts_minutes() {
	local minutes=$BATS_FILE_TMPDIR/minutes
	if [ ! -e "$minutes" ]; then
		hosts_start
		minutes_night
		sql "$live" "UPDATE spots SET note = 'the second night' WHERE id = 1"
		minutes_night
		minutes_minute "UPDATE spots SET note = 'newest' WHERE id = 1"
		CTV_CHANGES_EVERY=1m on pi2 follow-changes.sh --once >log
		next_second
		dropbox_stop
		mkdir "$minutes"
		cp -a . "$minutes"
	fi
	export CTV_BACKOFF=5ms CTV_CHANGES_EVERY=1m
	cd "$BATS_TEST_TMPDIR"
	cp -a "$minutes/." .
	dropbox_start
	live=$PWD/pi-ctv/data/production.db
	copy=$PWD/pi2/data/production.db
	follow=$PWD/pi2/data/.follow
	night=$(sha256sum <night.db) newest=$(sha256sum <"$follow/newest.db")
	minutes_restamp
}

# minutes_restamp: what was installed is so again, under the inodes that a copy of all has
minutes_restamp() {
	local previous
	previous=$(stat -c '%i.%s.%Y.' "$copy.prev")$(date -r "$copy.prev" +%N).0.0
	jq --arg s "$(stamp_of "$copy")" --arg p "$previous" '.stamp = $s | .previous.stamp = $p' pi2/state/installed.json >restamped
	cat restamped >pi2/state/installed.json
}

stamp_of() {
	echo "$(stat -c '%i.%s.%Y' "$1").$(date -r "$1" +%N).$(stat -c '%.9Z' "$1")"
}

# minutes_look [OPTION...]: at the primary's database since what was published last; the object goes to Dropbox
minutes_look() {
	db-changes --json --since st --epoch 1 --node pi-ctv "$@" "$live" out >seen
	dbx-put out "$(jq -r .path seen)"
}

# minutes_minute SQL: one change, on record
minutes_minute() {
	sql "$live" "$1"
	minutes_look
	db-changes --show --json st | on pi-ctv mirror-head publish --change --owner pi-ctv
	db-changes --confirm st
}

# minutes_night: a whole state, installed on pi2
minutes_night() {
	rm -f whole
	minutes_look --file "$PWD/whole"
	[ "$(jq .base seen)" = true ] || db-changes --show --json st | on pi-ctv mirror-head publish --change --owner pi-ctv
	{ cat seen; dbx-put -f --json whole /database.db; } | on pi-ctv mirror-head publish --owner pi-ctv >/dev/null
	db-changes --confirm st
	cp whole night.db
	on pi2 daily-download.sh >log
}
