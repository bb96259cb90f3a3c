#!/usr/bin/env bats
# Two standbys follow one primary, each by its own unit and in its own time; one takes over, and the other knows it.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

pi3() { lab run pi3 "$@"; }
n_of() { lab run "$1" db-apply --show --json $NEWEST | jq .n; }

@test "both follow; one that was off catches up; one takes over, the other keeps what it has and says whose the record is; and back" {
	lab boot pi3
	lab install pi3
	minutes pi2 pi3
	enter $PRIMARY first
	for host in pi2 pi3; do eventually followed first $host; done
	night
	fresh pi3 ctv-pi2-download.service
	for host in pi2 pi3; do [ "$(lab run $host jq .n $STATE/installed.json)" -gt 0 ]; done
	# the plug of one is no matter of the other's
	lab poweroff pi3
	enter $PRIMARY second
	eventually followed second pi2
	lab boot pi3
	eventually followed second pi3
	enter $PRIMARY third
	for host in pi2 pi3; do eventually followed third $host; done
	lab poweroff pi-ctv
	same() { [ "$(pi2 sha256sum $NEWEST)" = "$(pi3 sha256sum $NEWEST)" ]; }
	eventually same
	failover -y
	n=$(n_of pi3)
	[ "$(pi2 mirror-head show --field owner)" = pi2 ]
	# nobody publishes minutes now: what the other has stays as it is, and it does not take itself for the one that serves
	round pi3
	[ "$(pi3 jq -r .role /run/ctv-mirror/www/status.json)" = standby ]
	[ "$(n_of pi3)" = "$n" ]
	[ "$(pi3 systemctl show -P ActiveState ctv-follow.service)" = active ]
	lab boot pi-ctv
	serving $PRIMARY
	failback --no
	lab run pi-ctv sh -c "touch -d -2hours $STATE/last-upload.json; systemctl restart ctv-publish.service"
	enter $PRIMARY fourth
	for host in pi2 pi3; do eventually followed fourth $host; done
}
