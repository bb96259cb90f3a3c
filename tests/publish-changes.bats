#!/usr/bin/env bats
# publish-changes.sh: one chain of states, whatever is killed, fenced, lost, or written by programs of before

load helper
load hosts

setup() {
	hosts_start
	export CTV_CHANGES_EVERY=1m
	mkdir pi-ctv/state/changes
	states=$PWD/pi-ctv/state/changes/state.db out=$PWD/pi-ctv/state/changes/out
	# the units of the host: what is asked of systemd is written down
	mkdir bin
	cat >bin/svc-ctl <<-'END'
		#!/bin/sh
		echo "$*" >>"$BATS_TEST_TMPDIR/asked"
	END
	chmod +x bin/svc-ctl
	PATH=$PWD/bin:$PATH
}

teardown() {
	[ -z "${pid-}" ] || kill "$pid" 2>/dev/null || true
	[ -z "${go-}" ] || exec {go}>&-
	dropbox_stop
}

# base [N]: what the night does: the whole state, published by its file
base() {
	on pi-ctv db-changes --json --base ${1:+-n "$1"} ${2:+--epoch "$2"} --node pi-ctv --file whole.db --since "$states" "$live" "$out" >look
	dbx-put -f "$out" "$(jq -r .path look)"
	{
		cat look
		db-verify --json -l full whole.db
		dbx-put -f --json whole.db /database.db
	} | on pi-ctv mirror-head publish --owner pi-ctv
	db-changes --confirm "$states"
	cp whole.db base.db
}

publish() {
	on pi-ctv publish-changes.sh --once "$@"
}

# record FILTER: of the record as it is in Dropbox
record() {
	dropbox_get /mirror-head.json | jq -r "$1"
}

# objects: how many there are in /changes
objects() {
	dbx-ls -R /changes | grep -c 'wal\.zst$'
}

# chain_is_live: from the base, by the objects that the record leads to, one gets what the application has
chain_is_live() {
	local path
	rm -rf objects followed.db*
	mkdir objects
	for path in $(dbx-ls -R /changes | grep -o '/changes/.*zst$'); do
		dbx-fetch -o "objects/${path##*/}" "$path"
	done
	cp base.db followed.db
	db-apply --to "$(on pi-ctv mirror-head show -n -f newest_object)" objects/* followed.db
	[ "$(rows followed.db)" = "$(rows "$live")" ]
}

add() {
	sql "$live" "INSERT INTO spots (customer, note) VALUES (1, '$1')"
}

# uploads: calls that count against a month's limit
uploads() {
	dropbox_calls files/upload
}

@test "help, version, a wrong command line, a host without a name, a standby" {
	run --separate-stderr publish-changes.sh --help
	expect 0 '^usage: publish-changes.sh'
	[ -z "$stderr" ]
	run publish --often
	expect 64 'unknown option'
	run publish x
	expect 64 'no operand'
	run env CTV_ENV_FILE=/nonexistent CTV_STATE_DIR="$PWD/pi-ctv/state" publish-changes.sh --once
	expect 78 'CTV_NODE: not set'
	run on pi2 publish-changes.sh --once
	expect 77 'this is not the primary'
	run env CTV_CHANGES_EVERY=1s CTV_ENV_FILE=/nonexistent publish-changes.sh --once
	expect 78 'less than 5s'
}

@test "each change is the next state, and from the base they lead to what the application has" {
	base
	for i in 1 2 3; do
		add "$i"
		run publish
		expect 0 "^state $((i + 1)) is published"
	done
	[ "$(record '"\(.seq) \(.head.n) \(.change.n)"')" = '1 1 4' ]
	[ "$(record .confirmed_at)" = "$(record .change.snapshot_at)" ]
	[ "$(objects)" -eq 4 ]
	chain_is_live
	# and deletes, a smaller file, another journal mode
	sql "$live" "DELETE FROM spots WHERE id > 20; VACUUM; PRAGMA journal_mode = DELETE"
	publish
	chain_is_live
	[ "$(record .change.n)" = 5 ]
}

@test "a round in which nothing changed calls nobody, writes nothing and says nothing" {
	base
	# as an application that keeps its connection
	coproc APP { exec sqlite3 -batch "$live"; }
	echo "INSERT INTO spots (customer, note) VALUES (1, 'app'); SELECT 1;" >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	publish
	publish
	find pi-ctv -printf '%p %T@ %s\n' | sort >before
	calls=$(dropbox_log | wc -l)
	run publish
	expect 0
	[ -z "$output" ]
	find pi-ctv -printf '%p %T@ %s\n' | sort | diff before -
	[ "$(dropbox_log | wc -l)" -eq "$calls" ]
	# until it is time to say so; in the second in which it was said there is nothing to add
	touch -d '1 hour ago' pi-ctv/state/.head-seen.json
	confirmed=$(record .confirmed_at)
	says() {
		run publish
		expect 0
		[ -z "$output" ]
		[[ $(record .confirmed_at) > $confirmed ]]
	}
	eventually says
	[ -z "$(find pi-ctv/state/.head-seen.json -mmin +30)" ]
	[ "$(record .change.n)" = 2 ]
	kill "$APP_PID"
}

# killed_behind TOOL ARGUMENT: the round is killed when this tool, called with this argument, has done its work
killed_behind() {
	cat >bin/"$1" <<-END
		#!/bin/sh
		code=0
		$(command -v "$1") "\$@" || code=\$?
		case " \$* " in
		*' $2 '*) kill -9 0 ;;
		esac
		exit \$code
	END
	chmod +x bin/"$1"
	# in a process group of its own
	run setsid -w env CTV_ENV_FILE=/nonexistent CTV_NODE=pi-ctv DATABASE_PATH="$live" CTV_STATE_DIR="$PWD/pi-ctv/state" \
		publish-changes.sh --once
	[ "$status" -eq 137 ]
	rm bin/"$1"
}

@test "a round that is killed behind any of its steps is ended by the next, with the same number and one object" {
	base
	n=1
	while read -r tool argument; do
		n=$((n + 1))
		add "$tool"
		killed_behind "$tool" "$argument"
		# more is written before the next round: it is the state after
		add more
		run publish
		expect 0
		publish
		[ "$(record .change.n)" -ge "$n" ] || { record . >&2; return 1; }
		n=$(record .change.n)
		[ "$(objects)" -eq "$n" ]
		chain_is_live
		[ -z "$(db-changes --show --shell=s_ "$states" | grep "^s_pending_n='[0-9]")" ]
	done <<-'END'
		db-changes --no-base
		dbx-put -c
		mirror-head --change
		db-changes --confirm
	END
}

@test "a fenced host publishes nothing, says so, and goes on with the chain when it is the owner again" {
	base
	add 1
	publish
	on pi2 mirror-head claim --owner pi2
	add 2
	run publish
	expect 77 'this host \(pi-ctv\) is fenced: pi2 has owned the record since epoch 2'
	[ "$(record '"\(.owner) \(.epoch) \(.change.n)"')" = 'pi2 2 2' ]
	on pi2 mirror-head settle --owner pi-ctv
	add 3
	run publish
	expect 0 '^state 3 is published'
	[ "$(record '"\(.owner) \(.epoch) \(.change.n)"')" = 'pi-ctv 3 3' ]
	[ "$(objects)" -eq 3 ]
	chain_is_live
}

@test "fenced between the object and the record: what was looked at is of the past" {
	base
	add 1
	killed_behind dbx-put -c
	on pi2 mirror-head claim --owner pi2
	on pi2 mirror-head claim --owner pi-ctv
	add 2
	# in the second of the one that was dropped it would have its name
	eventually publish
	[ "$(record '"\(.epoch) \(.change.n)"')" = '3 2' ]
	chain_is_live
}

@test "two publishers at once make one chain; the one that is behind asks for a base" {
	base
	cp -a pi-ctv twin
	add 1
	publish
	add 2
	# a host of the same name with what the first one knew before; an object of the same second has the same name
	twin() {
		run env CTV_ENV_FILE=/nonexistent CTV_NODE=pi-ctv DATABASE_PATH="$live" CTV_STATE_DIR="$PWD/twin/state" publish-changes.sh --once
		[[ $output != *'exists in Dropbox'* ]]
	}
	eventually twin
	expect 75 'the record does not name the state that was published last here, 1: ctv-db-sync.service makes a base'
	[ "$(record .change.n)" = 2 ]
	[ "$(cat asked)" = '-t 5s start ctv-db-sync.service' ]
	publish
	[ "$(record .change.n)" = 3 ]
	chain_is_live
	# many rounds of one host at once
	for i in 1 2 3 4; do
		add "$i"
		publish &
		pids[i]=$!
	done >log 2>&1
	wait "${pids[@]}" || true
	publish
	chain_is_live
}

@test "without STATE a base is asked for, once a day, and not while the nightly job fails" {
	base
	add 1
	publish
	rm "$states"
	add 2
	for i in 1 2; do
		run publish
		expect 75 'no state was published by this host: ctv-db-sync.service makes a base'
	done
	[ "$(record .change.n)" = 2 ]
	# nothing was looked at, nothing is left
	[ -z "$(db-changes --show --shell=s_ "$states" | grep "^s_pending_n='[0-9]")" ]
	[ "$(record .pace.why)" = 'base under way' ]
	# a host without polkit has its base at night
	stub svc-ctl <<-'END'
		exit 77
	END
	run publish
	expect 75 'so the base waits for the night$'
	rm stubs/svc-ctl
	: >asked
	echo '{"schema":1,"task":"upload","node":"pi-ctv","result":"failed","exit":69}' >pi-ctv/state/last-upload.json
	run publish
	expect 75 'the nightly job has run within the hour, so the base waits'
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'makes a base'
	printf '{"schema":1,"task":"upload","node":"pi-ctv","result":"ok","exit":0,"base":true,"finished_at":"%s"}' \
		"$(date -u +%FT%TZ)" >pi-ctv/state/last-upload.json
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'the base of today is made'
	[ "$(wc -l <asked)" -eq 1 ]
	# the base has a greater number than all before
	base 3
	add 3
	run publish
	expect 0 '^state 4 is published'
	chain_is_live
}

@test "while somebody uploads by hand, however long, no base is asked for" {
	mkdir -p pi-ctv/state
	flock pi-ctv/state/lock sleep 60 3>&- &
	holder=$!
	held() { ! flock -n pi-ctv/state/lock true; }
	eventually held
	run publish
	expect 75 'the base is under way'
	run ! grep -q 'start.*ctv-db-sync' asked
	kill "$holder"
	# a lock that cannot be looked at, as from within the unit before the first night, is nobody's
	rm pi-ctv/state/lock
	ln -s lock pi-ctv/state/lock
	run publish
	expect 75 'ctv-db-sync.service makes a base'
}

@test "changes that cannot be listed keep no night from its file" {
	base
	add 1
	run publish
	expect 0
	dropbox_fault '{"route":"files/list_folder","match":"/changes","kind":"500","count":-1}'
	add 2
	run upload
	expect 0
	[ "$(record .head.n)" = 3 ]
}

@test "a base that is not published yet is left alone" {
	on pi-ctv db-changes --base --node pi-ctv --file whole.db --since "$states" "$live" "$out"
	run publish
	expect 75 'base 1 is not published yet: ctv-db-sync.service makes a base'
	db-changes --show --shell=s_ "$states" | grep -qx "s_pending_n='1'"
	run on pi-ctv mirror-head show
	expect 66
}

@test "a record of programs of before: what they dropped is written again, what they published asks for a base" {
	base
	add 1
	publish
	dropbox_get /mirror-head.json | jq -c 'del(.change, .confirmed_at, .suspect, .head.n, .head.digest, .head.object) | .nonce = "0f"' >old
	dropbox_control put "$(jq -nc --rawfile text old '{path: "/mirror-head.json", $text}')" >/dev/null
	add 2
	run publish
	expect 0 '^state 3 is published'
	[ "$(record '"\(.seq) \(.head.n) \(.change.n)"')" = '1 1 3' ]
	chain_is_live
	jq -c 'del(.change, .confirmed_at, .suspect, .head.n, .head.digest, .head.object) | .seq = 2 | .head.rev = "00000000000f" | .nonce = "0e"' old >older
	dropbox_control put "$(jq -nc --rawfile text older '{path: "/mirror-head.json", $text}')" >/dev/null
	add 3
	run publish
	expect 75 'the record does not name the state that was published last here, 3: ctv-db-sync.service makes a base'
	# also where nothing changes any more
	touch -d '1 hour ago' pi-ctv/state/.head-seen.json
	db-changes --drop "$states"
	run publish
	expect 75 'does not name the state'
}

@test "a Dropbox that is away, or full, or does not want us: each with its status, and the next round goes on" {
	base
	add 1
	dropbox_fault '{"route":"files/upload","kind":"409","tag":"path/insufficient_space","count":1}'
	run publish
	expect 74 'no space left in Dropbox'
	root=$DROPBOX_ROOT
	dropbox_stop
	run publish
	expect 69
	DROPBOX_ROOT=$root dropbox_start
	add 2
	run publish
	expect 0 '^state 2 is published'
	publish
	chain_is_live
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"scope":"account_info.read"}')
	export DROPBOX_ACCESS_TOKEN
	add 3
	run publish
	expect 77 'scope'
}

@test "a record that is not believed stops it with 65, and nothing is lost" {
	base
	dropbox_get /mirror-head.json >old
	add 1
	publish
	dropbox_control put "$(jq -nc --rawfile text old '{path: "/mirror-head.json", $text}')" >/dev/null
	add 2
	run publish
	expect 65 'not believed'
	db-changes --show --shell=s_ "$states" | grep -qx "s_pending_n='3'"
	on pi-ctv mirror-head anew --owner pi-ctv --yes
	run publish
	expect 0 'state 3 is published'
	chain_is_live
}

@test "what was restored on purpose is simply the next state" {
	base
	cp whole.db saved.db
	add 1
	publish
	rm -f "$live"-*
	cp saved.db "$live.new"
	mv "$live.new" "$live"
	run publish
	expect 0 '^state 3 is published'
	chain_is_live
}

@test "off: the record says so once, and no round looks any more" {
	base
	add 1
	publish
	export CTV_CHANGES_EVERY=off
	run publish
	expect 0 'CTV_CHANGES_EVERY is off'
	[ "$(record .confirmed_at)" = null ]
	[ "$(record .change.n)" = 2 ]
	calls=$(uploads)
	run on pi-ctv timeout 60 publish-changes.sh
	expect 0 'is off'
	[ "$(uploads)" -eq "$calls" ]
	export CTV_CHANGES_EVERY=60s
	add 2
	publish
	[ "$(record .change.n)" = 3 ]
	# an alert of the unit is over then; and where no minute ever was, nobody is asked
	stub alert-post <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/told"
	END
	rm "$states"
	dropbox_stop
	CTV_CHANGES_EVERY=off run on pi-ctv timeout 60 publish-changes.sh
	expect 0 '^CTV_CHANGES_EVERY is off'
	[ "$(cat told)" = '--key ctv-publish.service --state ok' ]
}

# night: its round, and what the nightly job does with the file
night() {
	rm -f night.db lines
	on pi-ctv publish-changes.sh --file night.db --append lines || return
	cp night.db base.db
	{
		cat lines
		db-verify --json -l full night.db
		dbx-put -f --json night.db /database.db
	} | on pi-ctv mirror-head publish --owner pi-ctv
}

@test "the night's round makes a base where there is no chain, and else a file of the next state" {
	night
	[ "$(record '"\(.seq) \(.head.n) \(.change)"')" = '1 1 null' ]
	add 1
	run publish
	# the base is known to be published, and then the change is
	expect 0 'state 1 is published'
	publish
	[ "$(record .change.n)" = 2 ]
	add 2
	night
	[ "$(record '"\(.seq) \(.head.n) \(.change)"')" = '2 3 null' ]
	cmp night.db <(dropbox_get /database.db)
	chain_is_live
	# nothing changed: a night has a state of its own all the same
	night
	[ "$(record .head.n)" = 4 ]
	# STATE is lost: above all that was there, also an object that the record does not know
	dbx-put "$out" /changes/20261130/000000017-20261130T000000Z.wal.zst
	rm "$states"
	add 3
	night
	[ "$(record .head.n)" = 18 ]
	[ "$(jq -r .base lines)" = true ]
	publish
	add 4
	publish
	chain_is_live
}

@test "a night settles what is pending, and is kept from its file by nothing that was" {
	base
	add 1
	killed_behind db-changes --no-base
	add 2
	night
	[ "$(record '"\(.head.n) \(.change)"')" = '3 null' ]
	chain_is_live
	add 3
	killed_behind db-changes --no-base
	# its object has the name of the broken one where both are of one second
	echo broken >"$out"
	eventually night
	[ "$(record .head.n)" = 4 ]
	# a base of a night that failed
	on pi-ctv db-changes --base -n 9 --epoch 1 --file whole.db --since "$states" "$live" "$out"
	night
	[ "$(record .head.n)" = 5 ]
	chain_is_live
	on pi2 mirror-head claim --owner pi2
	run night
	expect 77 'fenced'
	[ ! -e night.db ]
}

@test "a minute that looks between what a night settles and the night's own look does not end the night, and both are states" {
	base
	add 'of the minute'
	stub db-changes <<-'END'
		case " $* " in
		*' --file '*)
			[ -e looked ] || { touch looked; "$real" --since pi-ctv/state/changes/state.db --node pi-ctv pi-ctv/data/production.db pi-ctv/state/changes/out >/dev/null; }
			;;
		esac
		exec "$real" "$@"
	END
	night
	[ -e looked ]
	[ "$(record '"\(.seq) \(.head.n) \(.change)"')" = '2 3 null' ]
	[ "$(objects)" -eq 3 ]
	cmp night.db <(dropbox_get /database.db)
	chain_is_live
}

@test "the nightly job publishes one of the states, and the minutes go on while it is verified and uploaded" {
	run upload
	expect 0 'state 1, a base, of '
	[ "$(record '"\(.seq) \(.head.n) \(.head.verified) \(.change)"')" = '1 1 full null' ]
	jq -e '.base' pi-ctv/state/last-upload.json
	add 1
	publish
	publish
	[ "$(record .change.n)" = 2 ]
	# while db-verify is at work a minute passes
	cat >bin/db-verify <<-END
		#!/bin/sh
		sqlite3 -cmd '.timeout 5000' "$live" "INSERT INTO spots (note) VALUES ('meanwhile')"
		publish-changes.sh --once >&2 || exit
		exec $(command -v db-verify) "\$@"
	END
	chmod +x bin/db-verify
	add 2
	run upload
	expect 0 'state 3, of '
	rm bin/db-verify
	[ "$(record '"\(.seq) \(.head.n) \(.change.n)"')" = '2 3 4' ]
	jq -e '.base | not' pi-ctv/state/last-upload.json
	dropbox_get /database.db >base.db
	[ "$(sql base.db "SELECT count(*) FROM spots WHERE note = 'meanwhile'")" = 0 ]
	chain_is_live
	# and the standby takes it as ever
	download
	cmp "$copy" base.db
}

@test "what is no time for CTV_CHANGES_EVERY ends no chain: it is named, and the night is its next state; off is what ends one" {
	upload
	publish
	add 1
	publish
	add 2
	CTV_CHANGES_EVERY=5x run upload
	expect 0 'CTV_CHANGES_EVERY: 5x: not a duration'
	[[ $output == *'snapshot '*'state 3, of '* ]]
	[ "$(record '"\(.head.n) \(.change)"')" = '3 null' ]
	CTV_CHANGES_EVERY=5x run publish
	expect 78 '5x'
	# as soon as it is mended the minutes go on from there, without a base
	add 3
	run publish
	expect 0 'state 4 is published'
	dropbox_get /database.db >base.db
	chain_is_live
	CTV_CHANGES_EVERY=off run upload
	expect 0 'snapshot .*, taken'
	[ "$(record .head.n)" = null ]
	# where there was none it begins none either
	rm "$states"
	CTV_CHANGES_EVERY=5x run upload
	expect 0 'snapshot .*, taken'
	[ ! -e "$states" ]
}

@test "a night whose verification fails is on record as suspect, until one passes" {
	upload
	publish
	sql "$live" 'CREATE TABLE more (x); CREATE INDEX more_x ON more (x); INSERT INTO more VALUES (1)'
	cp "$live" sound.db
	unindex "$live"
	run upload
	expect 65
	[ "$(record .suspect.n)" = 2 ]
	[ -n "$(record .suspect.why)" ]
	[ "$(record .head.n)" = 1 ]
	rm "$live"*
	cp sound.db "$live"
	upload
	[ "$(record .suspect)" = null ]
	[ "$(record .head.n)" = 3 ]
}

@test "STATE that is damaged is put aside and said once, and a base begins the chain anew" {
	upload
	add 1
	publish
	publish
	touch -d '1 day ago' pi-ctv/state/last-upload.json
	jq '.finished_at = "2026-01-01T00:00:00Z"' pi-ctv/state/last-upload.json >last && cp last pi-ctv/state/last-upload.json
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	echo nothing >"$states"
	run publish
	expect 75 'put aside as .*state.db.damaged'
	[[ $output = *'no state was published by this host: ctv-db-sync.service makes a base'* ]]
	run publish
	expect 75 'makes a base'
	[[ $output != *damaged* ]]
	[ "$(cat "$states.damaged")" = nothing ]
	run upload
	expect 0 'state 3, a base'
	dropbox_get /database.db >base.db
	add 2
	publish
	publish
	chain_is_live
	# in a night, too
	echo nothing >"$states"
	run upload
	expect 0 'a base'
	[ "$(record '"\(.seq) \(.head.n) \(.change)"')" = '3 5 null' ]
}

@test "STATE that is not ours keeps no night from its copy, and says so" {
	upload
	rm "$states"
	sqlite3 "$states" 'CREATE TABLE t (x)'
	run publish
	expect 65 'state.db'
	run upload
	expect 0 'it is of no state of the chain of changes, which ends here'
	[ "$(record '"\(.seq) \(.head.n)"')" = '2 null' ]
	sqlite3 "$states" 'SELECT * FROM t'
}

@test "an object that somebody removed from the chain makes the next night a base" {
	base
	for i in 1 2 3; do
		add "$i"
		publish
	done
	# a night goes on with a chain that is whole
	night
	[ "$(jq -r .base lines)" = false ]
	add 4
	publish
	add 5
	publish
	dbx-rm "$(dbx-ls -R /changes | grep -o '/changes/.*/000000006-.*zst$')"
	# the minutes go on: who has the state goes on with them
	add 6
	publish
	[ "$(record .change.n)" = 8 ]
	night
	[ "$(jq -r '"\(.base) \(.n)"' lines)" = 'true 9' ]
	[ "$(record .head.n)" = 9 ]
	publish
	add 7
	publish
	chain_is_live
	# the newest one, of the right number, but another's content
	add 8
	publish
	path=$(record .change.path)
	dbx-rm "$path"
	dbx-put "$live" "$path"
	night
	[ "$(jq -r .base lines)" = true ]
}

@test "a night that ends before its state is on record is not gone on with" {
	stub dbx-put <<-'END'
		case "$*" in *' /changes/'*) echo 'dbx-put: away' >&2; exit 69 ;; esac
		exec "$real" "$@"
	END
	run upload
	expect 69 'away'
	rm stubs/dbx-put
	# the object of a base is there when the record names it
	upload
	publish
	dbx-ls "$(record .head.object.path)"
	stub mirror-head <<-'END'
		case "$*" in *--change*) echo 'mirror-head: busy' >&2; exit 75 ;; esac
		exec "$real" "$@"
	END
	add 1
	run upload
	expect 75 'busy'
	rm stubs/mirror-head
	# its number is another state's; an object of the same second has the same name
	add 2
	eventually publish
	add 3
	publish
	upload
	dropbox_get /database.db >base.db
	[ "$(record '"\(.head.n) \(.change)"')" = '4 null' ]
	add 4
	publish
	chain_is_live
}

@test "a database that is not there is named, with 66, and nobody is called; it is no reason to look again for ever" {
	base
	mv "$live" gone
	calls=$(dropbox_log | wc -l)
	run publish
	expect 66 "db-changes: $live: cannot open"
	[ "${#lines[@]}" -eq 1 ]
	[ "$(dropbox_log | wc -l)" -eq "$calls" ]
	mv gone "$live"
	add 1
	run publish
	expect 0 '^state 2 is published'
}

@test "what is pending without its object is looked at again" {
	base
	add 1
	killed_behind db-changes --no-base
	rm "$out"
	run publish
	expect 75 'the next round looks again'
	run publish
	expect 0 '^state 2 is published'
	chain_is_live
}

@test "a change whose publication was answered by nobody is on record, and no base is asked for" {
	base
	add 1
	stub mirror-head <<-'END'
		case "$*" in *--change*) "$real" "$@"; exit 75 ;; esac
		exec "$real" "$@"
	END
	run publish
	expect 0 'state 2 is published'
	rm stubs/mirror-head
	[ ! -e asked ]
	add 2
	publish
	chain_is_live
}

@test "a host that serves in the primary's place publishes its nights, and no minutes" {
	upload
	download
	on pi2 mirror-head claim --owner pi2
	echo active >pi2/state/role
	mkdir pi2/state/changes
	run on pi2 daily-upload.sh
	expect 0 'snapshot .*, taken'
	[ "$(record '"\(.owner) \(.head.n)"')" = 'pi2 null' ]
}

@test "what one member of the group made of STATE another goes on with" {
	group_of pi-ctv
	member irc
	upload
	member daemon
	add 1
	publish
	publish
	run upload
	expect 0 'state 3, of '
}

@test "a night that is of no state asks for a base once, not each hour, and people are told" {
	upload
	publish
	add 1
	rm pi-ctv/state/last-upload.json
	stub db-changes <<-'END'
		case "$*" in *--file*) exit 70 ;; esac
		exec "$real" "$@"
	END
	TRIGGER_UNIT=ctv-db-sync.timer run upload
	expect 0 'it is of no state'
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'ctv-db-sync.service makes a base'
	run upload
	expect 0 'it is of no state'
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 70 'what was asked for one is of no state, so this base waits for the night'
	[ "$(wc -l <asked)" -eq 1 ]
	# that was another night
	jq '.finished_at = "2026-01-01T00:00:00Z"' pi-ctv/state/last-upload.json >last && cp last pi-ctv/state/last-upload.json
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'makes a base'
}

@test "a base that the timer's night made is not the one of the day that is asked for" {
	TRIGGER_UNIT=ctv-db-sync.timer upload
	rm "$states"
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'ctv-db-sync.service makes a base'
}

@test "a base is made when it is on record, not when it was tried, also by the run that goes on with it" {
	stub dbx-put <<-'END'
		case "$*" in *' /database.db') echo 'dbx-put: full' >&2; exit 74 ;; esac
		exec "$real" "$@"
	END
	run upload
	expect 74 'state 1, a base, of'
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	run publish
	expect 75 'ctv-db-sync.service makes a base'
	rm stubs/dbx-put
	run upload
	expect 0 'goes on with the one'
	jq -e .base pi-ctv/state/last-upload.json
}

@test "a month's limit of calls: who has spent too much of it looks less often, and no month's calls count in the next" {
	base
	waits() {
		db-changes --show --shell=p_ --every 60s --monthly 20000 "$states" | sed -n "s/^p_wait='\(.*\)s'/\1/p"
	}
	[ "$(waits)" = 60 ]
	add 1
	publish
	[ "$(sqlite3 "$states" 'SELECT n FROM calls')" = 4 ]
	sqlite3 "$states" 'UPDATE calls SET n = 20000'
	[ "$(waits)" -gt 60 ]
	db-changes --show --shell=p_ --every 60s --monthly 20000 "$states" | grep -x "p_wait_why='the month.*s calls'"
	[ "$(db-changes --show --shell=p_ --every 60s "$states" | grep p_wait=)" = "p_wait='60s'" ]
	sqlite3 "$states" 'UPDATE calls SET month = month - 1'
	[ "$(waits)" = 60 ]
	add 2
	publish
	[ "$(sqlite3 "$states" 'SELECT n FROM calls')" = 2 ]
	# to say that this host looked is one more
	touch -d '1 hour ago' pi-ctv/state/.head-seen.json
	publish
	[ "$(sqlite3 "$states" 'SELECT n FROM calls')" = 3 ]
	# the record tells the standby how often to expect something
	[ "$(record '"\(.pace.seconds) \(.pace.why)"')" = '60 ' ]
	sqlite3 "$states" 'UPDATE calls SET n = 20000'
	add 3
	publish
	[ "$(record .pace.why)" = "the month's calls" ]
	[ "$(record .pace.seconds)" -gt 60 ]
}

@test "a look that takes long makes the next one wait, until one does not" {
	base
	add 1
	publish
	# as on a slow card: ten seconds for all of it
	sqlite3 "$states" 'CREATE TABLE IF NOT EXISTS took (one INTEGER PRIMARY KEY, ms); INSERT OR REPLACE INTO took VALUES (1, 10000)'
	db-changes --show --shell=p_ --every 60s "$states" | grep -x -e "p_wait='100s'" -e "p_wait_why='long looks'" | wc -l | grep -x 2
	publish
	db-changes --show --shell=p_ --every 60s "$states" | grep -x "p_wait='60s'"
}

@test "a minute's upload is bounded, so that a night that comes meanwhile gets its turn; the night's own is not" {
	stub dbx-put <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/puts"
		case "$*" in *--timeout*) [ ! -e "$BATS_TEST_TMPDIR/slow" ] || exit 75 ;; esac
		exec "$real" "$@"
	END
	base
	add 1
	publish
	grep -e '--timeout 6m .* /changes/.*000000002' puts
	add 2
	killed_behind db-changes --no-base
	: >puts
	night
	grep -e '--timeout 6m .* /changes/.*000000003' puts
	run ! grep -e '--timeout .* /changes/.*000000004' puts
	grep -e ' /changes/.*000000004' puts
	# what did not get through in its time is dropped, and in the night's own state
	add 3
	killed_behind db-changes --no-base
	: >slow
	night
	[ "$(record '"\(.head.n) \(.change)"')" = '5 null' ]
	chain_is_live
}

@test "pages that the looks of the minutes should have seen are an alert, which a night without any ends; the night is as ever" {
	base
	stub alert-post <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/told"
	END
	stub db-changes <<-'END'
		case "$*" in *--full*) "$real" "$@" >said; code=$?; sed "s/^look_missed=.*/look_missed='3'/" said; exit $code ;; esac
		exec "$real" "$@"
	END
	add 1
	night
	[ "$(record .head.n)" = 2 ]
	grep -e '--key changes-missed --state warning .*3 pages of state 2' told
	mv stubs/db-changes unused
	hash -r
	night
	[ "$(tail -n 1 told)" = '--key changes-missed --state ok' ]
}

# serve: the service in the background, whose rounds wait for turn; what it says is in log, what people are told in told
serve() {
	stub alert-post <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/told"
	END
	cat >bin/sleep <<-'END'
		#!/bin/sh
		# the next round begins when the test says so
		case $1 in 5s | 2m | 5m | 300s | 1h) ;; *) exec /bin/sleep "$@" ;; esac
		echo "$*" >>"$BATS_TEST_TMPDIR/slept"
		exec timeout 60 sh -c 'read -r _ <"$BATS_TEST_TMPDIR/go"'
	END
	chmod +x bin/sleep
	mkfifo go
	# it waits for nobody who writes or reads
	exec {go}<>go
	: >told
	every 5s
	on pi-ctv env -u CTV_CHANGES_EVERY CTV_ENV_FILE="$PWD/settings" setpriv --pdeathsig KILL publish-changes.sh >log 2>&1 3>&- {go}>&- &
	pid=$! turns=0
	turn
}

# every TIME: in the settings, which each round reads
every() {
	(umask 077 && echo "CTV_CHANGES_EVERY=$1" >settings)
}

# turn: one round passes
turn() {
	[ "$turns" -eq 0 ] || echo >&"$go"
	turns=$((turns + 1))
	rounds() { [ -e slept ] && [ "$(wc -l <slept)" -ge "$turns" ]; }
	eventually rounds
}

@test "the service: rounds for ever, and what goes wrong is told once" {
	base
	serve
	[ "$(cat slept)" = 5s ]
	[ ! -s log ]
	add 1
	turn
	[ "$(record .change.n)" = 2 ]
	[ ! -s log ]
	# while nothing changes nobody is called, and nothing is written. What was written less than a second ago is looked at whole
	aged() { [ "$(date +%s)" -ge $(($(stat -c %Z pi-ctv/data/production.db) + 2)) ]; }
	eventually aged
	turn
	find pi-ctv -printf '%p %T@ %s\n' | sort >before
	calls=$(dropbox_log | wc -l)
	turn
	find pi-ctv -printf '%p %T@ %s\n' | sort | diff before -
	[ "$(dropbox_log | wc -l)" -eq "$calls" ]
	# a round that ends well may have something to say
	stub db-changes <<-'END'
		case "$*" in *--no-base*) echo 'db-changes: lost commits' >&2 ;; esac
		exec "$real" "$@"
	END
	mv stubs/db-changes bin/
	turn
	[ "$(cat log)" = 'db-changes: lost commits' ]
	rm bin/db-changes
	dropbox_fault '{"route":"files/*","kind":"503-empty","count":-1}'
	add 2
	turn
	turn
	[ "$(grep -c . log)" -ge 2 ]
	lines=$(wc -l <log)
	turn
	[ "$(wc -l <log)" -eq "$lines" ]
	dropbox_control reset
	turn
	grep -x 'publishes again' log
	[ "$(record .change.n)" = 3 ]
	# that it is away is no matter of this service
	[ "$(sort -u told)" = '--key ctv-publish.service --state ok' ]
}

@test "nothing that a round meets ends the service: people are told, and it is tried again" {
	base
	serve
	mv pi-ctv/state/changes gone
	turn
	turn
	[ "$(tail -n 1 slept)" = 5m ]
	[ "$(grep -c 'no such directory' log)" -eq 1 ]
	grep -e '--key ctv-publish.service --state warning' told
	mv gone pi-ctv/state/changes
	turn
	[ "$(tail -n 1 told)" = '--key ctv-publish.service --state ok' ]
	[ "$(tail -n 1 slept)" = 5s ]
	# what is no time is no wish for none: the record goes on to say that somebody should look
	every 5x
	turn
	turn
	[ "$(tail -n 1 slept)" = 5m ]
	grep -x 'ctv-conf: CTV_CHANGES_EVERY: 5x: not a duration.*' log
	grep '^ctv-conf: CTV_CHANGES_EVERY: 5x' told
	[ "$(record .confirmed_at)" != null ]
	every 5s
	add 1
	turn
	[ "$(record .change.n)" = 2 ]
	[ "$(tail -n 1 told)" = '--key ctv-publish.service --state ok' ]
	[ "$(tail -n 1 slept)" = 5s ]
	every off
	echo >&"$go"
	wait "$pid"
	grep -x 'CTV_CHANGES_EVERY is off: there is the nightly copy alone' log
}

@test "off that comes while a round is at work ends the service no sooner than the record says so" {
	base
	serve
	add 1
	stub db-changes <<-'END'
		case "$*" in *--no-base*) echo CTV_CHANGES_EVERY=off >settings ;; esac
		exec "$real" "$@"
	END
	mv stubs/db-changes bin/
	echo >&"$go"
	echo >&"$go"
	wait "$pid"
	[ "$(record .change.n)" = 2 ]
	[ "$(record .confirmed_at)" = null ]
	[ "$(cat log)" = 'CTV_CHANGES_EVERY is off: there is the nightly copy alone' ]
}

@test "while a base waits all that changed is looked at every five minutes, not each, and the record says so" {
	base
	cp -a pi-ctv twin
	serve
	add 1
	env CTV_ENV_FILE=/nonexistent CTV_NODE=pi-ctv DATABASE_PATH="$live" CTV_STATE_DIR="$PWD/twin/state" publish-changes.sh --once
	add 2
	echo '{"schema":1,"task":"upload","node":"pi-ctv","result":"failed","exit":69}' >pi-ctv/state/last-upload.json
	turn
	[ "$(tail -n 1 slept)" = 300s ]
	grep -x 'a look every 300s: a base is waited for' log
	[ "$(record '"\(.pace.seconds) \(.pace.why)"')" = '300 a base is waited for' ]
	# one that is under way is on record before long
	touch -d '2 hours ago' pi-ctv/state/last-upload.json
	turn
	[ "$(tail -n 1 slept)" = 5s ]
	[ "$(record '"\(.pace.seconds) \(.pace.why)"')" = '5 base under way' ]
}

@test "a night that waits for a base knows no pace where none was asked for, and says nothing of that" {
	base
	cp -a pi-ctv twin
	add 1
	# another publisher's state comes between the look and the record
	stub mirror-head <<-'END'
		case "$*" in
		*--change*)
			now=$(date +%s)
			until [ "$(date +%s)" -ne "$now" ]; do sleep 0.02; done
			PATH=${PATH#*:} CTV_CHANGES_EVERY=1m CTV_STATE_DIR=$PWD/twin/state publish-changes.sh --once >&2
			;;
		esac
		exec "$real" "$@"
	END
	echo '{"schema":1,"task":"upload","node":"pi-ctv","result":"failed","exit":69}' >pi-ctv/state/last-upload.json
	CTV_CHANGES_EVERY=often run on pi-ctv publish-changes.sh --file "$PWD/file" --append "$PWD/lines"
	expect 75 'the nightly job has run within the hour, so the base waits'
	[ "$(grep -vc ': CTV_CHANGES_EVERY: often: not a duration\|^state 2 is published' <<<"$output")" -eq 2 ]
	[ "$(record '"\(.pace.seconds) \(.pace.why)"')" = '300 a base is waited for' ]
}

@test "a base that comes on record while a round says that one waits makes no minute wait" {
	base
	serve
	on pi-ctv db-changes --json --base -n 2 --node pi-ctv --file whole.db --since "$states" "$live" "$out" >look
	dbx-put "$out" "$(jq -r .path look)"
	{
		cat look
		db-verify --json -l full whole.db
		dbx-put -f --json whole.db /database.db
	} >lines
	printf '{"schema":1,"task":"upload","node":"pi-ctv","result":"ok","exit":0,"base":true,"finished_at":"%s"}' \
		"$(date -u +%FT%TZ)" >pi-ctv/state/last-upload.json
	stub job-run <<-'END'
		[ ! -e lines ] || { mirror-head publish --owner pi-ctv <lines && rm lines; } >&2
		exec "$real" "$@"
	END
	mv stubs/job-run bin/
	turn
	grep 'the base of today is made' log
	[ "$(tail -n 1 slept)" = 5s ]
	add 1
	turn
	turn
	[ "$(record .change.n)" = 3 ]
}

@test "a fenced host waits for the record, and goes on when it is the owner again; nobody is alerted" {
	base
	stub dbx-wait <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/waited"
		exit "$(cat "$BATS_TEST_TMPDIR/wait_ends" 2>/dev/null || echo 75)"
	END
	serve
	on pi2 mirror-head claim --owner pi2
	add 1
	turn
	grep 'is fenced' log
	[ "$(wc -l <waited)" -eq 1 ]
	grep -e "--not $(dbx-ls --json /mirror-head.json | jq -r .rev) /mirror-head.json" waited
	turn
	lines=$(wc -l <log)
	turn
	[ "$(wc -l <log)" -eq "$lines" ]
	# nor where Dropbox is away meanwhile
	echo 69 >wait_ends
	turn
	[ "$(tail -n 1 slept)" = 2m ]
	run ! grep warning told
	rm wait_ends
	dropbox_fault '{"route":"files/*","kind":"503-empty","count":-1}'
	turn
	run ! grep warning told
	dropbox_control reset
	on pi-ctv mirror-head claim --owner pi-ctv
	turn
	turn
	[ "$(record .change.n)" = 2 ]
}

@test "where the month's calls are used up, says Dropbox, the minutes stop, people are told, and it is tried again each hour" {
	base
	serve
	dropbox_fault '{"route":"files/upload","kind":"403-month","count":-1}'
	add 1
	turn
	[ "$(tail -n 1 slept)" = 1h ]
	grep 'used all of its data transport API calls for the month' log
	turn
	lines=$(wc -l <log)
	turn
	[ "$(wc -l <log)" -eq "$lines" ]
	grep -e '--key ctv-publish.service --state warning' told
	# at the first of the month
	dropbox_control reset
	turn
	[ "$(record .change.n)" = 2 ]
	[ "$(tail -n 1 slept)" = 5s ]
	[ "$(tail -n 1 told)" = '--key ctv-publish.service --state ok' ]
	chain_is_live
}

@test "what a month's limit kept from Dropbox keeps no night from it" {
	base
	add 1
	killed_behind db-changes --no-base
	dropbox_fault '{"route":"files/upload","kind":"403-month","match":"/changes/","count":1}'
	night
	[ "$(record '"\(.seq) \(.head.n) \(.change)"')" = '2 2 null' ]
	chain_is_live
}

@test "whatever asks STATE waits for a look that takes long, minutes and night alike" {
	stub db-changes <<-'END'
		echo "$*" >>"$BATS_TEST_TMPDIR/calls"
		exec "$real" "$@"
	END
	upload
	publish
	add 1
	publish
	touch -d '1 hour ago' pi-ctv/state/.head-seen.json
	publish
	# a look of somebody who was killed, and whose object is gone
	add 2
	db-changes -t 10m --since "$states" "$live" "$out"
	rm "$out"
	run publish
	expect 75
	upload
	for verb in --confirm --drop --show.--shell=pace_ --show.--json --show.--calls --show.--append --no-base --full; do
		grep -qe "$verb" calls || { echo "$verb" >&2; return 1; }
	done
	run ! grep -ve '-t 10m' calls
}
