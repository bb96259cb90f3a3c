#!/bin/sh
# failback-to-pi-ctv.sh [-n] [-y | --no] - the primary is healthy again: this standby stops serving
#
# What always holds: nothing stops here while the primary is not healthy; what was entered here is copied after the
# last write and kept, with its time, whether it is uploaded or not; the role changes only after that; if the
# primary fails in the meantime this host serves again; a run that was killed is repaired by the next one.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: failback-to-pi-ctv.sh [-n] [-y | --no]

Gives the service back to the primary: health check of the primary, data safety
prompt, service stop, final verification. Also known as failback-to-pi2.sh.

  -n, --dry-run    run every check, change nothing; exit 0 means it would work
  -y, --yes        upload what was entered here, without asking
      --no         do not, without asking; the local copy is kept all the same
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-y | --yes) yes=yes ;;
	--no) no=yes ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	*) usage_error "$1: unknown option" ;;
	esac
	shift
done
[ $# -eq 0 ] || usage_error "$1: no operand is taken"
[ -z "$yes" ] || [ -z "$no" ] || usage_error "--yes and --no exclude each other"

settings
unnamed=${live%/*}/.failover_backup.db copy='' name=
node=${node:-pi2}

# healthy: it answers, and reaches its database
healthy() {
	run http-probe --connect-timeout 2s -t 10s "$primary_url/api/system-stats" || return 1
	seen=$(text_of "$out")
	# an application without this page says 404
	run http-probe --connect-timeout 2s -t 10s --status 200,404 "$primary_url/health/database"
}

# there is nothing to give back, but an earlier run may have been killed on its way
nothing_to_do() {
	if [ -z "$dry" ] && ! settle_record; then
		[ "$status" -ne 65 ] || die 65 "nothing serves here, but $why" \
			"when it is certain that $primary serves: mirror-head anew --owner $primary"
		# whether it is ours is not known
		mkdir -p "$state/wanted" || die 74 "$state/wanted: cannot create"
		true >"$state/wanted/claim" || die 74 "$state/wanted/claim: cannot write"
		finish warning "nothing serves here; $why; the head record will be handed back when Dropbox answers"
	fi
	finish unchanged "nothing serves here: there is nothing to give back"
}

check_primary() {
	step primary
	healthy || die 69 "$primary_url: $primary is not healthy: $(text_of "$out")" \
		"this host goes on serving; once $primary is well, run this again"
	note "$seen"
}

ask_about_data() {
	step data
	upload=
	say "   This host was active: what was entered here is not in $primary's database."
	if ask "   Upload it as a backup? [y/N]"; then
		say "   It goes to Dropbox beside the other backups; $primary's data stays as it is, and merging is by hand."
		! ask "   Are you absolutely sure? [yes/NO]" yes || upload=yes
	fi
	note "$([ -n "$upload" ] && echo "will be uploaded" || echo "will not be uploaded; the local copy is kept")"
}

# the last write has been made when the unit is down and nobody has the database open
stop_service() {
	step stop
	if [ -n "$dry" ]; then
		run svc-ctl status "$unit" || [ "$status" -eq 3 ] || die "$(ended "$status")" "${why:-$unit: no such unit}"
		note "would stop $unit and copy its database"
		return 0
	fi
	undo=serve_again
	must svc-ctl -t 60s stop "$unit"
	held_by=$(holders "$live")
	[ -z "$held_by" ] || die 73 "$live: in use by $held_by" "end these processes, then run this again"
	note "$unit is stopped"
	keep_copy
}

# The copy that is kept, and uploaded if that was wished; it gets its name when the failback is certain, so that what an
# undone or a killed run made is one file at most. Without room for it the wish is not granted, and the database itself is
# what stays: the next download will not replace it before it is copied.
keep_copy() {
	n=0
	while name=$(backup_name failover now "$n"); [ -e "${live%/*}/$name" ]; do
		n=$((n + 1))
	done
	rm -f "$unnamed" || die 74 "$unnamed: cannot remove"
	if [ ! -e "$live" ]; then
		warn "$live: not there, so there is nothing to keep"
	elif run db-snapshot "$live" "$unnamed"; then
		copy=${live%/*}/$name
	elif [ -n "$upload" ]; then
		die "$(ended "$status")" "$why" "no copy, so no backup: this host goes on serving; make room, or use --no"
	else
		warn "$why; what was entered here stays in $live"
	fi
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# The role on disk decides, for the run may have ended on either side of its change
serve_again() {
	undo=
	if [ "$(role)" != "$role_was" ]; then
		say "the role is $(role) already: $unit stays stopped, $primary serves; what is left is done by settle.sh"
		return 0
	fi
	say "rolling back"
	if run svc-ctl -t 60s start "$unit"; then
		say "   $unit is started again: this host goes on serving"
	else
		say "   $why"
		say "   NOTHING SERVES HERE: svc-ctl start $unit"
	fi
	# settle.sh must not find the wish of a copy that is gone
	[ -z "$copy" ] || rm -f "$state/wanted/$name" "$copy" || :
	rm -f "$unnamed" || :
}

# only now, with the primary confirmed and the copy on disk, is the failover over
verify_primary() {
	step verify
	if ! healthy && ! healthy; then
		die 69 "$primary_url: $primary stopped being healthy: $(text_of "$out")"
	fi
	note "$seen"
	[ -z "$dry" ] || return 0
	[ -d "$state/wanted" ] || mkdir "$state/wanted" || die 74 "$state/wanted: cannot create"
	true >"$state/wanted/claim" || die 74 "$state/wanted/claim: cannot write"
	if [ -n "$copy" ]; then
		{ run mv -T "$unnamed" "$copy" && run sync "${live%/*}"; } || die 74 "$why"
		more "what was entered here is kept: $copy"
	fi
	[ -z "$upload" ] || replace "$state/wanted/$name" "$copy" || die 74 "$state/wanted/$name: cannot write"
	set_role standby
	undo=
}

# what needs Dropbox: tried once here, then by ctv-settle.service until it is done
hand_over() {
	step handover
	if [ -n "$dry" ]; then
		if run mirror-head show --dry-run --field owner --timeout 5s || [ "$status" -eq 66 ]; then
			note "Dropbox answers; the head record's owner is $(cat "$out")"
		else
			warn "Dropbox gives no answer: the record would be handed back later"
		fi
		return 0
	fi
	if ! settle_record; then
		warn "$why; what is left will be done when Dropbox answers"
		return 0
	fi
	note "${owner:+the head record says $owner}"
	if [ -n "$upload" ]; then
		if settle_backup "$name"; then
			more "uploaded: $backup"
		else
			warn "$why; $name will be uploaded when Dropbox answers"
		fi
	fi
}

farewell() {
	say ""
	say "   $primary  $primary_url"
	say "   $node     stopped, ready for the next failover"
	if [ -n "$copy" ]; then
		say "   kept      $copy"
		say "             to see what it holds: sqlite3 -readonly $copy"
	fi
	say "   again     ./scripts/failover-to-pi2.sh"
	say ""
}

begin failback 5 "${log_dir:-/var/log/ctv-pi2-download}/failback.log" operator.lock
unit_was=$(unit_state "$unit") role_was=$(role)
case $role_was/$unit_was in
primary/*) die 77 "$state/role: this is the primary; a failback is for the standby" ;;
active/*) ;;
*/inactive | */failed | */none) nothing_to_do ;;
esac
say "FAILBACK TO PI-CTV: $node gives back to $primary"
check_primary
ask_about_data
stop_service
verify_primary
hand_over
[ -z "$dry" ] || finish ok "ready: a failback would work now"
step_end "$step_result"
farewell
finish ok "FAILBACK COMPLETE: $primary serves at $primary_url"
