# daily-download.sh: the gate, the record, fetch if different, verify, install, age.

load helper
load hosts

setup() {
	hosts_start
}

teardown() {
	dropbox_stop
}

# publish: what daily-upload.sh does, in four short steps
publish() {
	{
		db-snapshot --json "$live" snapshot.db
		echo '{"check":"db-verify","state":"ok","level":"full"}'
		dbx-put --json -f snapshot.db /database.db
	} >upload.jsonl
	mirror-head publish --owner pi-ctv <upload.jsonl
}

# enter TEXT [FILE]: a new row, on the primary or in another database
enter() {
	sql "${2-$live}" "INSERT INTO spots (note) VALUES ('$1')"
}

has() {
	[ "$(sql "$1" "SELECT count(*) FROM spots WHERE note = '$2'")" = 1 ]
}

lacks() {
	[ "$(sql "$1" "SELECT count(*) FROM spots WHERE note = '$2'")" = 0 ]
}

# old_uploader FILE [TIME]: what the Python of before does: just the file, no record
old_uploader() {
	dropbox_seed "$1" /database.db "${2-}"
}

# untouched: pi2's data is what it was when `before` was taken
untouched() {
	[ "$(tree pi2/data)" = "$before" ]
}

# age_of_snapshot: the live file's time is the data's
dated() {
	[ "$(date -u -r "$copy" +%Y-%m-%dT%H:%M:%SZ)" = "$1" ]
}

@test "the first download installs what was published, dated by its data, and says so in the log and the records" {
	publish
	[ "$(id -u)" -ne 0 ] || chown 1234:1234 pi2/data
	run download
	expect 0 'the newest copy is installed'
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	taken=$(on pi2 mirror-head show -f snapshot_at)
	dated "$taken"
	[ "$(stat -c %u:%g "$copy")" = "$(stat -c %u:%g pi2/data)" ]
	[ "$(cd pi2/data && echo * .[!.]*)" = 'production.db .[!.]*' ]
	jq -e --arg t "$taken" '.epoch == 1 and .seq == 1 and .snapshot_at == $t and (.content_hash | length) == 64
		and (has("next_content_hash") | not)' pi2/state/installed.json
	jq -e '.result == "ok" and .exit == 0 and .seq == 1
		and ([.steps[].name] == ["role","record","fetch","verify","install","age"])' pi2/state/last-download.json
	grep -q 'step 4/6 verify: ok' pi2/log/download.log
}

@test "an unchanged day fetches nothing, replaces nothing and is not a failure" {
	publish
	download
	inode=$(stat -c %i "$copy")
	dropbox_control reset
	run download
	expect 0 'already the newest copy'
	[ "$(stat -c %i "$copy")" = "$inode" ]
	[ "$(bytes_of files/download rev: out)" -eq 0 ]
	[ "$(last pi2 download .result)" = unchanged ]
}

@test "the same content confirmed by a later snapshot is younger" {
	publish
	download
	dropbox_control put "$(on pi2 mirror-head show --json | jq -c '{path: "/mirror-head.json", text: (.seq += 1 | .head.snapshot_at = "2031-05-06T07:08:09Z" | tojson)}')" >/dev/null
	run download
	dated 2031-05-06T07:08:09Z
	[ "$(jq -r .seq pi2/state/installed.json)" -eq 2 ]
}

# confirmed_at TIME: a later number of the same content
confirmed_at() {
	dropbox_control put "$(on pi-ctv mirror-head show --json | jq -c --arg at "$1" '{path: "/mirror-head.json", text: (.seq += 1 | .head.snapshot_at = $at | tojson)}')" >/dev/null
}

@test "another member of the group gives it that age by an installation: not under an application's hands" {
	publish
	group_of pi2
	member irc
	download
	an_hour_ago=$(date -u -d '-1 hour' +%Y-%m-%dT%H:%M:%SZ)
	confirmed_at "$an_hour_ago"
	member nobody
	run download
	expect 0 'the installed copy is this one'
	expect 0 'install .* as .*production.db'
	dated "$an_hour_ago"
	[ "$(stat -c %U "$copy")" = nobody ]
	confirmed_at "$(date -u -d '-2 hours' +%Y-%m-%dT%H:%M:%SZ)"
	# an application that is started while the copy is made
	stub db-install <<-'END'
		"$real" "$@" || exit
		case $1 in --keep) sqlite3 "$BATS_TEST_TMPDIR/pi2/data/production.db" "INSERT INTO spots (note) VALUES ('order')" ;; esac
	END
	member irc
	chmod 666 "$copy"
	run download
	expect 75 'was written to meanwhile'
	has "$copy" order
}

@test "the copy before stays when another member of the group only gives it an age" {
	publish
	group_of pi2
	member irc
	download
	enter second
	publish
	download
	confirmed_at "$(date -u -d '-1 hour' +%Y-%m-%dT%H:%M:%SZ)"
	# what a copy that was killed left, of another user
	install -o irc -g "$(stat -c %g pi2/data)" -m 660 /dev/null pi2/data/..production.db.new.install
	member nobody
	run download
	expect 0 'is installed'
	[ "$(stat -c %U "$copy")" = nobody ]
	has "$copy" second
	run has "$copy.prev" second
	[ "$status" -ne 0 ]
	[ "$(cd pi2/data && echo * .[!.]*)" = 'production.db production.db.prev .[!.]*' ]
}

@test "a copy that has rotted on the disk is found and replaced, though the record is unchanged" {
	publish
	download
	printf 'x' | dd of="$copy" bs=1 seek=9000 conv=notrunc status=none
	run download
	expect 0 'is installed'
	[ "$(rows "$copy")" = "$(rows "$live")" ]
}

@test "the new copy replaces the old one, which stays as .prev, with its owner and mode" {
	publish
	download
	[ "$(id -u)" -ne 0 ] || chown 1234:1235 "$copy"
	chmod 0664 "$copy"
	rights=$(stat -c %u:%g:%a "$copy")
	old=$(rows "$copy")
	enter later
	publish
	run download
	expect 0
	has "$copy" later
	[ "$(rows "$copy.prev")" = "$old" ]
	[ "$(stat -c %u:%g:%a "$copy")" = "$rights" ]
}

@test "a host that serves by its role keeps its database: 73, and nothing is fetched" {
	publish
	download
	enter later
	publish
	echo active >pi2/state/role
	before=$(tree pi2/data)
	dropbox_control reset
	run download
	expect 73 'serving in place of the primary'
	untouched
	[ "$(dropbox_log | wc -l)" -eq 0 ]
	[ "$(last pi2 download '"\(.result) \(.exit) \(.step)"')" = 'failed 73 role' ]
}

@test "the primary does not download, an unknown role does not either, a missing one is taken as standby" {
	publish
	before=$(tree pi2/data)
	echo primary >pi2/state/role
	run on pi2 env CTV_NODE=pi-ctv daily-download.sh
	expect 77 'this is the primary'
	echo activ >pi2/state/role
	run download
	expect 78 'activ: neither standby, active nor primary'
	: >pi2/state/role
	untouched
	rm pi2/state/role
	run download
	expect 0 'no role file, taken as standby'
}

@test "a database that any process has open is not replaced, and the process is named" {
	publish
	download
	enter later
	publish
	before=$(tree pi2/data)
	mkfifo hold
	sql "$copy" 'BEGIN; SELECT count(*) FROM spots;' '.shell touch in; cat hold' >/dev/null 3>&- &
	writer=$!
	eventually [ -e in ]
	run download
	expect 73 'in use by sqlite3 \(pid [0-9]+\)'
	untouched
	: >hold
	wait "$writer"
	run download
	expect 0
	has "$copy" later
}

@test "an active unit keeps its database although the role says standby, and one whose state is unknown too" {
	may_mount
	publish
	download
	enter later
	publish
	before=$(tree pi2/data)
	stub svc-ctl <<'END'
[ "$1 $2" = "is-active flaskapp.service" ] || exit 64
case $(cat "$SVC_STATE") in
active) echo active ;;
activating | inactive) cat "$SVC_STATE"; exit 3 ;;
absent) echo "svc-ctl: no such unit" >&2; exit 4 ;;
*) exit 69 ;;
esac
END
	export SVC_STATE=$PWD/svc
	# a host that runs systemd, for this test only
	wrap=(unshare -m sh -c 'mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec "$@"' -)
	for state in active=73 activating=73 silent=69; do
		echo "${state%=*}" >svc
		run download
		expect "${state#*=}" 'flaskapp.service'
		untouched
	done
	for state in inactive absent; do
		echo $state >svc
		run download
		expect 0 'standby, flaskapp.service is inactive'
	done
}

@test "a failover that begins during the download wins: the database stays" {
	publish
	download
	enter later
	publish
	before=$(sha256sum <"$copy")
	stub dbx-fetch <<'END'
"$real" "$@" || exit
echo active >"$CTV_STATE_DIR/role"
END
	run download
	expect 73 'has begun to serve'
	[ "$(sha256sum <"$copy")" = "$before" ]
}

@test "what a drill writes during the download is not lost: the run steps back, the next one keeps it" {
	publish
	download
	enter later
	publish
	stub dbx-fetch <<'END'
"$real" "$@" || exit
[ -e drilled ] || sqlite3 "$DATABASE_PATH" "INSERT INTO spots (note) VALUES ('in the drill')"
: >drilled
END
	run download
	expect 75 'was written to meanwhile'
	has "$copy" 'in the drill'
	run download
	expect 0 'is kept'
	has "$(compgen -G "$copy.kept-*")" 'in the drill'
	has "$copy" later
}

@test "an older place in the record than the installed one is refused with 65, and --force takes it" {
	publish
	record=$(on pi2 mirror-head show --json)
	enter later
	publish
	download
	dropbox_control put "$(jq -nc --arg t "$record" '{path: "/mirror-head.json", text: $t}')" >/dev/null
	before=$(tree pi2/data)
	run download
	expect 65 'not believed: it is number 1.1 of pi-ctv, and 1.2 of pi-ctv was seen before'
	untouched
	# nor by a host whose memory is gone
	rm pi2/state/.head-seen.json
	run download
	expect 65 'number 1.1 is older than the installed 1.2'
	untouched
	# another epoch goes before any number
	dropbox_control put "$(jq -nc --arg t "$(jq -c '.epoch = 0 | .seq = 9' <<<"$record")" '{path: "/mirror-head.json", text: $t}')" >/dev/null
	run download
	[ "$status" -ne 0 ]
	untouched
	dropbox_control put "$(jq -nc --arg t "$record" '{path: "/mirror-head.json", text: $t}')" >/dev/null
	rm pi2/state/.head-seen.json
	run download --force
	expect 0 'is installed'
	lacks "$copy" later
}

@test "a record that has vanished stops the mirror with 65 instead of going back to guessing" {
	publish
	download
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	enter later
	old_uploader "$live"
	before=$(tree pi2/data)
	run download
	expect 65 'not believed: it is gone, and number 1.1 of pi-ctv was seen before'
	expect 65 'hint: .*mirror-head anew --owner NAME'
	untouched
	# nor by a host whose memory is gone
	mv pi2/state/.head-seen.json .
	run download
	expect 65 'no copy is on record any more'
	untouched
	# a person who means it is obeyed
	mv .head-seen.json pi2/state
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	old_uploader "$live"
	run download --force
	expect 0 'is installed'
}

@test "without a record the file of the old uploader is taken as it is, verified in full, and that is said" {
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	at=$(date -u -d '-1 hour' +%Y-%m-%dT%H:%M:%SZ)
	old_uploader "$live" "$at"
	run download
	expect 0 'no copy on record: /database.db is taken as it is'
	expect 0 'verify .*full'
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	dated "$at"
	jq -e '.epoch == null and .seq == null' pi2/state/installed.json
}

@test "what the record proves is not proved again: quick after a full verification, full after any other" {
	publish
	run download
	expect 0 'verify .*quick'
	enter later
	publish
	dropbox_control put "$(on pi2 mirror-head show --json | jq -c '{path: "/mirror-head.json", text: (.seq += 1 | .head.verified = "quick" | tojson)}')" >/dev/null
	run download
	expect 0 'verify .*full'
}

@test "a damaged, strange, small or empty file never takes the live name: 65 and the reason" {
	publish
	download
	rm pi2/state/installed.json pi2/state/.head-seen.json
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	size=$(stat -c %s "$live")
	before=$(sha256sum <"$copy")
	make_db other.db
	sql other.db 'DROP TABLE spots; PRAGMA journal_mode = DELETE' >/dev/null
	for damage in truncated extended flipped zeroed html empty random other few unindexed; do
		cp "$live" bad
		case $damage in
		truncated) truncate -s $((size - 4096)) bad ;;
		extended) head -c 4096 /dev/zero >>bad ;;
		flipped) printf '\377\377\377' | dd of=bad bs=1 seek=$((4096 * 3)) conv=notrunc status=none ;;
		zeroed) dd if=/dev/zero of=bad bs=4096 seek=4 count=1 conv=notrunc status=none ;;
		html) printf '<html>%60000s</html>' x >bad ;;
		empty) : >bad ;;
		random) head -c 60000 /dev/urandom >bad ;;
		other) cp other.db bad ;;
		few) sql bad 'DELETE FROM spots WHERE id > 5' 'VACUUM' ;;
		unindexed) unindex bad && db-verify bad ;;
		esac
		old_uploader bad
		run download
		if [ "$status" -ne 65 ] || [ "$(sha256sum <"$copy")" != "$before" ]; then
			echo "$damage: $status: $output"
			return 1
		fi
		[ "$(last pi2 download '"\(.exit) \(.step)"')" = '65 verify' ]
	done
	# and the next good one does
	old_uploader "$live"
	run download
	expect 0
}

@test "a revision that is not what the record says is refused" {
	publish
	dropbox_control put "$(on pi2 mirror-head show --json | jq -c '{path: "/mirror-head.json", text: (.seq += 1 | .head.content_hash = ("0" * 64) | tojson)}')" >/dev/null
	run download
	expect 65 'is not what the record says'
	[ ! -e "$copy" ]
}

@test "what was written here since the last download is kept before it is replaced, once, and for good" {
	publish
	download
	enter 'in the failover' "$copy"
	for day in 1 2 3; do
		enter "later $day"
		publish
		run download
		expect 0
		has "$copy" "later $day"
		lacks "$copy" 'in the failover'
	done
	compgen -G "$copy.kept-*" >kept
	[ "$(wc -l <kept)" -eq 1 ]
	has "$(cat kept)" 'in the failover'
	[ "$(sql "$(cat kept)" 'PRAGMA integrity_check')" = ok ]
}

@test "two writes of one second, with a download between them, are kept under two names" {
	publish
	download
	for note in first second first; do
		sql "$copy" "INSERT INTO spots (note) VALUES ('$note')"
		touch -d @1700000000 "$copy"
		enter "after $note"
		publish
		run download
		expect 0 'is kept'
	done
	name=$copy.kept-20231114_221320
	has "$name" first
	has "$name.2" second
	has "$name.3" first
	lacks "$name" second
	[ "$(compgen -G "$copy.kept-*" | wc -l)" -eq 3 ]
}

@test "a WAL that a crashed application left goes with its database, and never into the new one" {
	publish
	download
	sql "$copy" 'PRAGMA journal_mode = WAL' >/dev/null
	crashed_writer "$copy" "INSERT INTO spots (note) VALUES ('only in the WAL')"
	enter later
	publish
	run download
	expect 0 'is kept'
	[ ! -e "$copy-wal" ]
	has "$copy" later
	lacks "$copy" 'only in the WAL'
	[ "$(sql "$copy" 'PRAGMA integrity_check')" = ok ]
	has "$(compgen -G "$copy.kept-*_??????")" 'only in the WAL'
}

@test "the WAL of a crashed application makes the copy different from the record, though its bytes are the same" {
	publish
	download
	sql "$copy" 'PRAGMA journal_mode = WAL' >/dev/null
	cp -p "$copy" wal-mode.db
	old_uploader wal-mode.db
	enter 'in the WAL' "$copy"
	crashed_writer "$copy" "INSERT INTO spots (note) VALUES ('x')"
	publish
	run download
	expect 0 'is kept'
	[ ! -e "$copy-wal" ]
}

@test "an interrupted download ends with 75 and goes on where it was" {
	rm "$live"*
	make_db "$live" 300000
	publish
	size=$(stat -c %s "$live")
	dropbox_fault '{"route":"files/download","kind":"stall","match":"rev:","after":4,"count":-1}'
	download >first.out 2>&1 3>&- &
	dropbox_control wait '{"stalled":1,"seconds":60}'
	stop_run pi2
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	[ "$(last pi2 download '"\(.result) \(.exit) \(.step)"')" = 'interrupted 75 fetch' ]
	[ ! -e "$copy" ]
	dropbox_control reset
	run download
	expect 0
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	[ "$(bytes_of files/download rev: out)" -lt "$size" ]
	[ "$(cd pi2/data && echo * .[!.]*)" = 'production.db .[!.]*' ]
}

@test "what one member of the group began, killed or not, another goes on with or begins anew" {
	rm "$live"*
	make_db "$live" 300000
	publish
	group_of pi2
	for first in irc root; do
		member $first
		dropbox_fault '{"route":"files/download","kind":"stall","match":"rev:","after":4,"count":-1}'
		download >first.out 2>&1 3>&- &
		dropbox_control wait '{"stalled":1,"seconds":60}'
		stop_run pi2
		wait $! || true
		[ -e pi2/data/..production.db.new.part.map ]
		# a killed run leaves these too
		: >pi2/state/last-download.json.tmp
		: >pi2/state/installed.json.tmp
		echo x >pi2/data/.production.db.install
		chown $first:irc pi2/state/*.tmp pi2/data/.production.db.install
		chmod 644 pi2/state/*.tmp
		chmod 660 pi2/data/.production.db.install
		dropbox_control reset >/dev/null
		member nobody
		run download
		expect 0 'is installed'
		rm "$copy"
		chown -R irc pi2
	done
	[ -z "$(find pi2/data -name '.*.new*' -o -name '.*.install')" ]
}

@test "a copy that another member of the group fetched and could not install is no obstacle" {
	publish
	download
	enter new
	publish
	group_of pi2
	member irc
	stub db-install <<<'exit 74'
	run download
	expect 74
	rm "$BATS_TEST_TMPDIR/stubs/db-install"
	member nobody
	run download
	expect 0 'is installed'
	has "$copy" new
}

@test "what was fetched by a run that could not install it is not fetched again" {
	publish
	stub db-install <<'END'
echo "db-install: busy" >&2
exit 73
END
	run download
	expect 73 'db-install: busy'
	rm stubs/db-install
	hash -r
	dropbox_control reset
	run download
	expect 0 'was fetched by an earlier run'
	[ "$(bytes_of files/download rev: out)" -eq 0 ]
}

@test "killed between the installation and its record, the next run sets it right" {
	publish
	download
	enter later
	publish
	stub db-install <<'END'
"$real" "$@" || exit
kill -KILL $PPID
END
	run download
	[ "$status" -ne 0 ]
	[ "$(last pi2 download .result)" = failed ]
	rm stubs/db-install
	hash -r
	run download
	expect 0 'already the newest copy'
	[ "$(jq -r '"\(.epoch).\(.seq)"' pi2/state/installed.json)" = 1.2 ]
	# and what is known as ours is not kept as if it had been written here
	enter again
	publish
	run download
	expect 0
	[ -z "$(compgen -G "$copy.kept-*")" ]
}

@test "killed between the two and replaced by a newer copy before the next run, it is not kept either" {
	publish
	download
	enter later
	publish
	stub db-install <<'END'
"$real" "$@" || exit
kill -KILL $PPID
END
	run download
	rm stubs/db-install
	hash -r
	enter again
	publish
	run download
	expect 0 'is installed'
	[ -z "$(compgen -G "$copy.kept-*")" ]
}

@test "data older than 36 hours is installed all the same, and the run says 75 and why" {
	publish
	dropbox_control put "$(on pi2 mirror-head show --json | jq -c '{path: "/mirror-head.json", text: (.seq += 1 | .head.snapshot_at = "2026-01-02T03:04:05Z" | tojson)}')" >/dev/null
	run download
	expect 75 'AGE CRITICAL'
	dated 2026-01-02T03:04:05Z
	[ "$(rows "$copy")" = "$(rows "$live")" ]
	[ "$(last pi2 download .exit)" -eq 75 ]
}

@test "--from installs a named backup, and the next night brings the newest again" {
	publish
	dbx-cp /database.db /backups/database_backup_20261101_020500.db
	enter later
	publish
	download
	run download --from /backups/database_backup_20261101_020500.db
	expect 0 'is installed'
	expect 0 'verify .*full'
	lacks "$copy" later
	run download
	expect 0
	has "$copy" later
}

@test "--file installs a copy of that file, through the same gates, and waits for a look that is under way" {
	sqlite3 "$live" "VACUUM INTO 'mine.db'"
	touch -d 2026-11-20T10:00:00Z mine.db
	run on pi-ctv daily-download.sh --file mine.db
	expect 0 'data of 2026-11-20T10:00:00Z'
	expect 0 'verify .*full'
	cmp mine.db "$live"
	[ "$(jq -r '"\(.rev) \(.n) \(.epoch)"' pi-ctv/state/installed.json)" = 'file null null' ]
	exec 5<"$live"
	run on pi-ctv daily-download.sh --file mine.db
	[ "$status" -eq 73 ] || expect 0 'already'
	exec 5<&-
	# a look has the lock for a moment
	mkdir pi-ctv/state/changes
	mkfifo ready
	coproc LOOK { exec flock pi-ctv/state/changes/state.db.lock sh -c 'echo >ready; cat'; }
	read -r _ <ready
	stub flock <<-'END'
		echo "$*" >"$BATS_TEST_TMPDIR/waited"
		exec "$real" -w 0 "${@: -1}"
	END
	sed -i '1s,.*,#!/bin/bash,' stubs/flock
	sqlite3 mine.db "INSERT INTO spots (note) VALUES ('more')"
	run on pi-ctv daily-download.sh --file mine.db
	expect 75 'state.db.lock: held for a minute by a look'
	[ "$(cat waited)" = '-w 60 9' ]
	kill "$LOOK_PID"
	rm stubs/flock
	echo log >mine.db-wal
	run on pi-ctv daily-download.sh --file mine.db
	expect 65 'mine.db-wal: is part of the database'
	rm mine.db-wal
	ln -s mine.db link.db
	run on pi-ctv daily-download.sh --file link.db
	expect 66 'a symbolic link'
	head -c 60000 /dev/urandom >bad
	run on pi-ctv daily-download.sh --file bad
	expect 65
	run on pi-ctv daily-download.sh --file none
	expect 66
	run on pi-ctv daily-download.sh --file mine.db --from /x
	expect 64 'not both'
}

@test "a dry run changes nothing and tells what a run would do" {
	publish
	before=$(tree pi2)
	run download --dry-run
	expect 0 'ready: a run would install'
	[ "$(tree pi2)" = "$before" ]
	[ "$(bytes_of files/download rev: out)" -eq 0 ]
	download
	before=$(tree pi2)
	run download -n
	expect 0 'already the newest'
	[ "$(tree pi2)" = "$before" ]
	echo active >pi2/state/role
	run download -n
	expect 73
}

@test "a full disk ends with 74, whatever has to be written, and the old copy stays" {
	may_mount
	publish
	download
	enter later
	publish
	rm -f pi2/data/.production.db.new
	size=$(stat -c %s "$copy")
	for room in 0 16384 $((size - 8192)) $((size + 4096)); do
		run on pi2 unshare -m sh -c "cp -a pi2/data saved.$room && mount -t tmpfs -o size=$((size + room + 8192)) none pi2/data &&
			cp -a saved.$room/. pi2/data && sha256sum <pi2/data/production.db >was &&
			{ daily-download.sh; code=\$?; sha256sum <pi2/data/production.db >is; exit \$code; }"
		if [ "$room" -le "$((size - 8192))" ]; then
			expect 74
			cmp was is
		fi
	done
	run download
	expect 0
}

@test "without Dropbox it ends with 69, and the copy stays" {
	publish
	download
	before=$(tree pi2/data)
	# as it ends when all its tries are over; daily-upload.bats waits for the real thing
	stub mirror-head <<'END'
echo "mirror-head: /mirror-head.json: no answer" >&2
exit 69
END
	run download
	expect 69 'mirror-head: /mirror-head.json: no answer'
	untouched
	[ "$(last pi2 download '"\(.result) \(.step)"')" = 'failed record' ]
}

@test "a limit of the age below a day leaves no room for a warning, and is one" {
	publish
	export CTV_MAX_AGE=12h
	run download
	expect 0
	touch -d '-13 hours' "$live"
	enter x
	publish
	run download
	expect 0
}

@test "the code is none of its business: a clone stays as it is, with --no-code and without" {
	mkdir -p pi2/app/.git
	stub git <<<'echo "$*" >>"$BATS_TEST_TMPDIR/git"'
	publish
	download
	run download --no-code
	expect 0
	[ ! -e git ]
}

@test "--wait returns as soon as there is news, and does not wait for what is there" {
	publish
	run download --wait 1h
	expect 0 'is installed'
	# the same record: it waits, and the stub brings the news
	enter later
	stub mirror-head <<END
case \$1 in wait) ;; *) exec "\$real" "\$@" ;; esac
echo "\$*" >>waits
[ ! -e waited ] || exit 75
: >waited
export DATABASE_PATH=$live CTV_NODE=pi-ctv CTV_STATE_DIR=$PWD/pi-ctv/state CTV_LOG_DIR=$PWD/pi-ctv/log
exec daily-upload.sh
END
	run download --wait 2m
	expect 0 'waiting for a newer copy'
	has "$copy" later
	# no news: it goes on when the time is over
	run download --wait=90s
	expect 0 'already the newest copy'
	[ "$(cat waits)" = 'wait --newer 1.1 --timeout 2m
wait --newer 1.2 --timeout 90s' ]
}

@test "bad command lines and settings end with a code and the cause" {
	publish
	while IFS='|' read -r code args message; do
		# shellcheck disable=SC2086
		run download $args
		expect "$code" "$message"
	done <<'END'
64|-x|-x: unknown option
64|extra|extra: no operand is taken
64|-- extra|extra: no operand is taken
64|--wait|--wait: a duration is missing
64|--wait 5d|--wait: 5d: not a duration
64|--wait h|--wait: h: not a duration
64|--wait -1|--wait: -1: not a duration
64|--wait 1h30m|--wait: 1h30m: not a duration
64|--wait=x|--wait: x: not a duration
64|--from|--from: a path is missing
64|--no-code=1|unknown option
66|--from /backups/none.db|
64|--from none.db|
END
	while IFS='|' read -r code setting message; do
		run on pi2 env "$setting" daily-download.sh
		expect "$code" "$message"
	done <<'END'
73|DATABASE_PATH=/nonexistent/production.db|/nonexistent: no such directory
78|DATABASE_PATH=relative.db|not an absolute path
78|CTV_STATE_DIR=relative|not an absolute path
73|CTV_STATE_DIR=/proc/nothing|/proc/nothing: cannot create
77|DROPBOX_REFRESH_TOKEN=wrong|
78|DROPBOX_API_URL=http://192.0.2.1|
78|CTV_ENV_FILE=/dev/null/x|
END
	[ ! -e "$copy" ]
	run download --help
	expect 0 '^usage: daily-download.sh'
}

# by_timer: as systemd starts it for its timer, systemd.exec(5)
by_timer() {
	on pi2 env TRIGGER_UNIT=ctv-pi2-download.timer daily-download.sh
}

@test "a timer's start ends after one request when nothing is new, and a person's looks at everything" {
	upload >log
	run by_timer
	expect 0 'is installed'
	record=$(cat pi2/state/last-download.json)
	dropbox_control reset
	run by_timer
	expect 0 "^nothing is new since this night's download$"
	[ "$(dropbox_log 'select(.route | startswith("files/"))' | wc -l)" -eq 1 ]
	[ "$(cat pi2/state/last-download.json)" = "$record" ]
	run download
	expect 0 'already the newest copy'
	# what was written here is no copy of last night's
	sql "$copy" "INSERT INTO spots (note) VALUES ('here')"
	run by_timer
	expect 0 'is installed'
	# while it serves a timer has nothing to bring, which is no alarm, and a person is told
	sql "$copy" "INSERT INTO spots (note) VALUES ('served')"
	echo active >pi2/state/role
	dropbox_control reset
	run by_timer
	expect 0 '^this host is serving in place of the primary; its database stays$'
	[ -z "$(dropbox_log)" ]
	run download
	expect 73 'this host is serving'
}

# published: with a look of the primary on record, and a second later
published() {
	mkdir pi-ctv/state/changes
	CTV_CHANGES_EVERY=1m upload >log
	download >>log
	confirmed=$(on pi2 mirror-head show -n -f confirmed_at)
	until [[ $(date -u -d '-1 second' +%FT%TZ) > $confirmed ]]; do sleep 0.02; done
}

# given_back TIME: what was entered here when it served, until then
given_back() {
	sql "$copy" "INSERT INTO spots (note) VALUES ('here')"
	echo served >pi2/state/data-of
	touch -d "$1" pi2/state/role
}

@test "a timer's start after a failback leaves what was entered here until the primary has looked since; a person's does not" {
	published
	given_back now
	run -0 by_timer
	expect 0 '^what was entered here stays until the primary has said what it has$'
	[ "$(sql "$copy" "SELECT count(*) FROM spots WHERE note = 'here'")" -eq 1 ]
	# nor has it looked where Dropbox does not say what time it is
	stub mirror-head <<-'END'
		code=0
		said=$("$real" "$@") || code=$?
		printf '%s\n' "$said" | sed "s/^record_asked_at=.*/record_asked_at=''/"
		exit $code
	END
	run -0 by_timer
	expect 0 '^what was entered here stays until the primary has said what it has$'
	rm stubs/mirror-head
	hash -r
	given_back "$confirmed - 1 hour"
	run -0 by_timer
	expect 0 'is installed'
	given_back now
	run -0 download
	expect 0 'is installed'
	# who publishes nights alone says nothing else
	on pi-ctv mirror-head publish --owner pi-ctv --confirm null
	given_back now
	run -0 by_timer
	expect 0 'is installed'
}

@test "a failback by a clock that was ahead, and is put right since, keeps no night away; a wrong one now hides none" {
	published
	given_back 'now + 1 day'
	# as far as Dropbox knows it was this day
	dropbox_control clock '{"advance":100000}' >/dev/null
	run -0 by_timer
	expect 0 '^what was entered here stays until the primary has said what it has$'
	dropbox_control clock '{"advance":-200000}' >/dev/null
	touch pi2/state/role
	run -0 by_timer
	expect 0 '^what was entered here stays until the primary has said what it has$'
	dropbox_control clock '{"advance":100000}' >/dev/null
	touch -d 'now + 1 day' pi2/state/role
	run -0 by_timer
	expect 0 'is installed'
	[ "$(sql "$copy".kept-* "SELECT count(*) FROM spots WHERE note = 'here'")" -eq 1 ]
}

@test "a copy that was refused is not fetched again by the timer before another is on record" {
	unindex "$live"
	stub db-verify <<'END'
case $* in *upload.db*) set -- -l header --json "$PWD/pi-ctv/state/upload.db" ;; esac
exec "$real" "$@"
END
	upload >log || true
	rm -f stubs/db-verify
	hash -r
	run by_timer
	expect 65 'index'
	dropbox_control reset
	run by_timer
	expect 65 'index'
	expect 65 'hint: not tried again before the next night'
	[ "$(dropbox_log 'select(.route | startswith("files/"))' | wc -l)" -eq 1 ]
	sql "$live" REINDEX
	upload >log
	run by_timer
	expect 0 'is installed'
}

@test "a verification that does not end in its time is tried again, and is no failed disk" {
	upload
	stub db-verify <<-'END'
		case " $* " in *' -l quick '*) ;; *) exec "$real" "$@" ;; esac
		printf "verify_verdict='unknown'\nverify_text='x: not finished within the time allowed (quick)'\n"
		exit 3
	END
	run download
	expect 75 'db-verify: x: not finished within the time allowed'
}

@test "a database that is a link is refused before anything is fetched, by the dry run as by the run, with what helps" {
	upload
	download
	mkdir ssd
	mv "$copy" ssd/
	ln -s "$PWD/ssd/production.db" "$copy"
	sql "$live" "INSERT INTO spots (note) VALUES ('y')"
	upload
	dropbox_control reset
	for dry in --dry-run ''; do
		# shellcheck disable=SC2086  # no word at all
		run download $dry
		expect 73 "production.db: a symbolic link to $PWD/ssd/production.db"
		expect 73 "hint: DATABASE_PATH=$PWD/ssd/production.db in .*, and ReadWritePaths=$PWD/ssd "
	done
	[ "$(dropbox_log 'select(.route | startswith("files/"))' | wc -l)" -eq 0 ]
	run on pi2 cli-db-sync.sh info
	expect 0 'a symbolic link to .*: nothing can be installed there'
	run on pi2 ctv-doctor.sh database
	expect 2 'a symbolic link to'
	run on pi2 env DATABASE_PATH="$PWD/ssd/production.db" daily-download.sh
	expect 0 'is installed'
}
