#!/usr/bin/env bats
# Orders of two effects: a failover, an upload and a download are cut behind each of their commands that change something,
# by a signal (TERM), by kill -9 of the job (KILL) and by a power cut (POWER: all its processes, and the unit is down). The
# table says what may stand then, and what the next run makes of it. A failback's is in failback.bats; a daily job that is
# killed whole, or whose command fails, in fault-daily.bats.
# CTV_FAULT_ALL=1 takes each command in each way; without it an upload's are cut once each, the ways in turn.

load helper
load hosts

CUT_IN='mv cp rm sync mkdir dbx-put dbx-cp dbx-rm dbx-fetch db-snapshot db-install mirror-head mirror-role svc-ctl'

setup() {
	hosts_night
	export CTV_MIN_SIZE=20K CTV_START_TIMEOUT=30s CTV_PRIMARY_URL=http://primary.invalid CTV_STANDBY_URL=http://standby.invalid
	echo inactive >unit
	stub svc-ctl <<-'END'
		while [ $# -gt 2 ]; do shift; done
		unit=$BATS_TEST_TMPDIR/unit
		# who follows, or proves, is not the application
		case $2 in ctv-*) exit 0 ;; esac
		case $1 in
		start) echo active >"$unit" ;;
		stop) echo inactive >"$unit" ;;
		is-active) cat "$unit"; grep -qx active "$unit" || exit 3 ;;
		status) echo "$2: $(cat "$unit")"; grep -qx active "$unit" || exit 3 ;;
		esac
	END
	# the primary is dead; the standby answers as long as its unit is up
	stub http-probe <<-'END'
		for url; do :; done
		case $url in
		http://standby*) ! grep -qx active "$BATS_TEST_TMPDIR/unit" || { echo 'HTTP OK: well'; exit 0; } ;;
		esac
		echo 'HTTP CRITICAL: dead'
		exit 2
	END
	mkdir cutters
	# the K-th call that changes something is the last thing before the cut
	for name in $CUT_IN; do
		cat >"cutters/$name" <<-END
			#!/bin/sh
			code=0
			"$(command -v "$name")" "\$@" || code=\$?
			case "$name \$*" in *' is-active '* | *' is-enabled '* | *' status '* | *' watch '* | *' ctv-follow'* | *' ctv-proof'* | *'-head show'* | *'-head wait'* | *'-role show'*) exit \$code ;; esac
			echo "$name \$*" >>"$PWD/cut.calls"
			[ "\$(wc -l <"$PWD/cut.calls")" -eq "\$(cat "$PWD/cut.at")" ] || exit \$code
			read -r way <"$PWD/cut.way"
			case \$way in
			POWER) pkill -KILL -s 0 ;;
			*) kill -\$way "\$(sed -n 's/.*, pid \\([0-9]*\\),.*/\\1/p' "\$(cat "$PWD/cut.lock")")" ;;
			esac
			exit \$code
		END
		chmod +x "cutters/$name"
	done
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED-}" ] || { echo "cut ${way-} behind ${at-}: $(sed -n "${at-1}p" cut.calls)"; cat cut.out out; } 2>/dev/null || true
	dropbox_stop
}

# cut HOST LOCK COMMAND...: until the cut
cut_run() {
	local host=$1
	echo "$PWD/$host/state/$2" >cut.lock
	shift 2
	rm -f cut.calls
	on "$host" env PATH="$PWD/cutters:$PATH" setsid --wait "$@" </dev/null >cut.out 2>&1 3>&- || true
	# what a kill has left behind of it may still be at its last command; its locks die with it
	timeout 60 flock "$(cat cut.lock)" true
}

# cuts all|turns HOST LOCK COMMAND...: `news` before, `stands` after each cut, `next_run` and then `mended`
cuts() {
	local each=$1 host=$2 ways=(TERM POWER KILL) turn=0 n
	shift
	for ((at = 1; ; at++)); do
		n=0
		for way in "${ways[@]}"; do
			n=$((n + 1))
			[ "$each${CTV_FAULT_ALL-}" != turns ] || [ $((at % 3)) -eq $((n % 3)) ] || continue
			turn=$((turn + 1))
			news
			echo "$at" >cut.at
			echo "$way" >cut.way
			cut_run "$@"
			if [ "$(wc -l <cut.calls)" -lt "$at" ]; then
				[ "$turn" -gt 5 ]
				echo "# $((turn - 1)) cuts, of $((at - 1)) commands" >&3
				return
			fi
			[ "$way" != POWER ] || echo inactive >unit
			stands
			# the host is up again
			[ "$way" != POWER ] || ! grep -qx active "$host/state/role" || echo active >unit
			next_run >out 2>&1 </dev/null
			mended
		done
	done
}

@test "a failover: the copy is whole, an application never runs under the role standby, the next run serves and owns" {
	was=$(rows "$copy")
	cp -a pi2 pi2.saved
	news() {
		rm -rf pi2
		cp -a pi2.saved pi2
		echo inactive >unit
		on pi2 mirror-head claim --owner pi-ctv
	}
	stands() {
		[ "$(rows "$copy")" = "$was" ]
		case $way/$(cat pi2/state/role)/$(cat unit) in
		*/standby/inactive | */active/active) ;;
		# undone where somebody was left to do it; else ctv-resume.service and the next run go on from it
		KILL/active/inactive | POWER/active/inactive) [ -e pi2/state/wanted/claim ] || [ "$(on pi2 mirror-head show -f owner)" = pi2 ] ;;
		*) false ;;
		esac
		# who serves has the claim, or is going to have it
		[ "$(cat unit)" != active ] || [ -e pi2/state/wanted/claim ] || [ "$(on pi2 mirror-head show -f owner)" = pi2 ]
	}
	next_run() { on pi2 failover-to-pi2.sh; }
	mended() {
		[ "$(cat pi2/state/role)/$(cat unit)/$(on pi2 mirror-head show -f owner)" = active/active/pi2 ]
		[ -z "$(ls -A pi2/state/wanted)" ]
		[ "$(rows "$copy")" = "$was" ]
	}
	cuts all pi2 operator.lock failover-to-pi2.sh --no-code
}

@test "a download: the copy is the old one or the new one, what was written here is in it or kept, the next run installs" {
	news() {
		rm -f "$copy".kept-*
		sql "$copy" "INSERT INTO spots (note) VALUES ('mine')"
		was=$(rows "$copy")
		sql "$live" "INSERT INTO spots (note) VALUES ('news')"
		upload >out 2>&1
	}
	replaced() {
		[ "$(rows "$copy")" = "$(rows "$live")" ] && [ "$(rows "$copy".kept-*)" = "$was" ]
	}
	stands() {
		[ "$(rows "$copy")" = "$was" ] || replaced
		[ "$(cat pi2/state/role)/$(cat unit)" = standby/inactive ]
	}
	next_run() { download; }
	mended() {
		replaced
		[ -z "$(find pi2/data pi2/state -name '*.new' -o -name '*.tmp' -o -name '*.part*')" ]
	}
	cuts all pi2 lock daily-download.sh
}

@test "an upload: what the record names is there whole, the primary's database as it was, the next run publishes, once" {
	news() {
		sql "$live" "INSERT INTO spots (note) VALUES ('news')"
		was=$(rows "$live")
		before=$(on pi-ctv dbx-ls --json /backups | grep -c '"file"') || before=0
		seq=$(on pi2 mirror-head show -f seq)
	}
	published() {
		on pi2 mirror-head show --shell >head
		eval "$(grep -E '^(rev|content_hash|seq)=' head | sed s/^/now_/)"
		rm -f got.db
		on pi2 dbx-fetch -o got.db "rev:$now_rev" >/dev/null
		db-verify -l full --hash "$now_content_hash" got.db >/dev/null
	}
	stands() {
		published
		[ "$(rows "$live")" = "$was" ]
	}
	next_run() { upload; }
	mended() {
		published
		[ "$(rows got.db)" = "$was" ]
		[ "$now_seq" -gt "$seq" ]
		[ -z "$(find pi-ctv/state -name 'upload.*')" ]
	}
	cuts turns pi-ctv lock daily-upload.sh
}
