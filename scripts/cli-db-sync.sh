#!/bin/sh
# cli-db-sync COMMAND - what an operator does with the mirror by hand: the words of the runbook's cli_db_sync.py
#
# Reads Dropbox and this host; what changes a database goes through the same guards as the nightly jobs.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

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

  -n, --dry-run     check everything, change nothing
  -y, --yes         answer the question before upload and restore-latest with yes
  -h, --help        this text
  -V, --version     the version
END
}

while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-y | --yes) yes=yes ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	-*) usage_error "$1: unknown option" ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || usage_error "which command?"
command=$1
shift
case $command in
test | info | list-backups | upload | download | restore-latest) most=0 ;;
list | backup) most=1 ;;
*) usage_error "$command: no such command" ;;
esac
[ $# -le $most ] || usage_error "$command: too many operands"

settings
backups=/backups
logs=${log_dir:-/var/log/ctv-db-sync}

# in_backups: the names there; a folder that is not there yet holds none
in_backups() {
	dbx-ls "$backups" || [ $? -eq 66 ]
}

do_test() {
	dbx-auth whoami
	echo
	dbx-ls -l /
}

do_info() {
	echo "here: $live"
	! live_is_link || printf '  %s: nothing can be installed there\n  hint: %s\n' "${why#"$live: "}" "$hint"
	if [ -e "$live" ]; then
		age-check -w "$warn_age" -c "$max_age" "$live" || :
		db-verify -l header --min-size "$min_size" "$live" || :
		[ ! -e "$live.prev" ] || ls -l "$live.prev"
	else
		echo "  none"
	fi
	if [ -f "$state/installed.json" ]; then
		echo "installed: number $(field epoch <"$state/installed.json").$(field seq <"$state/installed.json")," \
			"rev $(field rev <"$state/installed.json"), data of $(field snapshot_at <"$state/installed.json")"
	fi
	echo
	echo "in Dropbox: $remote"
	dbx-ls -l "$remote"
	echo
	echo "head record:"
	mirror-head show || [ $? -eq 66 ]
}

do_backup() {
	name=${1-}
	case $name in
	*/* | . | .. | -*) die 64 "$name: a plain name is wanted" ;;
	esac
	begin backup 3 "$logs/backup.log"
	[ -f "$live" ] || die 66 "$live: no such file" "DATABASE_PATH names the application's database"
	if [ -n "$dry" ]; then
		finish ok "ready: a snapshot of $live would go to $backups/${name:-database_backup_(its time).db}"
	fi
	snapshot=$state/backup.db
	step snapshot
	must db-snapshot --json "$live" "$snapshot"
	taken=$(field snapshot_at <"$out")
	# a copy as it was installed holds what the primary had then: restore-latest takes the newest by its name
	! as_installed || taken=$written_at
	touch -d "$taken" "$snapshot"
	note "taken $taken"
	step verify
	verify "$snapshot" full || { rm -f "$snapshot"; die "$status" "$why"; }
	step put
	backup=$backups/$name
	{ if [ -n "$name" ]; then run dbx-put -c --json "$snapshot" "$backup"; else put_backup "$snapshot" database "$taken" --json; fi; } || {
		rm -f "$snapshot"
		# no backup is overwritten from here
		[ "$status" -ne 73 ] || [ -z "$name" ] || hint="cli-db-sync backup ANOTHER-NAME.db"
		die "$(ended "$status")" "$why" "$hint"
	}
	note "$(field size <"$out") bytes"
	rm -f "$snapshot"
	finish ok "saved: $backup, data of $taken"
}

do_restore() {
	# what a wrong clock has named is not the newest: it is listed, and can be fetched
	names=$(in_backups)
	printf '%s\n' "$names" | backup-names --beyond 0 >"$choice"
	[ -s "$choice" ] || die 66 "$backups: no backup there"
	for each in database failover; do
		newest=$(grep -m 1 " $each " "$choice") || newest="- none"
		echo "newest $each backup: ${newest##* }"
	done
	read -r time kind name <"$choice"
	if [ -z "$dry" ] && ! ask "Replace $live by $backups/$name ($kind, $time)? [y/N]"; then
		echo "nothing was changed"
		return 0
	fi
	"$here/daily-download.sh" --from "$backups/$name" ${dry:+--dry-run}
}

case $command in
test) do_test ;;
info) do_info ;;
list) dbx-ls -l "${1:-/}" ;;
list-backups)
	names=$(in_backups)
	printf '%s\n' "$names" | backup-names | while read -r _ kind name; do
		stamp=${name#*_backup_}
		printf '%s UTC  %-8s  %s/%s\n' "${stamp%.db}" "$kind" "$backups" "$name"
	done
	;;
upload)
	if [ -z "$dry" ] && ! ask "Publish $live as $remote? [y/N]"; then
		say "nothing was changed"
		exit 0
	fi
	exec "$here/daily-upload.sh" ${dry:+--dry-run}
	;;
download) exec "$here/daily-download.sh" ${dry:+--dry-run} ;;
backup) do_backup "$@" ;;
restore-latest)
	choice=$(mktemp)
	trap 'rm -f "$choice"' EXIT
	do_restore
	;;
esac
