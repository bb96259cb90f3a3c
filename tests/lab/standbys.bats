#!/usr/bin/env bats
# Two standbys follow one primary, each by its own unit and in its own time; one takes over, and the other knows it.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

NEWEST=$APP/data/database/.follow/newest.db

pi3() { lab run pi3 "$@"; }

# shellcheck disable=SC2016  # expanded on the host
# followed HOST NOTE: this row is in its newest.db
followed() {
	lab run "$1" sh -c '[ -e "$0" ] && [ ! -s "$0-wal" ] && sqlite3 "file:$0?immutable=1" "SELECT note FROM spots" | grep -qx "$1"' $NEWEST "$2"
}

n_of() { lab run "$1" db-apply --show --json $NEWEST | jq .n; }

@test "both follow; one that was off catches up; one takes over, the other keeps what it has and says whose the record is; and back" {
	lab boot pi3
	lab install pi3
	for host in pi-ctv pi2 pi3; do
		lab run $host sed -i 's/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=5s/' /etc/ctv-db-sync.env
	done
	lab run pi-ctv sh -c "touch -d -2hours $STATE/last-upload.json; touch /etc/ctv-lab.publish; systemctl restart ctv-publish.service"
	for host in pi2 pi3; do lab run $host systemctl restart ctv-follow.service; done
	enter $PRIMARY first
	for host in pi2 pi3; do eventually followed $host first; done
	night
	fresh pi3 ctv-pi2-download.service
	for host in pi2 pi3; do [ "$(lab run $host jq .n $STATE/installed.json)" -gt 0 ]; done
	# the plug of one is no matter of the other's
	lab poweroff pi3
	enter $PRIMARY second
	eventually followed pi2 second
	lab boot pi3
	eventually followed pi3 second
	enter $PRIMARY third
	for host in pi2 pi3; do eventually followed $host third; done
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
	for host in pi2 pi3; do eventually followed $host fourth; done
}
