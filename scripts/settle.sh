#!/bin/sh
# settle.sh - what a failover or failback left to be done while Dropbox was away
#
# The entries of wanted/ are: `claim`, the head record's owner may not agree with the role; `failover_backup_….db`, a
# copy to be uploaded, whose path it holds. Each goes when it is done; ctv-settle.service runs this until none is left.
# What can never be done, or is something else, is told once and moved out of the way.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: settle.sh

Finishes what a failover or failback left to be done while Dropbox was away: the
owner in the head record, the upload of a backup that was asked for.

  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

case ${1-} in
'') ;;
-h | --help) usage; exit 0 ;;
-V | --version) echo "$program $version"; exit 0 ;;
*) usage_error "$1: nothing is taken" ;;
esac

settings
node=${node:-pi2}
begin settle 2 "${log_dir:-/var/log/ctv-pi2-download}/settle.log" settle.lock
ending=0

# left STATUS: what could not be done, the first of it to be told at the end
left() {
	[ "$ending" -eq 0 ] || return 0
	ending=$(ended "$1") first=$why advice=$hint
	warn "$why"
}

# never STATUS ENTRY: no other round can do it, so it starts none
never() {
	left "$1"
	{ [ ! -e "$2" ] && [ ! -h "$2" ]; } || mv -fT "$2" "$state/unsettled-${2##*/}" || die 74 "$2: cannot move"
}

step record
settle_in_turn 600 || case $status in
65) never 65 "$state/wanted/claim" ;;
*) die "$(ended "$status")" "$why" "$hint" ;;
esac
[ -z "$owner" ] || note "the head record says $owner"
step backup
for entry in "$state"/wanted/* "$state"/wanted/.[!.]*; do
	[ -e "$entry" ] || [ -h "$entry" ] || continue
	name=${entry##*/}
	case $name in
	# a power cut's, before the name without it was there
	*.tmp) ! rm -f "$entry" || continue ;;
	failover_backup_????????_??????.db)
		if [ -f "$entry" ] && [ ! -h "$entry" ]; then
			if settle_backup "$name"; then
				note "uploaded: $backup"
				continue
			fi
			case $status in 64 | 65 | 66) never 66 "$entry" ;; *) left "$status" ;; esac
			continue
		fi
		;;
	esac
	why="$entry: nothing that a failover or failback leaves to be done" hint="it is $state/unsettled-$name now"
	never 65 "$entry"
done
[ "$ending" -eq 0 ] || die "$ending" "$first" "$advice"
finish ok "nothing is left to be done"
