#!/usr/bin/env bats
# The primary has the programs of today and publishes minute by minute, the standby those from before there were minutes. By
# `make test-old OLD=COMMIT`.

load ../lab/lab
load old

setup_file() { old_base pi2; }
teardown_file() { lab_base_end; }
setup() {
	old_new
	minutes
	base_made 1
}
teardown() { lab_end; }

# publishes: what is entered now is on record soon
publishes() {
	local n
	n=$(newest_n)
	enter $PRIMARY 'one more'
	eventually published $((n + 1))
}

@test "a week of nights, with minutes in between: each is installed as ever, and a true alarm is heard" {
	for day in 1 2 3 4 5 6 7 8; do
		publishes
		a_night "day $day"
		quiet
	done
	[ "$(copies)" -eq 7 ]
	run ready
	expect 0
	alarms pi2 ctv-pi2-download.service
	alarms pi-ctv ctv-db-sync.service
}

@test "its failover claims a record of which it knows a part; after its failback the record is whole again, and the minutes go on without a base" {
	publishes
	a_night before
	publishes
	n=$(newest_n)
	upload=$(lab run pi-ctv cat $STATE/last-upload.json)
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	enter $STANDBY here
	lab boot pi-ctv
	serving $PRIMARY
	# fenced: no minute, and no night
	enter $PRIMARY 'by mistake'
	fenced() { lab run pi-ctv journalctl -q -o cat -b -u ctv-publish.service -g 'is fenced'; }
	eventually fenced
	run ! lab run pi-ctv systemctl start ctv-db-sync.service
	[ "$(record .owner)" = pi2 ]
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	[ "$(record .owner)" = pi-ctv ]
	eventually published $((n + 1))
	publishes
	[ "$(lab run pi-ctv jq .base $STATE/last-upload.json)" != true ]
	a_night after
	pi2 sh -c "sqlite3 $APP/data/database/failover_backup_*.db 'SELECT note FROM spots'" | grep -x here
}

@test "what it publishes while it serves is of no state: after its failback a base begins the chain anew" {
	publishes
	a_night before
	n=$(newest_n)
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	enter $STANDBY here
	# by hand, for there is no unit for it here
	jobs=$(pi2 stat -c %U $STATE)
	run pi2 setpriv --reuid "$jobs" --regid "$jobs" --init-groups /usr/local/lib/ctv-mirror/daily-upload.sh
	expect 0
	record .head.n | grep -x null
	lab boot pi-ctv
	serving $PRIMARY
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	# a look that finds nothing asks nobody
	enter $PRIMARY 'after all that'
	minutes
	base_made $((n + 1))
	publishes
	a_night after
}

@test "the standby is upgraded between two nights: it follows from the copy that it has, and a failover takes the newest after the next night" {
	publishes
	a_night before
	publishes
	upgrade pi2 standby
	enter $PRIMARY 'in a minute'
	eventually followed 'in a minute'
	[ -z "$(pi2 journalctl -q -o cat -u ctv-follow.service -g 'begins with the base')" ]
	# as before until then
	run ready
	expect 0
	a_night after
	quiet
	enter $PRIMARY last
	eventually followed last
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	notes pi2 | grep -x last
	sound pi2
}
