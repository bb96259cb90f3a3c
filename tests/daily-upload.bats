# daily-upload.sh: snapshot, verify, put, backup, publish, prune; by the owner only, and resumable.

load helper
load hosts

setup() {
	hosts_start
}

teardown() {
	dropbox_stop
}

backups() {
	local page
	page=$(dropbox_api files/list_folder '{"path":"/backups"}')
	# a page may be empty and still not be the last
	while jq -r '.entries[].name' <<<"$page" && [ "$(jq .has_more <<<"$page")" = true ]; do
		page=$(dropbox_api files/list_folder/continue "$(jq -c '{cursor}' <<<"$page")")
	done | sort
}

uploads() {
	echo $(($(dropbox_calls files/upload) + $(dropbox_calls files/upload_session/finish)))
}

# claimed_by NAME: another host has become the owner
claimed_by() {
	on pi2 mirror-head claim --owner "$1" >/dev/null
}

@test "the first run publishes the database, keeps a dated backup, makes the head record and leaves no snapshot behind" {
	run upload
	expect 0 'published: /database.db'
	dropbox_get /database.db >got.db
	[ "$(rows got.db)" = "$(rows "$live")" ]
	# a plain file in rollback-journal mode: no side files are needed
	[ "$(od -An -tx1 -j18 -N2 got.db)" = ' 01 01' ]
	on pi2 mirror-head show >head
	grep -qx owner=pi-ctv head && grep -qx epoch=1 head && grep -qx seq=1 head && grep -qx verified=full head
	taken=$(sed -n 's/^snapshot_at=//p' head)
	[ "$(backups)" = "database_backup_$(date -u -d "$taken" +%Y%m%d_%H%M%S).db" ]
	[ "$(dropbox_api files/get_metadata '{"path":"/database.db"}' | jq -r .client_modified)" = "$taken" ]
	[ "$(cd pi-ctv/state && echo *)" = 'last-upload.json lock news role' ]
	jq -e --arg t "$taken" '.result == "ok" and .exit == 0 and .published and .snapshot_at == $t and .seq == 1
		and ([.steps[].name] == ["owner","snapshot","verify","put","backup","publish","prune"])' pi-ctv/state/last-upload.json
	grep -q 'step 7/7 prune: ok' pi-ctv/log/upload.log
}

@test "that nothing is there is no complaint before the first record, and one behind it" {
	run upload
	expect 0
	[[ $output != *'not found'* ]]
	dbx-rm /database.db
	run upload
	expect 0 'dbx-ls: /database.db: not found'
	dropbox_fault '{"route":"files/get_metadata","kind":"503-empty","match":"database.db","count":-1}'
	run upload
	expect 69 'dbx-ls: /database.db: '
}

@test "what is published while the application writes is one moment of it, and nothing is lost on either side" {
	(
		i=0
		while [ ! -e enough ]; do
			i=$((i + 1))
			echo "BEGIN; INSERT INTO spots (note) VALUES ('pair $i a'); INSERT INTO spots (note) VALUES ('pair $i b'); COMMIT;"
			sleep 0.01
		done
	) | sql "$live" &
	writer=$!
	eventually [ -s "$live-wal" ]
	run upload
	: >enough
	wait "$writer"
	expect 0
	dropbox_get /database.db >got.db
	[ "$(sql got.db 'PRAGMA integrity_check')" = ok ]
	n=$(sql got.db "SELECT count(*) FROM spots WHERE note LIKE 'pair%'")
	[ $((n % 2)) -eq 0 ]
	last=$(sql got.db 'SELECT max(id) FROM spots')
	[ "$(sql "$live" "SELECT count(*), sum(id) FROM spots WHERE id <= $last")" = "$(sql got.db 'SELECT count(*), sum(id) FROM spots')" ]
}

@test "the live database and its side files are only read" {
	sql "$live" "INSERT INTO spots (note) VALUES ('x')" '.shell true'
	exec 5<>"$live-shm" || true
	before=$(sha256sum <"$live")
	run upload
	expect 0
	[ "$(sha256sum <"$live")" = "$before" ]
}

@test "an unchanged database is not sent twice, but confirmed: the record moves on" {
	upload
	dropbox_control reset
	# a snapshot of the same second is the same one
	next_second
	run upload
	expect 0 'has this content already'
	[ "$(bytes_of files/upload database in)" -eq 0 ]
	[ "$(dropbox_calls files/upload_session/start)" -eq 0 ]
	[ "$(on pi2 mirror-head show -f seq)" -eq 2 ]
}

@test "who is not the owner in the head record publishes nothing, says that it is fenced, and keeps its data" {
	upload
	rev=$(head_rev)
	claimed_by pi2
	sql "$live" "INSERT INTO spots (note) VALUES ('entered by a returned primary')"
	before=$(rows "$live")
	dropbox_control reset
	run upload
	expect 77 'this host \(pi-ctv\) is fenced: pi2 has owned the record since epoch 2'
	[ "$(uploads)" -eq 0 ]
	[ "$(head_rev)" = "$rev" ]
	[ "$(rows "$live")" = "$before" ]
	[ "$(last pi-ctv upload '"\(.result) \(.exit) \(.step)"')" = 'failed 77 owner' ]
}

@test "an owner that changes while the snapshot is taken is seen before anything is sent" {
	upload
	rev=$(head_rev)
	stub db-snapshot <<'END'
mirror-head claim --owner pi2 >/dev/null
exec "$real" "$@"
END
	sql "$live" "INSERT INTO spots (note) VALUES ('late')"
	dropbox_control reset
	run upload
	expect 77 'fenced'
	[ "$(dropbox_api files/get_metadata '{"path":"/database.db"}' | jq -r .rev)" = "$rev" ]
}

@test "an owner that changes after the upload is refused by the record itself: the standby does not follow" {
	upload
	rev=$(head_rev)
	stub dbx-cp <<'END'
mirror-head claim --owner pi2 >/dev/null
exec "$real" "$@"
END
	sql "$live" "INSERT INTO spots (note) VALUES ('late')"
	run upload
	expect 77 'pi2 is the owner'
	[ "$(head_rev)" = "$rev" ]
	# and nothing was pruned
	[ "$(dropbox_calls files/delete_v2)" -eq 0 ]
}

@test "a file that somebody else puts there during the upload is not overwritten" {
	upload
	stub db-snapshot <<END
curl -sS --data-binary '{"path":"/database.db","text":"of somebody else"}' "$DROPBOX_API_URL/control/put" >&2
exec "\$real" "\$@"
END
	sql "$live" "INSERT INTO spots (note) VALUES ('late')"
	run upload
	[ "$status" -ne 0 ]
	[ "$(dropbox_get /database.db)" = 'of somebody else' ]
	[ "$(last pi-ctv upload .step)" = put ]
}

@test "a standby does not upload, and an unknown role does not either" {
	echo standby >pi-ctv/state/role
	run on pi-ctv env CTV_NODE=pi2 daily-upload.sh
	expect 77 'this is the standby'
	# by its name it is the primary, by its role it is not: an env file of the other host
	run upload
	expect 78 'CTV_NODE: pi-ctv is the primary.s name, and this host is the standby'
	expect 78 '^hint: CTV_NODE='
	echo primry >pi-ctv/state/role
	run upload
	expect 78 'primry: neither standby, active nor primary'
	[ "$(uploads)" -eq 0 ]
}

@test "a damaged database is not published, and the next run looks at it afresh" {
	upload
	rev=$(head_rev)
	rm "$live"*
	make_db "$live" 3000
	sql "$live" 'PRAGMA journal_mode = DELETE' >/dev/null
	cp "$live" good
	printf 'damage!' | dd of="$live" bs=1 seek=$((4096 * 20 + 3)) conv=notrunc status=none
	dropbox_control reset
	run upload
	expect 65 'db-verify|db-snapshot'
	[ "$(uploads)" -eq 0 ]
	[ "$(head_rev)" = "$rev" ]
	cp good "$live"
	run upload
	expect 0
}

@test "an index that disagrees with its table is found before anything is published" {
	unindex "$live"
	run upload
	expect 65 'db-verify: .*index spots_note: 1 row is missing from it'
	[ "$(uploads)" -eq 0 ]
	run ! on pi2 mirror-head show
}

@test "a database that is too small or without its tables is not the right one" {
	MIN_SIZE=100M run upload
	expect 65 'db-verify'
	TABLES='spots payments' run upload
	expect 65 'payments'
	TABLES='spots:100000' run upload
	expect 65 'spots'
	[ "$(uploads)" -eq 0 ]
}

@test "a run that was killed during the upload is taken up with the same snapshot, and sends only the rest" {
	rm "$live"*
	make_db "$live" 300000
	size=$(stat -c %s "$live")
	[ "$size" -gt $((16 << 20)) ]
	# the third part stands still until the run is dead
	dropbox_fault '{"route":"files/upload_session/append_v2","kind":"stall","after":2,"count":-1}'
	on pi-ctv setsid daily-upload.sh >first.out 2>&1 3>&- &
	dropbox_control wait '{"stalled":1,"seconds":60}'
	power_cut pi-ctv
	wait $! || true
	[ "$(last pi-ctv upload .result)" = running ]
	sent=$(bytes_of files/upload_session/append_v2 . in)
	taken=$(jq -r 'select(.snapshot_at).snapshot_at' pi-ctv/state/upload.jsonl | head -n 1)
	dropbox_control reset
	sql "$live" "INSERT INTO spots (note) VALUES ('after the snapshot')"
	run upload
	expect 0 "goes on with the one of $taken"
	expect 0 'passed before the interruption'
	[ "$(bytes_of files/upload_session/append_v2 . in)" -lt "$size" ]
	[ "$(on pi2 mirror-head show -f snapshot_at)" = "$taken" ]
	dropbox_get /database.db >got.db
	[ "$(sql got.db "SELECT count(*) FROM spots WHERE note LIKE 'after%'")" -eq 0 ]
}

@test "a signal ends the upload at once with 75, and the next run goes on" {
	dropbox_fault '{"route":"files/upload","kind":"stall","match":"database"}'
	dropbox_fault '{"route":"files/upload_session/start","kind":"stall"}'
	upload >first.out 2>&1 3>&- &
	dropbox_control wait '{"stalled":1,"seconds":60}'
	stop_run pi-ctv
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	grep -q 'interrupted by SIGTERM' first.out
	[ "$(last pi-ctv upload '"\(.result) \(.exit) \(.step)"')" = 'interrupted 75 put' ]
	dropbox_control reset
	run upload
	expect 0 'goes on with the one of'
}

@test "a run that is stopped while it verifies goes on with the same snapshot, and verifies it" {
	stub db-verify <<'END'
case $* in *'-l full'*) [ -e once ] || { : >once; : >verifying; sleep 600; } ;; esac
exec "$real" "$@"
END
	upload >first.out 2>&1 3>&- &
	eventually [ -e verifying ]
	stop_run pi-ctv
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	[ "$(last pi-ctv upload .step)" = verify ]
	run upload
	expect 0 'goes on with the one of'
	expect 0 'verify .*  full, '
}

@test "a snapshot in which damage was found is not gone on with, and one that is torn off in mid-line neither" {
	TABLES=spots:100000 run upload
	expect 65 'hint: the snapshot is what .* holds'
	run upload
	expect 0 'snapshot .* taken'
	# of the same second it would have a backup already
	sql "$live" "INSERT INTO spots (note) VALUES ('more')"
	dropbox_fault '{"route":"files/copy_v2","kind":"403","count":-1}'
	run upload
	[ "$status" -ne 0 ]
	truncate -s -5 pi-ctv/state/upload.jsonl
	dropbox_control reset
	run upload
	expect 0 'snapshot .* taken'
}

@test "a snapshot of no chain is not called suspect by the number of a draft that was given up" {
	mkdir pi-ctv/state/changes
	export CTV_CHANGES_EVERY=1m
	upload
	next_second
	sql "$live" "INSERT INTO spots (note) VALUES ('more')"
	dropbox_fault '{"route":"files/upload","kind":"403","match":"/database.db","count":-1}'
	run upload
	[ "$status" -ne 0 ]
	grep -q '"n":2' pi-ctv/state/upload.jsonl
	dropbox_control reset
	# neither the snapshot nor the chain can be gone on with
	echo more >>pi-ctv/state/upload.db
	rm -r pi-ctv/state/changes
	TABLES=spots:100000 run upload
	expect 65 'snapshot .* taken'
	[ "$(on pi2 mirror-head show --json | jq .suspect)" = null ]
}

@test "an interrupted run of long ago, of another epoch or without its snapshot is not taken up" {
	dropbox_fault '{"route":"files/copy_v2","kind":"403","count":-1}'
	run upload
	[ "$status" -ne 0 ]
	[ "$(last pi-ctv upload .step)" = backup ]
	[ -f pi-ctv/state/upload.db ]
	cp -p pi-ctv/state/upload.db pi-ctv/state/upload.jsonl .
	dropbox_control reset
	# as it is, it is taken up
	cp -p upload.db upload.jsonl pi-ctv/state
	run upload
	expect 0 'goes on with'
	# seven hours later
	cp -p upload.db upload.jsonl pi-ctv/state
	touch -d '7 hours ago' pi-ctv/state/upload.db
	run upload
	expect 0 'snapshot .* taken'
	# pi2 was the owner for a while
	cp -p upload.db upload.jsonl pi-ctv/state
	claimed_by pi2
	claimed_by pi-ctv
	run upload
	expect 0 'snapshot .* taken'
	cp -p upload.jsonl pi-ctv/state
	run upload
	expect 0 'snapshot .* taken'
}

@test "pruning keeps the seven newest of its kind by the time in the name, and touches nothing else" {
	for day in 01 02 03 04 05 06 07 08 09; do
		dropbox_control put "{\"path\":\"/backups/database_backup_202611${day}_020500.db\",\"text\":\"$day\"}" >/dev/null
		dropbox_control put "{\"path\":\"/backups/failover_backup_202611${day}_120000.db\",\"text\":\"$day\"}" >/dev/null
	done
	for other in database_backup_20261301_000000.db database_backup_20200101_000000.db.txt custom.db Database_backup_20200101_000000.db; do
		dropbox_control put "{\"path\":\"/backups/$other\",\"text\":\"x\"}" >/dev/null
	done
	dropbox_control option '{"page":3}'
	run upload
	expect 0 '3 removed'
	dropbox_control option '{"page":100}'
	backups >names
	[ "$(grep -c '^database_backup_2026110[4-9]_020500.db$' names)" -eq 6 ]
	# and this one, of today
	[ "$(grep -v 20261301 names | grep -c '^database_backup_[0-9]*_[0-9]*\.db$')" -eq 7 ]
	[ "$(grep -c '^failover_backup' names)" -eq 9 ]
	[ "$(grep -c -e 20261301 -e 'db.txt' -e '^custom' -e '^Database' names)" -eq 4 ]
}

@test "what cannot be listed or removed stays for the next night, and says why: this one is on record" {
	for day in 01 02 03 04 05 06 07 08; do
		dropbox_seed "$live" "/backups/database_backup_202601${day}_020500.db"
	done
	dropbox_fault '{"route":"files/list_folder","match":"/backups","kind":"500","count":-1}'
	run upload
	expect 0 'what is not needed stays: dbx-ls: /backups'
	[ "$(dropbox_get /mirror-head.json | jq .seq)" = 1 ]
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/delete_v2","kind":"409","tag":"too_many_files","count":-1}'
	dropbox_fault '{"route":"files/delete_batch","kind":"409","tag":"too_many_files","count":-1}'
	sql "$live" "UPDATE spots SET note = 'b' WHERE id = 1"
	run upload
	expect 0 'not all was removed: dbx-rm: '
	[ "$(dropbox_get /mirror-head.json | jq .seq)" = 2 ]
}

@test "copies of one day push no night out" {
	for ago in 1 2 3 4 5 6; do
		night[ago]=/backups/database_backup_$(date -u -d "$ago days ago" +%Y%m%d)_020500.db
		dropbox_seed "$live" "${night[ago]}"
	done
	for hour in 03 04 05 06 07 08; do
		dropbox_seed "$live" "/backups/database_backup_$(date -u -d '1 day ago' +%Y%m%d)_${hour}0500.db"
	done
	run upload
	expect 0 'prune .*1 removed'
	for ago in 2 3 4 5 6; do
		dbx-ls "${night[ago]}"
	done
}

@test "the backup just made stays, even among seven with a later time" {
	for hour in 1 2 3 4 5 6 7; do
		later=$(date -u -d "$hour hours" +%Y%m%d_%H%M%S)
		dropbox_control put "{\"path\":\"/backups/database_backup_$later.db\",\"text\":\"$hour\"}" >/dev/null
	done
	# all of one day, for it is between eight and nine o'clock here
	TZ=HERE$(($(date -u +%-H) - 8)) run upload
	expect 0
	[ "$(backups | wc -l)" -eq 8 ]
}

@test "backups of a clock that was wrong, in the future, count for nothing and stay" {
	for year in 2036 2037 2038 2039 2040 2041 2042; do
		dropbox_seed "$live" "/backups/database_backup_${year}0101_000000.db"
	done
	dropbox_seed "$live" /backups/database_backup_20260101_000000.db
	run upload
	expect 0 'prune .*nothing to remove'
	[ "$(on pi-ctv dbx-ls /backups | wc -l)" -eq 9 ]
}

@test "a file where the folder of backups belongs: 78, at the first try, and what it needs is said" {
	dropbox_seed "$live" /backups
	run upload
	expect 78 'dbx-cp: /backups/database_backup_.*: a file stands where a folder is needed'
	expect 78 '^hint: give that file another name$'
	[ "$(grep -c 'a file stands' <<<"$output")" -eq 1 ]
}

@test "a snapshot that has rotted since it was verified is not taken up, and never sent" {
	dropbox_fault '{"route":"files/upload","kind":"503-empty","count":-1}'
	run upload
	expect 69
	touch -r pi-ctv/state/upload.db was
	printf XXXX | dd of=pi-ctv/state/upload.db bs=1 seek=5000 conv=notrunc status=none
	touch -r was pi-ctv/state/upload.db
	dropbox_control reset >/dev/null
	run upload
	expect 0 'snapshot .*, taken'
	on pi2 dbx-fetch -o got /database.db
	[ "$(rows got)" = "$(rows "$live")" ]
}

@test "what one member of the group began another goes on with" {
	rm "$live"*
	make_db "$live" 300000
	group_of pi-ctv
	member root
	dropbox_fault '{"route":"files/upload_session/append_v2","kind":"503-empty","after":1,"count":-1}'
	run upload
	expect 69
	dropbox_control reset >/dev/null
	member irc
	run upload
	expect 0 'goes on with the one of'
}

@test "nothing is pruned before the new copy is on record" {
	for day in 01 02 03 04 05 06 07 08; do
		dropbox_control put "{\"path\":\"/backups/database_backup_202611${day}_020500.db\",\"text\":\"$day\"}" >/dev/null
	done
	stub mirror-head <<'END'
[ "$1" = show ] || { echo "mirror-head: no" >&2; exit 69; }
exec "$real" "$@"
END
	run upload
	expect 69 'mirror-head: no'
	[ "$(dropbox_calls files/delete_v2)" -eq 0 ]
	[ "$(dropbox_calls files/delete_batch)" -eq 0 ]
}

@test "a copy among the backups whose reply was lost is recognised" {
	dropbox_fault '{"route":"files/copy_v2","kind":"reset-after"}'
	run upload
	expect 0
	[ "$(backups | wc -l)" -eq 1 ]
}

@test "a dry run changes nothing, here or there, and says whether a run could publish" {
	before=$(tree pi-ctv)
	run upload --dry-run
	expect 0 'ready: a run would publish'
	[ "$(tree pi-ctv)" = "$before" ]
	[ "$(dropbox_log 'select(.route | test("upload|copy|delete"))' | wc -l)" -eq 0 ]
	claimed_by pi2
	run upload -n
	expect 77 fenced
	[ "$(tree pi-ctv)" = "$before" ]
}

@test "a full disk ends with 74 and leaves the published copy and the live one as they were" {
	may_mount
	upload
	rev=$(head_rev)
	sql "$live" "INSERT INTO spots (note) VALUES ('late')"
	rows_before=$(rows "$live")
	cp -r pi-ctv/state state.saved
	run unshare -m sh -c "mount -t tmpfs -o size=40k none pi-ctv/state && cp state.saved/role pi-ctv/state && daily-upload.sh" \
		< /dev/null
	: # without the host's settings it must not even start
	[ "$status" -ne 0 ]
	run on pi-ctv unshare -m sh -c "mount -t tmpfs -o size=40k none pi-ctv/state && cp state.saved/role pi-ctv/state && daily-upload.sh"
	expect 74
	[ "$(head_rev)" = "$rev" ]
	[ "$(rows "$live")" = "$rows_before" ]
	run upload
	expect 0
}

@test "without Dropbox it ends with 69 and says so in the record" {
	dropbox_stop
	run on pi-ctv timeout 300 daily-upload.sh
	expect 69
	[ "$(last pi-ctv upload '"\(.result) \(.exit) \(.step)"')" = 'failed 69 owner' ]
}

@test "bad command lines and settings end with a code and the cause" {
	while IFS='|' read -r code args message; do
		# shellcheck disable=SC2086
		run upload $args
		expect "$code" "$message"
	done <<'END'
64|-x|-x: unknown option
64|--force|--force: unknown option
64|extra|extra: no operand is taken
64|-- extra|extra: no operand is taken
64|--dry-run extra|extra: no operand is taken
64|--dry-run=yes|unknown option
64|-nn|unknown option
END
	while IFS='|' read -r code setting message; do
		run on pi-ctv env "$setting" daily-upload.sh
		expect "$code" "$message"
	done <<'END'
78|CTV_NODE=|CTV_NODE: not set
66|DATABASE_PATH=/nonexistent.db|/nonexistent.db: no such file
66|DATABASE_PATH=/tmp|/tmp: no such file
78|DATABASE_PATH=relative.db|not an absolute path
78|CTV_STATE_DIR=relative|not an absolute path
73|CTV_STATE_DIR=/proc/nothing|/proc/nothing: cannot create
78|CTV_ENV_FILE=/dev/null/x|
77|DROPBOX_REFRESH_TOKEN=wrong|
78|DROPBOX_API_URL=http://192.0.2.1|
END
	[ "$(uploads)" -eq 0 ]
	run upload --help
	expect 0 '^usage: daily-upload.sh'
	run upload --version
	expect 0 '^daily-upload.sh [0-9]'
}

# by_timer HOST SCRIPT: as systemd starts it for its timer, systemd.exec(5)
by_timer() {
	on "$1" env TRIGGER_UNIT=ctv-db-sync.timer "$2"
}

# at_night TASK EDIT...: a record as a run of some time left it
edit_record() {
	jq -c "$1" pi-ctv/state/last-upload.json >edited
	cp edited pi-ctv/state/last-upload.json
}

@test "a timer's start after the night's upload ends at once and leaves the record; a person's publishes" {
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
	record=$(cat pi-ctv/state/last-upload.json)
	dropbox_control reset
	run by_timer pi-ctv daily-upload.sh
	expect 0 "^this night's upload is done$"
	[ "$(cat pi-ctv/state/last-upload.json)" = "$record" ]
	[ "$(dropbox_log 'select(.route | startswith("files/"))' | wc -l)" -eq 1 ]
	# without a line the mark is all there is
	run env DROPBOX_CONTENT_URL=http://127.0.0.1:1 CTV_ENV_FILE=/nonexistent bash -c "$(declare -f on by_timer); wrap=(); BATS_TEST_TMPDIR=$PWD; by_timer pi-ctv daily-upload.sh"
	expect 0 "this night's upload is done"
	# the same snapshot, of the same second, would be on record already
	sql "$live" "INSERT INTO spots (note) VALUES ('later')"
	run upload
	expect 0 'published'
	[ "$(on pi2 mirror-head show -f seq)" -eq 2 ]
	# what a path unit or another service starts is no timer's
	run on pi-ctv env TRIGGER_UNIT=x.path daily-upload.sh
	expect 0 'published'
}

@test "the mark of a night is void after it, before its time, and after a change of epoch or owner" {
	upload
	edit_record '.last_ok_at = (now - 86400 | todate)'
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
	# as a clock that was a day ahead has marked the night before
	edit_record '.last_ok_at = (now + 60 | todate)'
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
	# pi2 has served meanwhile, and gave back
	claimed_by pi2
	claimed_by pi-ctv
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
	claimed_by pi2
	run by_timer pi-ctv daily-upload.sh
	expect 77 'fenced'
	# the refusal stands as long as its cause
	runs=$(last pi-ctv upload .runs_failed)
	run by_timer pi-ctv daily-upload.sh
	expect 77 'fenced'
	expect 77 'hint: not tried again before the next night'
	[ "$(last pi-ctv upload .runs_failed)" = "$runs" ]
	claimed_by pi-ctv
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
}

@test "what may pass is tried again the same night, what only a person can mend is not" {
	rows=0
	upload
	for code in 65 66 69 70 73 74 75 76 77 78; do
		edit_record ".exit = $code | .result = \"failed\" | .message = \"it was so\" | .last_ok_at = null | .finished_at = (now | todate)"
		run by_timer pi-ctv daily-upload.sh
		case $code in
		65 | 70 | 77 | 78) expect $code '^daily-upload.sh: it was so' ;;
		*) expect 0 'published' ;;
		esac
		rows=$((rows + 1))
	done
	[ "$rows" -eq 10 ]
	# so is what failed behind a night that went well: the timer finds nothing done then
	for code in 65 74; do
		edit_record ".exit = $code | .result = \"failed\" | .message = \"it was so\" | .last_ok_at = (now | todate) | .finished_at = (now | todate)"
		run by_timer pi-ctv daily-upload.sh
		case $code in 65) expect 65 'it was so' ;; *) expect 0 'published' ;; esac
	done
	# a killed run is taken up
	edit_record '.exit = 0 | .result = "running" | .last_ok_at = null | .finished_at = null'
	run by_timer pi-ctv daily-upload.sh
	expect 0 'published'
}

# the_clock_stands: the data of each snapshot are of one second, as after each power cut where no clock goes on
the_clock_stands() {
	stub db-snapshot <<'END'
"$real" "$@" | sed "s/_snapshot_at='[^']*'/_snapshot_at='2026-11-20T01:17:01Z'/"
while [ "$1" != --append ]; do shift; done
sed -i 's/"snapshot_at":"[^"]*"/"snapshot_at":"2026-11-20T01:17:01Z"/' "$2"
END
}

@test "a backup's name that another content has is left alone, and the next second's is taken, as often as it happens" {
	the_clock_stands
	for day in monday tuesday wednesday; do
		sql "$live" "INSERT INTO spots (note) VALUES ('$day')"
		run upload
		expect 0 'published'
	done
	[ "$(backups | tr '\n' ' ')" = 'database_backup_20261120_011701.db database_backup_20261120_011702.db database_backup_20261120_011703.db ' ]
	dropbox_get /backups/database_backup_20261120_011701.db >got.db
	[ "$(sql got.db "SELECT count(*) FROM spots WHERE note = 'tuesday'")" -eq 0 ]
	[ "$(on pi2 cli-db-sync.sh list-backups | wc -l)" -eq 3 ]
	# the same content is no other
	run upload
	expect 0 'published'
	[ "$(backups | wc -l)" -eq 3 ]
}

@test "a name that no second has free is said with what helps" {
	the_clock_stands
	for n in $(seq 0 59); do
		dropbox_control put "{\"path\":\"/backups/$(date -u -d "2026-11-20 01:17:01 $n seconds" +database_backup_%Y%m%d_%H%M%S.db)\",\"text\":\"x\"}" >/dev/null
	done
	run upload
	expect 73 'hint: dbx-rm of what is not wanted in /backups'
}

@test "what somebody puts in the place of the database while it is copied does not stay under our backup's name" {
	stub dbx-cp <<END
[ -e once ] || { : >once; curl -sS --data-binary '{"path":"/database.db","text":"of somebody else"}' "$DROPBOX_API_URL/control/put" >&2; }
exec "\$real" "\$@"
END
	run upload
	expect 75 'was replaced while it was copied'
	backup=$(backups)
	dropbox_get "/backups/$backup" >got.db
	[ "$(rows got.db)" = "$(rows "$live")" ]
	run upload
	expect 0 'published'
	[ "$(backups)" = "$backup" ]
}

@test "a record that is not believed is not published over, and the night has its dated copy all the same" {
	upload
	dropbox_get /mirror-head.json >old
	sql "$live" "INSERT INTO spots (note) VALUES ('second')"
	upload
	for day in 01 02 03 04 05 06 07 08 09; do
		dropbox_control put "{\"path\":\"/backups/database_backup_202611${day}_020500.db\",\"text\":\"$day\"}" >/dev/null
	done
	before=$(backups | wc -l)
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	rev=$(dropbox_api files/get_metadata '{"path":"/database.db"}' | jq -r .rev)
	sql "$live" "INSERT INTO spots (note) VALUES ('third')"
	run upload --dry-run
	expect 65 'hint: .*mirror-head anew --owner NAME'
	run upload
	expect 65 "not believed: .*tonight's data is kept as /backups/database_backup_"
	expect 65 'hint: .*mirror-head anew --owner NAME'
	[ "$(backups | wc -l)" -eq $((before + 1)) ]
	[ "$(dropbox_api files/get_metadata '{"path":"/database.db"}' | jq -r .rev)" = "$rev" ]
	dropbox_get "/backups/$(backups | tail -n 1)" >got.db
	[ "$(rows got.db)" = "$(rows "$live")" ]
	# a timer's start waits for the person, who then has the way out
	run on pi-ctv env TRIGGER_UNIT=ctv-db-sync.timer daily-upload.sh
	expect 65 'not tried again before the next night'
	on pi-ctv mirror-head anew --owner pi-ctv --yes
	run on pi-ctv env TRIGGER_UNIT=ctv-db-sync.timer daily-upload.sh
	expect 0 published
	run download
	expect 0 'is installed'
	# of a newer version it has no way out to say
	dropbox_control put '{"path":"/mirror-head.json","text":"{\"schema\":2}"}' >/dev/null
	run upload
	expect 65 "newer version.*tonight's data is kept as /backups/database_backup_"
	[[ ! $output =~ hint:.*newer ]]
}

@test "a returned primary that finds the record gone or put back does not publish over a failover" {
	upload
	dropbox_get /mirror-head.json >old
	claimed_by pi2
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	run upload
	expect 65 'was put back'
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	run upload
	expect 65 'it is gone'
}

@test "sound, but with an index that only the application can judge: published, on record, and told until it is over" {
	python3 - "$live" <<-'PY'
		import sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.create_collation("own", lambda a, b: (a > b) - (a < b))
		db.execute("CREATE INDEX by_own ON spots(note COLLATE own)")
		db.commit()
	PY
	stub alert-post <<-'END'
		printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/told"
	END
	run upload
	expect 0 'published: '
	[ ! -e told ]
	export CTV_TEAMS_URL=https://example.com/s3cr3t
	sqlite3 "$live" "INSERT INTO customers VALUES (3, 'three')"
	run upload
	expect 0 'published: '
	[ "$(head -n 4 told | tr '\n' ' ')" = '--key not-judged --state warning ' ]
	grep -q 'by_own' told
	[ "$(on pi2 mirror-head show | grep -c '^not_judged=.*by_own')" -eq 1 ]
	sqlite3 "$live" 'DROP INDEX by_own'
	run upload
	expect 0 'published: '
	[ "$(head -n 4 told | tr '\n' ' ')" = '--key not-judged --state ok ' ]
	[ "$(on pi2 mirror-head show | grep '^not_judged=')" = 'not_judged=[]' ]
}
