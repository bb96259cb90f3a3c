#!/usr/bin/env bats
# The nightly proof: the real application, on a copy of last night's database, in a network of its own; the five kinds of failure
# that it is to find; and what may never come of it, whenever it is killed.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() {
	lab_new
	[ -n "${LAB_WHY-}" ] || pi2 sh -c "systemctl disable -q --now ctv-status.timer ctv-status.path; systemctl stop ctv-status
		systemctl disable -q --now ctv-follow; touch /etc/ctv-lab.proof"
}
teardown() { lab_end; }

# prove: one proof by the unit, asked for by an operator
prove() { operator /usr/local/lib/ctv-mirror/prove-failover.sh >&2 || true; }

# told NAME: a member of the record
told() { pi2 cat $STATE/last-proof.json | jq -r ".$1"; }

# data: all that lies in the application's data directory, to the last byte
data() {
	pi2 sh -c "cd $APP/data && find . ! -type d -printf '%p %i %s %m %u:%g %T@ ' -exec sha256sum {} \; && find . -type d -printf '%p %m %u:%g\n'" | sort
}

# unchanged: it is as it was at `data >before`, and nothing of a proof is anywhere
unchanged() {
	data | diff "$BATS_TEST_TMPDIR/before" -
	[ "$(pi2 systemctl is-active ctv-proof-app.service)" != active ]
	eventually gone
}

gone() {
	! pi2 sh -c 'findmnt -rn -o TARGET | grep ctvproof || find /run/ctvproof -mindepth 1 -maxdepth 1 2>/dev/null | grep .'
}

# code LINE...: what the application has before its first line, as somebody would commit it
code() {
	pi2 sh -c "cd $APP && [ -e /root/app.py ] || cp -p $APP/src/web/app.py /root/app.py"
	printf '%s\n' "$@" | pi2 sh -c "cat - /root/app.py >$APP/src/web/app.py"
}

# fails WHERE SAID: so does the proof
fails() {
	prove
	echo "$(told verdict) at $(told step): $(told message): $(told app_said)"
	[ "$(told verdict)" = failed ]
	[ "$(told step)" = "$1" ]
	[[ $(told 'message + " " + .app_said') =~ $2 ]]
	unchanged
}

@test "a good night is proved by itself, after its code, and leaves nothing: the data are the same to the last byte" {
	pi2 sh -c "echo kept >$APP/data/upload; chown ctvapps: $APP/data/upload"
	data >"$BATS_TEST_TMPDIR/before"
	# it changes what it finds, and the database
	code 'open("/opt/apps/ctv-bookedbiz-db/data/upload", "w").write("changed")' 'open("/opt/apps/ctv-bookedbiz-db/data/more", "w").close()' 'import sqlite3; d = sqlite3.connect("/opt/apps/ctv-bookedbiz-db/data/database/production.db")' \
		'd.execute("PRAGMA journal_mode=WAL"); d.execute("DELETE FROM spots"); d.commit()'
	pi2 systemctl start ctv-pi2-download.service
	eventually pi2 test -s $STATE/last-proof.json
	eventually eval '[ "$(told result)" != running ]'
	[ "$(told verdict)" = ok ]
	[ "$(told answer_ms)" -gt 0 ]
	[ "$(told snapshot_at)" = "$(pi2 cat $STATE/installed.json | jq -r .snapshot_at)" ]
	unchanged
	run pi2 journalctl -q -o cat -u ctv-code.service -u ctv-proof.service -g '^(Finished ctv-code|Starting ctv-proof)'
	echo "$output"
	# the last two: the plug may have been pulled within the night before this one
	[[ ${lines[-2]} = 'Finished ctv-code'* ]] && [[ ${lines[-1]} = 'Starting ctv-proof'* ]]
	# nobody outside of it could have seen it, nor it anybody
	run ! answers $STANDBY
}

@test "the five kinds of failure that it is to find, each named with the application's last words" {
	data >"$BATS_TEST_TMPDIR/before"
	# code that does not start
	code 'def broken(:'
	fails start 'SyntaxError'
	# a Python dependency that is gone
	code 'import the_dependency'
	fails start "No module named 'the_dependency'"
	# a missing secret
	code 'import os; os.environ["SECRET_KEY"]'
	fails start "KeyError: 'SECRET_KEY'"
	pi2 sh -c "echo SECRET_KEY=1 >$APP/.env; chgrp ctvapps $APP/.env"
	prove
	[ "$(told verdict)" = ok ]
	# a unit that was edited badly, and is followed at once
	pi2 sh -c 'mkdir -p /etc/systemd/system/flaskapp.service.d
		printf "[Service]\nExecStart=\nExecStart=/opt/apps/ctv-bookedbiz-db/.venv/bin/gunicon\n" >/etc/systemd/system/flaskapp.service.d/override.conf
		systemctl daemon-reload'
	fails start 'gunicon'
	pi2 sh -c 'rm /etc/systemd/system/flaskapp.service.d/override.conf; systemctl daemon-reload'
	# a database whose schema the code does not understand
	pi2 sh -c "echo 'CTV_PROVE_EXPECT=/api/spots/count /data/count > 0' >>/etc/ctv-db-sync.env"
	prove
	[ "$(told verdict)" = ok ]
	pi2 sqlite3 $LIVE 'ALTER TABLE spots RENAME TO bookings'
	data >"$BATS_TEST_TMPDIR/before"
	fails pages '/api/spots/count'
}

@test "what writes through the application and reads that back is a part of the proof; what others may have written is not run" {
	data >"$BATS_TEST_TMPDIR/before"
	pi2 sh -c 'cat >/usr/local/bin/order; chmod 755 /usr/local/bin/order; echo CTV_PROVE_WRITE=/usr/local/bin/order >>/etc/ctv-db-sync.env' <<-'END'
		#!/bin/sh
		set -eu
		id=$(curl -sf -m 10 -H 'Content-Type: application/json' "$1/api/spots" -d '{"customer": "Walk-in", "note": "tried"}' | jq .data.spot_id)
		[ "$(curl -sf -m 10 "$1/api/spots/$id" | jq -r .data.note)" = tried ]
	END
	prove
	[ "$(told 'verdict + " " + (.steps[] | select(.name == "write").result)')" = 'ok ok' ]
	unchanged
	pi2 sh -c 'echo exit 3 >>/usr/local/bin/order'
	fails write 'order: ended with 3'
	pi2 chmod o+w /usr/local/bin/order
	prove
	[ "$(told verdict)" = skipped ]
	[[ $(told message) = *'others than root could have written it'* ]]
	unchanged
}

@test "an application that asks for a network outside cannot be proved this way, which is not a failure" {
	data >"$BATS_TEST_TMPDIR/before"
	code 'import socket; socket.create_connection(("192.0.2.1", 443))'
	prove
	[ "$(told verdict)" = cannot ]
	[[ $(told message) = *'asks for a network outside'* ]]
	[[ $(told app_said) = *'Network is unreachable'* ]]
	unchanged
	# by a name; and what says nothing of its reason is found by what it asked
	code 'import urllib.request; urllib.request.urlopen("https://licence.example/")'
	prove
	[ "$(told verdict)" = cannot ]
	code 'import socket, sys' 'try: socket.create_connection(("192.0.2.1", 443))' 'except OSError: sys.exit(7)'
	prove
	[ "$(told verdict)" = cannot ]
	run ! pi2 systemctl is-failed -q ctv-proof.service
}

# drop_in SETTING...: of the application's unit
drop_in() {
	printf '%s\n' '[Service]' "$@" | pi2 sh -c 'mkdir -p /etc/systemd/system/flaskapp.service.d; cat >/etc/systemd/system/flaskapp.service.d/more.conf; systemctl daemon-reload'
}

@test "where what it writes cannot be kept apart it is not started, and the verdict is neither on its code nor on its unit" {
	# overlays on overlays, until the kernel takes no more
	pi2 sh -c "for n in 1 2 3; do mkdir -p /run/over/\$n/new /run/over/\$n/work
		mount -t overlay overlay -o lowerdir=$APP/data,upperdir=/run/over/\$n/new,workdir=/run/over/\$n/work $APP/data || exit 0; done"
	data >"$BATS_TEST_TMPDIR/before"
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 75 "start: $APP/data: what is written there cannot be kept apart here"
	expect 75 'journalctl -u run-ctvproof-1.mount'
	[ "$(told verdict)" = cannot ]
	[ -z "$(pi2 systemctl show -P InvocationID ctv-proof-app)" ]
	pi2 test ! -e $STATE/ask/code
	unchanged
	pi2 sh -c "while umount $APP/data/ 2>/dev/null; do :; done"
}

@test "a directory that is not there: as in its unit one is needed, one is not, and one is made, which a proof does not do" {
	data >"$BATS_TEST_TMPDIR/before"
	drop_in 'ReadWritePaths=-/srv/optional'
	prove
	[ "$(told verdict)" = ok ]
	drop_in 'ReadWritePaths=-/srv/optional /srv/needed'
	fails start '/srv/needed: No such file'
	drop_in StateDirectory=made
	prove
	[ "$(told verdict)" = cannot ]
	[[ $(told message) = 'start: /var/lib/made: '* ]]
	# also where the layer of another directory was just being mounted, and is ended for it
	slow() { pi2 sh -c 'mv /bin/mount /bin/mount.real; printf "%s\n" "#!/bin/sh" "case \$* in */ctvproof/1*) sleep 2 ;; esac" "exec /bin/mount.real \"\$@\"" >/bin/mount; chmod 755 /bin/mount'; }
	slow
	prove
	pi2 mv /bin/mount.real /bin/mount
	[[ $(told message) = 'start: /var/lib/made: '* ]]
	unchanged
	pi2 sh -c '[ ! -e /srv/optional ] && [ ! -e /srv/needed ] && [ ! -e /var/lib/made ]'
	pi2 mkdir /var/lib/made
	prove
	[ "$(told verdict)" = ok ]
}

@test "where the host serves, or has no such application, nothing is proved and nobody is alarmed" {
	pi2 mirror-role set active
	pi2 systemctl start ctv-proof.service
	[ ! -e "$LAB/pi2/upper$STATE/last-proof.json" ]
	pi2 mirror-role set standby
	pi2 sh -c 'mv /etc/systemd/system/flaskapp.service /root; systemctl daemon-reload'
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 0 'flaskapp.service: is not there: nothing to prove'
	pi2 systemctl start ctv-proof.service
	[ ! -e "$LAB/pi2/upper$STATE/last-proof.json" ]
	run ! pi2 systemctl is-failed -q ctv-proof.service
}

# begun: the application is being tried; it is activating for a moment only, then its workers do not answer
begun() { [[ $(pi2 systemctl is-active ctv-proof-app.service) == activ* ]]; }

@test "a proof that is stopped, as a failover does, is gone within 2 s, whatever the application thinks of it" {
	data >"$BATS_TEST_TMPDIR/before"
	code 'import signal, time' 'signal.signal(signal.SIGTERM, signal.SIG_IGN)' 'time.sleep(600)'
	pi2 systemctl start --no-block ctv-proof.service
	eventually begun
	operator svc-ctl -t 2s stop ctv-proof.service
	eventually eval '[ "$(pi2 systemctl is-active ctv-proof-app.service)" != deactivating ]'
	unchanged
	run ! pi2 systemctl is-failed -q ctv-proof.service
	# the next download is nobody's to wait for
	pi2 systemctl start --no-block ctv-proof.service
	eventually begun
	pi2 systemctl start ctv-pi2-download.service
	[ "$(pi2 cat $STATE/last-download.json | jq -r .exit)" = 0 ]
}

@test "killed at any point, the next one finds its way; no point leaves anything but the copy, and the next takes that" {
	data >"$BATS_TEST_TMPDIR/before"
	# main alone: systemd 257 kills by cgroup.kill, and with that also what it starts there afterwards, to clean up
	for when in 'test -e .proof' 'test -e .proof/data/production.db' 'systemctl is-active -q ctv-proof-app' 'systemctl is-failed -q ctv-proof-app'; do
		code
		[ "$when" != 'systemctl is-failed -q ctv-proof-app' ] || code 'def broken(:'
		pi2 sh -c "cd $APP/data/database; mkdir -p $STATE/ask/proof
			systemctl start --no-block ctv-proof.service; timeout 60 sh -c 'until $when; do :; done' 2>/dev/null || exit; systemctl kill -s KILL --kill-who=main ctv-proof.service ctv-proof-app.service 2>/dev/null
			until [ \"\$(systemctl show -P SubState ctv-proof)\" = failed ]; do sleep 0.05; done"
		unchanged
	done
	code
	# a proof that is held while the application is up
	pi2 sh -c "printf '#!/bin/sh\nexec tail -f /dev/null\n' >/usr/local/bin/hang && chmod 755 /usr/local/bin/hang"
	for when in 'test -e .proof' 'systemctl is-active -q ctv-proof-app'; do
		pi2 sh -c 'echo CTV_PROVE_WRITE=/usr/local/bin/hang >>/etc/ctv-db-sync.env'
		pi2 sh -c "cd $APP/data/database; mkdir -p $STATE/ask/proof
			systemctl start --no-block ctv-proof.service; timeout 60 sh -c 'until $when; do :; done'"
		lab poweroff pi2
		lab boot pi2
		pi2 sh -c 'systemctl stop ctv-status.timer ctv-status.path ctv-follow ctv-status; sed -i /^CTV_PROVE_WRITE=/d /etc/ctv-db-sync.env'
		prove
		[ "$(told verdict)" = ok ]
		unchanged
	done
}

@test "directories that it makes beside its database are gone with the copy, also after a power cut; the next proof is not kept from its work" {
	data >"$BATS_TEST_TMPDIR/before"
	code 'import os' 'os.umask(0o022)' 'os.makedirs("/opt/apps/ctv-bookedbiz-db/data/database/backups/of/today", exist_ok=True)' \
		'open("/opt/apps/ctv-bookedbiz-db/data/database/backups/of/today/file", "w").close()'
	prove
	[ "$(told verdict)" = ok ]
	unchanged
	pi2 setpriv --reuid ctvsync --regid ctvapps --clear-groups sh -c "cd $APP/data/database && mkdir -m 700 .proof && mkdir -m 770 .proof/data"
	pi2 setpriv --reuid ctvapps --regid ctvapps --clear-groups sh -c "mkdir /tmp/b && chmod 755 /tmp/b && touch /tmp/b/file"
	pi2 sh -c "cp -a /tmp/b $APP/data/database/.proof/data/backups"
	prove
	[ "$(told verdict)" = ok ]
	unchanged
}

@test "an application that swaps names beside its database leads a proof nowhere, and cannot reach the copy" {
	pi2 chmod 2770 $STATE
	pi2 sh -c "cat >/tmp/swap.py" <<-'END'
		import os
		os.chdir("/opt/apps/ctv-bookedbiz-db/data/database")
		while True:
		    try:
		        os.rename(".proof", ".gone")
		        os.symlink("/var/lib/ctv-mirror", ".proof")
		        break
		    except OSError:
		        pass
	END
	pi2 setpriv --reuid ctvapps --regid ctvapps --clear-groups python3 /tmp/swap.py & swap=$!
	operator /usr/local/lib/ctv-mirror/prove-failover.sh >&2 || true
	wait $swap
	[ "$(pi2 stat -c '%U:%G %a' $STATE)" = 'ctvsync:ctvsync 2770' ]
	[ "$(pi2 stat -c '%U:%G %a' $STATE/role)" = 'ctvsync:ctvsync 660' ]
	[ -z "$(pi2 find $STATE -group ctvapps)" ]
	[ -z "$(pi2 find $STATE -name 'production.db*' -o -name data)" ]
}

# publish SQL: the primary's next state, as its publisher would
publish() {
	lab run pi-ctv setpriv --reuid ctvsync --regid ctvsync --init-groups sh -c "cd $STATE && mkdir -p by-hand && cd by-hand && sqlite3 -cmd '.timeout 9000' $LIVE \"$1\" &&
		db-changes --json --since st --epoch \$(mirror-head show -f epoch) --file \$PWD/whole $LIVE out >seen &&
		dbx-put out \"\$(jq -r .path seen)\" &&
		if jq -e .base seen >/dev/null; then
			{ cat seen; dbx-put -f --json whole /database.db; } | mirror-head publish --owner pi-ctv
		else
			db-changes --show --json st | mirror-head publish --change --owner pi-ctv
		fi && db-changes --confirm st"
}

@test "--now proves the newest state that was followed, for an operator too, and leaves it to the follower" {
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh --now
	expect 75 '.follow: nothing is followed here'
	[ "$(told verdict)" = skipped ]
	pi2 sh -c 'sed -i s/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=1m/ /etc/ctv-db-sync.env; systemctl start ctv-follow'
	publish 'CREATE TABLE followed (x)'
	publish 'INSERT INTO followed VALUES (1)'
	followed() { [ "$(pi2 db-apply --show --json $APP/data/database/.follow/newest.db | jq .n)" = 2 ] 2>/dev/null; }
	eventually followed
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh --now
	expect 0 'the application answers [0-9]* ms after its start, on the newest state, state 2, data of'
	[ "$(told 'newest, .n' | tr '\n' ' ')" = 'true 2 ' ]
	pi2 flock -n $STATE/follow.lock true
	followed
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 0 'the application answers [0-9]* ms after its start, on data of'
	[ "$(told newest)" = false ]
}

@test "without room for a copy and the next night none is made, and that is said" {
	pi2 sh -c "cd $APP/data && cp -a database /root/was && mount -t tmpfs -o size=100m,mode=2775 tmpfs database && chown ctvapps:ctvapps database && cp -a /root/was/. database"
	data >"$BATS_TEST_TMPDIR/before"
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh --dry-run
	expect 75 'too little for a copy and for the next night'
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 75 'too little for a copy and for the next night'
	[ "$(told verdict)" = skipped ]
	unchanged
}

@test "a unit that was edited without daemon-reload is not taken for the one that a failover will start" {
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh --dry-run
	expect 0 'ready: ctv-proof-app.service is flaskapp.service as it is now'
	pi2 sh -c 'mkdir -p /etc/systemd/system/flaskapp.service.d; printf "[Service]\nEnvironment=MORE=1\n" >/etc/systemd/system/flaskapp.service.d/more.conf'
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 75 'ctv-proof-app.service: is older than flaskapp.service or its drop-ins'
	pi2 systemctl daemon-reload
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 0 'the application answers'
}

@test "the unit's sandbox is the application's own; nobody but the group may start or stop it" {
	run ! lab run -u visitor pi2 svc-ctl -t 5s start ctv-proof-app.service
	run ! lab run -u visitor pi2 svc-ctl -t 5s stop ctv-proof.service
	# without the copy it starts nothing
	run ! operator svc-ctl -t 10s start ctv-proof-app.service
	for setting in User Group UMask NoNewPrivileges CapabilityBoundingSet SystemCallFilter RestrictAddressFamilies WorkingDirectory \
		Environment MemoryDenyWriteExecute ProtectHome PrivateDevices RestrictNamespaces LimitNOFILE MemoryMax Type; do
		echo $setting
		[ "$(pi2 systemctl show -P $setting ctv-proof-app)" = "$(pi2 systemctl show -P $setting flaskapp)" ]
	done
}
