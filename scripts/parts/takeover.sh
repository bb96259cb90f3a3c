# takeover.sh - how a failover asks its conditions, judges the primary, and brings the application up or down again.
# Sourced by failover-to-pi2.sh, never run
#
# What always holds: a condition is asked by standby-check.sh, whose words and codes the dry run, the page and the doctor share;
# an application serves when it has answered, stays up and reaches its database; no name in the database's directory, where the
# application writes, is opened by us: a tool does that.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings, options and answers are the scripts'

# ---- conditions --------------------------------------------------------------------------------

# met [--for=RUN] ID
met() {
	code=70 text="$*: no answer" verdict=unknown hint=''
	get "$here/standby-check.sh" --shell "$@"
}

# must ID...: or the run ends
must() {
	for id; do met "$id" || problem "$code"; done
}

# problem CODE [TEXT [HINT]]: the end; but a dry run notes it and goes on to find the others
problem() {
	[ -n "$dry" ] || fail "$1" "${2-$text}" "${3-$hint}"
	[ -n "$not_ready" ] || not_ready=$1 because=${2-$text}
	refuse "${2-$text}"
	more "not ready: ${2-$text}${hint:+; $hint}"
}

# unread: was the database not read to its end, only because this run has no more time for that? A disk that fails is another matter
unread() {
	case $verdict/$text in unknown/*' within the time allowed ('*) code=75 ;; *) return 1 ;; esac
}

# unfinished: is it whole only with what an application that was ended has left beside it? Its SQLite would put that in order at the
# start, and so it is judged as that
unfinished() {
	case $verdict/$text in unknown/*' lies beside it, '*) ;; *) return 1 ;; esac
}

# the time of its data is kept from now on, which this changes
in_order() {
	[ -z "$dry" ] || return
	mirror-role mark || :
	timeout -k 5s 60s db-install --settle --state "$state" "$live"
}

# accept: what is not met, by a person
accept() {
	{ [ -z "$dry" ] && ask "   $text. Continue? [y/N]"; } || problem "$code"
}

# newer ID: is it met by a fresh copy, if a person wants one? The nightly job has hours to wait for Dropbox, this run has not.
newer() {
	[ -z "$dry$drill" ] && ask "   $text. Download a fresh copy? [y/N]" && download && met "$1"
}

download() {
	{ mirror-head show --timeout 10s >/dev/null || [ $? -eq 66 ]; } && "$here/daily-download.sh" && return
	say "   the download failed"
	return 1
}

# ---- the primary -------------------------------------------------------------------------------

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

# step_down: who chooses a state on a host that is to serve, but does not, begins from a standby
step_down() {
	case $(svc-ctl is-active "$unit" || :) in
	inactive | failed) ;;
	*) fail 73 "$unit: serves here, and its database stays" "svc-ctl stop $unit, if nobody needs it" ;;
	esac
	role_was=standby stepped=yes
}

# be_standby: so that the database may be changed; whatever fails from here on, what was entered here is protected again
be_standby() {
	[ -n "$stepped" ] && [ -z "$dry" ] || return 0
	undo=step_up
	mirror-role set standby || exit
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
step_up() { mirror-role set active; follow_again; }

# ---- the application -----------------------------------------------------------------------------

# The application serves when its first request is answered. Then it must stay up, and reach its database; one without a
# page for that answers 404. A unit that has failed for good ends the wait, and svc-ctl has said why.
start_and_check() {
	mark starting
	text=
	svc-ctl -t "$start_timeout" start "$unit" || return
	step health
	hint="journalctl -u $unit -n 50"
	get svc-ctl -t "$start_timeout" watch "$unit" -- http-probe --shell -t 5s --wait "$start_timeout" --interval 100ms \
		"$standby_url/api/system-stats" || return 69
	mark serving
	[ -n "$drill" ] || mirror-role mark --served || :
	text=
	svc-ctl -t 30s --settle 3s start "$unit" || return
	get http-probe --shell -t 10s --status 200,404 "$standby_url/health/database" || return 69
	note "answered %{serving} s after Enter, the start was at %{starting} s; stays up"
}

# once more with the code as it was, for the code that this run brought may be why
serve() {
	start_and_check && return
	failed=$?
	[ -n "$code_is_new" ] && "$here/update-code.sh" --back >/dev/null || return "$failed"
	refuse "${text:-$unit has not started}"
	say "   once more, with the code as it was"
	svc-ctl -t 60s stop "$unit" || :
	step service
	start_and_check
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# Undoes what this run began. What users may have entered meanwhile stays, and so does wanted/claim: the
# next download keeps that copy before it replaces it, and a failback before this may have left the record to be handed back.
roll_back() {
	say "rolling back"
	if ! svc-ctl -t 60s stop "$unit" && [ "$(unit_state "$unit")" != inactive ]; then
		say "   $unit may be running, so the role stays active"
	elif role_was=${stepped:+active} && mirror-role set "${role_was:=standby}"; then
		say "   $unit is stopped, the role is $role_was again: nothing serves here"
	fi
	follow_again
}

# tell_proof: how the last try of the application on a copy of the data went
tell_proof() {
	get job-run --last=proof_ proof || :
	if [ -n "$proof_verdict" ]; then
		more "last proved $proof_finished_at, $proof_verdict: $proof_message"
	elif [ -n "$prove" ]; then
		more "never proved here: prove-failover.sh does it"
	fi
}

# the last steps of a dry run: what else a failover would meet
look_ahead() {
	trust=$("$here/trust-check.sh" | sed 1d)
	[ -z "$trust" ] || more "$trust"
	tell_proof
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
}

# ---- a drill -------------------------------------------------------------------------------------

# put_aside: a copy of the database, which gets back its time, by which its age is told: only its owner and root can do that.
# Where a log lies beside it, as an application that was ended leaves one, it is not last night's any more: nothing is put back.
put_aside() {
	[ "$(id -u)" -eq 0 ] || [ -O "$live" ] ||
		fail 77 "$live: is not $(id -un)'s, so a drill could not put it back" "sudo $here/$program --drill"
	before_drill=$live_dir/.${live##*/}.drill marked=
	[ -e "$state/data-of" ] || marked=yes
	mirror-role mark
	get installed-check --shell=drilled_ --record "$state/installed.json" "$live" || :
	rm -f "$before_drill"
	[ -e "$live-wal" ] || [ -e "$live-shm" ] || [ -e "$live-journal" ] || db-install -k "$live" "$before_drill"
	undo=end_drill drilled=$before_drill
	[ -n "$would_take" ] || return 0
	[ -e "$before_drill" ] || fail 73 "$live: has files of an application beside it, so a drill could not put it back"
	drilled=$live_dir/.follow/newest.db
	# the one before is nobody's to lose in a drill
	[ ! -f "$live.prev" ] || mv -fT "$live.prev" "$before_drill.prev"
	db-install -k --quick "$drilled" "$live"
}

# is_last_nights: what was on record before the drill is so again, as another file: a failover may put what was followed in its place
is_last_nights() {
	[ "$newest_serves" != night ] ||
		db-install --quick --state "$state" --rev "$drilled_rev" --content-hash "$drilled_content_hash" --number "$newest_live_n" \
			${drilled_seq:+--epoch "$drilled_epoch" --seq "$drilled_seq"} --as-of "$drilled_snapshot_at" "$live" "$live" >/dev/null
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# the copy is the standby's again, unless somebody wrote to it
end_drill() {
	undo=
	svc-ctl -t 60s stop "$unit" || { say "   $unit may be running: svc-ctl stop $unit" && return 69; }
	if [ -e "$before_drill" ] && [ ! -s "$live-wal" ] && [ "$(stat -c %s "$live")" = "$(stat -c %s "$drilled")" ] &&
		timeout -k 5s 10m cmp -s -i 100 "$live" "$drilled"; then
		db-install "$before_drill" "$live" && { [ -z "$marked" ] || rm -f "$state/data-of"; } && is_last_nights &&
			{ [ ! -f "$before_drill.prev" ] || mv -fT "$before_drill.prev" "$live.prev"; }
	else
		say "   somebody has written to it: the next download keeps that copy before it replaces it"
	fi
	rm -f "$before_drill" "$before_drill.prev"
	follow_again
}
