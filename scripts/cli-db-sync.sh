#!/bin/sh
# cli-db-sync COMMAND - what an operator does with the mirror by hand: the words of the runbook's cli_db_sync.py
#
# Reads Dropbox and this host; what changes a database goes through the same guards as the nightly jobs.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
live='' remote='' state='' min_size='' max_age='' warn_age='' snapshot_at='' size=''
record_newest_n='' get_status='' installed_epoch='' installed_seq='' installed_rev='' installed_snapshot_at='' installed_file_mtime=''

usage() {
	cat <<'END'
usage: cli-db-sync [-n] [-y] COMMAND

  test              can Dropbox be reached, as whom, and what is there
  info              the copy here, the copy in Dropbox, and what ties them
  list [PATH]       what is in Dropbox
  list-backups      the backups, newest first, with their kind
  upload            publish this host's database (daily-upload.sh)
  download          bring the newest database here (daily-download.sh)
  backup [NAME]     a snapshot of this host's database among the backups
  restore-latest    install the newest backup here; asks first
  history           what can be restored: whole copies, and of each hour the last and
                    the first state
  restore OPTIONS   --at TIME or --state N: the database as it was then, here or with
                    -o FILE as another file; asks first (restore-state.sh)

  -n, --dry-run     check everything, change nothing
  -y, --yes         answer the question before upload and a restore with yes
  -h, --help        this text
  -V, --version     the version
END
}

dry='' yes=''
while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-y | --yes) yes=yes ;;
	--) shift; break ;;
	-*) common_option "$1" ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || usage_error "which command?"
command=$1
shift
case $command in
test | info | list-backups | upload | download | restore-latest | history) most=0 ;;
list | backup) most=1 ;;
restore) most=$# ;;
*) usage_error "$command: no such command" ;;
esac
[ $# -le $most ] || usage_error "$command: too many operands"

# the files on this host: the live database and the copies beside it
info_here() {
	echo "here: $live"
	! live_is_link || printf '  %s: nothing can be installed there\n  hint: %s\n' "${link_text#"$live: "}" "$link_hint"
	if [ -e "$live" ]; then
		age-check -w "$warn_age" -c "$max_age" "$live" || :
		db-verify -l header --timeout 60s --min-size "$min_size" "$live" || :
		[ ! -e "$live.prev" ] || ls -l "$live.prev"
	else
		echo "  none"
	fi
	if [ -f "$state/installed.json" ]; then
		get installed-check --shell=installed_ --record "$state/installed.json" "$live" || :
		echo "installed: number $installed_epoch.$installed_seq, rev $installed_rev, data of $installed_snapshot_at"
	fi
}

info() {
	info_here
	echo
	echo "in Dropbox: $remote"
	dbx-ls -l "$remote"
	echo
	echo "head record:"
	may_lack mirror-head show
}

# in_backups: the names there; a folder that is not there yet holds none
in_backups() {
	may_lack dbx-ls /backups
}

list_backups() {
	names=$(in_backups)
	printf '%s\n' "$names" | backup-names | while read -r _ kind name; do
		stamp=${name#*_backup_}
		printf '%s UTC  %-8s  /backups/%s\n' "${stamp%.db}" "$kind" "$name"
	done
}

# shellcheck disable=SC2317  # at_exit calls it, by $undo
drop_snapshot() {
	rm -f "$snapshot"
}

backup() {
	name=${1-} snapshot=$state/backup.db
	[ -f "$live" ] || fail 66 "$live: no such file" "DATABASE_PATH names the application's database"
	[ -z "$dry" ] ||
		finish ok "ready: a snapshot of $live would go to /backups/${name:-database_backup_(its time).db}"

	step snapshot
	undo=drop_snapshot
	get db-snapshot --shell "$live" "$snapshot"
	# a copy as it was installed holds what the primary had then: restore-latest takes the newest by its name
	! get installed-check --shell=installed_ --record "$state/installed.json" "$live" || snapshot_at=$installed_file_mtime
	db-install --as-of "$snapshot_at" "$snapshot" "$snapshot"
	note "taken $snapshot_at"

	step verify
	verify full "$snapshot"

	step put
	if [ -z "$name" ]; then
		as_backup "$(backup-names --name database --at "$snapshot_at")" dbx-put -c "$snapshot" || exit
	else
		backup=/backups/$name put=0
		dbx-put -c "$snapshot" "$backup" || put=$?
		# no backup is overwritten from here
		[ "$put" -ne 73 ] || fail 73 '' "cli-db-sync backup ANOTHER-NAME.db"
		[ "$put" -eq 0 ] || exit "$put"
	fi
	note "$size bytes"
	drop_snapshot
	finish ok "saved: $backup, data of $snapshot_at"
}

# states are lines of names: nothing is fetched. The record is read first, so that the listing has what it names.
history() {
	scratch=$(mktemp -d)
	trap 'rm -rf "$scratch"' EXIT
	get mirror-head show --dry-run --shell=record_ 2>"$scratch/said" || case $get_status in
	65 | 66) record_newest_n= ;;
	*) cat "$scratch/said" >&2 && exit "$get_status" ;;
	esac
	may_lack dbx-ls -lR /changes /backups "$remote" >"$scratch/listing"
	states=$(change-history --file "$remote" ${record_newest_n:+--newest "$record_newest_n"} <"$scratch/listing")
	if [ -n "$states" ]; then
		printf '%s\n' "$states"
	else
		warn "no state is kept in Dropbox, for no changes are published; the nights are in cli-db-sync list-backups"
	fi
}

restore_latest() {
	# a backup from the future was named by a wrong clock, and is not the newest: it is listed, and can be fetched
	names=$(in_backups)
	choice=$(printf '%s\n' "$names" | backup-names --beyond 0)
	[ -n "$choice" ] || fail 66 "/backups: no backup there"
	for each in database failover; do
		newest=$(printf '%s\n' "$choice" | grep -m 1 " $each ") || newest="- none"
		echo "newest $each backup: ${newest##* }"
	done
	read -r time kind name <<-END
		$choice
	END
	if [ -z "$dry" ] && ! ask "Replace $live by /backups/$name ($kind, $time)? [y/N]"; then
		finish unchanged "nothing was changed"
	fi
	exec "$here/daily-download.sh" --from "/backups/$name" ${dry:+--dry-run}
}

if [ "$command" = backup ]; then
	case ${1-} in
	*/* | . | .. | -*) usage_error "$1: a plain name is wanted" ;;
	esac
	steps=3 log=/var/log/ctv-db-sync/backup.log
	run_as_job backup lock ${dry:+--dry-run} -- backup "$@"
fi
get ctv-conf --shell
case $command in
test) dbx-auth whoami && echo && dbx-ls -l / ;;
info) info ;;
list) dbx-ls -l "${1:-/}" ;;
list-backups) list_backups ;;
upload)
	[ -n "$dry" ] || ask "Publish $live as $remote? [y/N]" || finish unchanged "nothing was changed"
	exec "$here/daily-upload.sh" ${dry:+--dry-run}
	;;
download) exec "$here/daily-download.sh" ${dry:+--dry-run} ;;
backup) backup "$@" ;;
restore-latest) restore_latest ;;
history) history ;;
restore) exec "$here/restore-state.sh" ${dry:+--dry-run} ${yes:+--yes} "$@" ;;
esac
