#!/bin/sh
# failover-to-pi2.sh [-n] [--drill] [--newest | --last-night] [--force] [-y] [--no] - this standby takes over from the primary, now
#
# What always holds: no network is needed, and a step that uses one is bounded in time and never fatal; the role is on
# disk before the application starts, so no download replaces what serves; a start that fails is undone; a
# run that was killed is repaired by the next one; a second run is refused and told who holds the lock.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/takeover.sh
. "$here/parts/takeover.sh"
# shellcheck source=scripts/parts/newest.sh
. "$here/parts/newest.sh"
app='' live='' live_dir='' node='' standby='' primary='' primary_url='' standby_url='' station_url='' kuma_page_url=''
state='' unit='' start_timeout='' stepped='' text='' verdict='' level=quick code='' hint='' owner='' age_seconds='' data_on='' changes_every='' prove='' proof_verdict='' proof_finished_at='' proof_message=''

usage() {
	cat <<'END'
usage: failover-to-pi2.sh [-n | --drill] [--newest | --last-night] [--force] [-y | --no] [--no-code]

Takes over from the primary: code update, database check, service start,
health validation, confirmation. Run it on the standby.

  -n, --dry-run    run every check, change nothing; exit 0 means ready
      --drill      the monthly test: start here while the primary serves, then
                   stop again and put everything back
      --newest     the newest state that was followed, or nothing
      --last-night last night's copy, though a newer state is here
      --force      take over although the primary answers
  -y, --yes        answer the questions about the database with yes
      --no         answer every question with no
      --no-code    leave the application's code as it is
END
}

dry='' drill='' newest='' last_night='' force='' yes='' no='' no_code=''
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	--drill) drill=yes ;;
	--newest) newest=yes ;;
	--last-night) last_night=yes ;;
	--force) force=yes ;;
	-y | --yes) yes=yes ;;
	--no) no=yes ;;
	--no-code) no_code=yes ;;
	*) common_option "$option" ;;
	esac
done
[ -z "$dry" ] || [ -z "$drill" ] || usage_error "--dry-run and --drill exclude each other"
[ -z "$last_night" ] || [ -z "$newest$drill" ] || usage_error "--last-night goes with neither --newest nor --drill"
[ -z "$yes" ] || [ -z "$no" ] || usage_error "--yes and --no exclude each other"

steps=5 log=/var/log/ctv-pi2-download/failover.log
# settle.sh holds the operator's lock for moments; in a drill no nightly job may find the database open
if [ -z "$drill" ]; then
	run_as_job failover operator.lock:20s:settle.sh "$@"
else
	run_as_job drill 'operator.lock:20s:settle.sh lock' "$@"
fi
get ctv-conf --shell
node=${node:-$standby} scratch=$(mktemp -d)
not_ready='' would=will fetch=--fetch merge=--merge fetcher='' code_is_new=''
[ -z "$dry" ] || would=would fetch=--dry-run

# ---- the steps ---------------------------------------------------------------------------------

# at most five seconds, never fatal
update_code() {
	github=
	[ -z "$fetcher" ] || wait "$fetcher" || github="GitHub gives no answer"
	if [ -n "$dry" ]; then
		must code_present
		if [ "$verdict" = warning ]; then warn "$text"; else note "$text"; fi
		[ -z "$github" ] || more "$github: a failover would go on with the code that is here"
	elif said=$("$here/update-code.sh" "$merge"); then
		now_at=$(printf '%s\n' "$said" | tail -n 1)
		case $now_at in *', was '*) code_is_new=yes ;; esac
		if [ -z "$github" ]; then note "$now_at"; else warn "$github; the code here: $now_at"; fi
		[ "$said" = "$now_at" ] || more "$(printf '%s\n' "$said" | sed '$d')"
	else
		warn "left as it is"
	fi
}

# A person may accept a database that is small, or was not read in a minute, and one that is old; never a damaged one.
check_database() {
	[ -e "$live" ] || [ -n "$dry$drill" ] || { say "   $live: not there; downloading" && download; } || :
	met db_present || { problem "$code" && return; }
	# a dry run reads every page, this one only when somebody has written since that was done
	if met ${dry:+--for=failover} db_content; then
		:
	elif unfinished && in_order && met db_content; then
		more "what an application that was ended had left beside the database is taken in, or rolled back"
	elif unread || { [ "$verdict" = critical ] && db-verify -l "$level" --timeout 60s "$live" >/dev/null 2>&1; }; then
		accept
	else
		newer db_content || problem "$code"
	fi
	found=${text#"$live: "} how=note
	if [ -n "$would_take" ]; then
		data_on=$newest_as_of_on age_seconds=$newest_age_seconds code=65 text="newest.db is too old: of $data_on" hint=
		[ -z "$newest_old" ] || how=warn
	else
		met db_fresh || newer db_fresh || how=warn
		[ "$newest_serves" != newest ] || data_on=$newest_live_on age_seconds=$newest_live_seconds
	fi
	[ -n "$age_seconds" ] || fail 74 "$text"
	if [ "$how$dry" = warnyes ]; then problem "$code"; else "$how" "$found; data of $data_on"; fi
	tell_loss
}

# ---- main --------------------------------------------------------------------------------------

met role_clear || fail "$code" "$text" "$hint"
role_was=$(mirror-role show)
[ -z "$drill" ] || [ "$role_was" != active ] ||
	fail 73 "$state/role: this host is serving in place of $primary" "failback-to-pi-ctv.sh ends that"
[ "$role_was$newest$last_night" = "$role_was" ] || [ "$role_was" != active ] || step_down
# of a host that serves the code stays; what a power cut has torn is mended
[ "$role_was" != active ] || merge=--mend
[ -e "$app/.git" ] || no_code=yes
# the two that wait for the network run side by side from the first moment
http-probe --connect-timeout 600ms -t 4s "$primary_url/api/system-stats" >"$scratch/primary" & prober=$!
if [ "$no_code$merge" = --merge ]; then
	"$here/update-code.sh" "$fetch" >/dev/null 2>&1 & fetcher=$!
fi
if [ -z "$drill" ]; then
	say "FAILOVER TO PI2: $node takes over from $primary"
else
	say "FAILOVER DRILL: $node starts while $primary serves, and stops again"
fi
look_at_primary
make_room ctv-proof ctv-follow ctv-follow-check ctv-pi2-download

if [ -n "$no_code" ]; then
	skip code "not asked for, or $app is no git repository"
else
	step code
	update_code
fi

step database
if [ "$role_was" = active ]; then
	note "this host is active: its database is its own"
else
	be_standby
	choose
	check_database
fi

step service
must unit_startable
note "$text"
must disk_free data_writable ${dry:+state_writable}
[ -z "$dry" ] || look_ahead
if [ -n "$drill" ]; then
	put_aside
else
	# the role first, then the application: who comes by in between finds a host that serves
	mirror-role leave claim
	[ "$role_was" = active ] || undo=roll_back
	mirror-role set active
fi
# a proof that has begun since
make_room ctv-proof
serve || {
	failed=$?
	[ "$newest_serves" != newest ] || hint="with --last-night it starts on last night's copy; $hint"
	fail "$failed" "$text" "$hint"
}

step confirm
if [ -n "$drill" ]; then
	end_drill || fail 69 "$unit: could not be stopped"
	note "$unit is stopped again"
	finish ok "the drill has passed: $node would have served %{serving} s after Enter"
fi
undo=
follow_again
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
