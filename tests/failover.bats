#!/usr/bin/env bats
# failover-to-pi2.sh without a second host: what the lab (lab/failover.bats) cannot bring about, or not cheaply.

load helper
load hosts

setup() {
	# what was followed has tests of its own, below
	case $BATS_TEST_DESCRIPTION in *followed*) hosts_minutes ;; *) hosts_night ;; esac
	export CTV_MIN_SIZE=20K CTV_START_TIMEOUT=30s
	# nobody answers at port 9: the primary is down; the application is at app_up's port
	export CTV_PRIMARY_URL=http://127.0.0.1:9 CTV_STANDBY_URL=http://127.0.0.1:9
	echo inactive >unit
	stub svc-ctl <<-'END'
		case " $* " in
		*' watch '*) while [ "$1" != watch ]; do shift; done ;;
		*) while [ $# -gt 2 ]; do shift; done ;;
		esac
		case $1/${2-} in *ctv-*) echo "$1 $2" >>"$BATS_TEST_TMPDIR/others" && exit ;; esac
		case $1 in
		start) echo active >"$BATS_TEST_TMPDIR/unit" ;;
		stop) echo inactive >"$BATS_TEST_TMPDIR/unit" ;;
		is-active) cat "$BATS_TEST_TMPDIR/unit"; grep -qx active "$BATS_TEST_TMPDIR/unit" || exit 3 ;;
		status) echo "$2: $(cat "$BATS_TEST_TMPDIR/unit")"; grep -qx active "$BATS_TEST_TMPDIR/unit" || exit 3 ;;
		watch)
			[ ! -e "$BATS_TEST_TMPDIR/fails" ] || {
				echo 'svc-ctl: flaskapp.service: says: ModuleNotFoundError: No module named x' >&2
				echo 'svc-ctl: flaskapp.service: watch: it is down: failed (failed), exit-code 3' >&2
				exit 143
			}
			shift 3
			exec "$@"
			;;
		esac
	END
}

teardown() {
	[ -z "${app_pid-}" ] || kill "$app_pid" 2>/dev/null || true
	dropbox_stop
}

failover() { on pi2 failover-to-pi2.sh "$@"; }

# app_up: something that answers as the application does, from now on
app_up() {
	python3 - "$PWD/port" <<-'END' 3>&- &
		import http.server, os, sys
		class H(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.end_headers()
		        self.wfile.write(b'{"status":"success"}')
		    def log_message(self, *a): pass
		s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
		open(sys.argv[1] + ".new", "w").write(str(s.server_port))
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		s.serve_forever()
	END
	app_pid=$!
	eventually [ -s port ]
	export CTV_STANDBY_URL=http://127.0.0.1:$(cat port)
}

@test "an application that has failed for good ends the wait at once, and its own last words are shown" {
	touch fails
	export CTV_START_TIMEOUT=10m
	run timeout 60 env PATH="$PATH" bash -c "$(declare -f on failover); wrap=(); failover"
	expect 69 'rolling back'
	[[ $output == *"   svc-ctl: flaskapp.service: says: ModuleNotFoundError: No module named x"* ]]
	[[ $output == *'it is down: failed (failed), exit-code 3'* ]]
	[ "$(cat pi2/state/role)" = standby ]
}

@test "failovers that never served leave no word of what was entered here; one that served does" {
	touch fails
	for n in 1 2 3; do
		run failover
		expect 69
	done
	run failover --dry-run
	[[ $output == *'you would lose what was entered since'* ]]
	[[ $output != *'when this host served last'* ]]
	rm fails
	was=$(stat -c %Y pi2/state/data-of)
	app_up
	run failover
	expect 0 'FAILOVER COMPLETE'
	[[ $output != *'when this host served last'* ]]
	[ "$(stat -c %Y pi2/state/data-of)" = "$was" ]
	echo standby >pi2/state/role
	echo inactive >unit
	run failover --dry-run
	expect 73 'when this host served last, is in it'
}

@test "a verification that does not end is given up, and is the operator's to judge" {
	stub db-verify <<-'END'
		case " $* " in *' --timeout 60s '*) ;; *) echo "no limit: $*" >>"$BATS_TEST_TMPDIR/unlimited" ;; esac
		for file; do :; done
		printf "verdict='unknown'\ntext='%s: not finished within the time allowed (quick)'\n" "$file"
		exit 3
	END
	touch -d '1 day ago' "$copy"
	run failover --dry-run
	expect 75 'not ready: .*not finished within the time allowed'
	run failover
	expect 75 'not finished within the time allowed \(quick\). Continue\? \[y/N\] no'
	[ "$(cat pi2/state/role)" = standby ]
	app_up
	run failover --yes
	expect 0 'FAILOVER COMPLETE'
	[ ! -e unlimited ]
}

@test "a database that the disk does not give is no matter of time: nobody may accept it, a fresh copy is offered" {
	stub db-verify <<-'END'
		for file; do :; done
		printf "verdict='unknown'\ntext='%s: not judged: cannot read page 7: Input/output error (quick)'\n" "$file"
		exit 3
	END
	app_up
	touch -d '1 day ago' "$copy"
	run failover
	expect 74 'cannot read page 7: Input/output error \(quick\). Download a fresh copy\? \[y/N\] no'
	run failover --yes
	expect 74 'Download a fresh copy\? \[y/N\] yes'
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
	run failover --dry-run
	expect 74 'not ready: .*cannot read page 7'
}

@test "a database whose application was ended in the middle of a write is put in order, and serves; a dry run says what does it" {
	app_up
	sql "$copy" 'PRAGMA journal_mode = DELETE' >/dev/null
	touch -d '1 hour ago' "$copy"
	python3 - "$copy" <<-'PY'
		import os, sqlite3, sys
		c = sqlite3.connect(sys.argv[1], isolation_level=None)
		c.executescript("PRAGMA cache_size = 5; BEGIN; UPDATE spots SET note = 'x' || note || hex(randomblob(200)); DELETE FROM spots WHERE id % 3 = 0")
		os._exit(0)
	PY
	[ -s "$copy-journal" ]
	sha256sum "$copy" "$copy-journal" >sums
	run failover --dry-run
	expect 74 "a rollback journal lies beside it, .*; sudo db-install --settle $copy puts it in order"
	sha256sum --quiet -c sums
	run failover --no
	expect 0 'FAILOVER COMPLETE'
	[[ $output == *'left beside the database is taken in, or rolled back'* ]]
	[ ! -e "$copy-journal" ]
	[ "$(sql "$copy" 'SELECT count(*) FROM spots' 'PRAGMA integrity_check')" = $'500\nok' ]
}

@test "a database that what lies beside it does not put in order is a damaged one: a fresh copy is offered" {
	app_up
	sql "$copy" 'PRAGMA journal_mode = DELETE' >/dev/null
	truncate -s -10000 "$copy"
	printf '\xd9\xd5\x05\xf9\x20\xa1\x63\xd7' >"$copy-journal"
	run failover --yes
	expect 0 'a rollback journal lies beside it, .* Download a fresh copy\? \[y/N\] yes'
	[[ $output == *'FAILOVER COMPLETE'* ]]
	[ "$(sql "$copy" 'SELECT count(*) FROM spots' 'PRAGMA integrity_check')" = $'500\nok' ]
}

@test "a small database is a person's to accept, and is not read a second time to its end when it need not be" {
	stub db-verify <<<'echo "$@" >>"$BATS_TEST_TMPDIR/verified"; exec $real "$@"'
	export MIN_SIZE=1G
	run failover
	expect 65 'wanted at least 1073741824 \(header\). Continue\? \[y/N\] no'
	[ "$(sed 's/.*-l \([a-z]*\) .*/\1/' verified)" = $'header\nheader' ]
	app_up
	run failover --yes
	expect 0 'FAILOVER COMPLETE'
}

@test "a host that serves gets no new code, whether its unit runs or is down; a standby does" {
	export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
	git init -q -b main github
	echo 1 >github/app.py
	git -C github add app.py
	git -C github commit -qm one
	git clone -q github pi2/app
	echo 2 >github/app.py
	git -C github commit -qam two
	git -C pi2/app fetch -q
	app_up
	echo active >pi2/state/role
	for is in active inactive; do
		echo $is >unit
		run failover
		expect 0 'FAILOVER COMPLETE'
		[ "$(cat pi2/app/app.py)" = 1 ]
	done
	echo standby >pi2/state/role
	echo inactive >unit
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$(cat pi2/app/app.py)" = 2 ]
}

@test "a dry run reads every page; the run itself does only when somebody has written since that was done" {
	stub db-verify <<<'echo "$@" >>"$BATS_TEST_TMPDIR/verified"; exec $real "$@"'
	failover --dry-run
	app_up
	failover
	[ "$(sed 's/.*-l \([a-z]*\) .*/\1/' verified)" = $'quick\nheader' ]
	echo standby >pi2/state/role
	echo inactive >unit
	sql "$copy" 'UPDATE spots SET note = 1 WHERE id = 1' 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	failover
	[ "$(tail -n 1 verified | sed 's/.*-l \([a-z]*\) .*/\1/')" = quick ]
}

@test "a drill beside the log of an application that was ended puts nothing back, and the next download keeps it" {
	app_up
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	sql "$copy" 'PRAGMA journal_mode = WAL' >/dev/null
	crashed_writer "$copy" "UPDATE spots SET note = 'here' WHERE id = 1"
	run failover --drill
	expect 0 'the drill has passed'
	expect 0 'somebody has written to it: the next download keeps that copy'
	[ "$(sql "$copy" 'SELECT note FROM spots WHERE id = 1')" = here ]
	: >"$copy-wal"
	: >"$copy-shm"
	run failover --drill
	expect 0 'the drill has passed'
	[ ! -e pi2/data/.production.db.drill ]
	sql "$live" "INSERT INTO spots (note) VALUES ('new')"
	upload >log
	download >log
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 1')" = here ]
}

@test "a drill copies the database through nobody's link, and leaves it as it was" {
	app_up
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	echo mine >victim
	ln -s "$PWD/victim" pi2/data/.production.db.drill
	was=$(stat -c '%Y %a %u' "$copy"; sha256sum <"$copy")
	run failover --drill
	expect 0 'the drill has passed'
	[ "$(cat victim)" = mine ]
	[ "$(stat -c '%Y %a %u' "$copy"; sha256sum <"$copy")" = "$was" ]
	[ ! -e pi2/data/.production.db.drill ]
	# nor is what a link in its place leads to read
	mv "$copy" secret
	ln -s "$PWD/secret" "$copy"
	run failover --drill
	[ "$status" -ne 0 ]
	[ ! -e pi2/data/.production.db.drill ]
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
}

@test "what reads here is ended before the first step, a proof once more before the start; one that is refused ends nobody" {
	app_up
	CTV_PRIMARY_URL=$CTV_STANDBY_URL run failover
	expect 77 'nothing was changed'
	run failover --dry-run
	[ ! -e others ]
	# whoever does not end keeps nobody waiting
	over svc-ctl <<-'END'
		case $* in
		*' stop ctv-proof.service') echo "$(cat "$BATS_TEST_TMPDIR/pi2/state/role") stop ctv-proof.service" >>"$BATS_TEST_TMPDIR/others"; exec sleep 100 ;;
		esac
		exec $real "$@"
	END
	stub mirror-role <<<'[ "$1" != set ] || echo "$@" >>"$BATS_TEST_TMPDIR/others"; exec $real "$@"'
	SECONDS=0
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$SECONDS" -lt 60 ]
	first=$(sed '/^set active/q' others | sort)
	[ "$first" = "$(printf '%s\n' 'set active' 'standby stop ctv-proof.service' 'stop ctv-follow-check.service' 'stop ctv-follow.service' 'stop ctv-pi2-download.service' | sort)" ]
	[ "$(sed '1,/^set active/d' others | grep stop)" = 'active stop ctv-proof.service' ]
}

@test "a dry run says when the application was proved last, and how that went" {
	run failover --dry-run
	[[ $output == *'never proved here'* ]]
	echo '{"schema": 1, "verdict": "failed", "finished_at": "2026-11-29T03:12:07Z", "message": "start: No module named x"}' >pi2/state/last-proof.json
	run failover --dry-run
	[[ $output == *'last proved 2026-11-29T03:12:07Z, failed: start: No module named x'* ]]
	rm pi2/state/last-proof.json
	CTV_PROVE=no run failover --dry-run
	[[ $output != *prove* ]]
}

# ---- what was followed: which state serves -------------------------------------------------------

# as_followed: pi2 as hosts_minutes left it, whatever a row has done to it
as_followed() {
	chattr -i pi2/state 2>/dev/null || true
	rm -rf pi2
	cp -a "$BATS_FILE_TMPDIR/minutes/pi2" pi2
	minutes_restamp
	echo inactive >unit
	rm -f others
}

# serves STATE: night, newest, or is (what stood there before); byte for byte, with the role and without a file beside it
serves() {
	local wanted
	case $1 in night) wanted=$night ;; newest) wanted=$newest ;; is) wanted=$stood ;; esac
	[ "$(sha256sum <"$copy")" = "$wanted" ] || { echo "serves another state than $1" >&2; return 1; }
	[ "$(cat pi2/state/role)/$(cat unit)" = active/active ]
	[ "$1" = is ] || [ "$(sql "$copy" 'PRAGMA integrity_check')" = ok ]
}

# row STATE LINE COMMAND: after that command a failover serves that state, and says so in that line
row() {
	as_followed
	eval "$3"
	stood=$(sha256sum <"$copy" || true)
	run failover
	expect 0 'FAILOVER COMPLETE' && expect 0 "$2" && serves "$1" || {
		printf 'row: %s\n%s\n' "$3" "$output" >&2
		return 1
	}
	case $1 in
	# last night's is the one before, and what was followed is not made twice
	newest) [ "$(sha256sum <"$copy.prev")" = "$night" ] && [ "$(jq '[.n, .previous.n] == [3, 2]' pi2/state/installed.json)" = true ] ;;
	*) [ ! -e "$copy.prev" ] || [ "$(sha256sum <"$copy.prev")" = "$(sha256sum <"$BATS_FILE_TMPDIR/minutes/pi2/data/production.db.prev")" ] ;;
	esac
	[ -z "$(find pi2/data -name '*.kept-*')" ]
	# what reads here was stopped, and follows again
	grep -qx 'stop ctv-follow.service' others
	[ "$(tail -n 1 others)" = 'start ctv-follow.service' ]
}

# over NAME: a stub that comes before the one of this name, which is $real in it
over() {
	local under
	under=$(mktemp -p "$PWD" "$1.XXXXXX")
	mv "stubs/$1" "$under"
	hash -r
	stub "$1"
	sed -i "s,^real=.*,real=$under," "stubs/$1"
}

# fake NAME: the same as stub, in place of the one before
fake() {
	rm -f "stubs/$1"
	hash -r
	stub "$1"
}

# table: the rows of a test, with an application that answers, and Dropbox away
table() {
	app_up
	stub mirror-head <<<'exit 69'
}

seen() { jq "$1" pi2/state/.head-seen.json >x && cat x >pi2/state/.head-seen.json; }
on_record() { jq "$1" pi2/state/installed.json >x && cat x >pi2/state/installed.json; }
noted() { jq "$1" "$follow/newest.db.note" >x && cat x >"$follow/newest.db.note"; }

@test "followed: newest.db takes the place of last night's copy, which becomes the one before" {
	table
	row newest 'the newest state that was followed, 3' true
	expect 0 'you will lose what was entered since [0-9:]{8}: [0-9]+ min [0-9]+ s'
	[ "$(jq -r '[.serves, .n] | join(" ")' pi2/state/last-failover.json)" = 'newest 3' ]
	# a suspicion that begins later is of other states
	row newest 'the newest state' 'seen ".record.suspect = {n: 4, why: \"x\"}"'
	row newest 'the newest state' 'seen ".record.epoch = 2 | .record.owner = \"pi-ctv\""'
	# the owner has published another state, which is not here yet
	row newest 'the newest state' 'seen ".record.change.n = 5 | .record.change.digest = \"00000000000000000000000000000000\""'
	# a run was killed while it applied; its work is ended
	row newest 'the newest state' 'half_applied'
	row newest 'the newest state' 'half_applied; rm "$follow/newest.db-wal"; cp "$BATS_FILE_TMPDIR/minutes/pi2/data/.follow/newest.db" "$follow"'
}

@test "followed: a primary whose clock is a day ahead is named, and by how much" {
	app_up
	on pi-ctv mirror-head publish --owner pi-ctv --confirm "$(date -u -d '+1 day' +%FT%TZ)" --object "$(on pi-ctv mirror-head show -n -f newest_object)"
	row newest "the clock of pi-ctv is 2[34]h[0-9]+m ahead, says Dropbox's" 'on pi2 mirror-head show >/dev/null'
	expect 0 'data from the future .* what will be lost cannot be told'
	# of a clock that is right nothing is said
	run ! grep -q 'the clock of' <<<"$(as_followed; failover --dry-run 2>&1)"
}

# half_applied: newest.db is state 2, and the log that makes it state 3 has its name
half_applied() {
	cp night.db "$follow/newest.db"
	dbx-fetch -o x.zst "$(jq -r .record.change.path pi2/state/.head-seen.json)" >/dev/null
	zstd -qdcf x.zst >"$follow/newest.db-wal"
	noted ".target = .is | .is.n = 2 | .is.digest = \"$(jq -r .record.head.digest pi2/state/.head-seen.json)\""
}

@test "followed: whatever is wrong with newest.db, last night's copy serves, and one line says why" {
	table
	row night 'newest.db is not taken: newest.db is not there' 'rm -r "$follow"'
	row night 'newest.db is not there' 'rm "$follow/newest.db"'
	row night 'has no note' 'rm "$follow/newest.db.note"'
	row night 'has no note' 'echo garbage >"$follow/newest.db.note"'
	row night 'has no note' 'noted ".schema = 2"'
	row night 'is the same state' 'on_record ".n = 3"'
	row night 'is older' 'on_record ".n = 4"'
	row night 'is older' 'on_record ".epoch = 2"'
	row night 'has another size than state 3' 'truncate -s -4096 "$follow/newest.db"'
	row night 'has another size than state 3' 'printf x >>"$follow/newest.db"'
	row night 'is no whole database' 'dd if=/dev/zero of="$follow/newest.db" bs=100 count=1 conv=notrunc status=none'
	row night 'is not a plain file' 'mv "$follow/newest.db" x.db; ln -s "$PWD/x.db" "$follow/newest.db"'
	row night 'is not a plain file' 'ln "$follow/newest.db" "$follow/other"'
	row night 'is not a plain file' 'rm "$follow/newest.db"; mkfifo "$follow/newest.db"'
	row night 'is not a plain file' 'rm "$follow/newest.db"; mkdir "$follow/newest.db"'
	row night 'files of an application' ': >"$follow/newest.db-shm"'
	row night 'what was being applied is not at its end|is half applied' 'echo hot >"$follow/newest.db-journal"'
	row night 'what was being applied is not at its end|is half applied' 'noted ".target = .is | .target.page_count = 9"'
	row night 'lies in no directory of ours' 'mv "$follow" away; ln -s "$PWD/away" "$follow"'
	row night 'lies where others than us write' 'chmod o+w "$follow"'
	row night 'found damaged by its last verification' 'echo "{\"exit\": 65}" >pi2/state/last-follow-check.json'
	row night 'state 3, is suspect: a page is odd' 'seen ".record.suspect = {n: 3, why: \"a page is odd\"}"'
	row night 'held against no head record' 'rm pi2/state/.head-seen.json'
	row night 'held against no head record' 'echo garbage >pi2/state/.head-seen.json'
	row night 'is not the state that the head record names' 'seen ".record.change = null"'
	row night 'is not the state that the head record names' 'seen ".record.change.digest = \"00000000000000000000000000000000\""'
	row night 'is not the state that the head record names' 'noted ".is.epoch = 2"'
	[ "$(jq -r '[.serves, .n] | join(" ")' pi2/state/last-failover.json)" = 'night 2' ]
	[ "$(id -u)" -ne 0 ] || row night "another user's" 'chown 65534 "$follow/newest.db"'
	[ "$(id -u)" -ne 0 ] || row night 'lies where others than us write' 'chown 65534 "$follow"'
}

@test "followed: whatever else stands under the live name serves as it is" {
	table
	row is 'was written to, or put there' "sql \"\$copy\" \"UPDATE spots SET note = 'here' WHERE id = 1\""
	row is 'was written to, or put there' 'cp "$copy.prev" x.db; mv x.db "$copy"'
	row is 'was written to, or put there' 'cat "$copy.prev" >"$copy"; touch -r "$copy.prev" "$copy"'
	row is 'was written to, or put there' 'touch "$copy"'
	row is 'files of an application beside it' ': >"$copy-wal"'
	row is 'is of no known number' 'on_record ".n = null"'
	row is 'no record of its installation' 'rm pi2/state/installed.json'
	row is 'no record of its installation' 'echo garbage >pi2/state/installed.json'
	row is 'was put there by an earlier failover|put there by an earlier run' 'on_record ".content_hash = null | .digest = \"00\""'
	# of the old uploader nothing is followed, and nothing is said
	export CTV_CHANGES_EVERY=off
	row is 'FAILOVER COMPLETE' 'rm -r "$follow"'
	[[ $output != *newest.db* ]]
}

@test "followed: who holds it, what hangs and what dies costs seconds, and one of the two states serves" {
	table
	SECONDS=0
	row night 'another process holds it' 'coproc H { exec flock pi2/state/follow.lock sleep 100; }; eventually eval "! flock -n pi2/state/follow.lock true"'
	kill "$H_PID"
	row night 'it could not be installed' 'coproc H { exec sleep 100 <"$follow/newest.db"; }; eventually eval "! holders-check $follow/newest.db >/dev/null"'
	[[ $output == *'newest.db: in use by sleep'* ]]
	kill "$H_PID"
	row night 'it could not be installed' 'coproc H { exec sleep 100 <"$copy"; }; eventually eval "! holders-check $copy >/dev/null"'
	kill "$H_PID"
	[ "$SECONDS" -lt 120 ]
	row night 'it could not be installed' 'mkdir pi2/state/role.lock.d; rm -f pi2/state/role.lock; ln -s role.lock.d pi2/state/role.lock; fake mirror-role <<<"case \$1 in set) echo \$2 >$PWD/pi2/state/role ;; leave|mark) ;; *) exec \$real \"\$@\" ;; esac"'
	rm stubs/mirror-role
	hash -r
	row night 'newest-check gives no answer' 'fake newest-check <<<"exit 70"'
	row night 'newest-check gives no answer' 'fake newest-check <<<"kill -KILL \$\$"'
	rm stubs/newest-check
	hash -r
	row night 'it could not be installed' 'fake db-install <<<"kill -KILL \$\$"'
	row newest 'the newest state' 'fake db-install <<<"\$real \"\$@\"; exit 73"'
	row newest 'the newest state' 'fake db-install <<<"\$real \"\$@\"; kill -KILL \$\$"'
	rm stubs/db-install
	hash -r
	row night 'is half applied|not at its end' 'half_applied; fake db-apply <<<"kill -KILL \$\$"'
	rm stubs/db-apply
	hash -r
	# it cannot be stopped, but nothing of it runs now
	row newest 'the newest state' 'fake timeout <<<"case \$* in *ctv-*) exit 124 ;; esac; exec \$real \"\$@\""; printf "stop ctv-follow.service\nstart ctv-follow.service\n" >others'
}

# standing_by: a failover is over, by hand
standing_by() {
	echo standby >pi2/state/role
	echo inactive >unit
}

is_hash() { [ "$(sha256sum <"$1")" = "$2" ]; }

@test "followed: after a start that failed --last-night serves last night's copy, also twice, and what was written is kept" {
	table
	touch fails
	run failover
	expect 69 'hint: with --last-night it starts on last night'
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
	[ "$(tail -n 1 others)" = 'start ctv-follow.service' ]
	is_hash "$copy" "$newest"
	# the time of its data is not that of the file
	[ "$(date -u -r pi2/state/data-of +%FT%TZ)" = "$(jq -r .snapshot_at pi2/state/installed.json)" ]
	for n in 1 2; do
		run failover --last-night
		expect 69 'rolling back'
		[[ $output != *'with --last-night'* ]]
		is_hash "$copy" "$night"
		is_hash "$copy.prev" "$newest"
	done
	rm fails
	run failover --last-night
	expect 0 'FAILOVER COMPLETE'
	serves night
	[[ $output =~ 'lose what was entered since '.*' 0 h '[0-9]+' min' ]]
	[ -z "$(find pi2/data -name '*.kept-*')" ]

	# it was written to: nothing of that goes
	as_followed
	touch fails
	run failover
	expect 69
	sql "$copy" "UPDATE spots SET note = 'entered here' WHERE id = 1"
	rm fails
	run failover --last-night
	expect 0 'FAILOVER COMPLETE'
	serves night
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 1')" = 'entered here' ]
	# without anything to come back to it says so, and what is there stays
	standing_by
	sql "$copy" 'UPDATE spots SET note = 2 WHERE id = 1'
	run failover --last-night
	expect 66 "not last night's copy, as far as is on record"
	run failover --last-night --dry-run
	expect 66 'not ready'
}

@test "followed: who chooses a state on a host that is active, but down, gets it; on one that serves he is told what to stop" {
	table
	failover
	for choice in --last-night --newest; do
		run failover $choice
		expect 73 'serves here, and its database stays'
		[[ $output == *'svc-ctl stop '* ]]
		serves newest
	done
	sql "$copy" "UPDATE spots SET note = 'entered here' WHERE id = 1"
	echo inactive >unit
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --last-night --dry-run
	expect 0 'would come back'
	[ "$(cat pi2/state/role)" = active ]
	run failover --last-night
	expect 0 'FAILOVER COMPLETE'
	serves night
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 1')" = 'entered here' ]
}

@test "followed: what was deleted on the primary does not take the place of last night's, unless a person means it" {
	app_up
	minutes_minute 'DROP TABLE customers'
	CTV_CHANGES_EVERY=1m on pi2 follow-changes.sh --once
	run failover --dry-run
	[[ $output == *'newest.db would not be taken: no table customers'* ]]
	run failover --newest
	expect 65 'the newest state is not to be had: no table customers'
	run failover
	expect 0 'FAILOVER COMPLETE'
	[[ $output == *'newest.db is not taken: no table customers'* ]]
	[ "$(sha256sum <"$copy")" = "$night" ]
	[ -e "$follow/newest.db" ]
	# who says yes to it
	echo standby >pi2/state/role
	echo inactive >unit
	run failover --newest --yes
	expect 0 'FAILOVER COMPLETE'
	run ! sqlite3 "$copy" 'SELECT * FROM customers'
}

@test "followed: --newest takes it also in place of what a person put there, which is kept; what is no state it never takes" {
	table
	sql "$copy" "UPDATE spots SET note = 'by hand' WHERE id = 1"
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --newest --dry-run
	expect 0 'would take'
	run failover --newest
	expect 0 'FAILOVER COMPLETE'
	serves newest
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 1')" = 'by hand' ]
	# once more, as after a power cut
	standing_by
	run failover --newest
	expect 0 'was put there by an earlier run'
	serves newest

	as_followed
	truncate -s -4096 "$follow/newest.db"
	for dry in '' --dry-run; do
		run failover --newest $dry
		expect 65 'the newest state is not to be had: newest.db has another size'
	done
	is_hash "$copy" "$night"
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
	CTV_PRIMARY_URL=$CTV_STANDBY_URL run failover --newest --drill
	expect 65 'the newest state is not to be had: newest.db has another size'
	run failover --last-night --drill
	expect 64
	# where nothing stands it takes the name as well
	as_followed
	rm "$copy"
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves newest
}

@test "followed: whatever a failover to another state ends with, a host that was active stays so, and what was entered there its own" {
	table
	echo active >pi2/state/role
	sql "$copy" "INSERT INTO customers VALUES (77, 'an order')"
	for state in --last-night '--drill --newest'; do
		# shellcheck disable=SC2086  # words
		CTV_PRIMARY_URL=$CTV_STANDBY_URL run failover $state
		[ "$status" -eq 77 ] || expect 73 'is serving in place of'
		[ "$(cat pi2/state/role)" = active ]
	done
	rm -rf pi2/data/.follow
	run failover --newest
	expect 65 'the newest state is not to be had'
	[ "$(cat pi2/state/role)" = active ]
	run download
	expect 73
	[ "$(sql "$copy" 'SELECT count(*) FROM customers WHERE id = 77')" -eq 1 ]
}

@test "followed: what is suspect is a person's to take" {
	table
	seen '.record.suspect = {n: 3, why: "a page is odd"}'
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 0 'newest.db would not be taken: newest.db, state 3, is suspect: a page is odd'
	run failover --newest --yes
	expect 0 'is suspect: a page is odd. Take it all the same\? \[y/N\] yes'
	serves newest
	# --yes alone is about a database that is small or old
	as_followed
	seen '.record.suspect = {n: 3, why: "a page is odd"}'
	run failover --yes
	expect 0 'Take it all the same\? \[y/N\] no'
	serves night
}

@test "followed: a dry run says what would be taken and lost, and changes nothing; the 36 hours are those of what would serve" {
	table
	was=$(tree pi2/data; cat pi2/state/installed.json)
	coproc H { exec sleep 100 <"$copy"; }
	eventually eval "! holders-check $copy >/dev/null"
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 0 'would take newest.db, state 3, with all that was entered until'
	[[ $output =~ 'you would lose what was entered since '[0-9:]{8}': '[0-9]+' min '[0-9]+' s' ]]
	[[ $output == *"but $copy is in use by sleep"* ]]
	kill "$H_PID"
	[ ! -e others ]
	[ "$(tree pi2/data; cat pi2/state/installed.json)" = "$was" ]
	half_applied
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 0 'just being applied to'
	# last night's is three days old, the newest is not; and then it is
	as_followed
	touch -d '3 days ago' "$copy"
	on_record ".stamp = \"$(stamp_of "$copy")\" | .snapshot_at = \"$(date -u -d '3 days ago' +%FT%TZ)\""
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 0 'ready'
	seen '.record.confirmed_at = "2026-01-01T00:00:00Z"'
	noted '.is.snapshot_at = "2026-01-01T00:00:00Z"'
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 65 'newest.db is too old: of Thu 01 Jan, 00:00:00'
	rm -r "$follow"
	CTV_STANDBY_URL=http://127.0.0.1:9 run failover --dry-run
	expect 65 'not ready'
}

@test "followed: a drill leaves both as they were, and a failover after it takes the newest" {
	table
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	run failover --drill
	expect 0 'the drill has passed'
	is_hash "$copy" "$night"
	is_hash "$follow/newest.db" "$newest"
	[ "$(tail -n 1 others)" = 'start ctv-follow.service' ]
	export CTV_PRIMARY_URL=http://127.0.0.1:9
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves newest
	is_hash "$copy.prev" "$night"
}

@test "followed: a drill of the newest starts on a copy of it, and leaves everything as it was" {
	table
	export CTV_PRIMARY_URL=$CTV_STANDBY_URL
	over svc-ctl <<<"case \"\$*\" in *' start flaskapp.service') sha256sum <$copy >>$PWD/started_on ;; esac; exec \$real \"\$@\""
	prev=$(sha256sum <"$copy.prev")
	run failover --drill --newest
	expect 0 'the drill has passed'
	[ "$(sha256sum <"$copy.prev")" = "$prev" ]
	[ "$(sort -u started_on)" = "$newest" ]
	[ "$(jq -r '[.serves, .n] | join(" ")' pi2/state/last-drill.json)" = 'newest 3' ]
	is_hash "$copy" "$night"
	is_hash "$follow/newest.db" "$newest"
	[ ! -e pi2/data/.production.db.drill ]
	[ "$(tail -n 1 others)" = 'start ctv-follow.service' ]
	# which it is on record, too: the next failover takes the newest in its place
	CTV_PRIMARY_URL=http://127.0.0.1:9 run failover
	expect 0 'FAILOVER COMPLETE'
	serves newest
	is_hash "$copy.prev" "$night"

	# what was entered in it stays, and so does last night's; what could not be put back is not begun
	as_followed
	over svc-ctl <<<"case \"\$*\" in *' stop flaskapp.service') sqlite3 $copy \"UPDATE spots SET note = 'in the drill' WHERE id = 1\" ;; esac; exec \$real \"\$@\""
	run failover --drill --newest
	expect 0 'somebody has written to it'
	[ "$(sql "$copy" 'SELECT note FROM spots WHERE id = 1')" = 'in the drill' ]
	is_hash "$copy.prev" "$night"
	as_followed
	: >"$copy-wal"
	over svc-ctl <<<"case \"\$*\" in *' stop flaskapp.service') exit ;; esac; exec \$real \"\$@\""
	run failover --drill --newest
	expect 73 'a drill could not put it back'
	is_hash "$copy" "$night"
	[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
}

# dialogue LINE... -- OPTION...: a failover at a terminal, as terminal.py talks to it
dialogue() {
	: >talk
	while [ "$1" != -- ]; do
		printf '%s\n' "$1" >>talk
		shift
	done
	shift
	wrap=(env TERM=xterm python3 "$ROOT/tests/terminal.py" talk)
	run failover "$@"
	wrap=()
}

@test "followed: a person is told who holds it, and asked, as often as it is so; --yes asks nobody" {
	table
	coproc H { exec sleep 100 <"$copy"; }
	eventually eval "! holders-check $copy >/dev/null"
	dialogue 'expect in use by sleep .pid [0-9]+.\. Try once more\?.*\[y/N\]' 'send y\n' \
		'expect in use by sleep .pid [0-9]+.\. Try once more' "shell kill $H_PID" 'send y\n' --
	expect 0 'FAILOVER COMPLETE'
	serves newest
	as_followed
	coproc H { exec sleep 100 <"$follow/newest.db"; }
	eventually eval "! holders-check $follow/newest.db >/dev/null"
	dialogue 'expect in use by sleep' 'send n\n' --
	expect 0 'FAILOVER COMPLETE'
	serves night
	kill "$H_PID"
	as_followed
	coproc H { exec sleep 100 <"$follow/newest.db"; }
	eventually eval "! holders-check $follow/newest.db >/dev/null"
	run failover --yes
	expect 0 "in use by sleep .*\[y/N\] no \(not a terminal\)"
	serves night
	kill "$H_PID"
}

@test "followed: what is still being applied is waited for when a person wants that, who is told how long and for what" {
	table
	half_applied
	at=$(date -d "$(jq -r .target.snapshot_at "$follow/newest.db.note")" +%T)
	fake db-apply <<<"[ -e $PWD/tried ] || { touch $PWD/tried; exit 75; }; exec \$real \"\$@\""
	dialogue "expect newest.db: wait about 1 s for $at\? Otherwise last night's serves\. \[y/N\]" 'send y\n' --
	expect 0 'FAILOVER COMPLETE'
	serves newest
	rm tried
	as_followed
	half_applied
	dialogue 'expect wait about 1 s' 'send n\n' --
	expect 0 'newest.db is not taken: what was being applied is not at its end'
	serves night
	rm tried
	as_followed
	half_applied
	run failover
	expect 0 'wait about 1 s .* no \(not a terminal\)'
	serves night
	# that the log is no log time does not mend
	as_followed
	half_applied
	fake db-apply <<<'exit 65'
	run failover --yes
	expect 0 'newest.db is not taken'
	[[ $output != *'wait about'* ]]
	serves night
}

@test "followed: what a drill that was killed had put aside is gone after the next download, which brings last night's back" {
	app_up
	stub db-install <<<'"$real" "$@"; code=$?; case "$*" in "-k --quick "*) pkill -KILL -s 0 ;; esac; exit $code'
	wrap=(setsid -w env CTV_PRIMARY_URL="$CTV_STANDBY_URL")
	run failover --drill --newest
	wrap=()
	flock -w 20 pi2/state/operator.lock true
	is_hash "$copy" "$newest"
	is_hash pi2/data/.production.db.drill "$night"
	[ -e pi2/data/.production.db.drill.prev ]
	on pi2 daily-download.sh --dry-run
	[ -e pi2/data/.production.db.drill ]
	on pi2 daily-download.sh
	is_hash "$copy" "$night"
	is_hash "$(echo "$copy".kept-*)" "$newest"
	[ -z "$(find pi2/data -name '*drill*')" ]
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves newest
}

@test "followed: killed behind each program that it starts, the next run ends with the newest, and last night's before it" {
	table
	local tool n=0
	for tool in newest-check db-install mirror-role standby-check.sh svc-ctl flock; do
		mkdir -p killers
		cat >"killers/$tool" <<-END
			#!/bin/sh
			PATH=\${PATH#$PWD/killers:} i=1
			until mkdir $PWD/started/\$i 2>/dev/null; do i=\$((i + 1)); done
			$tool "\$@"
			code=\$?
			[ \$i -ne "\$(cat $PWD/kill_at)" ] || { touch $PWD/killed; pkill -KILL -s 0; }
			exit \$code
		END
		chmod +x "killers/$tool"
	done
	while n=$((n + 1)); do
		as_followed
		rm -rf killed started
		mkdir started
		echo $n >kill_at
		wrap=(setsid -w env PATH="$PWD/killers:$PATH")
		run failover
		wrap=()
		[ -e killed ] || break
		# what stands there is one of the two
		is_hash "$copy" "$night" || is_hash "$copy" "$newest"
		flock -w 20 pi2/state/operator.lock true
		run failover
		expect 0 'FAILOVER COMPLETE'
		serves newest
		is_hash "$copy.prev" "$night"
		[ -z "$(find pi2/data -name '*.kept-*')" ]
	done
	expect 0 'FAILOVER COMPLETE'
	echo "# $n points" >&3
	[ "$n" -gt 15 ]
}
