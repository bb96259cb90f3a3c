#!/usr/bin/env bats
# settle.sh: what a failover or failback left to be done is done, or told once and out of the way; no round without end.

load helper
load hosts

setup() {
	hosts_start
	mkdir -p pi2/state/wanted
}

teardown() {
	dropbox_stop
}

settle() {
	on pi2 settle.sh
}

owner() {
	on pi2 mirror-head show -f owner
}

# nothing_wanted: the unit that starts it again has no reason to
nothing_wanted() {
	[ -z "$(ls -A pi2/state/wanted)" ]
}

@test "the owner in the record becomes who serves by the role, and wanted/claim goes" {
	upload
	rows=0
	while read -r role before after; do
		on pi2 mirror-head claim --owner "$before"
		echo "$role" >pi2/state/role
		: >pi2/state/wanted/claim
		run settle
		expect 0 'nothing is left to be done'
		[ "$(owner)" = "$after" ]
		nothing_wanted
		rows=$((rows + 1))
	done <<-'END'
		active pi-ctv pi2
		active pi2 pi2
		standby pi2 pi-ctv
		standby pi-ctv pi-ctv
		standby third third
	END
	[ "$rows" -eq 5 ]
}

@test "a host that serves claims again what somebody put back or removed; one that does not leaves it to a person" {
	upload
	dropbox_get /mirror-head.json >old
	on pi2 mirror-head claim --owner pi2
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	: >pi2/state/wanted/claim
	run settle
	expect 65 'not believed'
	expect 65 'hint: .*mirror-head anew --owner NAME'
	nothing_wanted
	echo active >pi2/state/role
	for how in restored deleted; do
		: >pi2/state/wanted/claim
		run settle
		expect 0 'the head record says pi2'
		nothing_wanted
		run upload
		expect 77 'fenced: pi2'
		[ $how = deleted ] || dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	done
}

@test "without Dropbox it is tried again, and nothing is lost" {
	upload
	: >pi2/state/wanted/claim
	make_db copy.db
	echo "$PWD/copy.db" >pi2/state/wanted/failover_backup_20261124_123456.db
	DROPBOX_CONTENT_URL=http://127.0.0.1:1 DROPBOX_API_URL=http://127.0.0.1:1 run settle
	[ "$status" -eq 69 ] || [ "$status" -eq 75 ]
	[ -e pi2/state/wanted/claim ]
	[ -e pi2/state/wanted/failover_backup_20261124_123456.db ]
	dropbox_control reset
	run settle
	expect 0 'uploaded: /backups/failover_backup_20261124_123456.db'
	nothing_wanted
}

@test "what can never be done, and what is nothing of ours, is told once and moved away, and starts no other round" {
	upload
	make_db copy.db
	rows=0
	while IFS='|' read -r name make code why; do
		(cd pi2/state/wanted && eval "$make")
		wrap=(timeout 60)
		run settle
		expect "$code" "$why"
		nothing_wanted
		[ "$code" -eq 0 ] || [ -e "pi2/state/unsettled-$name" ] || [ -h "pi2/state/unsettled-$name" ]
		run settle
		expect 0
		rows=$((rows + 1))
	done <<-'END'
		x.tmp|: >failover_backup_20261124_123456.db.tmp|0|
		claim.tmp|: >claim.tmp|0|
		notes~|: >notes~|65|notes~: nothing that a failover
		.hidden|: >.hidden|65|.hidden: nothing that
		claim|mkdir claim|65|claim
		directory|mkdir directory|65|directory: nothing
		failover_backup_20261124_120001.db|mkfifo failover_backup_20261124_120001.db|65|120001.db: nothing
		failover_backup_20261124_120002.db|ln -s /etc/passwd failover_backup_20261124_120002.db|65|120002.db: nothing
		failover_backup_20261124_120003.db|echo /not/there >failover_backup_20261124_120003.db|66|/not/there
		failover_backup_20261124_120004.db|: >failover_backup_20261124_120004.db|66|
		failover_backup_x.db|: >failover_backup_x.db|65|x.db: nothing
	END
	[ "$rows" -eq 11 ]
}

@test "a name in Dropbox that another content has gives way to the next second's" {
	make_db copy.db
	dropbox_control put '{"path":"/backups/failover_backup_20261124_123456.db","text":"other"}' >/dev/null
	echo "$PWD/copy.db" >pi2/state/wanted/failover_backup_20261124_123456.db
	run settle
	expect 0 'uploaded: /backups/failover_backup_20261124_123457.db'
	nothing_wanted
}
