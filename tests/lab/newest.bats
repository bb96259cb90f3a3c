#!/usr/bin/env bats
# A failover takes the state of the last minute, on two hosts with real systemd: whoever runs it, whatever it interrupts, and wherever
# it is killed itself.

load lab

setup_file() { lab_minutes; }
teardown_file() { lab_base_end; }
setup() { lab_minutes_new; }
teardown() { lab_end; }

# installed NAME: of the record of what stands under the live name
installed() { pi2 jq -r ".$1" $STATE/installed.json; }

# serves NOTE: the application answers, with that row, which only what was followed has; last night's copy is the one before
serves() {
	answers $STANDBY
	[ "$(role)" = active ]
	notes pi2 | grep -qx "$1"
	[ "$(installed content_hash)" = null ]
	[ "$(pi2 sh -c "stat -c '%i.%s.%Y' $LIVE.prev")" = "$(installed previous.stamp | cut -d . -f 1-3)" ]
	run ! grep -qx "$1" <(notes pi2 $LIVE.prev)
	sound pi2
}

# as_unit COMMAND...: as a service of the jobs' user would
as_unit() {
	pi2 systemd-run -q --wait --pipe -p User=ctvsync -p Group=ctvsync -p SupplementaryGroups=ctvapps -p NoNewPrivileges=yes "$@"
}

# nights_again: what stands under the live name is last night's copy, untouched
nights_again() {
	[ "$(installed content_hash)" != null ] && pi2 installed-check --record $STATE/installed.json $LIVE >/dev/null
}

@test "as daseme without sudo, as root, by a unit: the newest serves; after each failback minutes go on, and last night's copy comes back, without a download of the base" {
	local who n=0 since
	since=$(pi2 date +%s.%6N)
	for who in operator pi2 as_unit; do
		n=$((n + 1))
		enter $PRIMARY "for $n"
		eventually followed "for $n"
		lab poweroff pi-ctv
		run $who $APP/scripts/failover-to-pi2.sh
		expect 0 'the newest state that was followed, [0-9]+, was put there by this run'
		expect 0 'FAILOVER COMPLETE'
		serves "for $n"
		enter $STANDBY "on pi2 $n"
		lab boot pi-ctv
		serving $PRIMARY
		run failback --no
		expect 0 'FAILBACK COMPLETE'
		kept=$(grep -o 'failover_backup_[0-9]*_[0-9]*\.db' <<<"$output" | head -n 1)
		notes pi2 "$DATA/$kept" | grep -qx "on pi2 $n"
		enter $PRIMARY "after $n"
		eventually followed "after $n"
		run ! grep -qx "on pi2 $n" <(notes pi2 $NEWEST)
		run ! pi2 journalctl -q -o cat -S "@$since" -u ctv-follow.service -g 'begins with the base'
		# soon, and by itself: a failover would take the newest again, as the next one here does
		eventually nights_again
		pi2 grep -q 'was followed up to this night' /var/log/ctv-pi2-download/download.log
		pi2 truncate -s 0 /var/log/ctv-pi2-download/download.log
		notes pi2 "$(pi2 sh -c "ls -t $LIVE.kept-* | head -n 1")" | grep -qx "on pi2 $n"
		enter $PRIMARY "minute $n"
		eventually followed "minute $n"
	done
}

@test "the primary is killed under load: what is lost was entered after the time that the failover names" {
	(while :; do
		n=$((n + 1))
		enter $PRIMARY "row $n" || exit 0
		echo "$(date +%s) row $n"
	done) >"$BATS_TEST_TMPDIR/accepted" &
	load=$!
	eventually followed 'row 5'
	accepted=$(wc -l <"$BATS_TEST_TMPDIR/accepted")
	eventually followed "row $((accepted + 5))"
	lab poweroff pi-ctv
	wait $load || true
	run failover
	expect 0 'FAILOVER COMPLETE'
	[[ $output =~ 'lose what was entered since '[A-Za-z0-9,\ ]*([0-9:]{8})': '[0-9]+' min '[0-9]+' s' ]]
	since=$(pi2 date -d "${BASH_REMATCH[1]}" +%s)
	# behind midnight it names the day before
	[ "$since" -le "$(date +%s)" ] || since=$((since - 86400))
	serves "row $((accepted + 5))"
	notes pi2 >"$BATS_TEST_TMPDIR/there"
	n=0
	while read -r when note; do
		[ "$when" -lt "$since" ] || break
		n=$((n + 1))
		grep -qx "$note" "$BATS_TEST_TMPDIR/there"
	done <"$BATS_TEST_TMPDIR/accepted"
	echo "# $n of $(wc -l <"$BATS_TEST_TMPDIR/accepted") before $since" >&3
	[ "$n" -ge 5 ]
}

@test "during an apply: what was on its way is ended by the failover, and serves" {
	# an apply is halted while SQLite takes the log into the file
	pi2 sh -c 'mv /usr/local/bin/db-apply /usr/local/bin/db-apply.real; cat >/usr/local/bin/db-apply; chmod 755 /usr/local/bin/db-apply' <<-'END'
		#!/bin/sh
		case "$*" in *--to*) ;; *) exec /usr/local/bin/db-apply.real "$@" ;; esac
		/usr/local/bin/db-apply.real "$@" & real=$!
		until [ -e newest.db-wal ] || [ ! -e /proc/$real/exe ]; do :; done
		kill -STOP $real
		[ ! -e newest.db-wal ] || exec sleep 600
		kill -CONT $real
		wait $real
	END
	halted() { pi2 pgrep -r T -f db-apply.real >/dev/null && pi2 test -e $NEWEST-wal; }
	halted_or_over() { halted || followed "$1"; }
	# on a busy machine one may be over before it is seen
	for n in 1 2 3 4 5; do
		lab run pi-ctv setpriv --reuid ctvapps --regid ctvapps --init-groups \
			sqlite3 -cmd '.timeout 9000' $LIVE "CREATE TABLE IF NOT EXISTS ballast (x);
				INSERT INTO ballast WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) SELECT hex(randomblob(2000)) FROM n;
				INSERT INTO spots (customer_id, note) SELECT customer_id, 'on its way $n' FROM spots LIMIT 1"
		eventually halted_or_over "on its way $n"
		! halted || break
	done
	halted
	lab poweroff pi-ctv
	[ "$(pi2 jq -r .target $NEWEST.note)" != null ]
	run failover --dry-run
	[[ $output == *'newest.db is just being applied to'* ]]
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves "on its way $n"
	[ "$(pi2 sqlite3 -readonly $LIVE 'SELECT count(*) FROM ballast')" = $((8000 * n)) ]
}

@test "during a proof, and during the night's download: both are ended before the application starts, and nothing of them stays" {
	# an application that is long in coming up where it does not see the host's /run, as in a proof
	pi2 sh -c "cd $APP && { echo 'import os, time'; echo 'if not os.path.exists(\"/run/dbus\"): time.sleep(600)'; cat src/web/app.py; } >/tmp/app.py && cat /tmp/app.py >src/web/app.py
		touch /etc/ctv-lab.proof; mkdir -p $STATE/ask/proof; systemctl start --no-block ctv-proof.service"
	tried() { [[ $(pi2 systemctl is-active ctv-proof-app.service) = activ* ]]; }
	eventually tried
	run failover --dry-run
	tried
	lab poweroff pi-ctv
	run failover --no-code
	expect 0 'FAILOVER COMPLETE'
	serves first
	ended=$(pi2 systemctl show -P InactiveEnterTimestampMonotonic ctv-proof.service)
	[ "$ended" -lt "$(pi2 systemctl show -P ExecMainStartTimestampMonotonic flaskapp.service)" ]
	pi2 test ! -e $DATA/.proof
	# a proof that gave way alarms nobody
	run ! pi2 systemctl is-failed -q ctv-proof.service
	# of a host that serves none begins
	pi2 sh -c "mkdir -p $STATE/ask/proof; systemctl start ctv-proof.service"
	pi2 test ! -e $DATA/.proof

	lab boot pi-ctv
	serving $PRIMARY
	failback --no
	# which the primary says with what it has
	enter $PRIMARY 'after it'
	eventually nights_again
	# and makes room for another night
	enter $PRIMARY again
	night
	enter $PRIMARY 'and again'
	upload
	eventually followed 'and again'
	# the night's download holds what it is about to replace
	pi2 sh -c 'mv /usr/local/bin/db-verify /usr/local/bin/db-verify.real; cat >/usr/local/bin/db-verify; chmod 755 /usr/local/bin/db-verify' <<-END
		#!/bin/sh
		case "\$*" in *--hash*$LIVE) exec sleep 600 <$LIVE ;; esac
		exec /usr/local/bin/db-verify.real "\$@"
	END
	pi2 systemctl start --no-block ctv-pi2-download.service
	held() { ! pi2 holders-check $LIVE; }
	eventually held
	# a person's proof does not
	run operator /usr/local/lib/ctv-mirror/prove-failover.sh
	expect 75 'ctv-pi2-download.service: is activating'
	held
	lab poweroff pi-ctv
	run failover --no-code
	expect 0 'FAILOVER COMPLETE'
	# it was ended on purpose, which alarms nobody
	[ "$(pi2 cat $STATE/last-download.json | jq -r .result)" = interrupted ]
	[ "$(pi2 systemctl show -P ActiveState ctv-pi2-download.service)" != activating ]
	answers $STANDBY
	serves 'and again'
}

# killed STEP: a failover of which nothing lives any more once that step is on its log
killed() {
	local step=$1 run
	pi2 truncate -c -s 0 /var/log/ctv-pi2-download/failover.log
	failover >/dev/null 2>&1 &
	run=$!
	eventually pi2 grep -q "step $step/5" /var/log/ctv-pi2-download/failover.log
	# after the last one it may be at its end
	pi2 pkill -KILL -u daseme || true
	wait $run || true
	pi2 flock -w 20 $STATE/operator.lock true
	sound pi2
	if notes pi2 | grep -qx first; then echo "# killed after step $step: the newest" >&3; else echo "# killed after step $step: last night's" >&3; fi
}

@test "killed after each step and run again, then once more: it goes on, and the newest serves with last night's beside it" {
	lab poweroff pi-ctv
	for step in 1 2 3 4 5; do
		killed $step
	done
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves first
	enter $STANDBY 'on pi2'
	pid=$(pi2 systemctl show -P MainPID flaskapp)
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$(pi2 systemctl show -P MainPID flaskapp)" = "$pid" ]
	notes pi2 | grep -qx 'on pi2'
	[ -z "$(pi2 find $DATA -name '*.kept-*')" ]
}

@test "the plug is pulled after each step and it is run again: it goes on, and the newest serves" {
	lab poweroff pi-ctv
	for step in 1 2 3 4; do
		pi2 truncate -c -s 0 /var/log/ctv-pi2-download/failover.log
		failover >/dev/null 2>&1 &
		run=$!
		eventually pi2 grep -q "step $step/5" /var/log/ctv-pi2-download/failover.log
		lab poweroff pi2
		wait $run || true
		no_news
		lab boot pi2
		eventually pi2 systemctl is-active -q dbus.service
		sound pi2
	done
	run failover
	expect 0 'FAILOVER COMPLETE'
	serves first
}

@test "--last-night after a start that failed on the newest: last night's copy serves, and what was tried is kept" {
	lab poweroff pi-ctv
	faults die_after=1
	run failover
	expect 69 'hint: with --last-night it starts on last night'
	[ "$(role)" = standby ]
	faults
	run failover --last-night
	expect 0 'FAILOVER COMPLETE'
	answers $STANDBY
	[ "$(installed content_hash)" != null ]
	run ! grep -qx first <(notes pi2)
	sound pi2
	# nothing that was on the newest is gone
	pi2 sh -c "ls $LIVE.prev $DATA/*.kept-* 2>/dev/null" | while read -r other; do notes pi2 "$other"; done | grep -qx first
}

@test "following stopped on Monday, the nights did not: the newer night serves, and it is said why" {
	pi2 systemctl stop ctv-follow.service
	enter $PRIMARY Tuesday
	night
	notes pi2 | grep -qx Tuesday
	night=$(pi2 sha256sum $LIVE.prev)
	lab poweroff pi-ctv
	run failover
	expect 0 'newest.db is not taken: newest.db is older'
	[[ $output == *'FAILOVER COMPLETE'* ]]
	answers $STANDBY
	notes pi2 | grep -qx Tuesday
	[ "$(pi2 sha256sum $LIVE.prev)" = "$night" ]
}
