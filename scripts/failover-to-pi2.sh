#!/bin/sh
# failover-to-pi2.sh [-n] [--drill] [--force] [-y] [--no] - this standby takes over from the primary, now
#
# What always holds: no network is needed, and what needs one is bounded in time and never fatal; the role is on
# disk before the application starts, so no download replaces what serves; a start that fails is undone; a
# run that was killed is repaired by the next one; whoever runs second is told who runs first.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

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

drill='' force='' code=yes
while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	--drill) drill=yes ;;
	--force) force=yes ;;
	-y | --yes) yes=yes ;;
	--no) no=yes ;;
	--no-code) code= ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	*) usage_error "$1: unknown option" ;;
	esac
	shift
done
[ $# -eq 0 ] || usage_error "$1: no operand is taken"
[ -z "$dry" ] || [ -z "$drill" ] || usage_error "--dry-run and --drill exclude each other"
[ -z "$yes" ] || [ -z "$no" ] || usage_error "--yes and --no exclude each other"

settings
node=${node:-pi2}
# a person waits for its end, and decides
verify_limit=60s
before_drill=${live%/*}/.${live##*/}.drill

# problem STATUS TEXT [HINT]: the end; but a dry run notes it and goes on to find the others
verdict=0
problem() {
	[ -n "$dry" ] || die "$@"
	[ "$verdict" -ne 0 ] || verdict=$1 because=$2
	note "$2"
	step_result=failed
	more "not ready: $2${3:+; $3}"
}

# ---- before the first step ------------------------------------------------------------------

# the role this run began with, and what it means
look_around() {
	already=
	role_clear || die "$status" "$why"
	[ "$role_was" = active ] || return 0
	already=yes
	[ -z "$drill" ] || die 73 "$state/role: this host is serving in place of $primary" "failback-to-pi-ctv.sh ends that"
}

# The two that wait for the network run side by side from the first moment. A healthy primary takes a connection
# at once, whatever it then has to think about; a dead one costs no more than the first time-out.
set_out() {
	http-probe --connect-timeout 600ms -t 4s "$primary_url/api/system-stats" >"$scratch/primary" 2>&1 9>&- &
	prober=$! fetcher=
	[ -n "$code" ] && [ -e "$app/.git" ] || return 0
	set -- --fetch
	[ -z "$dry" ] || set -- --dry-run
	"$here/update-code.sh" "$@" >"$scratch/fetch" 2>&1 9>&- &
	fetcher=$!
}

# is it really down? Whoever takes over from one that answers must mean it
look_at_primary() {
	primary_is=down
	! wait "$prober" || primary_is=healthy
	seen=$(text_of "$scratch/primary")
	say "   $primary is $primary_is: ${seen:-no answer}"
	if [ "$primary_is" = healthy ] && [ -z "$force$dry$already$drill" ]; then
		(
			yes=
			ask "$primary answers. Two applications would take orders, into two databases. Take over all the same? [yes/NO]" yes
		) || die 77 "$primary_url: $primary answers; nothing was changed" \
			"--dry-run tells whether this host is ready, --drill tries it, --force takes over"
	elif [ "$primary_is" = down ] && [ -n "$drill" ]; then
		die 69 "$primary_url: $primary does not answer, so this is no time for a drill" "without --drill this takes over"
	fi
}

# ---- step 1: the code, at most five seconds, never fatal ---------------------------------------

update_code() {
	code_new=
	if [ -z "$fetcher" ]; then
		skip code "not asked for, or $app is no git repository"
		return 0
	fi
	step code
	github=
	wait "$fetcher" || github="GitHub gives no answer; "
	fetcher=
	if [ -n "$dry" ]; then
		run "$here/code-check.sh" || :
		case $status in
		0) note "$(sed 's/^CODE OK: //' "$out")" ;;
		2) problem 77 "$(sed 's/^CODE CRITICAL: //' "$out")" "$hint" ;;
		*) warn "$(sed 's/^CODE [A-Z]*: //' "$out")" ;;
		esac
		[ -z "$github" ] || more "GitHub gives no answer: a failover would go on with the code that is here"
	elif run "$here/update-code.sh" --merge; then
		now_at=$(tail -n 1 "$out") mended=$(sed '$d' "$out")
		case $now_at in *', was '*) code_new=yes ;; esac
		note "$github${github:+the code here: }$now_at"
		[ -z "$mended" ] || more "$mended"
		[ -z "$github" ] || step_result=warning
	else
		warn "left as it is: ${why#update-code.sh: }${hint:+; $hint}"
	fi
}

# ---- step 2: the database ---------------------------------------------------------------------

check_database() {
	step database
	if [ -n "$already" ]; then
		note "this host is active: its database is its own"
		return 0
	fi
	if [ ! -e "$live" ] && [ -z "$dry$drill" ]; then
		say "   $live: not there; downloading"
		download || :
	fi
	if ! db_present; then
		problem "$status" "$why" "$hint"
		return 0
	fi
	check_content
	check_age
}

# false when there is nothing new; the nightly job has hours to wait for Dropbox, this one has not
download() {
	run mirror-head show --timeout 10s || [ "$status" -eq 66 ] || { say "   no download: $why"; return 1; }
	"$here/daily-download.sh" || { say "   the download failed"; return 1; }
}

# Every page is read unless the file is as it was installed, for then that was done. A person may accept a small one.
check_content() {
	level=quick
	[ -n "$dry" ] || ! as_installed || level=header
	! verify "$live" "$level" || return 0
	refused=$status cause=$why
	if [ "$refused" -eq 75 ] || { [ "$refused" -eq 65 ] && run db-verify -l "$level" --timeout "$verify_limit" "$live"; }; then
		[ -n "$dry" ] || ! ask "   $cause. Continue? [y/N]" || return 0
	elif [ -z "$dry$drill" ] && ask "   $cause. Download a fresh copy? [y/N]"; then
		! download || ! verify "$live" quick || return 0
	fi
	problem "$refused" "$cause" "db-install $live.prev $live puts back the one before"
}

check_age() {
	if ! is_fresh && [ -z "$drill" ]; then
		if [ -n "$dry" ]; then
			problem 65 "$age"
		elif ask "   $age. Download a fresh copy? [y/N]"; then
			! download || is_fresh || :
		fi
	fi
	since=$(date -r "$(data_of)" '+%s %a %d %b, %H:%M')
	lost=$((($(date +%s) - ${since%% *}) / 60)) since=${since#* }
	if [ "$step_result" = ok ]; then
		note "${step_note:+$step_note; }data of $since"
		[ "$fresh" = yes ] || step_result=warning
	fi
	if [ "$lost" -lt 0 ]; then
		more "data from the future ($since): a clock is wrong, and what will be lost cannot be told"
	elif [ -z "$drill" ]; then
		would=will
		[ -z "$dry" ] || would=would
		more "you $would lose what was entered since $since: $((lost / 60)) h $((lost % 60)) min"
		[ ! -s "$state/data-of" ] || more "but what was entered here, when this host served last, is in it"
	fi
}

is_fresh() {
	fresh=yes
	db_fresh || fresh=
	[ -n "$fresh" ]
}

# ---- step 3: the service ------------------------------------------------------------------------

# what would keep the application from starting or from writing
check_service() {
	step service
	if unit_startable; then
		note "$fact"
	else
		problem "$status" "$why" "$hint"
	fi
	disk_free || problem "$status" "$why" "$hint"
	data_writable || problem "$status" "$why" "$hint"
	[ -z "$dry" ] || state_writable || problem "$status" "$why" "$hint"
	[ -z "$dry" ] || look_at_trust
}

# what the application may write and should not is said, and stands in no failover's way
look_at_trust() {
	run "$here/trust-check.sh" || [ "$status" -eq 1 ] || return 0
	sed 1d "$out" >"$scratch/trust"
	[ ! -s "$scratch/trust" ] || [ "$step_result" != ok ] || step_result=warning
	while IFS= read -r finding; do
		more "$finding"
	done <"$scratch/trust"
}

# the application gives the database a new time, but no newer data
marked=
mark_data_of() {
	[ ! -e "$state/data-of" ] || return 0
	# a killed run's may be another user's, who alone can set its time
	rm -f "$state/data-of.tmp"
	touch -r "$live" "$state/data-of.tmp" || die 74 "$state/data-of: cannot write"
	mv -fT "$state/data-of.tmp" "$state/data-of" || die 74 "$state/data-of: cannot write"
	marked=yes
}

# the file has content when somebody could enter something here, for the words of the next failover
mark_served() {
	[ -n "$already" ] || [ -s "$state/data-of" ] && return 0
	rm -f "$state/data-of.tmp"
	{ echo served >"$state/data-of.tmp" && touch -r "$state/data-of" "$state/data-of.tmp" &&
		mv -fT "$state/data-of.tmp" "$state/data-of"; } || say "   $state/data-of: cannot write"
}

# the role first, then the application: whoever comes by in between finds a host that serves
take_role() {
	if [ -n "$drill" ]; then
		# the copy gets back its time, by which its age is told: only its owner and root can do that
		[ "$(id -u)" -eq 0 ] || [ -O "$live" ] || die 77 "$live: is not $(id -un)'s, so a drill could not put it back" \
			"sudo $here/$program --drill"
		# a nightly job must not find the database open
		exec 7<>"$state/lock"
		flock -n 7 || die 73 "$state/lock: held by $(head -n 1 "$state/lock")" "a drill can wait"
		mark_data_of
		run cp -p --reflink=auto "$live" "$before_drill" || die 74 "$why"
		undo=end_drill
		return 0
	fi
	[ -d "$state/wanted" ] || mkdir "$state/wanted" || die 73 "$state/wanted: cannot create"
	true >"$state/wanted/claim" || die 74 "$state/wanted/claim: cannot write"
	if [ -n "$already" ]; then
		set_role active
	else
		undo=roll_back
		# a download that ends just now removes the mark of its data
		set_role active mark_data_of
	fi
}

# ---- steps 3 and 4: start and health, twice at most ------------------------------------------

# broken STATUS TEXT [HINT]: why the application is not up
broken() {
	broke_status=$1 broke_text=$2 broke_hint=${3:-journalctl -u $unit -n 50}
	note "$2"
	# what the application said itself; at a terminal it stands there already
	sed -n 's/^svc-ctl: [^ ]*: says: //p' "$err" >"$scratch/words"
	while IFS= read -r words; do more "$words"; done <"$scratch/words"
	step_end failed
	return 1
}

start() {
	clock
	starting=$now
	run svc-ctl -t "$patience" start "$unit" || broken "$(ended "$status")" "$why" "$hint"
}

# shellcheck disable=SC2317  # it is called by run
# first_answer: a unit that has failed for good gives none, and ends the wait for it
first_answer() {
	http-probe -t 5s --wait "$patience" --interval 100ms "$own_url/api/system-stats" 9>&- & probing=$!
	(
		svc-ctl -t "$patience" watch "$unit" >/dev/null 9>&- & watching=$!
		trap 'kill $watching' TERM
		wait "$watching" 2>/dev/null || kill "$probing"
	) & watching=$!
	trap 'kill $probing $watching' TERM
	answered=0
	wait "$probing" 2>/dev/null || answered=$?
	kill "$watching" 2>/dev/null || :
	wait "$watching" 2>/dev/null || :
	return "$answered"
}

# It serves when the first request is answered. Then it must stay up, and reach its database.
check_health() {
	step health
	if ! run first_answer; then
		answer=$(text_of "$out")
		# a probe that was ended has none; at a terminal the cause stands there already
		case $why in "first_answer: exit status"*) why="$unit: has failed for good" ;; esac
		broken 69 "${answer:-$why}"
		return 1
	fi
	mark_served
	clock
	lasted "$starting" "$now"
	app_took=$seconds
	lasted "$began" "$now"
	serving=$seconds
	run svc-ctl -t 30s --settle 3s start "$unit" || { broken "$(ended "$status")" "$why" "$hint"; return 1; }
	# an application without this page says 404
	run http-probe -t 10s --status 200,404 "$own_url/health/database" || { broken 69 "$(text_of "$out")"; return 1; }
	note "answered $app_took s after its start, $serving s after Enter; stays up"
}

# the code that this run brought may be why
with_old_code() {
	[ -n "$code_new" ] && run "$here/update-code.sh" --back || return 1
	code_new=
	say "   once more, with the code as it was"
	run svc-ctl -t 60s stop "$unit" || :
	step_number=2
	step service
	start && check_health
}

# ---- step 5: the confirmation ----------------------------------------------------------------

confirm() {
	undo=
	step confirm
	if ! settle_record; then
		warn "$why; the head record will be claimed when Dropbox answers"
	elif [ -n "$owner" ]; then
		note "the head record says $owner: $primary does not publish over this"
	else
		note "there is no head record to claim"
	fi
}

# what nobody else may hold, and what the confirmation would do
dry_end() {
	step health
	if [ -n "$already" ]; then
		run http-probe -t 10s "$own_url/api/system-stats" || problem 69 "$(text_of "$out")"
		note "$(text_of "$out")"
	elif port_free; then
		note "$fact"
	else
		problem "$status" "$why"
	fi
	step confirm
	if run mirror-head show --dry-run --field owner --timeout 5s || [ "$status" -eq 66 ]; then
		note "Dropbox answers: the head record's owner is $(cat "$out")"
	else
		warn "Dropbox gives no answer: the head record would be claimed later"
	fi
	if [ "$verdict" -ne 0 ]; then
		step_end "$step_result"
		die "$verdict" "not ready: $because"
	fi
	finish ok "ready: a failover would work now"
}

# ---- the ways back ----------------------------------------------------------------------------

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# What this run began is undone. What the application may have been told meanwhile stays: the next download keeps
# that copy before it replaces it.
roll_back() {
	undo=
	say "rolling back"
	if ! run svc-ctl -t 60s stop "$unit" && [ "$(unit_state "$unit")" != inactive ]; then
		say "   $why"
		say "   $unit may be running, so the role stays active"
		return 0
	fi
	# wanted/claim stays: a failback before this may have left the record to be handed back
	set_role "${role_was:-standby}"
	say "   $unit is stopped, the role is ${role_was:-standby} again: nothing serves here"
}

# after a drill the copy is the standby's again, unless somebody wrote to it
end_drill() {
	undo=
	if ! run svc-ctl -t 60s stop "$unit"; then
		say "   $why"
		say "   $unit may be running: svc-ctl stop $unit"
		return 1
	fi
	if [ ! -s "$live-wal" ] && [ "$(stat -c %s "$live")" = "$(stat -c %s "$before_drill")" ] &&
		cmp -s -i 100 "$live" "$before_drill"; then
		taken=$(date -u -d "@$(stat -c %Y "$before_drill")" +%Y-%m-%dT%H:%M:%SZ)
		if run db-install --as-of "$taken" "$before_drill" "$live"; then
			[ -z "$marked" ] || rm -f "$state/data-of"
		else
			say "   $why"
		fi
	else
		say "   somebody wrote during the drill: the next download keeps that copy before it replaces it"
	fi
	rm -f "$before_drill"
}

farewell() {
	host=${own_url%:*}
	say ""
	say "   Application      $own_url"
	say "   Control Station  $host:5001"
	say "   Kuma             $host:3001"
	say "   status           sudo systemctl status ${unit%.service}"
	say "   log              sudo journalctl -u ${unit%.service} -f"
	say "   back again       ./scripts/failback-to-pi-ctv.sh"
	say ""
}

task=failover
[ -z "$drill" ] || task=drill
begin "$task" 5 "${log_dir:-/var/log/ctv-pi2-download}/failover.log" operator.lock
look_around
set_out
if [ -n "$drill" ]; then
	say "FAILOVER DRILL: $node starts while $primary serves, and stops again"
else
	say "FAILOVER TO PI2: $node takes over from $primary"
fi
look_at_primary
update_code
check_database
check_service
[ -z "$dry" ] || dry_end
take_role
{ start && check_health; } || with_old_code || die "$broke_status" "$broke_text" "$broke_hint"
if [ -n "$drill" ]; then
	step confirm
	end_drill || die 69 "$unit: could not be stopped"
	note "$unit is stopped again"
	finish ok "the drill has passed: $node would have served $serving s after Enter"
fi
confirm
step_end "$step_result"
farewell
finish ok "FAILOVER COMPLETE: $node serves since $serving s after Enter"
