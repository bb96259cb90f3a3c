#!/usr/bin/env bats
# The primary has the programs from before there were minutes, the standby those of today. By `make test-old OLD=COMMIT`.

load ../lab/lab
load old

setup_file() { old_base pi-ctv; }
teardown_file() { lab_base_end; }
# as an installation leaves it, and impatient
setup() {
	old_new
	pi2 sh -c "sed -i '/^CTV_CHANGES_EVERY=/d' /etc/ctv-db-sync.env; echo CTV_MAX_LAG=30s >>/etc/ctv-db-sync.env; systemctl restart ctv-follow.service"
}
teardown() { lab_end; }

@test "a week of nights: each is installed, nobody misses the minutes, and a true alarm is heard" {
	for day in 1 2 3 4 5 6 7 8; do
		a_night "day $day"
		quiet
	done
	[ "$(copies)" -eq 7 ]
	run ready
	expect 0
	pi2 jq -e '.lag == null' /run/ctv-mirror/www/status.json
	# it is told once that there are no minutes, and the unit goes on waiting for them
	[ "$(pi2 journalctl -q -o cat -u ctv-follow.service -g 'nights only' | wc -l)" -eq 1 ]
	[ "$(pi2 systemctl show -P ActiveState ctv-follow.service)" = active ]
	[ "$(pi2 systemctl show -P NRestarts ctv-follow.service)" = 0 ]
	pi2 test ! -e $NEWEST
	alarms pi2 ctv-pi2-download.service
	alarms pi-ctv ctv-db-sync.service
}

@test "a failover, a failback, and the nights go on" {
	a_night before
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	enter $STANDBY here
	lab boot pi-ctv
	serving $PRIMARY
	# fenced
	run ! lab run pi-ctv systemctl start ctv-db-sync.service
	[ "$(owner)" = pi2 ]
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	standing_by
	a_night after
	pi2 sh -c "sqlite3 $APP/data/database/failover_backup_*.db 'SELECT note FROM spots'" | grep -x here
	run ready
	expect 0
}

@test "the primary is upgraded: minutes begin, and the standby follows" {
	a_night before
	upgrade pi-ctv primary
	serving $PRIMARY
	minutes
	base_made 1
	eventually followed before
	enter $PRIMARY 'in a minute'
	eventually followed 'in a minute'
	a_night after
	quiet
	run ready
	expect 0
}
