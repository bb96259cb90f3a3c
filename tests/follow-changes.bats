#!/usr/bin/env bats
# follow-changes.sh: newest.db beside the standby's database is the primary's newest state, byte for byte, and never costs anything else.

load helper
load hosts

setup() {
	hosts_start
	export CTV_CHANGES_EVERY=1m
	follow=$PWD/pi2/data/.follow
	publish_night
}

teardown() {
	[ -z "${service-}" ] || kill "$service" 2>/dev/null || true
	dropbox_stop
}

# look [OPTION...]: at the primary's database since what was published last; the object goes to Dropbox, as $path
look() {
	db-changes --json --since st --epoch 1 --node pi-ctv "$@" "$live" out >seen
	path=$(jq -r .path seen)
	dbx-put out "$path"
}

# record_change: what is pending is put on record
record_change() {
	db-changes --show --json st | on pi-ctv mirror-head publish --change --owner pi-ctv
	db-changes --confirm st
}

# publish_minute [SQL]: one change
publish_minute() {
	[ $# -eq 0 ] || sql "$live" "$1"
	look
	record_change
}

# publish_night [SQL]: a whole state; by now the minutes may be further
publish_night() {
	[ $# -eq 0 ] || sql "$live" "$1"
	rm -f whole
	look --file "$PWD/whole"
	if [ "$(jq .base seen)" = false ]; then
		record_change
	fi
	cp seen night
	put_night
	[ "$(jq .base seen)" = false ] || db-changes --confirm st
}

# publish_base N: by an owner who knows nothing of what was before
publish_base() {
	rm -f st whole
	db-changes --json --base -n "$1" --since st --file "$PWD/whole" --epoch 1 --node pi-ctv "$live" out >seen
	path=$(jq -r .path seen)
	dbx-put out "$path"
	cp seen night
	put_night
	db-changes --confirm st
}

put_night() {
	dbx-put -f --json whole /database.db >>night
	on pi-ctv mirror-head publish --owner pi-ctv <night
}

# installed [TIME]: last night's copy is this standby's, and its night is over: no state of the same second comes after it. The
# primary's clock said that TIME
installed() {
	local night
	night=$(jq -r .snapshot_at seen)
	until [ "$(date -u +%FT%TZ)" != "$night" ]; do sleep 0.05; done
	cp whole whole.copy
	on pi2 db-install --state pi2/state --number 1 --rev "$(base_rev)" --content-hash "$(jq -r .content_hash seen)" \
		--epoch 1 --seq 1 --as-of "${1-$night}" whole.copy pi2/data/production.db
	before=$(production)
}

production() {
	(cd pi2/data && find . -maxdepth 1 -name 'production*' -printf '%P %i %s %m %T@ ' -exec sha256sum {} \;) | sort
}

enter() {
	sql "$live" "INSERT INTO spots (note) VALUES ('$1')"
}

follow() {
	on pi2 follow-changes.sh --once
}

# at_rest: the bytes of the state that the primary published last
at_rest() {
	rm -f rest rest-wal
	cp "$live" rest
	[ ! -e "$live-wal" ] || cp "$live-wal" rest-wal
	sqlite3 rest 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	printf '\1\1' | dd of=rest bs=1 seek=18 conv=notrunc status=none
}

# followed [N]: newest.db is the primary's newest state, alone, and production.db was left alone
followed() {
	at_rest
	cmp rest "$follow/newest.db"
	[ "$(db-apply --show --json "$follow/newest.db" | jq .n)" = "${1-$(db-changes --show --shell st | sed -n "s/^n='\(.*\)'/\1/p")}" ]
	[ "$(find "$follow" -mindepth 1 ! -name '*.lock' -printf '%P\n' | sort | xargs)" = "newest.db newest.db.note${2+ $2}" ]
	[ -z "${before-}" ] || [ "$(production)" = "$before" ]
}

# downloads [REV]: how many downloads of a revision there were, or how many of this one
downloads() {
	dropbox_log 'select(.route == "files/download" and (.arg.path | test($m)))' --arg m "${1-^rev:}" | wc -l
}

base_rev() {
	dbx-ls --json /database.db | jq -r .rev
}

@test "it begins with last night's copy, and then each minute takes what has changed, no more" {
	installed
	dropbox_control reset
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 7"
	run -0 follow
	expect 0 '^newest.db: state 2 of 20'
	followed 2
	[ "$(downloads "$(base_rev)")" -eq 0 ]
	publish_minute "INSERT INTO spots (note) SELECT note || 'y' FROM spots"
	publish_minute "DELETE FROM spots WHERE id % 3 = 0; VACUUM"
	publish_minute "INSERT INTO customers VALUES (3, 'three')"
	run -0 follow
	followed 5
	[ "$(downloads '^/changes/')" -eq 5 ]
	dropbox_control reset
	run -0 follow
	expect 0 'state 5 of'
	[ "$(downloads)" -eq 0 ]
	# one change is found by the record alone
	publish_minute "DELETE FROM customers WHERE id = 3"
	dropbox_control reset
	run -0 follow
	followed 6
	[ "$(dropbox_calls files/list_folder)" -eq 0 ]
	# and it is one call: what an object is comes with its bytes
	[ "$(downloads '^/changes/')" -eq 1 ]
	[ "$(dropbox_calls files/get_metadata)" -eq 0 ]
}

@test "without a copy of the chain it begins with the base, which it fetches once" {
	echo 'something else' >pi2/data/production.db
	before=$(production)
	publish_minute "DELETE FROM spots WHERE id = 3"
	run -0 follow
	expect 0 'begins with the base in Dropbox, state 1'
	followed 2 night.db
	cmp whole "$follow/night.db"
	run -0 follow
	followed 2 night.db
	[ "$(downloads "$(base_rev)")" -eq 1 ]
	# what was left of a last night that is on the chain serves as well
	rm -r "$follow"
	cp whole pi2/data/production.db.prev
	before=$(production)
	run -0 follow
	followed 2 night.db
	[ "$(downloads "$(base_rev)")" -eq 1 ]
}

@test "a night on the way is a copy beside, proved, and nothing is downloaded for it" {
	installed
	publish_minute "UPDATE spots SET note = 'one' WHERE id = 1"
	publish_night "UPDATE spots SET note = 'two' WHERE id = 2"
	publish_minute "UPDATE spots SET note = 'three' WHERE id = 3"
	publish_minute "UPDATE spots SET note = 'four' WHERE id = 4"
	run -0 follow
	followed 5 night.db
	cmp whole "$follow/night.db"
	[ "$(downloads "$(base_rev)")" -eq 0 ]
	# killed between the night's state and its copy
	rm "$follow/night.db"
	publish_night "UPDATE spots SET note = 'five' WHERE id = 5"
	run -0 follow
	followed 6 night.db
	cmp whole "$follow/night.db"
}

@test "a night that is not what its owner made is removed with all that led to it, and ends the following" {
	installed
	sql "$live" "UPDATE spots SET note = 'one' WHERE id = 1"
	look --file "$PWD/whole"
	python3 - "$(jq -r .content_hash seen)" <<-'PY'
		import sys
		d = open("out", "rb").read()
		assert d.count(sys.argv[1].encode()) == 1
		open("out", "wb").write(d.replace(sys.argv[1].encode(), b"0" * 64))
	PY
	dbx-put -f out "$path"
	db-changes --show --json st | jq -c --arg h "$(dbx-ls --json "$path" | jq -r .content_hash)" '.object = $h' |
		on pi-ctv mirror-head publish --change --owner pi-ctv
	run follow
	expect 65 'newest.db: state 2 was not to the last byte what its owner made'
	[ -z "$(cd "$follow" && ls -A | grep -v -e lock -e in)" ]
	[ "$(production)" = "$before" ]
	# the service tells it, tries it once more, and then waits for another night's state
	stub alert-post <<-'SH'
		echo "$@" >>"$BATS_TEST_TMPDIR/told"
	SH
	stub cp <<-'SH'
		case "$*" in *night.tmp) echo >>"$BATS_TEST_TMPDIR/nights" ;; esac
		exec "$real" "$@"
	SH
	start_service
	eventually eval '[ -e nights ] && [ "$(wc -l <nights)" -eq 2 ]'
	for word in '--suspect 9 x' --clear; do
		calls=$(dropbox_calls files/list_folder/get_latest_cursor)
		# shellcheck disable=SC2086  # words
		on pi-ctv mirror-head publish --owner pi-ctv $word
		eventually more_calls 2
	done
	[ "$(wc -l <nights)" -eq 2 ]
	[ "$(grep -c -- '--state warning.*nothing is followed: .*state 2 was not to the last byte' told)" -eq 2 ]
	[ "$(wc -l <said)" -eq 1 ]
	publish_base 3
	at_rest
	eventually cmp -s rest "$follow/newest.db"
	eventually eval '[ "$(tail -n 1 told)" = "--key ctv-follow.service --state ok" ]'
	end_service
}

@test "a hole is named and ends nothing that is there; from the next base on it goes on" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	for i in 3 4 5; do
		publish_minute "UPDATE spots SET note = 'hole' WHERE id = $i"
		[ "$i" -ne 4 ] || dbx-rm "$path"
	done
	cp "$follow/newest.db" state.2
	run follow
	expect 66 'db-apply: in/000000005-.*: the object before it, [0-9a-f]{64}, is not among them'
	cmp state.2 "$follow/newest.db"
	[ "$(production)" = "$before" ]
	publish_night "UPDATE spots SET note = 'base' WHERE id = 6"
	publish_minute "UPDATE spots SET note = 'after' WHERE id = 7"
	run -0 follow
	expect 0 'begins with the base in Dropbox, state 6'
	followed 7 night.db
}

@test "what a killed or fenced publisher left is applied by nobody" {
	installed
	sql "$live" "UPDATE spots SET note = 'stray' WHERE id = 2"
	look
	db-changes --drop st
	# two objects of one second have one name
	dropbox_api files/move_v2 "{\"from_path\":\"$path\",\"to_path\":\"${path%T*}T000000Z.wal.zst\"}" >/dev/null
	for i in 2 3 4; do
		publish_minute "UPDATE spots SET note = 'right' WHERE id = $i"
	done
	run -0 follow
	followed 4
}

@test "newest.db is made again when it was written to, has lost its note, or has a log that is not its own" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	publish_minute "UPDATE spots SET note = 'three' WHERE id = 3"
	sql "$follow/newest.db" "UPDATE spots SET note = 'written' WHERE id = 3"
	run -0 follow
	followed 3
	rm "$follow/newest.db.note"
	run -0 follow
	followed 3
	rm "$follow/newest.db.note"
	echo 'not a log of this file' >"$follow/newest.db-wal"
	run -0 follow
	followed 3
	echo '{}' >"$follow/newest.db.note"
	run -0 follow
	followed 3
	# the base takes the place of what has a log: the log goes first
	cp "$follow/newest.db" later
	sqlite3 later 'PRAGMA journal_mode = WAL' 'PRAGMA wal_autocheckpoint = 0' "UPDATE spots SET note = 'log' WHERE id = 9" \
		".shell cp later-wal $follow/newest.db-wal" >/dev/null
	rm "$follow/newest.db.note" pi2/data/production.db
	before=$(production)
	run -0 follow
	followed 3 night.db
}

@test "killed before and behind each program that it runs, the next round makes the same" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	publish_night "UPDATE spots SET note = 'night' WHERE id = 3"
	publish_minute "UPDATE spots SET note = 'four' WHERE id = 4"
	mkdir killers
	for tool in db-apply dbx-fetch dbx-ls change-names cp sync mv rm mkdir chgrp chmod db-verify; do
		cat >"killers/$tool" <<-END
			#!/bin/sh
			count() {
				left=\$((\$(cat $PWD/left) - 1))
				echo \$left >$PWD/left
				[ \$left -gt 0 ] || kill -KILL 0
			}
			count
			$(command -v "$tool") "\$@" || exit
			count
		END
		chmod +x "killers/$tool"
	done
	# with a state behind it; from last night's copy; from nothing at all
	for from in state night nothing; do
		case $from in
		night) rm -r "$follow" ;;
		nothing) rm -r "$follow" pi2/data/production.db pi2/state/installed.json ;;
		esac
		rm -rf pi2.before
		cp -a pi2 pi2.before
		# the first way has each point, the others every seventh
		[ "$from" = state ] && by=1 || by=7
		killed=0 status=1
		while [ "$status" -ne 0 ]; do
			rm -rf pi2
			cp -a pi2.before pi2
			before=$(production)
			killed=$((killed + by)) status=0
			echo "$killed" >left
			PATH=$PWD/killers:$PATH on pi2 setsid -w follow-changes.sh --once >said 2>&1 || status=$?
			[ "$(production)" = "$before" ]
			follow >said
			followed 4 night.db
			cmp whole "$follow/night.db"
		done
		echo "# $from: $((killed - by)) points" >&3
		[ "$killed" -gt 25 ]
	done
}

@test "two rounds at once: one after the other, and the second finds nothing to do" {
	installed
	for i in 2 3 4; do
		publish_minute "UPDATE spots SET note = 'x' WHERE id = $i"
	done
	follow >one 2>&1 3>&- &
	follow >two 2>&1
	wait $!
	cat one two
	[ "$(cat one two | grep -c 'state 4 of')" -eq 2 ]
	followed 4
	[ "$(downloads '^/changes/')" -eq 4 ]
}

@test "a host that serves, a primary, minutes that are off, a record without states: nothing is done, and it is said" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	echo active >pi2/state/role
	run -0 follow
	expect 0 'role: active: nothing is followed'
	run -0 on pi-ctv follow-changes.sh --once
	expect 0 'role: primary: nothing is followed'
	[ ! -e pi-ctv/data/.follow ]
	rm pi2/state/role
	CTV_CHANGES_EVERY=off run -0 follow
	expect 0 'CTV_CHANGES_EVERY=off: nothing is followed'
	# and the service ends
	CTV_CHANGES_EVERY=off run -0 on pi2 timeout 20 follow-changes.sh
	expect 0 'CTV_CHANGES_EVERY is off'
	upload >/dev/null
	run -0 follow
	expect 0 'names no state'
	[ ! -e "$follow" ]
	[ "$(production)" = "$before" ]
}

@test "what is no time for CTV_CHANGES_EVERY is no wish to follow nothing: it is named, with 78, and what was followed stays" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	follow
	CTV_CHANGES_EVERY=5x run -78 follow
	expect 78 'CTV_CHANGES_EVERY: 5x: not a duration'
	CTV_CHANGES_EVERY=5x run -78 on pi2 timeout 20 follow-changes.sh
	expect 78 'CTV_CHANGES_EVERY: 5x: not a duration'
	followed 2
}

@test "a directory that the application could have made, or can read, is not followed in" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	mkdir -m 700 elsewhere
	ln -s "$PWD/elsewhere" "$follow"
	run follow
	expect 77 'a symbolic link'
	rm "$follow"
	mkdir -m 775 "$follow"
	run follow
	expect 77 'open to everybody'
	rmdir "$follow"
	needs_root 'to be another user'
	mkdir -m 770 "$follow"
	chown irc "$follow"
	run follow
	expect 77 "another user's"
	[ -z "$(ls -A elsewhere "$follow" | grep -v :)" ]
	[ "$(production)" = "$before" ]
}

@test "newest.db has the group and the mode of the database that it may have to replace" {
	needs_root 'to give a file away'
	installed
	chgrp irc pi2/data/production.db
	chmod 664 pi2/data/production.db
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	publish_night "UPDATE spots SET note = 'y' WHERE id = 2"
	run -0 follow
	for file in newest.db night.db; do
		[ "$(stat -c %G:%a "$follow/$file")" = irc:664 ]
	done
	publish_minute "UPDATE spots SET note = 'z' WHERE id = 2"
	run -0 follow
	[ "$(stat -c %G:%a "$follow/newest.db")" = irc:664 ]
	[ "$(stat -c %g:%A "$follow")" = "$(id -g):drwxrwx---" ]
}

@test "where room is short what was followed goes first, and does not come back before there is twice as much" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	follow
	stub room-check <<-'SH'
		[ ! -e short ] || [ "$2" -le "$(cat short)" ] || set -- -c 900T .
		exec $real "$@"
	SH
	export SHORT=$PWD/short
	sed -i 's/short/$SHORT/g' stubs/room-check
	size=$(stat -c %s whole)
	echo $((size + (256 << 20) - 1)) >short
	run follow
	expect 74 '.follow: .* what was followed has gone, so that the night finds room'
	[ -z "$(ls -A "$follow" | grep -v lock)" ]
	echo $((2 * size + (256 << 20) - 1)) >short
	run follow
	expect 74
	[ "$(production)" = "$before" ]
	echo $((2 * size + (256 << 20))) >short
	run -0 follow
	followed 2
	# a night's copy is made where it leaves as much, and else the night is downloaded
	publish_night "UPDATE spots SET note = 'y' WHERE id = 2"
	echo $((2 * size + (256 << 20) - 1)) >short
	for i in 1 2; do
		run -0 follow
		expect 0 'night.db: was not made, so the night will be downloaded'
		followed 3
		[ ! -e "$follow/night.db" ]
	done
	rm short
	run -0 follow
	cmp whole "$follow/night.db"
}

@test "a base whose download is interrupted again and again costs no copies of what is here" {
	mkdir -p pi2/data
	sqlite3 pi2/data/production.db 'CREATE TABLE other (x)'
	stub dbx-fetch <<-'SH'
		case "$*" in *rev:*) : >.newest.db.part; exit 69 ;; esac
		exec "$real" "$@"
	SH
	stub db-apply <<-'SH'
		case "$*" in *' -o '*) echo >>"$BATS_TEST_TMPDIR/copies" ;; esac
		exec "$real" "$@"
	SH
	for i in 1 2 3; do
		run follow
		expect 69
	done
	[ "$(wc -l <copies)" -eq 1 ]
	rm stubs/dbx-fetch
	run -0 follow
	followed 1 night.db
}

@test "what is there of .follow when somebody has removed a part of it is made again" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	follow
	rm "$follow/newest.db"
	run -0 follow
	followed 2
	rm "$follow/newest.db.note"
	run -0 follow
	followed 2
}

@test "an object that is gone is named, with 66, and a hole at the beginning costs no download" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	dbx-rm "$path"
	run follow
	expect 66 'dbx-fetch: /changes/.*/000000002-.*: not found'
	[ "$(production)" = "$before" ]
	for i in 3 4 5; do
		publish_minute "UPDATE spots SET note = 'three' WHERE id = $i"
	done
	dropbox_control reset
	run follow
	expect 66 '/changes: state 2 has no object there'
	[ "$(downloads '^/changes/')" -eq 0 ]
	# so it is when the owner has pruned what a standby that was off for long would need
	publish_night "UPDATE spots SET note = 'night' WHERE id = 6"
	publish_minute "UPDATE spots SET note = 'after' WHERE id = 7"
	run -0 follow
	expect 0 'begins with the base in Dropbox, state 6'
	followed 7 night.db
}

@test "a change of a newer program is no reason to begin anew: it waits for the next base" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	sql "$live" "UPDATE spots SET note = 'three' WHERE id = 3"
	look
	python3 - <<-'PY'
		d = open("out", "rb").read()
		assert d.count(b'"schema":1') == 1
		open("out", "wb").write(d.replace(b'"schema":1', b'"schema":7'))
	PY
	dbx-put -f out "$path"
	db-changes --show --json st | jq -c --arg h "$(dbx-ls --json "$path" | jq -r .content_hash)" '.object = $h' |
		on pi-ctv mirror-head publish --change --owner pi-ctv
	cp "$follow/newest.db" state.2
	dropbox_control reset
	run follow
	expect 66 'newer version'
	cmp state.2 "$follow/newest.db"
	[ "$(downloads "$(base_rev)")" -eq 0 ]
}

@test "what killed and failed runs have left on the way is gone after a good one" {
	installed
	mkdir -m 770 "$follow"
	mkdir "$follow/in"
	touch "$follow"/night.tmp "$follow"/.newest.db.applied "$follow"/.newest.db.part.x "$follow/in/000000001-20200101T000000Z.wal.zst"
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	run -0 follow
	followed 2
	touch "$follow"/night.tmp "$follow"/.newest.db.part
	run -0 follow
	followed 2
}

@test "a nightly job that comes while newest.db is copied from its database does not wait for the copy, nor fail" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	# a copy of minutes: its first step lasts until somebody has come
	stub db-apply <<-'SH'
		case "$*" in
		*' -o '*) exec strace -f -qq -o "$BATS_TEST_TMPDIR/calls" -e trace=copy_file_range -e inject=copy_file_range:delay_enter=100ms:retval=1 "$real" "$@" ;;
		esac
		exec "$real" "$@"
	SH
	follow >said 2>&1 3>&- &
	eventually eval 'grep -qs copy_file_range calls'
	run -0 on pi2 holders-check pi2/data/production.db
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	grep 'production.db: is wanted by somebody else' said
	[ "$(production)" = "$before" ]
	[ ! -e "$follow/newest.db" ]
	rm stubs/db-apply
	run -0 follow
	followed 2
}

@test "--forget removes what was followed, through no link and of nobody else; so do a primary and minutes that are off" {
	run -0 on pi2 follow-changes.sh --forget
	[ ! -e "$follow" ]
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	follow
	# who serves keeps it
	echo active >pi2/state/role
	run -0 follow
	followed 2
	rm pi2/state/role
	for how in --forget off primary service; do
		run -0 follow
		followed 2
		touch "$follow/night.db" "$follow/night.tmp" "$follow/.newest.db.part"
		case $how in
		--forget) run -0 on pi2 follow-changes.sh --forget ;;
		off) CTV_CHANGES_EVERY=off run -0 follow ;;
		primary) echo primary >pi2/state/role; CTV_PRIMARY_NODE=pi2 run -0 follow; rm pi2/state/role ;;
		service) CTV_CHANGES_EVERY=off run -0 on pi2 timeout 20 follow-changes.sh ;;
		esac
		[ ! -e "$follow" ]
	done
	mkdir elsewhere
	touch elsewhere/newest.db
	ln -s "$PWD/elsewhere" "$follow"
	run on pi2 follow-changes.sh --forget
	expect 77 'a symbolic link'
	[ -e elsewhere/newest.db ]
	rm "$follow"
	[ "$(production)" = "$before" ]
	mkdir -m 770 "$follow"
	coproc ROUND { exec flock pi2/state/follow.lock cat; }
	eventually eval '! flock -n pi2/state/follow.lock true'
	stub flock <<-'SH'
		[ "$1 $2" != "-w 10" ] || { shift 2; set -- -w 0 "$@"; }
		exec "$real" "$@"
	SH
	run on pi2 follow-changes.sh --forget
	expect 75 'follow.lock: another round'
	[ -d "$follow" ]
	kill "$ROUND_PID"
	wait "$ROUND_PID" || true
}

@test "a database of a group that is not ours is followed, and what a failover may need is said" {
	group_of pi2
	installed
	chgrp -R irc pi2
	chmod -R g+rwX pi2
	chgrp 0 pi2/data/production.db
	before=$(production)
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	member irc
	chown -R irc pi2
	before=$(production)
	run -0 follow
	expect 0 'newest.db: is not of the group of .*production.db: a failover to it may need root'
	followed 2
	publish_minute "UPDATE spots SET note = 'y' WHERE id = 2"
	run -0 follow
	followed 3
	[[ $output != *'may need root'* ]]
}

@test "after a failover and a failback it goes on from last night's copy, and fetches no base" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	# what a failover to state 2 leaves, and what was entered here
	mv pi2/data/production.db pi2/data/production.db.prev
	mv "$follow/newest.db" pi2/data/production.db
	rm "$follow/newest.db.note"
	jq -c '.n = 2 | .content_hash = "0"' pi2/state/installed.json >next && mv next pi2/state/installed.json
	sql pi2/data/production.db 'PRAGMA journal_mode = WAL' "UPDATE spots SET note = 'here' WHERE id = 9"
	before=$(production)
	publish_minute "UPDATE spots SET note = 'three' WHERE id = 3"
	publish_night "UPDATE spots SET note = 'night' WHERE id = 4"
	publish_minute "UPDATE spots SET note = 'five' WHERE id = 5"
	jq -c '.prev_n = 1' pi2/state/installed.json >next && mv next pi2/state/installed.json
	dropbox_control reset
	run -0 follow
	followed 5 night.db
	[ "$(downloads "$(base_rev)")" -eq 0 ]
}

@test "a standby that was off, or whose following was, for days: changes alone bring it up, and one night's copy is made" {
	installed
	publish_minute "UPDATE spots SET note = 'monday' WHERE id = 2"
	follow
	stub cp <<-'SH'
		case "$*" in *night.tmp) echo >>"$BATS_TEST_TMPDIR/nights" ;; esac
		exec "$real" "$@"
	SH
	for day in 3 4 5; do
		publish_minute "UPDATE spots SET note = 'x' WHERE id = $day"
		publish_night "UPDATE spots SET note = 'night' WHERE id = $day"
		# its nights came all the same
		[ "$day" -eq 5 ] || download >/dev/null
	done
	before=$(production)
	dropbox_control reset
	run -0 follow
	followed 8 night.db
	cmp whole "$follow/night.db"
	[ "$(wc -l <nights)" -eq 1 ]
	[ "$(downloads "$(base_rev)")" -eq 0 ]
}

@test "after a night of a clock that was a day ahead the next one is made once, stays, and is what the nightly job takes" {
	installed "$(date -u -d '+1 day' +%FT%TZ)"
	stub cp <<-'SH'
		case "$*" in *night.tmp) echo >>"$BATS_TEST_TMPDIR/nights" ;; esac
		exec "$real" "$@"
	SH
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	publish_night "UPDATE spots SET note = 'three' WHERE id = 3"
	for i in 1 2 3; do
		run -0 follow
		followed 3 night.db
	done
	[ "$(wc -l <nights)" -eq 1 ]
	publish_minute "UPDATE spots SET note = 'four' WHERE id = 4"
	run -0 follow
	followed 4 night.db
	dropbox_control reset
	run -0 download
	expect 0 'was followed up to this night'
	[ "$(downloads)" -eq 0 ]
	cmp whole pi2/data/production.db
}

@test "two standbys follow one primary, each at its own pace" {
	installed
	cp -a pi2 pi3
	third() { on pi3 follow-changes.sh --once; }
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	run -0 follow
	publish_night "UPDATE spots SET note = 'three' WHERE id = 3"
	publish_minute "UPDATE spots SET note = 'four' WHERE id = 4"
	third >log 2>&1 3>&- &
	run -0 follow
	wait $!
	followed 4 night.db
	cmp "$follow/newest.db" pi3/data/.follow/newest.db
	cmp whole pi3/data/.follow/night.db
}

@test "a record of a program that knows no states: nights only, no alarm; and minutes again from the next base on" {
	installed
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	follow
	cp "$follow/newest.db" state.2
	upload >/dev/null
	run -0 follow
	expect 0 'names no state: nights only'
	cmp state.2 "$follow/newest.db"
	publish_base 7
	publish_minute "UPDATE spots SET note = 'eight' WHERE id = 8"
	run -0 follow
	followed 8 night.db
}

@test "a download between a night's state and its publication leaves that night's copy for the next one" {
	installed
	sql "$live" "UPDATE spots SET note = 'tonight' WHERE id = 1"
	rm whole
	look --file "$PWD/whole"
	cp seen night
	record_change
	follow
	sql pi2/data/production.db "UPDATE spots SET note = 'entered here' WHERE id = 9"
	run -0 download
	expect 0 'content_hash as published'
	cmp whole "$follow/night.db"
	put_night
	dropbox_control reset
	run -0 download
	expect 0 'was followed up to this night'
	[ "$(downloads)" -eq 0 ]
	cmp whole pi2/data/production.db
}

@test "an older night's copy that nobody took gives its room to the night that is downloaded" {
	installed
	publish_night "UPDATE spots SET note = 'tonight' WHERE id = 1"
	follow
	until [ "$(date -u +%FT%TZ)" != "$(jq -r .snapshot_at seen)" ]; do sleep 0.05; done
	publish_night "UPDATE spots SET note = 'another night' WHERE id = 1"
	run -0 download
	expect 0 'content_hash as published'
	[ ! -e "$follow/night.db" ]
	[ -e "$follow/newest.db" ]
}

# the service has looked again N times
more_calls() {
	[ "$(dropbox_calls files/list_folder/get_latest_cursor)" -ge $((calls + $1)) ]
}

start_service() {
	on pi2 setpriv --pdeathsig TERM follow-changes.sh >said 2>&1 3>&- &
	service=$!
}

end_service() {
	kill "$service"
	wait "$service" || true
}

@test "the service waits for what a person has to mend, tells it, and goes on by itself" {
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	stub alert-post <<-'SH'
		echo "$@" >>"$BATS_TEST_TMPDIR/told"
	SH
	export SHORT=$PWD/short
	stub room-check <<-'SH'
		[ ! -e "$SHORT" ] || set -- -c 900T .
		exec $real "$@"
	SH
	touch short
	start_service
	eventually eval 'grep -qs "state warning.*nothing is followed:.*bytes were free" told'
	for i in 1 2; do
		calls=$(dropbox_calls files/list_folder/get_latest_cursor)
		publish_minute "UPDATE spots SET note = 'y' WHERE id = $i"
		eventually more_calls 1
	done
	kill -0 "$service"
	[ "$(grep -vc '^ROOM' said)" -eq 1 ]
	rm short
	publish_minute "UPDATE spots SET note = 'z' WHERE id = 2"
	at_rest
	eventually cmp -s rest "$follow/newest.db"
	eventually eval '[ "$(tail -n 1 told)" = "--key ctv-follow.service --state ok" ]'
	end_service
}

@test "the service follows as states come, and says the same thing once" {
	installed
	start_service
	for i in 2 3 4; do
		publish_minute "UPDATE spots SET note = 'x' WHERE id = $i"
		at_rest
		eventually cmp -s rest "$follow/newest.db"
	done
	[ ! -s said ]
	echo active >pi2/state/role
	publish_minute "UPDATE spots SET note = 'y' WHERE id = 5"
	eventually grep -q 'nothing is followed' said
	calls=$(dropbox_calls files/list_folder/get_latest_cursor)
	publish_minute "UPDATE spots SET note = 'y' WHERE id = 6"
	publish_minute "UPDATE spots SET note = 'y' WHERE id = 7"
	eventually more_calls 2
	[ "$(wc -l <said)" -eq 1 ]
	end_service
}

# failed_back: pi2 has served since its last installation, and its newest run of these three is a failback; the timer runs
failed_back() {
	echo served >pi2/state/data-of
	echo standby >pi2/state/role
	touch -d '-3 hours' pi2/state/last-download.json
	touch -d '-2 hours' pi2/state/last-failover.json
	touch -d "${1--60} minutes" pi2/state/last-failback.json pi2/state/role
	cp -p last_night "$follow/night.db"
	echo active >timer
}

# one_by_one: the service waits for this test instead of Dropbox, and begins a round when it is told to
one_by_one() {
	stub dbx-wait <<-'SH'
		cd "$BATS_TEST_TMPDIR"
		echo x >>waits
		n=$(wc -l <waits)
		while [ -e waits ] && [ ! -e "go.$n" ]; do sleep 0.01; done
		echo "$n"
	SH
	: >waits
	start_service
	eventually [ -s waits ]
}

# a_round: it has been through one
a_round() {
	local n
	n=$(wc -l <waits)
	touch "go.$n"
	eventually eval "[ \$(wc -l <waits) -gt $n ]"
}

@test "last night's copy that was written to is made again, and after a failback the service asks once for its installation" {
	installed
	follow
	followed 1
	sql pi2/data/production.db "UPDATE spots SET note = 'entered here' WHERE id = 9"
	before=$(production)
	run -0 follow
	followed 1 night.db
	cmp whole "$follow/night.db"
	stub svc-ctl <<-'SH'
		cd "$BATS_TEST_TMPDIR"
		case "$*" in
		*'is-active ctv-pi2-download.timer') cat timer ;;
		*'start ctv-pi2-download.service') echo x >>asked; [ -e granted ] || exit 77; daily-download.sh >job 2>&1 ;;
		*) echo inactive; exit 3 ;;
		esac
	SH
	cp -p "$follow/night.db" last_night
	one_by_one
	for other in 'rm pi2/state/data-of' ': >pi2/state/data-of' 'touch pi2/state/last-failover.json' 'touch pi2/state/last-download.json' \
		'rm pi2/state/last-failback.json' 'echo inactive >timer' 'touch "$follow/night.db"' \
		'touch pi2/state/role' 'echo active >pi2/state/role; touch -d -2hours pi2/state/role'; do
		failed_back
		eval "$other"
		a_round
		[ ! -e asked ] || { echo "asked: $other" >&2; false; }
	done
	# one that is refused is not asked for again, and nobody is told
	failed_back
	for i in 1 2 3; do a_round; done
	[ "$(wc -l <asked)" -eq 1 ]
	touch granted
	failed_back -30
	a_round
	cmp whole pi2/data/production.db
	grep 'was followed up to this night' job
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 9')" = 'entered here' ]
	a_round
	[ "$(wc -l <asked)" -eq 2 ]
	rm waits
	end_service
}

@test "failover, failback, a round of the service, and a plain failover takes the newest again" {
	export CTV_START_TIMEOUT=30s CTV_PRIMARY_URL=http://primary CTV_STANDBY_URL=http://standby
	stub http-probe <<-'SH'
		case "$*" in
		*primary*) [ -e "$BATS_TEST_TMPDIR/up" ] || { echo 'HTTP CRITICAL: down'; exit 2; } ;;
		esac
		case "$*" in *--shell*) echo "verdict='ok' text='HTTP OK'" ;; *) echo 'HTTP OK: 200' ;; esac
	SH
	stub svc-ctl <<-'SH'
		cd "$BATS_TEST_TMPDIR"
		case " $* " in *' watch '*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;; esac
		while [ $# -gt 2 ]; do shift; done
		case "$*" in
		'is-active ctv-pi2-download.timer') echo active ;;
		'start ctv-pi2-download.service') echo x >>asked; daily-download.sh >>job 2>&1 ;;
		*ctv-*) ;;
		start*) echo active >unit ;;
		stop*) echo inactive >unit ;;
		is-active*) cat unit; grep -qx active unit || exit 3 ;;
		esac
	SH
	echo inactive >unit
	download >log
	# a state of the night's own second would be taken for the night that is installed already
	next_second
	publish_minute "UPDATE spots SET note = 'two' WHERE id = 2"
	run -0 follow
	run -0 on pi2 failover-to-pi2.sh
	expect 0 'the newest state that was followed, 2, was put there by this run'
	sql pi2/data/production.db "UPDATE spots SET note = 'entered here' WHERE id = 9"
	touch up
	# no failback comes in the second in which the primary looked last
	until [[ $(date -u +%FT%TZ) > $(on pi-ctv mirror-head show -n -f confirmed_at) ]]; do sleep 0.05; done
	run -0 on pi2 failback-to-pi-ctv.sh --no
	expect 0 'FAILBACK COMPLETE'
	dropbox_control reset
	one_by_one
	a_round
	# nobody has anything newer than what was entered here, as far as is known
	[ ! -e asked ]
	before=$(production)
	run -0 on pi2 env TRIGGER_UNIT=ctv-pi2-download.timer daily-download.sh
	expect 0 '^what was entered here stays until the primary has said what it has$'
	[ "$(production)" = "$before" ]
	on pi-ctv mirror-head publish --owner pi-ctv --confirm "$(date -u -d '+1 second' +%FT%TZ)" \
		--object "$(on pi-ctv mirror-head show -n -f newest_object)"
	a_round
	[ "$(wc -l <asked)" -eq 1 ]
	cmp whole pi2/data/production.db
	[ "$(downloads "$(base_rev)")" -eq 0 ]
	# the failback has raised the epoch, and nothing was entered on the primary since
	run on pi2 failover-to-pi2.sh --dry-run
	[[ $output == *'would take newest.db, state 2'* ]]
	[ "$(sql pi2/data/production.db.kept-* 'SELECT note FROM spots WHERE id = 9')" = 'entered here' ]
	sql "$live" "UPDATE spots SET note = 'three' WHERE id = 3"
	look --epoch 3
	record_change
	a_round
	[ "$(wc -l <asked)" -eq 1 ]
	rm waits up
	end_service
	at_rest
	run -0 on pi2 failover-to-pi2.sh
	expect 0 'the newest state that was followed, 3, was put there by this run'
	cmp rest pi2/data/production.db
}

@test "without a directory that it may write in the service ends, for its next sandbox may have one" {
	rmdir pi2/data
	run on pi2 timeout 20 follow-changes.sh
	expect 73
}

@test "while the nightly job verifies what it took no second copy is made, and none stays of a night that came by another way" {
	installed
	before=
	publish_night "UPDATE spots SET note = 'the next' WHERE id = 1"
	follow
	[ -e "$follow/night.db" ]
	# a round comes by while it verifies
	stub db-verify <<-'END'
		case "$*" in *'-l full'*) CTV_JOB='' follow-changes.sh --once >>by ;; esac
		exec "$real" "$@"
	END
	download
	[ "$(wc -l <by)" -eq 1 ]
	followed 2
	rm stubs/db-verify
	# a download that was begun before the copy was there
	publish_night "UPDATE spots SET note = 'one more' WHERE id = 1"
	stub dbx-fetch <<-'END'
		case "$*" in *rev:*) CTV_JOB='' follow-changes.sh --once >>by ;; esac
		exec "$real" "$@"
	END
	dropbox_control reset
	download
	[ "$(downloads)" -ge 1 ]
	[ -e "$follow/night.db" ]
	follow
	[ ! -e "$follow/night.db" ]
	# the copy of a night that is not on record yet stays: it is told from the one that is installed by its second
	next_second
	sql "$live" "UPDATE spots SET note = 'the last' WHERE id = 1"
	rm whole
	look --file "$PWD/whole"
	record_change
	follow
	follow
	[ -e "$follow/night.db" ]
}

@test "the state that a failover installed is not taken for the night of the same second, whose copy stays" {
	installed
	before=
	publish_night "UPDATE spots SET note = 'the next' WHERE id = 1"
	publish_minute "UPDATE spots SET note = 'a minute' WHERE id = 1"
	follow
	[ -e "$follow/night.db" ]
	on pi2 db-install --quick --state pi2/state --digest "$(jq -r .digest seen)" --number 3 --verified quick --epoch 1 --seq 2 \
		--as-of "$(date -u -r "$follow/night.db" +%FT%TZ)" "$follow/newest.db" pi2/data/production.db
	for i in 1 2; do follow; done
	followed 3 night.db
	cmp whole "$follow/night.db"
}

@test "--check: a quick verification of newest.db is a job of its own, whose record is the verdict" {
	run -0 on pi2 follow-changes.sh --check
	expect 0 'nothing is followed here'
	installed
	publish_minute "UPDATE spots SET note = 'x' WHERE id = 2"
	follow
	run -0 on pi2 follow-changes.sh --check
	expect 0 'newest.db is sound: state 2 of'
	[ "$(last pi2 follow-check '.result, .n' | xargs)" = 'ok 2' ]
	dd if=/dev/urandom of="$follow/newest.db" bs=1024 seek=9 count=20 conv=notrunc status=none
	run on pi2 follow-changes.sh --check
	expect 74 'newest.db'
	[ "$(last pi2 follow-check .exit)" = 74 ]
	[[ $output == *'was not on this disk as it was followed'* ]]
	run -0 follow
	followed 2
	# what was made in its place is nobody's damaged one
	run -0 on pi2 newest-check
	# the primary's own bytes stay, whatever they are
	dd if=/dev/urandom of="$follow/newest.db" bs=1024 seek=9 count=20 conv=notrunc status=none
	jq -c --arg d "$(db-apply --digest --json "$follow/newest.db" | jq -r .digest)" '.is.digest = $d' "$follow/newest.db.note" >note
	cat note >"$follow/newest.db.note"
	run on pi2 follow-changes.sh --check
	expect 65 'db-verify: newest.db'
	[ -e "$follow/newest.db" ]
	# and by no link into another place
	mv "$follow" pi2/elsewhere
	ln -s "$PWD/pi2/elsewhere" "$follow"
	run on pi2 follow-changes.sh --check
	expect 77 'a symbolic link'
}

@test "the night's download takes what was followed, proved by its hash, and fetches nothing" {
	publish_night "UPDATE spots SET note = 'two' WHERE id = 2"
	download >/dev/null
	publish_minute "UPDATE spots SET note = 'three' WHERE id = 3"
	publish_night "UPDATE spots SET note = 'four' WHERE id = 4"
	publish_minute "UPDATE spots SET note = 'five' WHERE id = 5"
	follow
	followed 5 night.db
	dropbox_control reset
	run -0 download
	expect 0 'was followed up to this night, so there is nothing to fetch'
	[ "$(downloads)" -eq 0 ]
	cmp whole pi2/data/production.db
	[ "$(jq .n pi2/state/installed.json)" = 4 ]
	before=$(production)
	follow
	followed 5
	# another night's: it is fetched
	publish_night "UPDATE spots SET note = 'six' WHERE id = 6"
	cp whole "$follow/night.db"
	publish_night "UPDATE spots SET note = 'seven' WHERE id = 7"
	run -0 download
	expect 0 'content_hash as published'
	cmp whole pi2/data/production.db
}

# by_timer: the nightly job, as its timer starts it
by_timer() {
	on pi2 env TRIGGER_UNIT=ctv-pi2-download.timer daily-download.sh
}

@test "a timer's download that comes before the follower has made the night's copy fetches nothing; none waits for it without end" {
	installed
	before=
	follow
	publish_night "UPDATE spots SET note = 'two' WHERE id = 2"
	dropbox_control reset
	run -0 by_timer
	expect 0 'was followed up to this night, so there is nothing to fetch'
	[ "$(downloads "$(base_rev)")" -eq 0 ]
	cmp whole pi2/data/production.db
	# in the middle of a round
	publish_night "UPDATE spots SET note = 'three' WHERE id = 3"
	mkfifo go
	stub db-verify <<-'END'
		case "$*" in *night.tmp*) read -r _ <"$BATS_TEST_TMPDIR/go" ;; esac
		exec "$real" "$@"
	END
	stub flock <<-'END'
		case "$*" in *follow.lock*) echo x >>"$BATS_TEST_TMPDIR/rounds" ;; esac
		exec "$real" "$@"
	END
	follow 3>&- &
	service=$!
	eventually [ -s rounds ]
	by_timer >job 2>&1 3>&- &
	eventually eval '[ "$(wc -l <rounds)" -eq 2 ]'
	echo >go
	wait "$service" $!
	service=
	grep 'was followed up to this night, so there is nothing to fetch' job
	[ "$(downloads "$(base_rev)")" -eq 0 ]
	cmp whole pi2/data/production.db
	# one that does not end
	publish_night "UPDATE spots SET note = 'four' WHERE id = 4"
	stub timeout <<-'END'
		case "$*" in *follow-changes.sh*) shift 3; set -- -k 1s 1s "$@" ;; esac
		exec "$real" "$@"
	END
	run -0 by_timer
	expect 0 'content_hash as published'
	cmp whole pi2/data/production.db
	# where nothing is followed nothing begins to be
	rm -r "$follow"
	publish_night "UPDATE spots SET note = 'five' WHERE id = 5"
	run -0 by_timer
	[ ! -e "$follow" ]
}

@test "what publish-changes.sh and daily-upload.sh publish is followed, minutes and night" {
	installed
	# a state of the publisher's own: it begins with a night of its own
	rm st
	mkdir pi-ctv/state/changes
	run -0 upload
	sql "$live" "UPDATE spots SET note = 'by the publisher' WHERE id = 3"
	# the first round confirms the night's own state
	run -0 on pi-ctv publish-changes.sh --once
	run -0 on pi-ctv publish-changes.sh --once
	run -0 follow
	at_rest
	cmp rest "$follow/newest.db"
	sql "$live" "UPDATE spots SET note = 'tonight' WHERE id = 4"
	run -0 upload
	run -0 follow
	at_rest
	cmp rest "$follow/newest.db"
	dropbox_control reset
	run -0 download
	expect 0 'followed up to this night'
	cmp rest pi2/data/production.db
	[ "$(downloads)" -eq 0 ]
}
