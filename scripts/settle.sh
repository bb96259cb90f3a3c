#!/bin/sh
# settle.sh - what a failover or failback left to be done while Dropbox was away
#
# The entries of wanted/ are: `claim`, the head record's owner may not agree with the role; `failover_backup_….db`, a
# copy to be uploaded, whose path it holds. Each goes when it is done; ctv-settle.service runs this until none is left.
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
step record
# not while an operator is at work: he may do it himself
lock_file=$state/operator.lock
exec 7<>"$lock_file"
flock -w 600 7 || die 75 "$lock_file: held by $(head -n 1 "$lock_file")"
lock_sign
settle_record || die "$(ended "$status")" "$why" "$hint"
note "${owner:+the head record says $owner}"
exec 7>&-
step backup
for entry in "$state"/wanted/failover_backup_*.db; do
	[ -e "$entry" ] || continue
	settle_backup "${entry##*/}" || die "$(ended "$status")" "$why" "$hint"
	note "uploaded: /backups/${entry##*/}"
done
finish ok "nothing is left to be done"
