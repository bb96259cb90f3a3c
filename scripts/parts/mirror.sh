# mirror.sh - functions of several scripts, for the unit, the head record, the backups, a database, the page. Sourced by lib.sh,
# never run
#
# Each may be called as a condition, where the shell goes on after a failure. The settings are those of ctv-conf.
# shellcheck shell=sh disable=SC2154,SC2034  # the settings and answers are the scripts'

# facts NAME:KIND VALUE...: members of the record, as fact of lib.sh has them
facts() {
	while [ $# -gt 1 ]; do
		fact "$1" "$2"
		shift 2
	done
}

# look_at_installed: the record of the last installation, and whether $live is as it was then, as installed_...
look_at_installed() {
	get installed-check --shell=installed_ --record "$state/installed.json" "$live"
}

# leave_to_a_person UNIT: ends a timer's start when the last run, which job-run has told as last_..., ended tonight in a way that only
# a person can mend
leave_to_a_person() {
	case $last_ended_tonight/$last_exit in
	yes/65 | yes/70 | yes/77 | yes/78) ;;
	*) return 0 ;;
	esac
	fail "$last_exit" "$last_message" "not tried again before the next night; systemctl start $1 tries it now"
}

# unit_state UNIT: the word of systemctl is-active; `none` where no systemd runs, `unknown` when it is silent
unit_state() {
	[ -d /run/systemd/system ] || { echo none; return; }
	unit_word=$(svc-ctl is-active "$1") || case $? in
	3) ;;
	4) unit_word=inactive ;;
	*) unit_word=unknown ;;
	esac
	echo "$unit_word"
}

# settle_record: makes the host that serves by the role the owner in the head record: this one when it is active, else the
# primary, to which it hands back a record of its own. Sets $owner, empty without a record: then only the old uploader is at
# work, which asks nobody. Bounded; while wanted/claim exists this may not be done yet.
settle_record() {
	settled=0
	if [ "$(mirror-role show)" != active ]; then
		owner=$(mirror-head settle --owner "$primary" --from "$node" --timeout 5s) || return
	else
		owner=$(mirror-head settle --owner "$node" --timeout 5s) || settled=$?
		# a host that serves owns the record, whatever somebody has done to it
		[ "$settled" -ne 65 ] || { mirror-head anew --owner "$node" --yes --timeout 5s && owner=$node; } || return
		[ "$settled" -eq 0 ] || [ "$settled" -eq 65 ] || return "$settled"
	fi
	rm -f "$state/wanted/claim" || return 65
}

# as_backup NAME COMMAND...: COMMAND makes $backup, of that name. A clock that begins at the same moment after each power
# cut makes one name twice: where it holds another content, which COMMAND says by 73, the next second's is taken.
as_backup() {
	backup_name=$1 backup_tries=0 backup_status=73
	shift
	while [ "$backup_status" -eq 73 ] && [ "$backup_tries" -lt 60 ]; do
		backup=/backups/$backup_name backup_tries=$((backup_tries + 1)) backup_status=0
		backup_name=$(backup-names --next "$backup_name") || return
		"$@" "$backup" || backup_status=$?
	done
	return "$backup_status"
}

# bring --into DIR [OPTION...]: fetches the objects of /changes that standard input names, many side by side. 66: one is not there;
# 75: try again
bring() {
	brought=0
	# 255 ends xargs at once, with 124 and words of its own
	# shellcheck disable=SC2016  # for that shell
	xargs -r sh -c 'dbx-fetch -j 16 "$@" 2>&3 || { [ $? -eq 66 ] && exit 255; exit 1; }' bring "$@" 3>&2 2>/dev/null || brought=$?
	case $brought in 0) ;; 124) return 66 ;; *) return 75 ;; esac
}

# has_content FILE HASH: is this file's content_hash HASH?
has_content() {
	[ -f "$1" ] && [ -n "$2" ] && get db-verify --shell=content_ -l header --timeout 2h --hash "$2" "$1"
}

# verify LEVEL FILE [OPTION...]: notes that FILE is sound and meets this host's demands, or ends the run, with $verify_hint. A
# verification that takes hours is given up.
verify_hint=
verify() {
	verify_level=$1 verify_file=$2 verify_text=
	shift 2
	for table in $tables; do
		set -- "$@" --table "$table"
	done
	get db-verify --shell=verify_ -l "$verify_level" --timeout 2h --min-size "$min_size" "$@" "$verify_file" || :
	case $get_status/$verify_text in
	[01]/*) note "${verify_text#"$verify_file: "}" ;;
	2/*) fail 65 "db-verify: $verify_text" "$verify_hint" ;;
	3/*' within the time allowed ('*) fail 75 "db-verify: $verify_text" ;;
	3/?*) fail 74 "db-verify: $verify_text" ;;
	# without a verdict it did not like how it was called: CTV_REQUIRE_TABLES
	3/) fail 78 ;;
	*) exit "$get_status" ;;
	esac
}

# live_is_link: nothing is installed through a link, for the rename at the end would put a file in its place. Sets
# $link_text and $link_hint.
live_is_link() {
	[ -h "$live" ] || return 1
	link_to=$(readlink -m "$live")
	link_text="$live: a symbolic link to $link_to"
	link_hint="DATABASE_PATH=$link_to in ${CTV_ENV_FILE:-/etc/ctv-db-sync.env}, and ReadWritePaths=${link_to%/*} by systemctl edit ctv-pi2-download.service $unit"
}

# looked_since TIME ASKED: has the primary, which confirmed the record at TIME, looked since this host got its role? Until then the data
# that was entered here, before a failback, is the newest that anybody can serve. A role file that is newer than now, and than
# Dropbox's clock at ASKED, was written by a clock that was ahead: it is ignored, and no night waits for that time to come.
looked_since() {
	[ -z "$(find "$state/role" -newermt "$1 + 1 second" ! \( -newermt now -newermt "${2:-now}" \))" ]
}

# tagged ID COMMAND...: prints its line after that id, as status-render takes it
tagged() {
	tag=$1
	shift
	tagged_line=$("$@" 2>/dev/null) && printf '%s %s\n' "$tag" "$tagged_line"
}
