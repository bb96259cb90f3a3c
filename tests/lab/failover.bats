#!/usr/bin/env bats
# Failover and failback on two hosts: the whole life, what may be away, what may go wrong.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

@test "the whole life: a night, the primary dies at work, failover, writes, fenced, failback with a backup" {
	log=$BATS_TEST_TMPDIR/pi-ctv.log
	: >"$log"
	lab serve office "$ROOT/tests/app/clerk.py" $PRIMARY "$log" primary
	eventually test -s "$log"
	lab run pi-ctv systemctl start ctv-db-sync.service
	pi2 systemctl start ctv-pi2-download.service
	synced=$(head -n 1 "$log")
	lab poweroff pi-ctv
	lab stop office

	run failover
	expect 0 'FAILOVER COMPLETE'
	[[ $output == *"pi-ctv is down"* ]]
	[[ $output =~ "you will lose what was entered since" ]]
	[ "$(role)" = active ]
	eventually eval '[ "$(owner)" = pi2 ]'
	notes pi2 | grep -qx "$synced"
	enter $STANDBY on-pi2
	run pi2 systemctl start ctv-pi2-download.service
	expect 1
	notes pi2 | grep -qx on-pi2

	# the primary is back, with its own data; last night's job must not publish it over pi2's
	lab boot pi-ctv
	serving $PRIMARY
	head=$(pi2 mirror-head show)
	run lab run pi-ctv systemctl start ctv-db-sync.service
	expect 1
	lab run pi-ctv grep 'is fenced: pi2 has owned the record' /var/log/ctv-db-sync/upload.log
	[ "$(pi2 mirror-head show)" = "$head" ]

	run typed 'y\nyes\n' $APP/scripts/failback-to-pi-ctv.sh
	expect 0 'FAILBACK COMPLETE'
	kept=$(grep -o 'failover_backup_[0-9]*_[0-9]*\.db' <<<"$output" | head -n 1)
	standing_by
	run ! answers $STANDBY
	answers $PRIMARY
	notes pi2 "$APP/data/database/$kept" | grep -qx on-pi2
	pi2 dbx-fetch -o /tmp/saved.db "/backups/$kept"
	notes pi2 /tmp/saved.db | grep -qx on-pi2
	# nothing that the primary had accepted before is gone from it
	run grep -vxFf <(notes pi-ctv) "$log"
	expect 1

	enter $PRIMARY after
	lab run pi-ctv systemctl start ctv-db-sync.service
	pi2 systemctl start ctv-pi2-download.service
	notes pi2 | grep -qx after
	run grep -qx on-pi2 <(notes pi2)
	expect 1
	# what was entered on pi2 is still kept beside the new copy
	notes pi2 "$APP/data/database/$kept" | grep -qx on-pi2
}

@test "with GitHub and Dropbox away it serves all the same, and the record is claimed and handed back later" {
	lab poweroff pi-ctv
	lab cut pi2 github
	lab cut dropbox
	run failover
	expect 0 'GitHub gives no answer'
	[[ $output =~ "will be claimed when Dropbox answers" ]]
	answers $STANDBY
	enter $STANDBY on-pi2
	lab join dropbox
	eventually eval '[ "$(owner)" = pi2 ]'
	eventually eval 'pi2 sh -c "[ -z \"\$(ls $STATE/wanted)\" ]"'

	lab boot pi-ctv
	serving $PRIMARY
	lab cut dropbox
	run failback --yes
	expect 0 'FAILBACK COMPLETE'
	[ "$(role)" = standby ]
	kept=$(pi2 sh -c "cd $STATE/wanted && ls failover_backup_*.db")
	lab join dropbox
	eventually eval '[ "$(owner)" = pi-ctv ]'
	eventually eval 'pi2 sh -c "[ -z \"\$(ls $STATE/wanted)\" ]"'
	pi2 dbx-fetch -o /tmp/saved.db "/backups/$kept"
	notes pi2 /tmp/saved.db | grep -qx on-pi2
}

@test "a healthy primary stays the only one unless somebody means it" {
	taken=$(pi2 stat -c %Y $LIVE)
	run failover
	expect 77 'pi-ctv answers; nothing was changed'
	standing_by
	run typed 'y\n' $APP/scripts/failover-to-pi2.sh
	expect 77
	run failover --yes
	expect 77
	standing_by
	# what a killed run of root's left, whose time the operator may not set
	pi2 install -g ctvapps -m 660 /dev/null $STATE/data-of.tmp
	run typed 'yes\n' $APP/scripts/failover-to-pi2.sh
	expect 0 'FAILOVER COMPLETE'
	run failback
	expect 0 'FAILBACK COMPLETE'
	standing_by
	# what was written here does not make it newer: it lacks the primary's day all the same
	[ "$(pi2 stat -c %Y $STATE/data-of)" = "$taken" ]
	pi2 touch -c -d '3 hours ago' $STATE/data-of
	run failover --dry-run
	expect 0 'entered since .*: 3 h'
	[[ $output =~ "when this host served last, is in it" ]]
	run failover --force
	expect 0 'FAILOVER COMPLETE'
	failback
	pi2 systemctl start ctv-pi2-download.service
	run failover --dry-run
	expect 0 'entered since .*: 0 h'
}

@test "a dry run changes nothing, tells the loss, and is ready only when everything is" {
	# no round of the five minutes writes there meanwhile
	pi2 systemctl stop ctv-status.timer
	round pi2
	before=$(pi2 sh -c "cd $STATE && find . -type f ! -name '*.lock' -exec md5sum {} + | sort; stat -c '%Y %s' $LIVE")
	run failover --dry-run
	expect 0 'ready: a failover would work now'
	[[ $output =~ "you would lose what was entered since" ]]
	[ "$(pi2 sh -c "cd $STATE && find . -type f ! -name '*.lock' -exec md5sum {} + | sort; stat -c '%Y %s' $LIVE")" = "$before" ]
	pi2 touch -d '2 days ago' $LIVE
	run failover --dry-run
	expect 65 'not ready'
	pi2 mv /etc/systemd/system/flaskapp.service /root/
	pi2 systemctl daemon-reload
	run failover --dry-run
	# all that is wrong, not the first thing
	expect 65 'no such unit'
	[[ $output =~ old ]]
	standing_by
	run failback --dry-run
	expect 0 'nothing to give back'
}

@test "the drill starts and stops it, claims nothing, and leaves the copy as it was" {
	before=$(pi2 sh -c "md5sum $LIVE; stat -c '%U %a %Y' $LIVE")
	run failover --drill
	expect 77 'a drill could not put it back'
	standing_by
	run drill
	expect 0 'the drill has passed'
	standing_by
	[ "$(pi2 sh -c "md5sum $LIVE; stat -c '%U %a %Y' $LIVE")" = "$before" ]
	run ! answers $STANDBY
	faults die_after=1
	run drill
	expect 69
	standing_by
	lab poweroff pi-ctv
	run drill
	expect 69 'no time for a drill'
}

@test "an application that dies, that fails, that hangs: rolled back, said, and the role is the standby's" {
	lab poweroff pi-ctv
	for fault in die_after=2 errors_for=600 health_hangs=1 slow_start=600; do
		faults $fault
		run failover
		expect 69 'rolling back'
		[[ $output =~ "nothing serves here" ]]
		standing_by
	done
	faults errors_for=5
	run failover
	expect 0 'FAILOVER COMPLETE'
	answers $STANDBY
}

@test "new code that does not start is taken back, and the failover goes on with the old" {
	git clone -q "$LAB/github/daseme/ctv-bookedbiz-db.git" "$BATS_TEST_TMPDIR/dev"
	cd "$BATS_TEST_TMPDIR/dev"
	echo 'raise SystemExit("broken")' >>src/web/app.py
	git -c user.name=x -c user.email=x@x commit -qam broken
	git push -q
	was=$(operator git -C $APP rev-parse HEAD)
	lab poweroff pi-ctv
	run failover
	expect 0 'once more, with the code as it was'
	[[ $output =~ "FAILOVER COMPLETE" ]]
	answers $STANDBY
	[ "$(operator git -C $APP rev-parse HEAD)" = "$was" ]
}

@test "no unit, no permission, no database, a damaged one, an old one, a full disk: each says what is wrong" {
	lab poweroff pi-ctv
	pi2 cp -p $LIVE /root/good.db
	again() {
		pi2 rm -f $LIVE
		pi2 cp -p /root/good.db $LIVE
	}

	pi2 mv /etc/systemd/system/flaskapp.service /root/
	pi2 systemctl daemon-reload
	run failover
	expect 66 'flaskapp.service: no such unit'
	pi2 mv /root/flaskapp.service /etc/systemd/system/
	pi2 mv $APP/.venv /root/
	run failover --dry-run
	expect 66 'flaskapp.service: /opt/apps/ctv-bookedbiz-db/.venv/bin/gunicorn is not there'
	pi2 mv /root/.venv $APP/
	pi2 systemctl daemon-reload

	pi2 mv /etc/polkit-1/rules.d/60-ctv-mirror.rules /root/
	pi2 systemctl restart polkit
	run failover
	expect 77 'rolling back'
	standing_by
	pi2 mv /root/60-ctv-mirror.rules /etc/polkit-1/rules.d/
	pi2 systemctl restart polkit

	pi2 chmod 0755 $STATE
	run failover
	expect 73 'cannot create'
	pi2 chmod 2775 $STATE
	pi2 chown root $STATE/role.lock
	pi2 chmod 0600 $STATE/role.lock
	run failover
	expect 73 'role.lock'
	pi2 systemd-tmpfiles --create /etc/tmpfiles.d/ctv-mirror.conf

	lab cut pi2 dropbox
	pi2 rm $LIVE
	run failover
	expect 66 'production.db is missing'
	again
	pi2 sh -c "printf garbage | dd of=$LIVE bs=1 seek=40960 conv=notrunc status=none"
	run failover
	expect 65 'Download a fresh copy'
	again
	lab join pi2 dropbox
	pi2 rm $LIVE
	run failover
	expect 0 'FAILOVER COMPLETE'
	answers $STANDBY
}

@test "an old database is said and served; a downloaded one when the operator wants it; a future one is said" {
	lab poweroff pi-ctv
	pi2 touch -d '40 hours ago' $LIVE
	run failover
	expect 0 'Download a fresh copy\? \[y/N\] no'
	[[ $output =~ "40 h" ]]
	lab boot pi-ctv
	serving $PRIMARY
	run failback --no
	expect 0 'FAILBACK COMPLETE'
	lab poweroff pi-ctv
	pi2 touch -d 'tomorrow' $LIVE
	pi2 rm $STATE/data-of
	run failover
	expect 0 'a clock is wrong'
}

@test "a full disk, a read-only one: not begun, and what is there stays" {
	lab poweroff pi-ctv
	pi2 sh -c 'mount -t tmpfs -o size=8M,mode=2775 tmpfs /mnt && chown ctvapps:ctvapps /mnt'
	pi2 cp -p $LIVE /mnt/production.db
	pi2 sh -c "mount --bind /mnt $APP/data/database"
	run failover
	expect 74 '[KM]iB free'
	[ "$(role)" = standby ]
	[ "$(unit)" != active ]
	pi2 umount $APP/data/database
	while read -r code dir text; do
		pi2 mount --bind $dir $dir
		pi2 mount -o remount,bind,ro $dir
		run failover
		expect "$code" "$dir.*$text"
		pi2 umount $dir
		[ "$(role)" = standby ]
		[ "$(unit)" != active ]
	done <<-END
		74 $APP/data/database read-only
		73 $STATE cannot open: Read-only file system
	END
	run failover
	expect 0 'FAILOVER COMPLETE'
}

@test "run twice it changes nothing, and of two operators at once one is told of the other" {
	lab poweroff pi-ctv
	# the first takes its time
	faults errors_for=6
	failover >"$BATS_TEST_TMPDIR/one" 2>&1 &
	one=$!
	eventually grep -q 'FAILOVER TO' "$BATS_TEST_TMPDIR/one"
	run failover
	expect 73 'operator.lock: held by failover-to-pi2.sh, pid'
	wait $one
	grep 'FAILOVER COMPLETE' "$BATS_TEST_TMPDIR/one"
	enter $STANDBY on-pi2
	pid=$(pi2 systemctl show -P MainPID flaskapp)
	run failover
	expect 0 'FAILOVER COMPLETE'
	[ "$(pi2 systemctl show -P MainPID flaskapp)" = "$pid" ]
	notes pi2 | grep -qx on-pi2
}

@test "Ctrl-C in the middle is undone" {
	lab poweroff pi-ctv
	faults slow_start=600
	operator sh -c 'echo $$; exec "$@"' sh $APP/scripts/failover-to-pi2.sh >"$BATS_TEST_TMPDIR/out" 2>&1 &
	run=$!
	eventually eval '[ "$(role)" = active ]'
	operator kill -INT "$(head -n 1 "$BATS_TEST_TMPDIR/out")"
	wait $run && status=0 || status=$?
	[ $status -eq 75 ]
	grep 'rolling back' "$BATS_TEST_TMPDIR/out"
	standing_by
}

@test "a reboot of pi2 while it is active: it serves again by itself, and nothing is lost" {
	lab poweroff pi-ctv
	failover
	enter $STANDBY before
	lab reboot pi2
	serving $STANDBY
	notes pi2 | grep -qx before
	lab poweroff pi2
	lab boot pi2
	serving $STANDBY
	notes pi2 | grep -qx before
	[ "$(role)" = active ]
}

@test "a failover in the middle of a download wins, and the download leaves the database alone" {
	before=$(pi2 md5sum $LIVE)
	enter $PRIMARY newer
	lab run pi-ctv systemctl start ctv-db-sync.service
	lab poweroff pi-ctv
	# the download hangs in the middle
	office curl -sfk -o /dev/null https://100.64.0.10:443/control/fault \
		-d '{"route":"files/download","kind":"delay","ms":15000,"match":"rev:","count":-1}'
	pi2 truncate -s 0 /var/log/ctv-pi2-download/download.log
	pi2 systemctl start --no-block ctv-pi2-download.service
	eventually pi2 grep -q 'step 2/6' /var/log/ctv-pi2-download/download.log
	run failover
	expect 0 'FAILOVER COMPLETE'
	enter $STANDBY on-pi2
	eventually eval '[ "$(pi2 systemctl show -P ActiveState ctv-pi2-download)" != activating ]'
	notes pi2 | grep -qx on-pi2
	run grep -qx newer <(notes pi2)
	expect 1
	sound pi2
}

@test "an operator's download and the nightly one take turns, with new content and with the same" {
	for note in first second; do
		enter $PRIMARY "$note"
		lab run pi-ctv systemctl start ctv-db-sync.service
		run operator cli-db-sync download
		expect 0 'the newest copy is installed'
		notes pi2 | grep -qx "$note"
		# the same content, in a later snapshot: the other may not set the file's time, and installs it once more
		lab run pi-ctv systemctl start ctv-db-sync.service
		pi2 systemctl start ctv-pi2-download.service
		enter $PRIMARY "after-$note"
		lab run pi-ctv systemctl start ctv-db-sync.service
		pi2 systemctl start ctv-pi2-download.service
		notes pi2 | grep -qx "after-$note"
		lab run pi-ctv systemctl start ctv-db-sync.service
		run operator cli-db-sync download
		expect 0 'the installed copy is this one'
	done
	[ "$(pi2 date -u -r $LIVE +%Y-%m-%dT%H:%M:%SZ)" = "$(pi2 sh -c "jq -r .snapshot_at $STATE/installed.json")" ]
}

@test "failback refuses while the primary is not healthy, and undoes itself when it stops being so" {
	lab poweroff pi-ctv
	failover
	enter $STANDBY on-pi2
	run failback
	expect 69 'pi-ctv is not healthy'
	answers $STANDBY
	[ "$(role)" = active ]
	lab boot pi-ctv
	serving $PRIMARY
	run failback --dry-run
	expect 0 'ready: a failback would work now'
	[ "$(role)" = active ]
	# while the operator thinks about the question the primary goes away again
	mkfifo "$BATS_TEST_TMPDIR/keys"
	operator script -qec $APP/scripts/failback-to-pi-ctv.sh /dev/null \
		<"$BATS_TEST_TMPDIR/keys" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	run=$!
	exec 7>"$BATS_TEST_TMPDIR/keys"
	eventually grep -q 'Upload it as a backup' "$BATS_TEST_TMPDIR/out"
	lab cut pi-ctv
	echo n >&7
	wait $run && status=0 || status=$?
	exec 7>&-
	[ $status -eq 69 ]
	grep 'this host goes on serving' "$BATS_TEST_TMPDIR/out"
	serving $STANDBY
	[ "$(role)" = active ]
	notes pi2 | grep -qx on-pi2
}

@test "the operator may start and stop this one unit, and nothing else as root" {
	operator svc-ctl start flaskapp.service
	operator svc-ctl stop flaskapp.service
	for unit in ctv-pi2-download.service ctv-settle.service dbus.service; do
		run operator svc-ctl restart $unit
		expect 77
	done
	run operator systemctl reboot
	[ "$status" -ne 0 ]
	run lab run -u visitor pi2 svc-ctl start flaskapp.service
	expect 77
	run lab run -u visitor pi2 cat /etc/ctv-db-sync.env
	expect 1 'Permission denied'
	run operator sh -c 'echo x >/etc/systemd/system/flaskapp.service || echo x >/usr/local/lib/ctv-mirror/lib.sh'
	[ "$status" -ne 0 ]
}
