#!/usr/bin/env bats
# The standby follows by its unit: its sandbox and rights suffice, the operator stops it without sudo, and nothing of it
# stands in the way of a failover.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() {
	lab_new
	[ -n "${LAB_WHY-}" ] || pi2 sh -c 'sed -i s/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=1m/ /etc/ctv-db-sync.env; systemctl restart ctv-follow'
}
teardown() { lab_end; }

FOLLOW=$APP/data/database/.follow

# as the primary's publisher does it, by hand: a look, the object, the record
publish() {
	lab run pi-ctv setpriv --reuid ctvsync --regid ctvsync --init-groups sh -c "cd $STATE && mkdir -p by-hand && cd by-hand && [ -z '$1' ] || sqlite3 -cmd '.timeout 9000' $LIVE \"$1\" &&
		epoch=\$(mirror-head show -f epoch) &&
		db-changes --json --since st --epoch \$epoch --file \$PWD/whole $LIVE out >seen &&
		dbx-put out \"\$(jq -r .path seen)\" &&
		if jq -e .base seen >/dev/null; then
			{ cat seen; dbx-put -f --json whole /database.db; } | mirror-head publish --owner pi-ctv
		else
			db-changes --show --json st | mirror-head publish --change --owner pi-ctv
		fi && db-changes --confirm st"
}

newest() {
	pi2 db-apply --show --json $FOLLOW/newest.db | jq .n
}

is_newest() {
	[ "$(newest)" = "$1" ] 2>/dev/null
}

@test "by its unit, in its sandbox: from the base on, with the database's group and mode, until the operator stops it" {
	publish ''
	publish 'CREATE TABLE followed (x)'
	eventually is_newest 2
	[ "$(pi2 stat -c '%U:%G:%a' $FOLLOW)" = ctvsync:ctvsync:770 ]
	[ "$(pi2 stat -c '%U:%G:%a' $FOLLOW/newest.db)" = "ctvsync:$(pi2 stat -c '%G:%a' $LIVE)" ]
	publish 'INSERT INTO followed VALUES (1)'
	eventually is_newest 3
	[ "$(pi2 sqlite3 -readonly $FOLLOW/newest.db 'SELECT count(*) FROM followed')" = 1 ]
	# the application reaches nothing of it
	run pi2 setpriv --reuid ctvapps --regid ctvapps --init-groups ls $FOLLOW
	expect 2
	pi2 systemctl start ctv-follow-check.service
	[ "$(pi2 jq -r .result $STATE/last-follow-check.json)" = ok ]
	lab run -u daseme pi2 svc-ctl -t 3s stop ctv-follow.service
	lab run -u daseme pi2 flock -n $STATE/follow.lock true
	lab run -u daseme pi2 svc-ctl start ctv-follow.service
	publish 'INSERT INTO followed VALUES (2)'
	eventually is_newest 4
	[ "$(pi2 systemctl show -P NRestarts ctv-follow.service)" = 0 ]
	[ "$(pi2 systemctl show -P ActiveState ctv-follow.service)" = active ]
	# and nothing of it stays on a host that is none of ours any more
	database=$(pi2 sha256sum $LIVE)
	pi2 make -s -C /usr/src/ctv-mirror uninstall
	pi2 test ! -e $FOLLOW
	[ "$(pi2 sha256sum $LIVE)" = "$database" ]
}

# slow TOOL: it lasts, and nothing but a kill ends it
slow() {
	pi2 sh -c "mv /usr/local/bin/$1 /usr/local/bin/$1.real; printf '%s\n' '#!/bin/sh' 'echo >/tmp/$1.began' \"trap '' TERM\" 'while :; do sleep 1; done' >/usr/local/bin/$1; chmod 755 /usr/local/bin/$1"
}

began() { pi2 sh -c "test -e /tmp/$1.began || test -e /tmp/systemd-private-*-ctv-follow*/tmp/$1.began"; }

lock_is_free() { lab run -u daseme pi2 flock -w 2 $STATE/follow.lock true; }

@test "whatever a round or the verification is at, one stop of the operator's frees the lock, and is nobody's alarm" {
	publish ''
	publish 'CREATE TABLE followed (x)'
	eventually is_newest 2
	slow dbx-fetch
	publish 'INSERT INTO followed VALUES (1)'
	eventually began dbx-fetch
	run ! lab run pi2 flock -n $STATE/follow.lock true
	lab run -u daseme pi2 svc-ctl -t 3s stop ctv-follow.service
	lock_is_free
	[ "$(pi2 systemctl show -P Result ctv-follow.service)" = success ]
	pi2 mv /usr/local/bin/dbx-fetch.real /usr/local/bin/dbx-fetch
	lab run -u daseme pi2 svc-ctl start ctv-follow.service
	eventually is_newest 3
	pi2 sh -c "mv /usr/local/bin/db-verify /usr/local/bin/db-verify.real; printf '%s\n' '#!/bin/sh' 'echo >/tmp/db-verify.began' 'exec sleep 600' >/usr/local/bin/db-verify; chmod 755 /usr/local/bin/db-verify"
	pi2 systemctl start --no-block ctv-follow-check.service
	eventually began db-verify
	run ! lab run pi2 flock -n $STATE/follow.lock true
	lab run -u daseme pi2 svc-ctl -t 3s stop ctv-follow.service
	lock_is_free
	# ended, not failed
	eventually eval '[ "$(pi2 systemctl show -P ActiveState ctv-follow-check.service)" = inactive ]'
	pi2 mv /usr/local/bin/db-verify.real /usr/local/bin/db-verify
}

@test "the plug is pulled again and again while it follows: it goes on, and the database is untouched" {
	publish ''
	publish 'CREATE TABLE followed (x)'
	eventually is_newest 2
	before=$(pi2 sha256sum $LIVE)
	for n in 3 4 5; do
		publish 'INSERT INTO followed SELECT hex(randomblob(2000)) FROM (VALUES (1), (2), (3))'
		lab poweroff pi2
		lab boot pi2
		eventually is_newest $n
		[ "$(pi2 sha256sum $LIVE)" = "$before" ]
	done
	[ "$(pi2 db-verify -l quick --shell $FOLLOW/newest.db | sed -n "s/^verdict='\(.*\)'/\1/p")" = ok ]
}
