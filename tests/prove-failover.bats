#!/usr/bin/env bats
# The unit that a proof starts: the application's own, with nothing that reaches beyond the proof. What it does on a host is
# in tests/lab/proof.bats.

load helper
load sqlite
load hosts

setup() {
	D=$BATS_TEST_TMPDIR/root
	make -s -C "$ROOT" install DESTDIR="$D" ROLE=standby
	generator=$D/etc/systemd/system-generators/ctv-proof-generator
	mkdir "$BATS_TEST_TMPDIR/bin"
	# what the application's unit and its drop-ins say
	printf '#!/bin/sh\n[ -s "%s/unit" ] && cat "%s/unit"\n' "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/systemd-analyze"
	chmod +x "$BATS_TEST_TMPDIR/bin/systemd-analyze"
}

# made_of LINE...: the unit that is made when the application's has these
made_of() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/unit"
	made=$(CTV_ENV_FILE=/nonexistent PATH=$BATS_TEST_TMPDIR/bin:$PATH "$generator")
}

has() { grep -qxF -e "$1" <<<"$made" || { echo "not there: $1"; echo "$made"; return 1; } >&2; }
lacks() { ! grep -E -e "$1" <<<"$made" >&2; }

# exposure UNIT: systemd's own opinion of its sandbox, 0.0 is best
exposure() {
	systemd-analyze security --offline=yes --no-pager --root="$D" "$1" | sed -n 's/^.*Overall exposure level for .*: \([0-9.]*\) .*$/\1/p'
}

@test "of the application's unit that we ship all of its sandbox is there, and systemd finds no fault" {
	units=$D/etc/systemd/system
	made_of "$(cat "$units/flaskapp.service" "$units"/flaskapp.service.d/*.conf)"
	# each line but those that a proof must not have
	sed -n '/^\[Service]/,/^\[Install]/p' "$units/flaskapp.service" "$units"/flaskapp.service.d/*.conf |
		grep -vE '^(\[|#|$|Restart|TimeoutStop|ReadWritePaths|OnFailure|Wants)' | while read -r line; do has "$line"; done
	PATH=$BATS_TEST_TMPDIR/bin:$PATH "$generator" "$units" "$units" "$units"
	rm -rf "$units"/flaskapp.service*
	level=$(exposure ctv-proof-app.service)
	awk -v level="${level:-9}" 'BEGIN { exit !(level <= 1.5) }'
	for unit in ctv-proof-app.service run-ctvproof.mount run-ctvproof-1.mount ctv-proof-bare.target; do
		run systemd-analyze verify --man=no --recursive-errors=no "$units/$unit"
		run grep -v -e 'is not executable: No such file' -e '^$' <<<"$output"
		expect 1
	done
}

@test "what would move another unit, start it again, or act when it fails is not in it" {
	made_of '[Unit]' Description=x Requires=redis.service Conflicts=x.service OnFailure=a.service PartOf=b.service FailureAction=reboot \
		JoinsNamespaceOf=c.service ConditionPathExists=/srv 'AssertPathExists=|/x' '[Service]' ExecStart=/a Restart=always RestartSec=1 \
		RestartForceExitStatus=3 StartLimitAction=reboot-force Sockets=a.socket '[Install]' WantedBy=multi-user.target Alias=web.service
	has ConditionPathExists=/srv
	has 'AssertPathExists=|/x'
	has Restart=no
	has ExecStart=/a
	lacks 'redis|^Conflicts|OnFailure|b\.service|Action|c\.service|^RestartS|^RestartF|Sockets|Install|WantedBy|Alias'
}

@test "no command of it runs outside of its sandbox, or when it stops" {
	made_of '[Service]' User=u PermissionsStartOnly=yes ExecStartPre=/pre ExecStartPre=+/root-pre 'ExecStartPre=-!/pre2' 'ExecStart=-+/a b' \
		ExecStartPost=+/root-post ExecStop=/stop ExecStopPost=/post ExecReload=/reload ExecCondition=/may
	has ExecStartPre=/pre
	has 'ExecStart=-/a b'
	has ExecCondition=/may
	lacks 'root-|pre2|/stop|/post|/reload|PermissionsStartOnly'
	# however that is written
	made_of '[Service]' ExecStart=/a 'ExecStartPre=/b ; /c ;' 'ExecStartPre=/x ; +/bin/x' 'ExecStartPre="+/bin/x"' "ExecStartPre=-'!/bin/x'" \
		'ExecStartPre=\x2b/bin/x' 'ExecStartPre=/x ;  -+/bin/x' 'ExecStartPre=%h/pre' 'ExecStartPost=/x ; "+/bin/x"'
	has 'ExecStartPre=/b ; /c ;'
	has ExecStartPre=%h/pre
	lacks '/x'
	made_of '[Service]' 'ExecStart="+/a"'
	lacks ^ExecStart=
}

@test "what it may write is a layer, or the copy, and nothing else" {
	made_of '[Service]' ExecStart=/a ReadWritePaths=/forgotten ReadWritePaths= \
		'ReadWritePaths=/opt/apps/ctv-bookedbiz-db/data -/srv/up' 'ReadWritePaths=-"/with space" /with,comma' BindPaths=/srv/x:/y \
		'StateDirectory=one two/three' LogsDirectory=logs RuntimeDirectory=web StandardOutput=truncate:/var/log/a StandardError=file:/b \
		ProtectSystem=no ProtectHome=no PrivateTmp=no TemporaryFileSystem= PrivateNetwork=no NetworkNamespacePath=/run/netns/x LogNamespace=l
	[ "$(grep -c '^BindPaths=-*/run/ctvproof/' <<<"$made")" -eq 5 ]
	has BindPaths=/run/ctvproof/1:/opt/apps/ctv-bookedbiz-db/data
	has BindPaths=-/run/ctvproof/2:/srv/up
	has BindPaths=/run/ctvproof/4:/var/lib/two/three
	has BindPaths=/run/ctvproof/5:/var/log/logs
	has BindPaths=/opt/apps/ctv-bookedbiz-db/data/database/.proof/data:/opt/apps/ctv-bookedbiz-db/data/database
	has BindReadOnlyPaths=/srv/x:/y
	has Environment=STATE_DIRECTORY=/var/lib/one:/var/lib/two/three
	has RuntimeDirectory=ctv-proof-app/web
	has BindPaths=/run/ctv-proof-app/web:/run/web
	lacks '^(ReadWrite|StateDir|LogsDir|NetworkN|LogN)|truncate|file:/b|ProtectHome=no|^RuntimeDirectory=web|forgotten'
	# the last one counts
	for line in ProtectSystem=strict PrivateTmp=yes PrivateNetwork=yes StandardOutput=journal TemporaryFileSystem=/run:ro; do
		[ "$(grep "^${line%=*}=" <<<"$made" | tail -n 1)" = $line ]
	done
}

@test "without its layers it does not start; on what its unit need not find, or would itself miss, none is tried" {
	made_of '[Service]' ExecStart=/a 'ReadWritePaths=/needed -/optional +-/too' CacheDirectory=made
	for n in 1 2 3 4; do has Requires=run-ctvproof-$n.mount; done
	mkdir "$BATS_TEST_TMPDIR/out"
	sed -i "s,conf=.*,conf=$ROOT/build/ctv-conf," "$generator"
	CTV_ENV_FILE=/nonexistent PATH=$BATS_TEST_TMPDIR/bin:$PATH "$generator" "$BATS_TEST_TMPDIR/out"
	cd "$BATS_TEST_TMPDIR/out"
	grep -qx ConditionPathExists=/needed run-ctvproof-1.mount
	has BindPaths=/run/ctvproof/1:/needed
	grep -qx ConditionPathExists=/optional run-ctvproof-2.mount
	has BindPaths=-/run/ctvproof/2:/optional
	grep -qx ConditionPathExists=/too run-ctvproof-3.mount
	has BindPaths=-/run/ctvproof/3:/too
	# this systemd would make, which a proof must not
	run ! grep Condition run-ctvproof-4.mount
	has BindPaths=/run/ctvproof/4:/var/cache/made
	# where one cannot be, the others do not stay
	for n in 1 2 3 4; do
		grep -qx OnFailure=ctv-proof-bare.target run-ctvproof-$n.mount
		grep -qx Conflicts=run-ctvproof-$n.mount ctv-proof-bare.target
	done
}

@test "the sixth proof within ten seconds is no other than the first: systemd counts no starts, of mounts neither" {
	made_of '[Service]' ExecStart=/a 'ReadWritePaths=/needed -/optional'
	mkdir "$BATS_TEST_TMPDIR/out"
	sed -i "s,conf=.*,conf=$ROOT/build/ctv-conf," "$generator"
	CTV_ENV_FILE=/nonexistent PATH=$BATS_TEST_TMPDIR/bin:$PATH "$generator" "$BATS_TEST_TMPDIR/out"
	cd "$BATS_TEST_TMPDIR/out"
	[ -z "$(grep -Lx StartLimitIntervalSec=0 ctv-proof-app.service ./*.mount)" ]
	[ "$(ls ./*.mount | wc -l)" -eq 3 ]
}

@test "of two workers that fail alike the reason is among the last words, however many lines are between them" {
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/bin/systemctl"
	cat >"$BATS_TEST_TMPDIR/bin/journalctl" <<-'END'
		#!/bin/sh
		echo "[1] [ERROR] Exception in worker process"
		echo "Error: why"
		for n in 1 2 3 4; do echo "of the first: $n"; done
		echo "[2] [ERROR] Exception in worker process"
		echo "Error: why"
		echo "[2] [ERROR] exited"
		echo "[0] [ERROR] Shutting down"
		echo "[0] [ERROR] Reason"
	END
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	# shellcheck disable=SC2016  # expanded by the inner shell
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run sh -euc '. "$0/scripts/parts/proof.sh"; app_unit=a.service last_words' "$ROOT"
	[ "$output" = 'of the first: 3 / of the first: 4 / [2] [ERROR] Exception in worker process / Error: why / [2] [ERROR] exited / [0] [ERROR] Shutting down / [0] [ERROR] Reason' ]
}

@test "a directory of its own in /run, which systemd makes at the start, needs no layer where it is named a second time" {
	made_of '[Service]' ExecStart=/a 'ReadWritePaths=/run/web/ /run/others -/run/web' 'RuntimeDirectory=web web/of'
	[ "$(grep '^BindPaths=.*/run/ctvproof/' <<<"$made")" = BindPaths=/run/ctvproof/1:/run/others ]
	has BindPaths=/run/ctv-proof-app/web:/run/web
}

@test "a setting on several lines is one, a comment in it none, and a name of the unit means the real one" {
	made_of '[Service]' 'ExecStart=/a \' '# why' '  b \' '  c' 'ExecStop=/x \' '  Environment=LOST' 'SyslogIdentifier=%p-%%n' 'Environment=UNIT=%n'
	grep -qE '^ExecStart=/a +b +c$' <<<"$made"
	has 'SyslogIdentifier=flaskapp-%%n'
	has Environment=UNIT=flaskapp.service
	lacks LOST
}

@test "what updates the code, which reads no settings, learns the name of the application's unit" {
	made_of '[Service]' ExecStart=/a
	mkdir "$BATS_TEST_TMPDIR/out"
	sed -i "s,conf=.*,conf=$ROOT/build/ctv-conf," "$generator"
	# named SETTING IS: the unit's name as systemd is to read it
	named() {
		CTV_ENV_FILE=/nonexistent CTV_SERVICE=$1 PATH=$BATS_TEST_TMPDIR/bin:$PATH "$generator" "$BATS_TEST_TMPDIR/out"
		grep -qxF "Environment=CTV_SERVICE=$2" "$BATS_TEST_TMPDIR/out/ctv-code.service.d/unit.conf"
	}
	named flaskapp.service flaskapp.service
	named shop shop.service
	named 'the\x2dshop@1.service' 'the\\x2dshop@1.service'
}

@test "it is ended in order where something waits in a log of its database; else at once, by systemd" {
	cd "$BATS_TEST_TMPDIR"
	mkdir db
	sed -i "s,conf=.*,conf=$ROOT/build/ctv-conf," "$generator"
	export DATABASE_PATH=$PWD/db/production.db
	made_of '[Service]' ExecStart=/a
	end=$(sed -n 's/^ExecStop=-//p' <<<"$made")
	sh -c 'trap "echo ended >ended; exit" TERM; echo ready >ready; while :; do sleep 0.1; done' 3>&- & pid=$!
	eventually [ -e ready ]
	: >db/production.db-wal
	MAINPID=$pid sh -c "$end"
	[ ! -e ended ]
	echo log >db/production.db-journal
	MAINPID=$pid sh -c "$end" || true
	eventually [ -e ended ]
	wait $pid
	rm ended ready db/production.db-journal
	sh -c 'trap "echo ended >ended; exit" TERM; echo ready >ready; while :; do sleep 0.1; done' 3>&- & pid=$!
	eventually [ -e ready ]
	echo log >db/production.db-wal
	MAINPID=$pid sh -c "$end" || true
	eventually [ -e ended ]
	wait $pid
}

@test "without such a unit nothing is made" {
	made_of
	: >"$BATS_TEST_TMPDIR/unit"
	mkdir "$BATS_TEST_TMPDIR/out"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$generator" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/out"
	expect 0
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/out")" ]
}

# proof COMMANDS: in the words of proof.sh, on the database live/production.db; a name of which the application swaps with what is
# in elsewhere/, which only we may write
proof() {
	sh -c 'set -eu; here=$1; . "$here/lib.sh"; . "$here/parts/proof.sh"
		live=$2 live_dir=${2%/*} state=$2 spare=0 night=../${2##*/} copy=data/${2##*/}; installed_n= installed_snapshot_at= copy_size_bytes= room_text=
		eval "$3"' prove-failover.sh "$ROOT/scripts" "$PWD/live/production.db" "$1"
}

# elsewhere: what a proof must not touch
elsewhere() {
	cd "$BATS_TEST_TMPDIR"
	mkdir live elsewhere
	chmod 2775 live
	echo mine >elsewhere/role
	chmod 600 elsewhere/role
	chmod 700 elsewhere
	make_db live/production.db
	chmod 660 live/production.db
	find elsewhere -printf '%p %m %g %s\n' | sort >before
}

unmoved() { find elsewhere -printf '%p %m %g %s\n' | sort | diff before -; }

@test "the copy is in a directory that is ours alone, with a room for the application in it, and goes whole" {
	elsewhere
	# with what an application that was ended has left
	echo log >live/production.db-journal
	: >live/production.db-wal
	proof 'enter; mkdir data; copy_night; cmp data/production.db "$live"; cmp data/production.db-journal "$live-journal"; [ ! -e data/production.db-wal ]'
	rm live/production.db-*
	[ "$(stat -c '%a' live/.proof live/.proof/data/production.db)" = $'700\n660' ]
	# a link in its place, one that is open to others, and one of an older version
	proof 'enter; remove'
	[ ! -e live/.proof ]
	ln -s ../elsewhere live/.proof
	proof 'enter; clean; mkdir data'
	[ ! -h live/.proof ]
	chmod 2770 live/.proof
	touch live/.proof/production.db
	proof 'enter; [ "$(stat -c %a .)" = 700 ]; remove'
	[ ! -e live/.proof ]
	unmoved
}

@test "a name that is swapped for a link while it is made leads nowhere" {
	elsewhere
	mkdir stubs
	# its own directory, between the making and the entering
	printf '#!/bin/sh\nPATH=/usr/bin:/bin; mkdir "$@"; [ "$1" != .proof ] || { mv .proof gone; ln -s ../elsewhere .proof; }\n' >stubs/mkdir
	chmod +x stubs/mkdir
	PATH=$PWD/stubs:$PATH run proof 'enter; mkdir data; copy_night'
	expect 77 '.proof: is not ours'
	unmoved
	rm stubs/mkdir live/.proof
	# one that we cannot remove
	mkdir live/.proof
	printf '#!/bin/sh\nexit 1\n' >stubs/rm
	printf '#!/bin/sh\nPATH=/usr/bin:/bin; case $1 in .proof) exit 0 ;; esac; exec mkdir "$@"\n' >stubs/mkdir
	chmod +x stubs/*
	chown nobody live/.proof 2>/dev/null || chmod 0 live/.proof
	PATH=$PWD/stubs:$PATH run proof 'enter; mkdir data'
	expect 77
	rm -r stubs/rm stubs/mkdir live/.proof
	# the database, between the look and the copy
	printf '#!/bin/sh\nPATH=/usr/bin:/bin; mv ../production.db ../was; ln -s ../../../elsewhere/role ../production.db; cp "$@"; code=$?
		mv ../was ../production.db; exit $code\n' >stubs/cp
	chmod +x stubs/cp
	PATH=$PWD/stubs:$PATH run proof 'enter; mkdir data; copy_night'
	expect 75 'production.db: is not a regular file'
	unmoved
}

@test "where no systemd runs it says so" {
	local bare=()
	# where one does, in a /run of its own
	[ ! -d /run/systemd/system ] || { may_mount; bare=(unshare -m sh -c 'mount -t tmpfs none /run && exec "$@"' bare); }
	CTV_ENV_FILE=/nonexistent CTV_STATE_DIR=$BATS_TEST_TMPDIR run ${bare[@]+"${bare[@]}"} prove-failover.sh
	expect 69 'no systemd runs here'
}

@test "a person's proof ends no download" {
	mkdir "$BATS_TEST_TMPDIR/ask"
	printf '#!/bin/sh\necho "$*" >"%s/done"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/svc-ctl"
	chmod +x "$BATS_TEST_TMPDIR/bin/svc-ctl"
	# by_hand, with a download in that state
	asked() {
		PATH=$BATS_TEST_TMPDIR/bin:$PATH sh -c 'set -eu; here=$1 job= newest=; . "$here/lib.sh"; state=$2 me=ctv-proof.service download=$3
			unit_state() { [ "$1" = ctv-pi2-download.service ] && echo "$download"; }
			get() { last_exit=0 last_message=proved; }
			'"$(sed -n '/^no_download() {/,/^}/p; /^by_hand() {/,/^}/p' "$ROOT/scripts/prove-failover.sh")"'; by_hand' \
			prove-failover.sh "$ROOT/scripts" "$BATS_TEST_TMPDIR" "$1"
	}
	for word in activating deactivating unknown; do
		run asked $word
		expect 75 "ctv-pi2-download.service: is $word, and a proof would end it"
		[ ! -e "$BATS_TEST_TMPDIR/done" ] && [ -z "$(ls "$BATS_TEST_TMPDIR/ask")" ]
	done
	for word in inactive failed none; do
		run asked $word
		expect 0 '^proved$'
		grep -qx -- '-t 3h start ctv-proof.service' "$BATS_TEST_TMPDIR/done"
	done
}

@test "a program for the write that others could have written, or put there, is not trusted" {
	eval "$(sed -n '/^trusted() {/,/^}/p' "$BATS_TEST_DIRNAME/../scripts/parts/proof.sh")"
	ours=$(mktemp -d)
	echo x >"$ours/write"
	chmod 755 "$ours" "$ours/write"
	trusted "$ours/write"
	chmod 775 "$ours/write"
	run ! trusted "$ours/write"
	chmod 755 "$ours/write"
	chmod 777 "$ours"
	run ! trusted "$ours/write"
	chmod 755 "$ours"
	run ! trusted "$ours/none"
	trusted "$ours/write"
	rm -r "$ours"
}
