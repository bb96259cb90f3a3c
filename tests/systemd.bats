#!/usr/bin/env bats
# The units, their sandbox, and what make install puts where.

load helper

setup() {
	D=$BATS_TEST_TMPDIR/root
}

# installed ROLE: as a package would, below $D
installed() {
	make -s -C "$ROOT" install DESTDIR="$D" ROLE="$1"
}

units() {
	(cd "$D/etc/systemd/system" && ls ./*.service | sed 's,^./,,')
}

# exposure UNIT: systemd's own opinion of its sandbox, 0.0 is best
exposure() {
	systemd-analyze security --offline=yes --no-pager --root="$D" "$1" |
		sed -n 's/^.*Overall exposure level for .*: \([0-9.]*\) .*$/\1/p'
}

@test "no unit is more exposed than 1.5, and none runs as root" {
	for role in standby primary; do
		rm -rf "$D"
		installed $role
		[ "$(units | wc -l)" -ge 1 ]
		for unit in $(units); do
			level=$(exposure "$unit")
			echo "$role: $unit: $level"
			[ -n "$level" ]
			awk -v level="$level" 'BEGIN { exit !(level <= 1.5) }'
			user=ctvsync
			[ "$unit" != flaskapp.service ] || user=ctvapps
			grep -qxE "User=$user|DynamicUser=yes" "$D/etc/systemd/system/$unit" || [ "$unit" = ctv-code.service ]
		done
	done
}

@test "the code is updated as the clone's owner, after the download, without the token" {
	installed standby
	grep -qx 'User=ctvapps' "$D/etc/systemd/system/ctv-code.service.d/home.conf"
	git init -q "$D/opt/apps/ctv-bookedbiz-db"
	installed standby
	grep -qx "User=$(id -un)" "$D/etc/systemd/system/ctv-code.service.d/home.conf"
	grep -qx 'After=.* ctv-pi2-download.service' "$D/etc/systemd/system/ctv-code.service"
	grep -qx 'Wants=.* ctv-code.service' "$D/etc/systemd/system/ctv-pi2-download.service"
	for line in InaccessiblePaths=-/etc/ctv-db-sync.env TemporaryFileSystem=/var/lib/ctv-mirror:ro BindReadOnlyPaths=-/var/lib/ctv-mirror/ask; do
		grep -qx "$line" "$D/etc/systemd/system/ctv-code.service"
	done
	run ! grep -q DROPBOX "$D/etc/systemd/system/ctv-code.service"
}

@test "the standby has the runbook's four monitors for Uptime Kuma, and what adds them; the primary has neither" {
	installed standby
	lib=$D/usr/local/lib/ctv-mirror
	[ "$(jq -r 'map(.name) | join(", ")' "$lib/kuma.json")" = \
		'Pi-CTV API Endpoint, Pi-CTV System Health, Pi2 Control Station, Pi2 Database Sync' ]
	# each setting is one that the rounds read
	for setting in $(jq -r '.[].setting | values' "$lib/kuma.json"); do
		grep -q "\"$setting\"" "$ROOT/lib/settingtable.c"
	done
	grep -q '^usage: kuma-import.js' <(sed -n 's/^const usage = `//p' "$lib/kuma-import.js")
	rm -r "$D"
	installed primary
	[ ! -e "$lib/kuma.json" ] && [ ! -e "$lib/kuma-import.js" ]
}

@test "no service can fail or work again in silence, but for the alarm itself" {
	for role in standby primary; do
		rm -rf "$D"
		installed $role
		for unit in $(units); do
			case $unit in
			*@.service) continue ;;
			# whose start is no sign that it works says itself when it does
			ctv-publish.service | ctv-follow.service)
				grep -qx 'ExecStopPost=-/usr/local/lib/ctv-mirror/unit-alert.sh %n' "$D/etc/systemd/system/$unit"
				script=$(sed -n "s,^ExecStart=,$D,p" "$D/etc/systemd/system/$unit")
				grep -rq "alert-post --key $unit --state ok" "$(dirname "$script")"
				[ ! -e "$D/etc/systemd/system/$unit.d/alert.conf" ]
				continue
				;;
			esac
			grep -qx 'OnFailure=ctv-alert@%n.service' "$D/etc/systemd/system/$unit.d/alert.conf"
			grep -qx 'Wants=ctv-resolve@%N.service' "$D/etc/systemd/system/$unit.d/alert.conf"
			# one that is started again without a limit never counts as failed
			if grep -qx StartLimitIntervalSec=0 "$D/etc/systemd/system/$unit" && grep -q '^Restart=' "$D/etc/systemd/system/$unit"; then
				grep -qx 'ExecStopPost=-/usr/local/lib/ctv-mirror/unit-alert.sh %n' "$D/etc/systemd/system/$unit"
			fi
		done
		# a page that no round has confirmed is not ready
		grep -qx "ExecStopPost=/bin/sh -c '\[ \"\$\$SERVICE_RESULT\" = success \] || rm -f /run/ctv-mirror/www/ready'" \
			"$D/etc/systemd/system/ctv-status.service"
		[ -e "$D/etc/systemd/system/ctv-alert@.service" ]
		run grep -rl '^OnFailure=' "$D/etc/systemd/system/ctv-alert@.service" "$D/etc/systemd/system/ctv-.service.d"
		expect 1
	done
}

@test "one that is started again and again does fail at last: its start limit can be reached" {
	installed standby
	unit=$D/etc/systemd/system/control-station.service
	of() { sed -n "s/^$1=//p" "$unit"; }
	[ "$(of StartLimitIntervalSec)" = 2min ]
	# each start may take 10 s and more
	[ $((120 / $(of StartLimitBurst))) -ge $(($(of RestartSec) + 10)) ]
}

@test "a unit that others start has a limit of its own, or none: with systemd's, the sixth start within ten seconds is lost" {
	cd "$ROOT/systemd"
	# an alarm, the end of one, the code of a night, a verdict on it
	named=$(sed -nE 's/^(Wants|OnSuccess|OnFailure)=//p' ./*.service alert.conf | tr ' ' '\n' | sed -nE 's/^(ctv-[a-z-]*@?).*\.service$/\1.service/p')
	for unit in $named $(ls ./*.path | sed 's/path$/service/'); do
		grep -q '^StartLimitIntervalSec=' "$unit" || { echo "$unit" >&2; return 1; }
	done
	[[ $(sort -u <<<"$named" | paste -sd' ') = 'ctv-alert@.service ctv-code.service ctv-proof.service ctv-resolve@.service' ]]
}

@test "what a failover ends leaves nothing behind that holds the follower's lock: it is killed as soon as its main process is gone" {
	cd "$ROOT/systemd"
	for unit in $(sed -n 's/^make_room \(ctv-.*ctv-follow .*\)/\1/p' ../scripts/failover-to-pi2.sh); do
		grep -qx -e KillMode=mixed -e TimeoutStopSec=2s "$unit.service" || { echo "$unit" >&2; return 1; }
	done
	[ -n "$unit" ]
}

@test "the alarm is raised on a host whose state is gone, and its end after it" {
	installed standby
	for unit in ctv-alert@ ctv-resolve@; do
		grep '^ReadWritePaths=-/var/lib/ctv-mirror' "$D/etc/systemd/system/$unit.service"
	done
	grep '^After=.*ctv-alert@%i.service.service' "$D/etc/systemd/system/ctv-resolve@.service"
}

@test "systemd finds no fault in any unit" {
	for role in standby primary; do
		rm -rf "$D"
		installed $role
		for unit in "$D"/etc/systemd/system/ctv-*.* "$D"/etc/systemd/system/flaskapp.*; do
			[ -f "$unit" ] || continue
			run systemd-analyze verify --man=no --recursive-errors=no "$unit"
			# the only complaint allowed: the programs are not at their place on this machine
			run grep -v -e 'is not executable: No such file' -e '^$' <<<"$output"
			expect 1
		done
	done
}

@test "the timers fire at the runbook's hours, and catch up after a night without power" {
	installed standby
	grep -x 'OnCalendar=\*-\*-\* 02:30' "$D/etc/systemd/system/ctv-pi2-download.timer"
	grep -x Persistent=true "$D/etc/systemd/system/ctv-pi2-download.timer"
	installed primary
	grep -x 'OnCalendar=\*-\*-\* 02:05' "$D/etc/systemd/system/ctv-db-sync.timer"
	# an operator's tries, one after the other, meet no limit
	grep -x StartLimitIntervalSec=0 "$D/etc/systemd/system/ctv-db-sync.service"
	grep -x Persistent=true "$D/etc/systemd/system/ctv-db-sync.timer"
}

# elapses TIMER ZONE DAY: its times from noon before DAY for 60 hours, `EPOCH LETTER`
elapses() {
	sed -n 's/^OnCalendar=//p' "$ROOT/systemd/$1.timer" | while read -r spec; do
		# UTC is printed on a line of its own, but where it is the zone
		TZ=$2 systemd-analyze calendar --base-time="$3 12:00" --iterations=60 "$spec" |
			sed -n 's/^ *\(Next elapse\|Iter[a-z]*\.\? #[0-9]*\|(in UTC)\): //p' | grep UTC
	done | date -u -f - +"%s $4" | sort -un
}

@test "in every zone each night has one upload and a download after it, also when summer time begins or ends" {
	cd "$BATS_TEST_TMPDIR"
	rows=0
	while read -r zone before; do
		{ elapses ctv-db-sync "$zone" "$before" u; elapses ctv-pi2-download "$zone" "$before" d; } | sort >elapses
		start=$(TZ=$zone date -d "$before 12:00" +%s)
		# by the function that job-run --last asks what night it is
		TZ=$zone "${CTV_BUILD:-$ROOT/build}/unit/jobrecord" "$start" <elapses >nights
		last=none fetched=none nights=
		while read -r night at what; do
			[ "$at" -le $((start + 60 * 3600)) ] || break
			case $what in
			u) [ "$night" != 0 ] && [ "$night" != "$last" ] || continue
				# what was published in the night before has been fetched
				[ "$fetched" = "$last" ]
				last=$night nights="$nights $(TZ=$zone date -d "@$at" +%d:%H:%M)" ;;
			d) fetched=$last ;;
			esac
		done <nights
		[ "$fetched" = "$last" ]
		echo "$zone $before:$nights" >&2
		day=$((10#${before##*-}))
		# two nights, each on its own date; 02:05, or the first moment after the gap
		[[ $nights =~ ^\ $(printf %02d $((day + 1))):0[23]:[03]5\ $(printf %02d $((day + 2))):02:05$ ]]
		rows=$((rows + 1))
	done <<-'END'
		America/Los_Angeles 2027-03-13
		America/Los_Angeles 2027-11-06
		Europe/Berlin 2027-03-27
		Europe/Berlin 2026-10-24
		Europe/Helsinki 2027-03-27
		Australia/Sydney 2027-10-02
		Australia/Sydney 2027-04-03
		Australia/Lord_Howe 2027-10-02
		Australia/Lord_Howe 2027-04-03
		Asia/Beirut 2027-03-27
		Atlantic/Azores 2026-10-24
		America/Havana 2026-10-24
		America/Santiago 2027-09-04
		America/Santiago 2027-04-03
		Antarctica/Troll 2027-03-27
		UTC 2026-06-10
	END
	[ "$rows" -ge 16 ]
}

@test "the standby gets what the runbook calls, where it calls it" {
	installed standby
	app=$D/opt/apps/ctv-bookedbiz-db
	for name in scripts/failover-to-pi2.sh scripts/failback-to-pi-ctv.sh scripts/failback-to-pi2.sh \
		bin/daily-download.sh cli_db_sync.py; do
		[ -h "$app/$name" ]
		[ -x "$D$(readlink "$app/$name")" ]
	done
	[ "$(readlink "$app/scripts/failback-to-pi2.sh")" = "$(readlink "$app/scripts/failback-to-pi-ctv.sh")" ]
	[ -x "$D/usr/local/bin/db-verify" ]
	[ -x "$D$(readlink "$D/usr/local/bin/cli-db-sync")" ]
	[ -e "$D/usr/local/share/man/man1/age-check.1" ]
	grep -q '/usr/local/bin/cli-db-sync' "$D/usr/local/lib/ctv-mirror/cli_db_sync.py"
	[ ! -e "$D/etc/systemd/system/ctv-db-sync.timer" ]
	# the list that the doctor goes by
	sed -n 's/^tool //p' "$D/usr/local/lib/ctv-mirror/programs" | sort |
		diff <(cd "$D/usr/local/bin" && find . -type f | sed 's,^./,,' | sort) -
	sed -n 's/^script //p' "$D/usr/local/lib/ctv-mirror/programs" | sort |
		diff <(cd "$D/usr/local/lib/ctv-mirror" && ls ./*.sh ./*.py | sed 's,^./,,' | grep -vx host-setup.sh | sort) -
	# nothing of the build's own, no path left open
	[ ! -e "$D/usr/local/lib/ctv-mirror/deps.sh" ]
	run grep -rIl '@[A-Z]*@' "$D/etc" "$D/usr/local/lib"
	expect 1
}

@test "the primary gets the upload and nothing that would start or replace its application" {
	installed primary
	[ -e "$D/etc/systemd/system/ctv-db-sync.timer" ]
	for name in flaskapp.service ctv-pi2-download.timer ctv-resume.service; do
		[ ! -e "$D/etc/systemd/system/$name" ]
	done
	# its jobs may start the nightly one, and move nothing else
	[ "$(grep -o '"[a-z-]*\.service"' "$D/etc/polkit-1/rules.d/60-ctv-mirror.rules")" = '"ctv-db-sync.service"' ]
	run grep -E '"(stop|restart)"' "$D/etc/polkit-1/rules.d/60-ctv-mirror.rules"
	expect 1
	[ ! -e "$D/opt/apps/ctv-bookedbiz-db/scripts/failover-to-pi2.sh" ]
	[ "$(sed -n 's/^f .*role 0660 ctvsync ctvsync - //p' "$D/etc/tmpfiles.d/ctv-mirror.conf")" = primary ]
}

@test "another PREFIX and another APP are in every path" {
	make -s -C "$ROOT" install DESTDIR="$D" PREFIX=/opt/ctv APP=/srv/app
	grep -x 'ExecStart=/opt/ctv/lib/ctv-mirror/daily-download.sh' "$D/etc/systemd/system/ctv-pi2-download.service"
	grep -x 'ExecStart=/opt/ctv/lib/ctv-mirror/settle.sh' "$D/etc/systemd/system/ctv-settle.service"
	[ -x "$D/opt/ctv/bin/age-check" ]
	# shellcheck disable=SC2016  # as it stands there
	grep -Fx 'PATH=$PATH:/opt/ctv/bin:/usr/bin:/bin' "$D/opt/ctv/lib/ctv-mirror/lib.sh"
	[ -h "$D/srv/app/cli_db_sync.py" ]
	[ ! -e "$D/usr/local" ]
}

@test "a unit that the site has of its own stays, through install and uninstall" {
	mkdir -p "$D/etc/systemd/system"
	echo '# ours' >"$D/etc/systemd/system/flaskapp.service"
	run installed standby
	expect 0 'flaskapp.service: kept as it is'
	make -s -C "$ROOT" uninstall DESTDIR="$D"
	[ "$(cat "$D/etc/systemd/system/flaskapp.service")" = '# ours' ]
}

@test "uninstall takes every file away again, and twice is no fault" {
	for role in standby primary; do
		installed $role
		make -s -C "$ROOT" uninstall DESTDIR="$D" ROLE=$role
		make -s -C "$ROOT" uninstall DESTDIR="$D" ROLE=$role
		run find "$D" -not -type d
		[ -z "$output" ]
	done
}

@test "make takes the role and the places of an installation from the environment, too" {
	# only said: an installation that went elsewhere would be this system's
	run env DESTDIR="$D" ROLE=primary PREFIX=/opt/ctv APP=/srv/app make -n -C "$ROOT" install
	expect 0 "ROLE='primary' PREFIX='/opt/ctv' DESTDIR='$D' APP='/srv/app' .* install"
}

@test "a role that is none, and a live installation without root, are refused" {
	run make -s -C "$ROOT" install DESTDIR="$D" ROLE=boss
	expect 2 'ROLE=boss: neither standby nor primary'
	run as_nobody make -s -C "$ROOT" install
	expect 2 'needs root, or DESTDIR|Permission denied'
}

@test "a unit that cannot start keeps no other from being armed, and no installation from its end" {
	run sh -eu -c "$(sed -n '/^arm() {/,/^}/p' "$ROOT/systemd/host-setup.sh")"'
		running=yes
		helper() { :; }
		say() { echo "$1"; }
		systemctl() { [ "$1 $2" != "start ctv-follow.service" ]; }
		for unit in ctv-follow.service ctv-status.timer; do arm "$unit"; done
		echo all'
	expect 0 '^ctv-follow.service: did not start'
	[ "${lines[1]}" = all ]
}

@test "the polkit rule opens start, stop and restart of the application, of what follows and of what proves, start and stop of the nightly job to ctvsync, and nothing else" {
	installed standby
	cat >"$BATS_TEST_TMPDIR/before.js" <<-'END'
		var rule, polkit = { addRule: function (f) { rule = f }, Result: { YES: "yes" } };
	END
	cat >"$BATS_TEST_TMPDIR/after.js" <<-'END'
		function ask(id, unit, verb, group) {
			return rule({ id: id, lookup: function (k) { return { unit: unit, verb: verb }[k] } },
				{ isInGroup: function (g) { return g === group } });
		}
		var manage = "org.freedesktop.systemd1.manage-units";
		[[manage, "flaskapp.service", "start", "ctvsync"], [manage, "flaskapp.service", "stop", "ctvsync"],
			[manage, "flaskapp.service", "restart", "ctvsync"], [manage, "ctv-follow.service", "stop", "ctvsync"],
			[manage, "ctv-follow-check.service", "stop", "ctvsync"], [manage, "ctv-proof.service", "stop", "ctvsync"],
			[manage, "ctv-pi2-download.service", "stop", "ctvsync"], [manage, "ctv-pi2-download.service", "start", "ctvsync"],
			[manage, "ctv-proof-app.service", "start", "ctvsync"]].forEach(function (q) {
			if (ask.apply(null, q) !== "yes") throw new Error("refused " + q);
		});
		[[manage, "flaskapp.service", "kill", "ctvsync"], [manage, "ssh.service", "stop", "ctvsync"],
			[manage, "flaskapp.service", "start", "ctvapps"], [manage, "ctv-follow.service", "stop", "ctvapps"],
			[manage, "ctv-follow.service", "kill", "ctvsync"], [manage, "ctv-pi2-download.service", "restart", "ctvsync"],
			[manage, "ctv-pi2-download.service", "stop", "ctvapps"], [manage, "ctv-proof-app.service", "start", "ctvapps"], [manage, "flaskapp.service", "start", "users"], [manage, undefined, undefined, "ctvsync"],
			["org.freedesktop.systemd1.manage-unit-files", "flaskapp.service", "start", "ctvsync"],
			["org.freedesktop.login1.reboot", undefined, undefined, "ctvsync"]].forEach(function (q) {
			if (ask.apply(null, q) === "yes") throw new Error("granted " + q);
		});
		print("asked");
	END
	# duktape is what polkit itself reads its rules with
	run duk "$BATS_TEST_TMPDIR/before.js" "$D/etc/polkit-1/rules.d/60-ctv-mirror.rules" "$BATS_TEST_TMPDIR/after.js"
	expect 0 '^asked$'
}

@test "logrotate accepts the configuration" {
	installed standby
	# nobody here is ctvapps
	sed "s/ctvsync ctvsync/$(id -un) $(id -gn)/" "$D/etc/logrotate.d/ctv-mirror" >"$BATS_TEST_TMPDIR/conf"
	run logrotate -s "$BATS_TEST_TMPDIR/state" -d "$BATS_TEST_TMPDIR/conf"
	expect 0
	run grep -i '^error' <<<"$output"
	expect 1
}
