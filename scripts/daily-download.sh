#!/bin/sh
# daily-download.sh [-n] [-f] [--no-code] [--wait D] [--from PATH | --file FILE] - last night's database, verified, onto the standby
#
# What always holds: production.db is a complete verified database, the old one or the new one; a database
# that serves is never replaced; data that was written here since the last download is kept before it is
# replaced; no older copy replaces a newer one; a run that was killed is repaired by running it again.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/parts/choice.sh
. "$here/parts/choice.sh"
live='' live_dir='' unit='' remote='' state='' warn_age='' max_age='' seen_holders='' age_text=''
record_epoch='' record_n='' record_seq='' record_rev='' record_size='' record_size_text='' record_content_hash='' record_snapshot_at=''
record_verified='' record_owner='' record_confirmed_at='' record_asked_at='' file_rev='' file_size='' file_size_text='' file_content_hash='' file_client_modified=''
installed_epoch='' installed_seq='' installed_rev='' installed_content_hash='' installed_file_mtime=''
content_text='' content_content_hash='' content_size_bytes='' local_file_mtime='' last_exit='' last_rev='' last_message='' last_ended_tonight='' last_ok_tonight=''

usage() {
	cat <<'END'
usage: daily-download.sh [-n] [-f] [--no-code] [--wait DURATION]
                         [--from PATH | --file FILE]

Brings the newest database from Dropbox onto this standby: fetched if different,
verified, installed, its age checked. The code comes after it, by update-code.sh.

  -n, --dry-run    check everything, change nothing
  -f, --force      install what Dropbox has, even if it is older than what is here
      --no-code    for old callers; means nothing any more
      --wait D     wait up to D (90m, 2h) for a copy newer than the installed one
      --from PATH  install this backup in Dropbox instead of the newest copy
      --file FILE  install this database of this host instead
END
}

dry='' force='' wait='' from='' file='' expected=
for option; do
	case $expected$option in
	wait:*) wait=$option expected='' ;;
	from:?*) from=$option expected='' ;;
	file:?*) file=$option expected='' ;;
	-n | --dry-run) dry=yes ;;
	-f | --force) force=yes ;;
	--no-code) ;;
	--wait) expected=wait: ;;
	--wait=*) wait=${option#*=} ;;
	--from=?*) from=${option#*=} ;;
	--file=?*) file=${option#*=} ;;
	--from | --from=) expected=from: ;;
	--file | --file=) expected=file: ;;
	from: | file:) break ;;
	*) common_option "$option" ;;
	esac
done
[ "$expected" != wait: ] || usage_error "--wait: a duration is missing"
case $expected in from: | file:) usage_error "--${expected%:}: a path is missing" ;; esac
[ -z "$from" ] || [ -z "$file" ] || usage_error "--from or --file, not both"
chosen=$from$file
case $wait in *[!0-9]?* | *[!0-9smh] | [smh]) usage_error "--wait: $wait: not a duration" ;; esac

# condition: the marks of the live database that any write to it would change
condition() {
	stat -c '%n %i %s %y' "$live" "$live-wal" "$live-journal" 2>/dev/null || :
}

# alone: on a primary db-changes has the database open for a moment each minute; it is waited for, and does not begin again until
# descriptor 9 is closed
alone() {
	looks=$state/changes/state.db.lock
	[ -n "$chosen" ] && [ -z "$dry" ] && [ -e "$looks" ] || return 0
	exec 9<"$looks"
	flock -w 60 9 || fail 75 "$looks: held for a minute by a look for changes" "run it again"
}

# gate: ends the run where the database serves, by the role, by the unit, or because a process has it open
gate() {
	as_found=$(condition)
	role=$(mirror-role show)
	case $role in
	active) fail 73 "$state/role: this host is serving in place of the primary; its database stays" \
		"failback-to-pi-ctv.sh ends that" ;;
	primary) [ -n "$chosen" ] || fail 77 "$state/role: this is the primary; it uploads, it does not download" ;;
	'') role="no role file, taken as standby" ;;
	esac
	unit_is=$(unit_state "$unit")
	case $unit_is in
	inactive | failed) role="$role, $unit is $unit_is" ;;
	none) ;;
	unknown) fail 69 "$unit: its state cannot be told, so the database stays" ;;
	*) fail 73 "$unit: is $unit_is; its database stays" "systemctl stop $unit, if nobody needs it" ;;
	esac
	[ -d "$live_dir" ] || fail 73 "$live_dir: no such directory"
	! live_is_link || fail 73 "$link_text" "$link_hint"
	[ ! -e "$live" ] || [ -f "$live" ] || fail 73 "$live: not a regular file"
	[ ! -e "$live" ] || get holders-check --shell=seen_ "$live" || [ $? -eq 3 ] ||
		fail 73 "$live: in use by $seen_holders" "end these processes, then run it again"
	note "$role, nobody has the database open"
}

# live_is HASH: the live file has this content, and nothing beside it would change it
live_is() {
	[ ! -s "$live-wal" ] && [ ! -s "$live-journal" ] && has_content "$live" "$1"
}

# is_ours FILE: only its owner and root can set its time and its mode
is_ours() {
	[ -O "$1" ] || [ "$(id -u)" -eq 0 ]
}

# fetch: the chosen copy becomes the candidate, unless the live database has its content already
fetch() {
	if live_is "$hash"; then
		unchanged=yes
		note "the installed copy is this one"
	elif is_ours "$candidate" && has_content "$candidate" "$hash"; then
		note "was fetched by an earlier run"
	elif [ -n "$dry" ]; then
		note "would fetch ${file:-rev $rev}"
	elif [ -n "$file" ]; then
		{ rm -f "$candidate" && cp -pP --remove-destination "$file" "$candidate"; } || fail 74
		has_content "$candidate" "$hash" || fail 75 "$file: was written to meanwhile" "run it again"
		note "copied"
	# chosen by its time: the copy of a night that is not on record yet would be thrown away here
	elif [ "$(date -u -r "$live_dir/.follow/night.db" +%FT%TZ 2>/dev/null)" = "$taken" ] &&
		mv -T "$live_dir/.follow/night.db" "$candidate" 2>/dev/null && is_ours "$candidate" && has_content "$candidate" "$hash"; then
		note "was followed up to this night, so there is nothing to fetch"
	else
		rm -f "$candidate" || fail 74
		# the copy of an older night is of no use, and its room is needed, also where nothing is followed any more
		[ -z "$(find "$live_dir/.follow/night.db" ! -newermt "$taken" 2>/dev/null)" ] || rm -f "$live_dir/.follow/night.db" || :
		get dbx-fetch --shell=file_ -o "$candidate" "rev:$rev" || exit
		[ "$file_content_hash" = "$hash" ] || fail 65 "$remote: rev $rev is not what the record says"
		note "$file_size_text, content_hash as published"
	fi
}

# verify_candidate: quickly, when the record says that the primary verified this content fully; else fully
verify_candidate() {
	verified_by=full file=$candidate
	[ "$verified" != full ] || verified_by=quick
	[ -z "$unchanged" ] || file=$live
	if [ -n "$unchanged" ] && [ "$installed_content_hash" = "$hash" ]; then
		skip verify "was verified when it was installed, and is the same to the last byte"
		verified_by=
	elif [ -f "$file" ]; then
		step verify
		verify "$verified_by" "$file"
	else
		skip verify "nothing was fetched"
	fi
}

# install_as OPTION... FROM: minutes have passed since the gate, and the application may have been started and ended. Whether a
# failover has begun, db-install sees under the lock of the role.
install_as() {
	alone
	[ "$(condition)" = "$as_found" ] || fail 75 "$live: was written to meanwhile" "run it again: what was written is kept"
	db-install --state "$state" --rev "$rev" --content-hash "$hash" ${epoch:+--epoch "$epoch" --seq "$seq"} ${number:+--number "$number"} \
		${verified_by:+--verified "$verified_by"} --as-of "$taken" "$@" "$live" || return
	exec 9<&-
}

# install: the candidate, or for the same content, which a later snapshot has confirmed, that one's time. A file to which only
# another member of the group could give that time is installed once more, as any other copy.
install() {
	if [ -n "$unchanged" ] && [ -z "$dry" ] && [ "$installed_file_mtime" != "$taken" ] && ! is_ours "$live"; then
		rm -f "$candidate"
		db-install --keep "$live" "$candidate" || exit
		unchanged=
	fi
	if [ -n "$unchanged" ]; then
		skip install "nothing to do"
		[ -n "$dry" ] || install_as "$live" || exit
		return 0
	elif [ -n "$dry" ]; then
		skip install "would install it as $live"
		return 0
	fi
	step install
	# a damaged old copy is no obstacle: it goes aside as it is. The group may write the new one, for any operator may have to
	# replace it one day.
	install_as --quarantine --group-writes "$candidate" || exit
	note "as $live"
	[ ! -e "$live.prev" ] || note "as $live; the one before is ${live##*/}.prev"
}

# check_age: when the newest copy is too old, last night has failed, however well this run went
check_age() {
	get age-check --shell=age_ -w "$warn_age" -c "$max_age" "$live" || :
	case $get_status in
	0) note "${age_text#"$live is "}" ;;
	1 | 2) warn "${age_text#"$live is "}" ;;
	*) fail 74 "$age_text" ;;
	esac
	[ "$get_status/$chosen" != 2/ ] ||
		fail 75 "AGE CRITICAL: $age_text" "the copy is the newest in Dropbox: look at the primary's upload"
}

get ctv-conf --shell
if [ -z "$job$dry" ]; then
	case $wait in *[1-9]*) wait_for_news ;; esac
	case ${TRIGGER_UNIT-}/$chosen$force in *.timer/) timer_ends; follow_first ;; esac
fi
steps=6 log=/var/log/ctv-pi2-download/download.log
run_as_job download lock "$@"
candidate=$live_dir/.${live##*/}.new unchanged=

case $file in '' | /*) ;; *) file=$PWD/$file ;; esac
step role
alone
gate
exec 9<&-
step record
read_record
is_newer
fact rev:text "$rev"
step fetch
fetch
verify_candidate
install
# the copies that a killed drill had put aside; a drill that runs would hold this run's lock
[ -n "$dry" ] || rm -f "$live_dir/.${live##*/}.drill" "$live_dir/.${live##*/}.drill.prev" || :
# the snapshot of an interrupted upload is of the database before this one
[ -z "$chosen" ] || [ -n "$dry" ] || rm -f "$state/upload.jsonl" "$state/upload.db" || fail 74
facts size:int "$size" content_hash:text "$hash" snapshot_at:text "$taken" epoch:int "$epoch" seq:int "$seq"
if [ -e "$live" ]; then
	step age
	check_age
else
	skip age "nothing is installed yet"
fi
if [ -n "$unchanged" ]; then
	finish unchanged "already the newest copy: $live, data of $taken"
elif [ -n "$dry" ]; then
	finish ok "ready: a run would install rev $rev, data of $taken"
fi
finish ok "the newest copy is installed: $live, data of $taken"
