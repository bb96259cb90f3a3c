#!/bin/sh
# prove-failover.sh [-n] [--now] - does the application start on last night's database, and answer? Tried on a copy of it
#
# What always holds: the application is tried as ctv-proof-app.service, its own unit with a network of its own, which writes into
# the copy or into files that are thrown away; the live database is read, never touched; nothing of a proof is left, wherever
# it was killed; no lock of the night or of a failover is held, and both end a proof by stopping ctv-proof.service.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/proof.sh
. "$here/parts/proof.sh"
live='' live_dir='' state='' unit='' standby_url='' start_timeout='' prove='' prove_expect='' prove_write='' prove_rollback=''
installed_n='' installed_rev='' installed_snapshot_at='' copy_size_bytes='' room_text='' n='' snapshot_at=''
answer_waited_ms='' page_text='' health_text='' last_message='' last_hint='' last_exit=''
last_ended_tonight='' last_n='' last_rev='' last_commit='' last_verdict=''
wrong_of_proof='' app_active='' app_sub='' app_result='' verify_text=''

usage() {
	cat <<'END'
usage: prove-failover.sh [-n] [--now]

Starts the application on a copy of last night's database, in a network of its
own, asks it, and stops it again. The night does it after the code has come.

      --now        on a copy of the newest state that was followed
  -n, --dry-run    could it be proved now? nothing is started
END
}

act=ask newest='' dry=''
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	--now) newest=yes ;;
	--here | --clean) act=${option#--} ;;
	*) common_option "$option" ;;
	esac
done

app_unit=ctv-proof-app.service me=ctv-proof.service spare=268435456

# ---- the application -----------------------------------------------------------------------------

stop() { svc-ctl -t 10s stop $app_unit 2>/dev/null || [ $? -eq 66 ]; }

# shellcheck disable=SC2317  # at_exit calls it, by $undo
give_up() { stop; remove; }

# answers: starts the unit and waits for the first answer, but not when the unit has failed for good
answers() {
	http-probe --shell=answer_ -t 5s --wait "$start_timeout" --interval 50ms "$url/api/system-stats" >"$scratch/answer" & prober=$!
	svc-ctl -t "$start_timeout" start $app_unit || { kill $prober; return 69; }
	svc-ctl -t "$start_timeout" watch $app_unit -- tail -s 0.05 --pid=$prober -f /dev/null || kill $prober 2>/dev/null || :
	wait $prober || return
	get cat "$scratch/answer"
}

prove() {
	enter
	undo=give_up
	clean 2>/dev/null || :
	{ mkdir -p data && chgrp --reference=.. data && chmod 00770 data; } || fail 73
	look_at_code
	facts newest:bool "$newest" commit:text "$commit"

	step copy
	current
	if [ -n "$newest" ]; then copy_newest; else copy_night; fi
	facts n:int "$n" snapshot_at:text "$snapshot_at" rev:text "$installed_rev"
	data="${newest:+the newest state, }${n:+state $n, }data of ${snapshot_at:-an unknown time}"
	note "$data"

	step start
	if ! answers; then
		! bare || cannot "start: $bare: what is written there cannot be kept apart here, so nothing can be proved this way" \
			"why the file system takes no layer: journalctl -u $layer"
		get svc-ctl --shell=app_ status $app_unit || :
		why="no answer within $start_timeout"
		[ "$app_active" = active ] || why="the unit is $app_active, ${app_result:-$app_sub}"
		failed start "$why"
	fi
	fact answer_ms:int "$answer_waited_ms"
	note "answered after $answer_waited_ms ms"

	step database
	get http-probe --shell=health_ -t 10s --status 200,404 "$url/health/database" || failed database "$health_text"
	if [ -z "$prove_expect" ]; then
		skip pages "CTV_PROVE_EXPECT names none"
	else
		step pages
		get http-probe --shell=page_ -t 10s --pages "$prove_expect" "$url" || failed pages "$page_text"
		note "$page_text"
	fi
	if [ -z "$prove_write" ]; then
		skip write "CTV_PROVE_WRITE names no program"
	else
		step write
		trusted "$prove_write" || skipped "$prove_write: others than root could have written it, so it is not run" "chown root, chmod go-w"
		timeout -k 5s 2m "$prove_write" "$url" || failed write "$prove_write: ended with $?"
	fi

	step stop
	svc-ctl -t 30s stop $app_unit || failed stop "the application does not stop"
	if [ -s "$copy-wal" ]; then
		skip verify "the application left its log open"
	else
		step verify
		get db-verify --shell=verify_ -l quick --timeout 2h "$copy" || [ $? -eq 1 ] || failed verify "$verify_text"
		note "${verify_text#"$copy: "}"
	fi
	undo=
	remove
	fact verdict:text ok
	on_code proved
	finish ok "the application answers $answer_waited_ms ms after its start, on $data"
}

# ---- main ----------------------------------------------------------------------------------------

# nothing_to_prove: true, and says why, on a host where a proof has no place
nothing_to_prove() {
	case $(mirror-role show) in
	standby | '') ;;
	*) echo "$state/role: this host serves, or is the primary: nothing is proved"; return ;;
	esac
	case $(systemctl show -p LoadState -p ActiveState "$unit" | tr '\n' ' ') in
	*State=active* | *State=activating* | *State=deactivating* | *State=reloading*) echo "$unit runs: nothing is proved"; return ;;
	*State=not-found*) echo "$unit: is not there: nothing to prove"; return ;;
	esac
	return 1
}

# current: ends the run when the unit that is tried is not made of the application's unit as it is now
current() {
	file=$(systemctl show -P FragmentPath $app_unit) || :
	[ -n "$file" ] || skipped "$app_unit: is not there" "sudo systemctl daemon-reload"
	made=$("$here/ctv-proof-generator")
	# a unit that only root may read cannot be compared
	[ -z "$made" ] || printf '%s\n' "$made" | cmp -s - "$file" ||
		skipped "$app_unit: is older than $unit or its drop-ins" "sudo systemctl daemon-reload"
}

# no_download: ends the run while a download is under way, which a proof would end
no_download() {
	it_is=$(unit_state ctv-pi2-download.service)
	case $it_is in
	inactive | failed | none) ;;
	*) fail 75 "ctv-pi2-download.service: is $it_is, and a proof would end it" "when it has ended well, a proof follows by itself" ;;
	esac
}

# try: ends with what would keep a proof from beginning, or says that it could
try() {
	no_download
	current
	cd -P "$live_dir" || fail 73
	size_of "${live##*/}"
	room
	say "ready: $app_unit is $unit as it is now, $room_text"
}

# look_at_code: sets $commit, empty where the code is not as committed
look_at_code() { commit=$("$here/code-check.sh" --commit 2>/dev/null) || commit=; }

# is_known: is there a verdict of tonight on the same data and code? Each hour asks for one
is_known() {
	get job-run --last=last_ proof
	look_at_installed || :
	[ -n "$last_ended_tonight" ] && [ -n "$last_verdict" ] && [ "$last_verdict" != skipped ] || return
	look_at_code
	[ "$last_commit $last_rev $last_n" = "$commit $installed_rev $installed_n" ]
}

# by_hand: lets ctv-proof.service make the proof, for only a unit has a network of its own
by_hand() {
	no_download
	asked=$state/ask/proof${newest:+-newest}
	mkdir -p "$asked" || fail 77 "$asked: cannot be made" "it is for members of the group ctvsync"
	say "$me proves it: journalctl -fu $me"
	trap 'svc-ctl -t 10s stop $me; rmdir "$asked" 2>/dev/null; exit 75' INT TERM HUP
	svc-ctl -t 3h start $me || { rmdir "$asked" 2>/dev/null; fail 69 "$me: did not run" "journalctl -u $me"; }
	get job-run --last=last_ proof
	[ "$last_exit" = 0 ] || fail "${last_exit:-69}" "$last_message" "$last_hint"
	say "$last_message"
}

get ctv-conf --shell
port=${standby_url##*:} port=${port%%/*}
case $port in '' | *[!0-9]*) port=80 ;; esac
url=http://127.0.0.1:$port
# as seen from the directory that enter enters
night=../${live##*/} copy=data/${live##*/}
[ -z "$wrong_of_proof" ] || fail 78 "$wrong_of_proof: not of its kind" "ctv-doctor.sh settings"
if [ "$act" = clean ]; then
	# a run with a good end, of which systemd tells, has cleaned up itself
	case ${EXIT_STATUS-} in 0) [ -e "$live_dir/.proof" ] || [ -h "$live_dir/.proof" ] || exit 0 ;; esac
	stop
	enter
	remove
	exit
fi
[ -d /run/systemd/system ] || fail 69 "no systemd runs here"
if [ -z "$job" ] && nothing_to_prove; then exit 0; fi
if [ "$act" = ask ]; then
	if [ -n "$dry" ]; then try; else by_hand; fi
	exit
elif [ -z "$job" ]; then
	if rmdir "$state/ask/proof-newest" 2>/dev/null; then
		newest=yes
		set -- --here --now
	elif ! rmdir "$state/ask/proof" 2>/dev/null && { [ -z "$prove" ] || is_known; }; then
		echo "not asked for, or known already: $last_message"
		exit 0
	fi
fi
steps=7 log=/var/log/ctv-pi2-download/proof.log
run_as_job proof "proof.lock ${newest:+follow.lock:10s}" "$@"
# a stop of this unit does not wait here for the application's end: --clean does, by ExecStopPost=
trap 'undo=; interrupted TERM' TERM
scratch=$(mktemp -d)
prove
