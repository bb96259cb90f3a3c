#!/bin/sh
# failover-to-pi2.sh [-n] [--drill] [--force] [-y] [--no] - this standby takes over from the primary, now
#
# What always holds: no network is needed, and what needs one is bounded in time and never fatal; the role is on
# disk before the application starts, so no download replaces what serves; a start that fails is undone; a
# run that was killed is repaired by the next one; a second run is refused and told who holds the lock.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
app='' live='' live_dir='' node='' standby='' primary='' primary_url='' standby_url='' station_url='' kuma_page_url=''
state='' unit='' tables='' min_size='' max_age='' start_timeout='' text='' code='' hint='' owner=''
age_seconds='' data_on=''

usage() {
	cat <<'END'
usage: failover-to-pi2.sh [-n | --drill] [--force] [-y | --no] [--no-code]

Takes over from the primary: code update, database check, service start,
health validation, confirmation. Run it on the standby.

  -n, --dry-run    run every check, change nothing; exit 0 means ready
      --drill      the monthly test: start here while the primary serves, then
                   stop again and put everything back
      --force      take over although the primary answers
  -y, --yes        answer the questions about the database with yes
      --no         answer every question with no
      --no-code    leave the application's code as it is
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

dry='' drill='' force='' yes='' no='' no_code=''
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	--drill) drill=yes ;;
	--force) force=yes ;;
	-y | --yes) yes=yes ;;
	--no) no=yes ;;
	--no-code) no_code=yes ;;
	*) common_option "$option" ;;
	esac
done
[ -z "$dry" ] || [ -z "$drill" ] || usage_error "--dry-run and --drill exclude each other"
[ -z "$yes" ] || [ -z "$no" ] || usage_error "--yes and --no exclude each other"

steps=5 log=/var/log/ctv-pi2-download/failover.log
# settle.sh holds the operator's lock for moments; in a drill no nightly job may find the database open
if [ -z "$drill" ]; then
	run_as_job failover operator.lock:20s:settle.sh "$@"
else
	run_as_job drill 'operator.lock:20s:settle.sh lock' "$@"
fi
get ctv-conf --shell
node=${node:-$standby} before_drill=$live_dir/.${live##*/}.drill scratch=$(mktemp -d) not_ready='' would=will fetch=--fetch
[ -z "$dry" ] || would=would fetch=--dry-run

# problem CODE TEXT [HINT]: the end; but a dry run notes it and goes on to find the others
problem() {
	[ -n "$dry" ] || fail "$@"
	[ -n "$not_ready" ] || not_ready=$1 because=$2
	refuse "$2"
	more "not ready: $2${3:+; $3}"
}

# must ID...: conditions of standby-check.sh, which the dry run, the page and the doctor ask in the same words
must() {
	for id; do
		get "$here/standby-check.sh" --shell "$id" || problem "${code:-70}" "${text:-$id: no answer}" "$hint"
	done
}

# A healthy primary takes a connection at once, whatever it then has to think about; a dead one costs no more than the
# first time-out. Whoever takes over from one that answers must mean it.
look_at_primary() {
	primary_is=down
	! wait "$prober" || primary_is=healthy
	read -r seen <"$scratch/primary" || :
	say "   $primary is $primary_is: ${seen%% |*}"
	if [ "$primary_is" = healthy ] && [ "$role_was" != active ] && [ -z "$force$dry$drill" ]; then
		(yes='' && ask "$primary answers. Two applications would take orders, into two databases. Take over all the same? [yes/NO]" yes) ||
			fail 77 "$primary_url: $primary answers; nothing was changed" \
				"--dry-run tells whether this host is ready, --drill tries it, --force takes over"
	elif [ "$primary_is" = down ] && [ -n "$drill" ]; then
		fail 69 "$primary_url: $primary does not answer, so this is no time for a drill" "without --drill this takes over"
	fi
}

# the code: at most five seconds, never fatal. Of a host that serves it stays; what a power cut has torn is mended.
update_code() {
	github='' merge=--merge
	[ "$role_was" != active ] || merge=--mend
	[ -z "$fetcher" ] || wait "$fetcher" || github="GitHub gives no answer; "
	if [ -n "$dry" ]; then
		checked=0
		said=$("$here/code-check.sh") || checked=$?
		case $checked in
		0) note "${said#CODE OK: }" ;;
		2) problem 77 "${said#CODE CRITICAL: }" ;;
		*) warn "${said#CODE *: }" ;;
		esac
		[ -z "$github" ] || more "GitHub gives no answer: a failover would go on with the code that is here"
	elif said=$("$here/update-code.sh" "$merge"); then
		now_at=$(printf '%s\n' "$said" | tail -n 1)
		case $now_at in *', was '*) code_is_new=yes ;; esac
		if [ -z "$github" ]; then note "$now_at"; else warn "${github}the code here: $now_at"; fi
		[ "$said" = "$now_at" ] || more "$(printf '%s\n' "$said" | sed '$d')"
	else
		warn "left as it is"
	fi
}

# download: the nightly job has hours to wait for Dropbox, this run has not
download() {
	{ mirror-head show --timeout 10s >/dev/null || [ $? -eq 66 ]; } && "$here/daily-download.sh" && return
	say "   the download failed"
	return 1
}

# verify LEVEL: db-verify with this host's demands, in the time that a person waits for; ends with our code
verify() {
	level=$1 verified=0
	shift
	for table in $tables; do
		set -- "$@" --table "$table"
	done
	get db-verify --shell -l "$level" --timeout 60s --min-size "$min_size" "$@" "$live" || verified=$?
	found=${text#"$live: "}
	note "$found"
	case $verified/$text in
	[01]/*) return 0 ;;
	2/*) return 65 ;;
	3/*' within the time allowed') return 75 ;;
	*) return 74 ;;
	esac
}

# Every page is read unless the file is as it was installed, for then that was done. A person may accept a small one.
check_content() {
	level=quick refused=0
	[ -n "$dry" ] || ! get installed-check --shell=installed_ --record "$state/installed.json" "$live" || level=header
	verify "$level" || refused=$?
	cause=$text
	if [ "$refused" -eq 0 ]; then
		return 0
	elif [ "$refused" -eq 75 ] || { [ "$refused" -eq 65 ] && db-verify -l "$level" --timeout 60s "$live" >/dev/null 2>&1; }; then
		[ -n "$dry" ] || ! ask "   $cause. Continue? [y/N]" || return 0
	elif [ -z "$dry$drill" ] && ask "   $cause. Download a fresh copy? [y/N]"; then
		! download || ! verify quick || return 0
	fi
	problem "$refused" "$cause" "db-install $live.prev $live puts back the one before"
}

is_fresh() {
	get age-check --shell -w "$max_age" -c "$max_age" --time-of "$state/data-of" "$live"
}

check_age() {
	fresh=yes
	is_fresh || fresh=''
	if [ -z "$fresh$drill" ] && [ -n "$dry" ]; then
		problem 65 "$text"
	elif [ -z "$fresh$drill" ] && ask "   $text. Download a fresh copy? [y/N]" && download; then
		! is_fresh || fresh=yes
	fi
	[ -n "$age_seconds" ] || fail 74 "$text"
	if [ -n "$fresh" ]; then note "$found; data of $data_on"; elif [ -z "$dry" ]; then warn "$found; data of $data_on"; fi
	if [ "$age_seconds" -lt 0 ]; then
		more "data from the future ($data_on): a clock is wrong, and what will be lost cannot be told"
	elif [ -z "$drill" ]; then
		more "you $would lose what was entered since $data_on: $((age_seconds / 3600)) h $((age_seconds / 60 % 60)) min"
		[ ! -s "$state/data-of" ] || more "but what was entered here, when this host served last, is in it"
	fi
}

# what the application may write and should not is said, and blocks no failover
look_at_trust() {
	trust=$("$here/trust-check.sh") || [ $? -eq 1 ] || return 0
	printf '%s\n' "$trust" | sed 1d | while IFS= read -r finding; do
		more "$finding"
	done
}

# broken CODE TEXT [HINT]: why the application is not up; without TEXT svc-ctl has said it
broken() {
	broke_code=$1 broke_text=$2 broke_hint=${3-}
	refuse "${2:-$unit has not started}"
	return 1
}

# first_answer: a unit that has failed for good gives none, and ends the wait for it
first_answer() {
	http-probe -t 5s --wait "$start_timeout" --interval 100ms "$standby_url/api/system-stats" >"$scratch/answer" & probing=$!
	(
		svc-ctl -t "$start_timeout" watch "$unit" >/dev/null & watching=$!
		# both may be at their ends already
		trap 'kill $watching 2>/dev/null' TERM
		wait "$watching" 2>/dev/null || kill "$probing" 2>/dev/null
	) & watching=$!
	answered=0
	wait "$probing" 2>/dev/null || answered=$?
	kill "$watching" 2>/dev/null || :
	wait "$watching" 2>/dev/null || :
	return "$answered"
}

# It serves when the first request is answered. Then it must stay up, and reach its database; an application without a
# page for that says 404.
start_and_check() {
	mark starting
	svc-ctl -t "$start_timeout" start "$unit" || { broken $? ''; return; }
	step health
	first_answer || { read -r seen <"$scratch/answer" || seen=; broken 69 "${seen%% |*}" "journalctl -u $unit -n 50"; return; }
	mark serving
	[ -n "$drill" ] || mirror-role mark --served || :
	svc-ctl -t 30s --settle 3s start "$unit" || { broken $? ''; return; }
	seen=$(http-probe -t 10s --status 200,404 "$standby_url/health/database") || { broken 69 "${seen%% |*}"; return; }
	note "answered %{serving} s after Enter, the start was at %{starting} s; stays up"
}

# the code that this run brought may be why
with_old_code() {
	[ -n "$code_is_new" ] && "$here/update-code.sh" --back >/dev/null || return
	say "   once more, with the code as it was"
	svc-ctl -t 60s stop "$unit" || :
	step service
	start_and_check
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# What this run began is undone. What the application may have been told meanwhile stays, and so does wanted/claim: the
# next download keeps that copy before it replaces it, and a failback before this may have left the record to be handed back.
roll_back() {
	say "rolling back"
	if ! svc-ctl -t 60s stop "$unit" && [ "$(unit_state "$unit")" != inactive ]; then
		say "   $unit may be running, so the role stays active"
	elif mirror-role set "${role_was:-standby}"; then
		say "   $unit is stopped, the role is ${role_was:-standby} again: nothing serves here"
	fi
}

# after a drill the copy is the standby's again, unless somebody wrote to it
end_drill() {
	undo=''
	svc-ctl -t 60s stop "$unit" || { say "   $unit may be running: svc-ctl stop $unit" && return 69; }
	if [ ! -s "$live-wal" ] && [ "$(stat -c %s "$live")" = "$(stat -c %s "$before_drill")" ] && cmp -s -i 100 "$live" "$before_drill"; then
		db-install --as-of "$(date -u -r "$before_drill" +%Y-%m-%dT%H:%M:%SZ)" "$before_drill" "$live" &&
			{ [ -z "$marked" ] || rm -f "$state/data-of"; }
	else
		say "   somebody wrote during the drill: the next download keeps that copy before it replaces it"
	fi
	rm -f "$before_drill"
}

get "$here/standby-check.sh" --shell role_clear || fail "${code:-70}" "$text" "$hint"
role_was=$(mirror-role show)
[ -z "$drill" ] || [ "$role_was" != active ] ||
	fail 73 "$state/role: this host is serving in place of $primary" "failback-to-pi-ctv.sh ends that"
# the two that wait for the network run side by side from the first moment
http-probe --connect-timeout 600ms -t 4s "$primary_url/api/system-stats" >"$scratch/primary" & prober=$!
fetcher='' code_is_new='' marked=''
[ -e "$app/.git" ] || no_code=yes
if [ -z "$no_code" ] && [ "$role_was" != active ]; then
	"$here/update-code.sh" "$fetch" >/dev/null 2>&1 & fetcher=$!
fi
if [ -n "$drill" ]; then
	say "FAILOVER DRILL: $node starts while $primary serves, and stops again"
else
	say "FAILOVER TO PI2: $node takes over from $primary"
fi
look_at_primary

if [ -n "$no_code" ]; then
	skip code "not asked for, or $app is no git repository"
else
	step code
	update_code
fi

step database
[ -e "$live" ] || [ -n "$dry$drill" ] || [ "$role_was" = active ] || { say "   $live: not there; downloading" && download; } || :
if [ "$role_was" = active ]; then
	note "this host is active: its database is its own"
elif get "$here/standby-check.sh" --shell db_present || { problem "$code" "$text" "$hint" && false; }; then
	check_content
	check_age
fi

step service
must unit_startable
note "$text"
must disk_free data_writable ${dry:+state_writable}
if [ -n "$dry" ]; then
	look_at_trust
	step health
	if [ "$role_was" = active ]; then must app_serves; else must port_free; fi
	note "$text"
	step confirm
	if owner=$(mirror-head show --dry-run --field owner --timeout 5s) || [ $? -eq 66 ]; then
		note "Dropbox answers: the head record's owner is $owner"
	else
		warn "Dropbox gives no answer: the head record would be claimed later"
	fi
	step_done
	[ -z "$not_ready" ] || fail "$not_ready" "not ready: $because"
	finish ok "ready: a failover would work now"
elif [ -n "$drill" ]; then
	# the copy gets back its time, by which its age is told: only its owner and root can do that
	[ "$(id -u)" -eq 0 ] || [ -O "$live" ] ||
		fail 77 "$live: is not $(id -un)'s, so a drill could not put it back" "sudo $here/$program --drill"
	[ -e "$state/data-of" ] || marked=yes
	mirror-role mark
	# the application may have put a link in either place
	cp -pP --remove-destination --reflink=auto "$live" "$before_drill" || fail 74
	undo=end_drill
else
	# the role first, then the application: whoever comes by in between finds a host that serves
	mirror-role leave claim
	[ "$role_was" = active ] || undo=roll_back
	mirror-role set active
fi
start_and_check || with_old_code || fail "$broke_code" "$broke_text" "$broke_hint"

step confirm
if [ -n "$drill" ]; then
	end_drill || fail 69 "$unit: could not be stopped"
	note "$unit is stopped again"
	finish ok "the drill has passed: $node would have served %{serving} s after Enter"
fi
undo=''
if ! settle_record; then
	warn "the head record will be claimed when Dropbox answers"
elif [ -n "$owner" ]; then
	note "the head record says $owner: $primary does not publish over this"
else
	note "there is no head record to claim"
fi
step_done
say "
   Application      $standby_url
   Control Station  $station_url
   Kuma             $kuma_page_url
   status           sudo systemctl status ${unit%.service}
   log              sudo journalctl -u ${unit%.service} -f
   back again       ./scripts/failback-to-pi-ctv.sh
"
finish ok "FAILOVER COMPLETE: $node serves since %{serving} s after Enter"
