#!/usr/bin/env bats
# failback-to-pi-ctv.sh: whatever ends it, role and application agree, one host serves, and the next run finishes it.

load helper
load hosts

# the unit is a word in a file; what changes something is counted, and may be the last thing before a signal
setup() {
	hosts_start
	upload >log
	download >>log
	on pi2 mirror-head claim --owner pi2
	sql "$copy" "INSERT INTO spots (note) VALUES ('entered here')"
	cp -a pi2 pi2.saved
	stub svc-ctl <<'END'
while [ $# -gt 2 ]; do shift; done
unit=$BATS_TEST_TMPDIR/unit
case $1 in
start) echo active >$unit ;;
stop) echo inactive >$unit ;;
is-active) cat $unit; grep -qx active $unit || exit 3 ;;
status) echo "$2: $(cat $unit)"; grep -qx active $unit || exit 3 ;;
esac
END
	stub http-probe <<'END'
[ ! -e "$BATS_TEST_TMPDIR/ill" ] || { echo "HTTP CRITICAL: ill"; exit 2; }
echo "HTTP OK: well"
END
}

teardown() {
	dropbox_stop
}

serves() {
	echo active >pi2/state/role
	echo active >unit
}

# again: as before the first run
again() {
	rm -rf pi2 cut.*
	cp -a pi2.saved pi2
	serves
	on pi2 mirror-head claim --owner pi2
}

failback() {
	on pi2 failback-to-pi-ctv.sh "$@"
}

# cut AFTER SIGNAL: the script gets it when the AFTERth of its commands that change something has ended
cut_at() {
	local name real
	mkdir -p stubs
	for name in svc-ctl db-snapshot db-install mirror-role mirror-head dbx-put; do
		real=$(PATH=${PATH#*stubs:} command -v "$name")
		[ "$name" != svc-ctl ] || real=$BATS_TEST_TMPDIR/stubs/svc-ctl
		mkdir -p cutters
		cat >"cutters/$name" <<END
#!/bin/sh
"$real" "\$@"; code=\$?
case "$name \$*" in *is-active* | *status* | *show*) exit \$code ;; esac
echo x >>$PWD/cut.count
[ "\$(wc -l <$PWD/cut.count)" -ne $1 ] || kill -$2 "\$(sed -n 's/.*, pid \([0-9]*\),.*/\1/p' $PWD/pi2/state/operator.lock)"
exit \$code
END
		chmod +x "cutters/$name"
	done
}

# agree: the application runs under the role active, and under no other
agree() {
	local role
	role=$(cat pi2/state/role)
	case $role/$(cat unit) in
	active/active | standby/inactive) ;;
	# killed, and nobody could put it back: ctv-resume.service and the next run can
	active/inactive) [ "$1" = KILL ] ;;
	*) false ;;
	esac || { echo "after $1 at $2: role $role, unit $(cat unit)" >&2; return 1; }
}

@test "a signal or a kill behind any step leaves what agrees, and the next run finishes the failback" {
	serves
	ended=
	for signal in HUP KILL; do
		for ((at = 1; at < 40; at++)); do
			again
			cut_at "$at" "$signal"
			PATH=$PWD/cutters:$PATH failback --yes </dev/null >out 2>&1 || true
			agree "$signal" "$at"
			count=$(wc -l <cut.count)
			# a power cut forgets the unit's state, and ctv-resume.service starts what the role says
			[ "$(cat pi2/state/role)" != active ] || echo active >unit
			failback --no </dev/null >out 2>&1
			on pi2 settle.sh >>out 2>&1
			[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
			[ "$(on pi2 mirror-head show -f owner)" = pi-ctv ]
			[ -z "$(ls -A pi2/state/wanted)" ]
			# one copy a run at most, and nothing half
			[ "$(compgen -G 'pi2/data/failover_backup_*.db' | wc -l)" -le 2 ]
			for kept in pi2/data/failover_backup_*.db; do
				[ ! -e "$kept" ] || [ "$(sql "$kept" "SELECT count(*) FROM spots WHERE note = 'entered here'")" = 1 ]
			done
			[ ! -e pi2/data/.failover_backup.db ]
			if [ "$count" -lt "$at" ]; then
				ended="$ended $signal:$at"
				break
			fi
		done
	done
	[[ $ended =~ HUP:[0-9]+\ KILL:[0-9]+ ]]
}

@test "a failback that is undone leaves no copy, however often it is tried" {
	serves
	stub http-probe <<'END'
n=$(cat "$BATS_TEST_TMPDIR/probes" 2>/dev/null || echo 0)
echo $((n + 1)) >"$BATS_TEST_TMPDIR/probes"
# two looks are good, the next two are not
[ $((n % 4)) -lt 2 ] && { echo "HTTP OK: well"; exit 0; }
echo "HTTP CRITICAL: ill"
exit 2
END
	before=$(ls -A pi2/data)
	for _ in 1 2 3; do
		run failback --yes
		expect 69 'stopped being healthy'
		expect 69 'this host goes on serving'
		[ "$(ls -A pi2/data)" = "$before" ]
		[ "$(cat pi2/state/role)/$(cat unit)" = active/active ]
	done
}

@test "a link that leads nowhere, in the place of the copy, is no obstacle" {
	serves
	now=$(date +%s)
	for ((at = now; at < now + 60; at++)); do
		ln -s /nonexistent/x "pi2/data/failover_backup_$(date -u -d "@$at" +%Y%m%d_%H%M%S).db"
	done
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	[ ! -e /nonexistent ]
	for kept in pi2/data/failover_backup_*.db; do
		[ -h "$kept" ] || [ "$(sql "$kept" "SELECT count(*) FROM spots WHERE note = 'entered here'")" = 1 ]
	done
	[ "$(find pi2/data -name 'failover_backup_*.db' -type f | wc -l)" -eq 1 ]
}

@test "where nothing is left to be kept nothing is left to be uploaded" {
	serves
	rm "$copy"
	run failback --yes
	expect 0 'not there, so there is nothing to keep'
	[ -z "$(ls -A pi2/state/wanted)" ]
}

@test "nothing to do is said only after asking the record, which is handed back then" {
	echo inactive >unit
	run failback
	expect 0 'nothing serves here: there is nothing to give back'
	[ "$(on pi2 mirror-head show -f owner)" = pi-ctv ]
	on pi2 mirror-head claim --owner pi2
	DROPBOX_CONTENT_URL=http://127.0.0.1:1 run failback
	expect 0 'will be handed back when Dropbox answers'
	[ -e pi2/state/wanted/claim ]
	on pi2 settle.sh
	[ "$(on pi2 mirror-head show -f owner)" = pi-ctv ]
}

@test "a record of a failover that somebody put back is told with what repairs it, on both hosts" {
	dropbox_get /mirror-head.json >old
	echo inactive >unit
	failback
	dropbox_control put "$(jq -c '{path: "/mirror-head.json", text: tojson}' old)" >/dev/null
	run failback
	expect 65 'not believed'
	expect 65 'hint: .*mirror-head anew --owner pi-ctv'
	on pi-ctv mirror-head anew --owner pi-ctv --yes
	upload
	run failback
	expect 0 'nothing to give back'
}
