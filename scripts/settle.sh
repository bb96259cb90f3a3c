#!/bin/sh
# settle.sh - what a failover or failback left to be done while Dropbox was away
#
# The entries of wanted/ are: `claim`, the head record's owner may not agree with the role; `failover_backup_….db`, a
# copy to be uploaded, whose path it holds. Each goes when it is done; ctv-settle.service runs this until none is left.
# An entry that can never be done, or is no such file, is told once and moved out of the way.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
state='' node='' standby='' owner='' backup=

usage() {
	cat <<'END'
usage: settle.sh

Finishes what a failover or failback left to be done while Dropbox was away: the
owner in the head record, the upload of a backup that was asked for.

END
}

for option; do
	common_option "$option"
done

# never STATUS ENTRY [TEXT]: no other round can do it, so it starts none; what is left is for the next round
never() {
	moved=$state/unsettled-${2##*/}
	{ [ ! -e "$2" ] && [ ! -h "$2" ]; } || mv -fT "$2" "$moved" || fail 74
	fail "$1" "${3-}" "${3:+it is $moved now}"
}

# settle_backup NAME: uploads the copy whose path wanted/NAME holds; its upload may go on from an earlier one
settle_backup() {
	as_backup "$1" dbx-put -c "$(mirror-role left "$1")" && rm -f "$state/wanted/$1"
}

steps=2 log=/var/log/ctv-pi2-download/settle.log
# an operator who is at work may settle it himself
run_as_job settle 'settle.lock operator.lock:10m' "$@"
get ctv-conf --shell
node=${node:-$standby}

step record
settle_record || case $? in
65) never 65 "$state/wanted/claim" ;;
*) exit $? ;;
esac
[ -z "$owner" ] || note "the head record says $owner"
unlock operator.lock

step backup
for entry in "$state"/wanted/* "$state"/wanted/.[!.]*; do
	[ -e "$entry" ] || [ -h "$entry" ] || continue
	case ${entry##*/} in
	# a power cut's, before the name without it was there
	*.tmp) ! rm -f "$entry" || continue ;;
	failover_backup_????????_??????.db)
		if [ -f "$entry" ] && [ ! -h "$entry" ]; then
			settle_backup "${entry##*/}" || case $? in
			64 | 65 | 66) never 66 "$entry" ;;
			*) exit $? ;;
			esac
			note "uploaded: $backup"
			continue
		fi
		;;
	esac
	never 65 "$entry" "$entry: nothing that a failover or failback leaves to be done"
done
finish ok "nothing is left to be done"
