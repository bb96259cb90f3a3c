#!/bin/sh
# daily-download.sh [-n] [-f] [--no-code] [--wait D] [--from PATH] - last night's database, verified, onto the standby
#
# What always holds: production.db is a complete verified database, the old one or the new one; a database
# that serves is never replaced; what was written here since the last download is kept before it is
# replaced; nothing older than what is installed takes its place; a run that was killed is repaired by
# running it again.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/oldlib.sh
. "$here/oldlib.sh"

usage() {
	cat <<'END'
usage: daily-download.sh [-n] [-f] [--no-code] [--wait DURATION] [--from PATH]

Brings the newest database from Dropbox onto this standby: fetched if different,
verified, installed, its age checked. The code comes after it, by update-code.sh.

  -n, --dry-run    check everything, change nothing
  -f, --force      install what Dropbox has, even if it is older than what is here
      --no-code    for old callers; means nothing any more
      --wait D     wait up to D (90m, 2h) for a copy newer than the installed one
      --from PATH  install this backup in Dropbox instead of the newest copy
  -h, --help       this text
  -V, --version    the version

Settings come from the environment and /etc/ctv-db-sync.env, ctv-db-sync.env(5).
END
}

force='' wait='' from=
while [ $# -gt 0 ]; do
	case $1 in
	-n | --dry-run) dry=yes ;;
	-f | --force) force=yes ;;
	--no-code) ;;
	--wait) [ $# -gt 1 ] || usage_error "--wait: a duration is missing"; wait=$2; shift ;;
	--wait=*) wait=${1#*=} ;;
	--from) [ -n "${2-}" ] || usage_error "--from: a path is missing"; from=$2; shift ;;
	--from=?*) from=${1#*=} ;;
	--from=) usage_error "--from: a path is missing" ;;
	-h | --help) usage; exit 0 ;;
	-V | --version) echo "$program $version"; exit 0 ;;
	--) shift; break ;;
	-*) usage_error "$1: unknown option" ;;
	*) break ;;
	esac
	shift
done
[ $# -eq 0 ] || usage_error "$1: no operand is taken"

# wait_seconds: --wait in seconds
case $wait in
'') wait_seconds=0 ;;
*[!0-9]?* | *[!0-9smh] | [smh]) usage_error "--wait: $wait: not a duration" ;;
*) seconds_of "$wait"; wait_seconds=$seconds ;;
esac

settings
candidate=${live%/*}/.${live##*/}.new

# installed NAME: a member of installed.json, empty when there is none
installed() {
	[ ! -f "$state/installed.json" ] || field "$1" <"$state/installed.json"
}

# in_head NAME: a member of the head record that `mirror-head show` printed
in_head() {
	sed -n "s/^$1=//p" "$scratch/head"
}

# wait_for_news: until the record's place is another than the installed one; whatever fails here is seen again
# by the steps that follow
wait_for_news() {
	tries=$(((wait_seconds + 59) / 60))
	while [ "$tries" -gt 0 ]; do
		place=$(mirror-head show 2>/dev/null | sed -n 's/^epoch=//p; s/^seq=//p' | tr '\n' ' ') || place=
		if [ -n "$place" ] && [ "$place" != "$(installed epoch) $(installed seq) " ]; then
			return 0
		fi
		say "waiting for a newer copy ($tries min at most)"
		sleep 60
		tries=$((tries - 1))
	done
}

# A timer's start ends here when there is nothing new, or while the copy on record is the one that was refused
timer_ends() {
	said=0
	record=$(mirror-head show --timeout 30s 2>/dev/null) || said=$?
	case $said in
	0) record=$(printf '%s\n' "$record" | sed -n 's/^rev=//p') ;;
	66) record=$(dbx-ls --json "$remote" 2>/dev/null | field rev) || return 0 ;;
	65) record= ;;
	*) return 0 ;;
	esac
	pick rev "$state/last-download.json"
	tried=$value
	if given_up download && { [ "$tried" = "$record" ] || [ "$refused" -ne 65 ]; }; then
		printf '%s: %s\n' "$program" "$(text message <"$state/last-download.json")" >&2
		printf 'hint: not tried again before the next night; systemctl start ctv-pi2-download.service tries it now\n' >&2
		exit "$refused"
	fi
	pick exit "$state/last-download.json"
	if [ "$value" = 0 ] && of_tonight download last_ok_at && [ "$(installed rev)" = "$record" ] && as_installed; then
		say "nothing is new since this night's download"
		exit 0
	fi
}

# a database that serves is not replaced: by the role, by the unit, and by who has it open
gate() {
	step role
	as_found=$(condition)
	role=$(role)
	case $role in
	standby) ;;
	'') note "no role file, taken as standby" ;;
	active) die 73 "$state/role: this host is serving in place of the primary; its database stays" \
		"failback-to-pi-ctv.sh ends that" ;;
	primary) [ -n "$from" ] || die 77 "$state/role: this is the primary; it uploads, it does not download" ;;
	*) die 78 "$state/role: $role: neither standby nor active" ;;
	esac
	unit_is=$(unit_state "$unit")
	case $unit_is in
	inactive | failed | none) ;;
	unknown) die 69 "$unit: its state cannot be told, so the database stays" ;;
	*) die 73 "$unit: is $unit_is; its database stays" "systemctl stop $unit, if nobody needs it" ;;
	esac
	held_by=$(holders "$live")
	[ -z "$held_by" ] || die 73 "$live: in use by $held_by" "end these processes, then run it again"
	[ -d "${live%/*}" ] || die 73 "${live%/*}: no such directory"
	! live_is_link || die 73 "$why" "$hint"
	[ ! -e "$live" ] || [ -f "$live" ] || die 73 "$live: not a regular file"
	[ "$unit_is" = none ] || step_note="${step_note:-standby}, $unit is $unit_is"
	note "${step_note:-standby}, nobody has the database open"
}

# whole OBJECT: everything that is needed of it was there
whole() {
	case "/$rev/$hash/$taken/" in
	*//*) die 76 "$1: no file with a rev, a content_hash and a time" ;;
	esac
}

# of_file PATH: rev, hash, size and taken of a file in Dropbox as it is
of_file() {
	must dbx-ls --json "$1"
	rev=$(field rev <"$out") hash=$(field content_hash <"$out")
	size=$(field size <"$out") taken=$(field client_modified <"$out")
	whole "$1"
}

# what is to be installed: epoch, seq, rev, hash, size, taken, verified
read_record() {
	step record
	epoch='' seq='' verified=''
	if [ -n "$from" ]; then
		of_file "$from"
		note "$from, $(mib "$size"), of $taken"
		return 0
	fi
	run mirror-head show ${dry:+--dry-run} || :
	# a person who forces it takes what is there, whatever the record is worth
	[ "$status" -ne 65 ] || [ -z "$force" ] || { say "   $why"; status=66; }
	# a record that was claimed before anything was published names no copy
	[ "$status" -ne 0 ] || grep -q '^rev=.' "$out" || status=66
	case $status in
	0)
		cp "$out" "$scratch/head" || die 74 "$scratch/head: cannot write"
		epoch=$(in_head epoch) seq=$(in_head seq) rev=$(in_head rev) hash=$(in_head content_hash)
		size=$(in_head size) taken=$(in_head snapshot_at) verified=$(in_head verified)
		note "number $epoch.$seq, $(mib "$size"), taken $taken by $(in_head owner)"
		;;
	66)
		# none, or one without a copy: only the old uploader is at work
		of_file "$remote"
		note "no copy on record: $remote is taken as it is, $(mib "$size"), of $taken"
		;;
	*) die "$(ended "$status")" "$why" "$hint" ;;
	esac
	[ -z "$epoch" ] || whole "head record"

	had_epoch=$(installed epoch) had_seq=$(installed seq)
	[ -n "$had_epoch$had_seq" ] && [ -z "$force" ] || return 0
	case /$had_epoch/$had_seq/ in
	*[!0-9/]* | *//*) die 65 "$state/installed.json: damaged: which copy is installed is not known" "--force installs the newest all the same" ;;
	esac
	[ -n "$epoch" ] || die 65 "$remote: no copy is on record any more, but number $had_epoch.$had_seq is installed" \
		"--force takes $remote as it is"
	if [ "$epoch" -lt "$had_epoch" ] || { [ "$epoch" -eq "$had_epoch" ] && [ "$seq" -lt "$had_seq" ]; }; then
		die 65 "$remote: number $epoch.$seq is older than the installed $had_epoch.$had_seq" \
			"--force installs it all the same"
	fi
}

# is the live file, with nothing beside it that would change it, the one of the record?
live_is() {
	[ ! -s "$live-wal" ] && [ ! -s "$live-journal" ] && has_content "$live" "$1"
}

# is_ours FILE: only its owner and root can set its time and its mode
is_ours() {
	[ -O "$1" ] || [ "$(id -u)" -eq 0 ]
}

# leaves the content of the record in the candidate, unless the live copy has it already
fetch() {
	step fetch
	unchanged=
	if live_is "$hash"; then
		unchanged=yes
		note "the installed copy is this one"
		return 0
	fi
	if is_ours "$candidate" && has_content "$candidate" "$hash"; then
		note "was fetched by an earlier run"
		return 0
	fi
	if [ -n "$dry" ]; then
		note "would fetch rev $rev"
		return 0
	fi
	rm -f "$candidate" || die 74 "$candidate: cannot remove"
	must dbx-fetch --json -o "$candidate" "rev:$rev"
	[ "$(field content_hash <"$out")" = "$hash" ] || die 65 "$remote: rev $rev is not what the record says"
	note "$(mib "$size"), content_hash as published"
}

# what the record cannot prove is verified here; the hash ties this file to the one that was verified there
verify_candidate() {
	level=full verified_by=
	[ "$verified" != full ] || level=quick
	if [ -n "$unchanged" ] && [ "$(installed content_hash)" = "$hash" ]; then
		skip verify "was verified when it was installed, and is the same to the last byte"
	elif [ -n "$unchanged" ]; then
		step verify
		verify "$live" "$level" || die "$status" "$why"
		verified_by=$level
	elif [ -f "$candidate" ]; then
		step verify
		verify "$candidate" "$level" || die "$status" "$why"
		verified_by=$level
	else
		skip verify "nothing was fetched"
	fi
}

# copy FROM TO: TO appears when it is whole and on disk
copy() {
	# a killed run's may be another user's
	rm -f "$2.tmp"
	if ! run cp -p "$1" "$2.tmp" || ! run sync "$2.tmp" || ! run mv -T "$2.tmp" "$2" || ! run sync "${2%/*}"; then
		rm -f "$2.tmp"
		die 74 "$why"
	fi
}

# is_kept: $kept is what a run that was interrupted has kept, and not another write of the same second
is_kept() {
	cmp -s "$live" "$kept" || return
	for side in -wal -journal; do
		[ ! -s "$live$side" ] || cmp -s "$live$side" "$kept$side" || return
	done
}

# what was written here since the last download (a failover, a drill) is kept, and so is a copy of unknown origin
keep_local() {
	[ -e "$live" ] || return 0
	for known in "$(installed content_hash)" "$(installed next_content_hash)"; do
		! live_is "$known" || return 0
	done
	# the later of the two; without a WAL there is just the one
	last_write=$(stat -c %Y "$live" "$live-wal" 2>/dev/null | sort -n | tail -n 1)
	name=$live.kept-$(date -u -d "@$last_write" +%Y%m%d_%H%M%S)
	kept=$name
	n=1
	while [ -e "$kept" ] && ! is_kept; do
		n=$((n + 1))
		kept=$name.$n
	done
	if [ ! -e "$kept" ]; then
		for side in -wal -journal; do
			[ ! -s "$live$side" ] || copy "$live$side" "$kept$side"
		done
		copy "$live" "$kept"
	fi
	say "   what was written here since the last download is kept: $kept"
}

# installed_record [NEXT_HASH]: with NEXT_HASH, what is about to be installed, and what was there stays on record
installed_record() {
	if [ -n "${1-}" ]; then
		was=$(installed content_hash)
		printf '{"schema":1,"epoch":%s,"seq":%s,"rev":"%s","size":%s,"content_hash":%s,"snapshot_at":"%s",' \
			"$(or_null "$(installed epoch)")" "$(or_null "$(installed seq)")" "$(installed rev)" \
			"$(or_null "$(installed size)")" "${was:+\"}${was:-null}${was:+\"}" "$(installed snapshot_at)"
		printf '"next_content_hash":"%s","path":%s}\n' "$1" "$(json_text "$live")"
	else
		printf '{"schema":1,"epoch":%s,"seq":%s,"rev":"%s","size":%s,"content_hash":"%s","snapshot_at":"%s",' \
			"$(or_null "$epoch")" "$(or_null "$seq")" "$rev" "$(or_null "$size")" "$hash" "$taken"
		# the same content was verified when it came
		[ -n "$verified_by" ] || verified_by=$(installed verified_by)
		printf '"installed_at":"%s","verified_by":"%s","path":%s}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
			"${verified_by:-unknown}" "$(json_text "$live")"
	fi >"$scratch/installed"
	replace "$state/installed.json" <"$scratch/installed" || die 74 "$state/installed.json: cannot write"
}

or_null() {
	printf '%s' "${1:-null}"
}

# still_standby: takes the role lock. Minutes have passed since the gate: a failover may have begun, and even ended.
still_standby() {
	role_lock
	case $(role) in
	active) die 73 "$state/role: this host has begun to serve; its database stays" ;;
	esac
	[ "$(condition)" = "$as_found" ] || die 75 "$live: was written to meanwhile" "run it again: what was written is kept"
}

# condition: what any write to the live database would change
condition() {
	stat -c '%n %i %s %y' "$live" "$live-wal" "$live-journal" 2>/dev/null || :
}

# The same content may have been confirmed by a later snapshot: its age is that one's.
in_time() {
	[ "$(date -d "$taken" +%s)" -eq "$(stat -c %Y "$live")" ]
}

# what another member of the group may not give its time is installed once more, as any other copy is
renew() {
	[ -n "$unchanged" ] && ! in_time && ! is_ours "$live" || return 0
	copy "$live" "$candidate"
	[ -n "$verified_by" ] || verified_by=$(installed verified_by)
	unchanged=
}

install_candidate() {
	if [ -n "$dry" ]; then
		if [ -n "$unchanged" ]; then
			skip install "nothing to do"
		else
			skip install "would install it as $live"
		fi
		return 0
	fi
	if [ -n "$unchanged" ]; then
		skip install "nothing to do"
		still_standby
		in_time || touch -d "$taken" "$live" || die 74 "$live: cannot set its time"
	else
		step install
		keep_local
		still_standby
		installed_record "$hash"
		# a damaged old copy is no obstacle: it was kept, and goes aside as it is
		set -- --quarantine --as-of "$taken"
		# every operator of the group may have to replace it one day
		set -- "$@" --mode "$(printf '0%o' "$((0$(stat -L -c %a "$live" 2>/dev/null || echo 600) & 0777 | 060))")"
		[ -e "$live" ] || [ "$(id -u)" -eq 0 ] || set -- "$@" --owner "$(id -u):$(stat -c %g "${live%/*}")"
		must db-install "$@" "$candidate" "$live"
		note "as $live"
		[ ! -e "$live.prev" ] || note "as $live; the one before is ${live##*/}.prev"
	fi
	installed_record
	rm -f "$state/data-of" || die 74 "$state/data-of: cannot remove"
	# what an interrupted upload was to publish is of the database before
	[ -z "$from" ] || rm -f "$state/upload.jsonl" "$state/upload.db" || die 74 "$state/upload.db: cannot remove"
	role_unlock
}

# a copy that is too old is a failure of last night, however well this run went
check_age() {
	late=
	if [ ! -e "$live" ]; then
		skip age "nothing is installed yet"
		return 0
	fi
	step age
	run age-check -w "$warn_age" -c "$max_age" "$live" || :
	age=$(sed 's/ *|.*//; q' "$out")
	note "${age#*"$live is "}"
	case $status in
	0) ;;
	1) step_end warning ;;
	2) late=$age; step_end warning ;;
	*) die 74 "${age:-$why}" ;;
	esac
}

[ "$wait_seconds" -eq 0 ] || [ -n "$dry" ] || wait_for_news
[ -n "$dry$from$force" ] || ! by_timer || timer_ends
begin download 6 "${log_dir:-/var/log/ctv-pi2-download}/download.log"
gate
read_record
outcome=$(printf '"rev":"%s"' "$rev")
fetch
verify_candidate
[ -n "$dry" ] || renew
install_candidate
outcome=$(printf '"rev":"%s","size":%s,"content_hash":"%s","snapshot_at":"%s","epoch":%s,"seq":%s' \
	"$rev" "$(or_null "$size")" "$hash" "$taken" "$(or_null "$epoch")" "$(or_null "$seq")")
check_age
[ -z "$late" ] || [ -n "$from" ] || die 75 "$late" "the copy is the newest in Dropbox: look at the primary's upload"
if [ -n "$dry" ] && [ -z "$unchanged" ]; then
	finish ok "ready: a run would install rev $rev, data of $taken"
elif [ -n "$unchanged" ]; then
	finish unchanged "already the newest copy: $live, data of $taken"
else
	finish ok "the newest copy is installed: $live, data of $taken"
fi
