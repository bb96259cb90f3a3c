#!/bin/sh
# failback-to-pi-ctv.sh [-n] [-y | --no] - the primary is healthy again: this standby stops serving
#
# What always holds: nothing stops here while the primary is not healthy; what was entered here is copied after the
# last write and kept, with its time, whether it is uploaded or not; the role changes only after that; if the
# primary fails in the meantime this host serves again; a run that was killed is repaired by the next one.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' live_dir='' node='' standby='' primary='' primary_url='' state='' unit='' holders=''

usage() {
	cat <<'END'
usage: failback-to-pi-ctv.sh [-n] [-y | --no]

Gives the service back to the primary: health check of the primary, data safety
prompt, service stop, final verification. Also known as failback-to-pi2.sh.

  -n, --dry-run    run every check, change nothing; exit 0 means it would work
  -y, --yes        upload what was entered here, without asking
      --no         do not, without asking; the local copy is kept all the same
END
}

dry='' yes='' no=
for option; do
	case $option in
	-n | --dry-run) dry=yes ;;
	-y | --yes) yes=yes ;;
	--no) no=yes ;;
	*) common_option "$option" ;;
	esac
done
[ -z "$yes" ] || [ -z "$no" ] || usage_error "--yes and --no exclude each other"

steps=5 log=/var/log/ctv-pi2-download/failback.log
# settle.sh holds the lock for moments
run_as_job failback operator.lock:20s:settle.sh "$@"
get ctv-conf --shell
node=${node:-$standby} unnamed=$live_dir/.failover_backup.db copy='' upload=

# healthy: it answers, and reaches its database; an application without a page for this says 404
healthy() {
	seen=$(http-probe --connect-timeout 2s -t 10s "$primary_url/api/system-stats") && well=$seen &&
		seen=$(http-probe --connect-timeout 2s -t 10s --status 200,404 "$primary_url/health/database")
}

# there is nothing to give back, but an earlier run may have been killed on its way
nothing_to_do() {
	[ -n "$dry" ] || settle_record || {
		[ $? -ne 65 ] || fail 65 "nothing serves here, but the head record is not believed" \
			"when it is certain that $primary serves: mirror-head anew --owner $primary"
		mirror-role leave claim || exit
		finish warning "nothing serves here; the head record will be handed back when Dropbox answers"
	}
	finish unchanged "nothing serves here: there is nothing to give back"
}

# The copy that is kept, and uploaded if that was wished; it gets its name when the failback is certain, so that what an
# undone or a killed run made is one file at most. Without room for it the wish is not granted, and the database itself
# is the copy: the next download will not replace it before it is copied.
keep_copy() {
	name=$(backup-names --name failover)
	while [ -e "$live_dir/$name" ] || [ -h "$live_dir/$name" ]; do
		name=$(backup-names --next "$name")
	done
	rm -f "$unnamed" || fail 74
	if [ ! -e "$live" ]; then
		upload=
		warn "$live: not there, so there is nothing to keep"
	else
		kept=0
		db-snapshot "$live" "$unnamed" || kept=$?
		[ "$kept" -ne 0 ] || copy=$live_dir/$name
		[ -n "$copy" ] || [ -z "$upload" ] ||
			fail "$kept" '' "no copy, so no backup: this host goes on serving; make room, or use --no"
		[ -n "$copy" ] || warn "what was entered here stays in $live"
	fi
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
# The role on disk decides, for the run may have ended on either side of its change
serve_again() {
	if [ "$(mirror-role show)" != "$role_was" ]; then
		say "the role is changed already: $unit stays stopped, $primary serves; what is left is done by settle.sh"
		return 0
	fi
	say "rolling back"
	if svc-ctl -t 60s start "$unit"; then
		say "   $unit is started again: this host goes on serving"
	else
		say "   NOTHING SERVES HERE: svc-ctl start $unit"
	fi
	# settle.sh must not find the wish of a copy that is gone
	[ -z "$copy" ] || rm -f "$state/wanted/$name" "$copy"
	rm -f "$unnamed"
}

farewell() {
	say "
   $primary  $primary_url
   $node     stopped, ready for the next failover"
	[ -z "$copy" ] || say "   kept      $copy
             to see what it holds: sqlite3 -readonly $copy"
	say "   again     ./scripts/failover-to-pi2.sh
"
}

unit_was=$(unit_state "$unit") role_was=$(mirror-role show)
case $role_was/$unit_was in
primary/*) fail 77 "$state/role: this is the primary; a failback is for the standby" ;;
active/*) ;;
*/inactive | */failed | */none) nothing_to_do ;;
esac
say "FAILBACK TO PI-CTV: $node gives back to $primary"

step primary
healthy || fail 69 "$primary_url: $primary is not healthy: ${seen%% |*}" \
	"this host goes on serving; once $primary is well, run this again"
note "${well%% |*}"

step data
say "   This host was active: what was entered here is not in $primary's database."
if ask "   Upload it as a backup? [y/N]"; then
	say "   It goes to Dropbox beside the other backups; $primary's data stays as it is, and merging is by hand."
	! ask "   Are you absolutely sure? [yes/NO]" yes || upload=yes
fi
if [ -n "$upload" ]; then note "will be uploaded"; else note "will not be uploaded; the local copy is kept"; fi

# the last write has been made when the unit is down and nobody has the database open
step stop
if [ -n "$dry" ]; then
	svc-ctl status "$unit" >/dev/null || [ $? -eq 3 ] || fail 66 "$unit: no such unit"
	note "would stop $unit and copy its database"
else
	undo=serve_again
	svc-ctl -t 60s stop "$unit"
	get holders-check --shell "$live" || [ $? -eq 3 ] ||
		fail 73 "$live: in use by $holders" "end these processes, then run this again"
	note "$unit is stopped"
	keep_copy
fi

# only now, with the primary confirmed and the copy on disk, is the failover over
step verify
healthy || healthy || fail 69 "$primary_url: $primary stopped being healthy: ${seen%% |*}"
note "${well%% |*}"
if [ -z "$dry" ]; then
	# ctv-settle.service looks whether the owner in the head record agrees with the role
	mirror-role leave claim
	if [ -n "$copy" ]; then
		db-install --mode "$(stat -c %a "$unnamed")" "$unnamed" "$copy"
		more "what was entered here is kept: $copy"
	fi
	[ -z "$upload" ] || mirror-role leave "$name" "$copy"
	mirror-role set standby
	undo=
fi

# the work in Dropbox: tried once here, then by ctv-settle.service until it is done
step handover
if [ -n "$dry" ]; then
	if owner=$(mirror-head show --dry-run --field owner --timeout 5s) || [ $? -eq 66 ]; then
		note "Dropbox answers; the head record's owner is $owner"
	else
		warn "Dropbox gives no answer: the record would be handed back later"
	fi
	finish ok "ready: a failback would work now"
fi
if ! settle_record; then
	warn "what is left will be done when Dropbox answers"
elif [ -z "$upload" ]; then
	note "${owner:+the head record says $owner}"
elif as_backup "$name" dbx-put -c "$copy" && rm -f "$state/wanted/$name"; then
	note "${owner:+the head record says $owner}"
	more "uploaded: $backup"
else
	warn "$name will be uploaded when Dropbox answers"
fi
step_done
farewell
finish ok "FAILBACK COMPLETE: $primary serves at $primary_url"
