#!/bin/sh
# trust-check.sh [--writes] - may the application's user write what others run or believe?
#
# An intruder in the application has the rights of its user. Where that user may write the code that an operator runs, or a file
# that systemd reads as root, the intruder gets their rights, too. This script looks at rights only: it opens and runs nothing
# that the user could have put there, and needs no root. Who may write what is in ctv-mirror(7), "WHO MAY WRITE WHAT".
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"
# as for every check
usage_status=3

usage() {
	cat <<'END'
usage: trust-check.sh [--writes]

Tells what the application's user may write that others run or believe, each
with the command that mends it. Exit status 0, 1 with findings, 3 not known.

      --writes     print the directories of the application that its user owns
                   or may write
END
}

writes=
for option; do
	case $option in
	--writes) writes=yes ;;
	*) common_option "$option" ;;
	esac
done

# unknown TEXT: ends the check, from amid the findings, too
exec 3>&1
unknown() {
	printf 'TRUST UNKNOWN: %s\n' "$1" >&3
	exit 3
}

# property NAME: prints that of the application's unit, the first in $shown
property() {
	printf '%s\n' "$shown" | sed -n "/^\$/q; s/^$1=//p"
}

# ---- what a user may write ------------------------------------------------------------------

# rights_of USER GROUP...: sets $may_w and $may_r, the tests by which find(1) knows files that he may write, and may read, and
# $entries, the pattern of the entries for him in an access list
rights_of() {
	may_w="-user $1 -o -perm -o=w" may_r="-user $1 -perm -u=r -o -perm -o=r" entries="user:$(id -u "$1")"
	groups=$(id -G "$1")
	shift
	[ $# -eq 0 ] || groups="$groups $(getent group "$@" | cut -d : -f 3)"
	for group in $groups; do
		may_w="$may_w -o -perm -g=w -group $group" may_r="$may_r -o -perm -g=r -group $group"
		entries="$entries|group:$group"
	done
}

# listed r|w FILE...: prints the files whose access list, or that for new files in them, gives him the right; the mode shows neither
listed() {
	[ "$1" = r ] && bit=r.. || bit=.w.
	shift
	lists=$(getfacl -P -s -p -n -e "$@" 2>/dev/null) || :
	# as a rule there is none
	[ -n "$lists" ] || return 0
	printf '%s\n' "$lists" | sed -n -E "s/^# file: //; t name
		/^(default:)?($entries):.*#effective:$bit/ { g; p; }; d
		:name
		h; d" | uniq
}

newline='
'
# writable FIND-OPTION LISTED-OPTION PATH...: prints the first file there that he may write. In a directory with the sticky bit he
# cannot replace the files of others
# shellcheck disable=SC2086  # words
writable() {
	how_deep=$1 recursive=$2
	shift 2
	first=$(find "$@" $how_deep ! -type l ! \( -type d -perm -1000 ! -user "$user" \) \( $may_w \) -print -quit 2>/dev/null) || :
	[ -n "$first" ] || { first=$(listed w $recursive "$@"); first=${first%%"$newline"*}; }
	[ -n "$first" ] && printf '%s\n' "$first"
}

# way_in PATH: prints the first of it and the directories above that he may write
way_in() {
	at=$1
	set --
	while [ -n "$at" ]; do
		set -- "$@" "$at"
		at=${at%/*}
	done
	writable '-maxdepth 0' '' "$@"
}

# named FILE SED-COMMAND DIR: prints the path in the first line of FILE, relative to DIR; nothing without one, or where he may write FILE
named() {
	[ -f "$1" ] && ! way_in "$(readlink -f "$1")" >/dev/null && line=$(sed -n "1$2" "$1" 2>/dev/null) && [ -n "$line" ] || return 0
	(cd -P "$3" && readlink -m -- "$line") || :
}

# leads PLACE: prints the first file that he may write among the targets of the links in PLACE and the directories above these. A
# line feed in a name becomes ?, so that each line is a whole path
# shellcheck disable=SC2046,SC2086  # lines
leads() {
	ends=$(find "$1" -xdev -type l -exec readlink -zm -- {} + 2>/dev/null | tr '\n\000' '?\n' | sort -u) || :
	set -f
	IFS='
'
	set -- "$1" $(printf '%s\n' "$ends" | sed -n ':a; /./!d; p; s,/[^/]*$,,; ba' | sort -u)
	trees=$(for end in $ends; do case $end/ in "$1"/*) ;; *) [ ! -d "$end" ] || printf '%s\n' "$end" ;; esac; done)
	shift
	unset IFS
	[ $# -gt 0 ] || return
	writable '-maxdepth 0' '' "$@" || {
		IFS='
'
		set -- $trees
		unset IFS
		[ $# -gt 0 ] && writable -xdev -R "$@"
	}
}

# readable FILE
# shellcheck disable=SC2086
readable() {
	[ -n "$(find "$1" -maxdepth 0 \( $may_r \) -print 2>/dev/null)$(listed r "$1")" ]
}

# directories: prints those of the application that he owns or may write, without those below one that is his
# shellcheck disable=SC2086
directories() {
	find -H "$app" -xdev -type d \( $may_w \) -prune -print 2>/dev/null || :
	listed w -R "$app" | while read -r dir; do
		[ ! -d "$dir" ] || printf '%s\n' "$dir"
	done
}

# ---- findings -------------------------------------------------------------------------------

# found TEXT HINT: prints a finding as two lines. A line feed in a name becomes ?, which stands for it in a shell, too
found() {
	for said in "$1" "hint: $2"; do
		printf %s "$said" | tr '\n' '?'
		echo
	done
}

# how PATH: prints the command that takes PATH from him
how() {
	owner=$(stat -c %U "$1")
	if [ "$owner" = "$user" ]; then
		echo "clone it anew as an operator, ctv-mirror(7), and take $app/data along"
	else
		list=
		[ -z "$(listed w -R "$1")" ] || list=' -exec setfacl -b {} +'
		echo "as $owner: find $1 -path $app/data -prune -o -user $owner ! -type l$list -exec chmod go-w {} +"
	fi
}

look_at_code() {
	seen=' ' git=''
	# a .git that is a file names git's directory, and that may name another, which has the hooks
	[ ! -f "$app/.git" ] || git=$(named "$app/.git" 's/^gitdir: //p' "$app")
	common=$(named "${git:-$app/.git}/commondir" p "${git:-$app/.git}")
	set -- "$app/.git" "$git" "$common" "$app/.venv" "$app/scripts" "$app/bin"
	for place in "$app" "$@"; do
		[ -e "$place" ] || continue
		real=$(readlink -f "$place")
		open=$(way_in "$real") || { [ "$place" != "$app" ] && open=$(writable -xdev -R "$real"); } || continue
		case $seen in *" $open "*) continue ;; esac
		seen="$seen$open "
		found "$open: the application's user $user may write there, and so do as whoever runs the code" "$(how "$open")"
	done
	for place; do
		[ -e "$place" ] || continue
		open=$(leads "$(readlink -f "$place")") || continue
		case $seen in *" $open "*) continue ;; esac
		seen="$seen$open "
		found "$open: the application's user $user may write there, and a link in $place leads there" \
			"find $place/ -xdev -type l -exec readlink -m {} + tells which: a file of an operator's belongs in its place"
	done
	command -v getfacl >/dev/null || ! find "$app" -xdev -exec ls -ld {} + 2>/dev/null | grep -q '^[^ ]*+' ||
		found "$app: has access lists, which nobody here can read" "apt-get install acl"
}

# our programs, and the directories in which systemd looks for units
look_at_programs() {
	for place in "$(command -v ctv-conf)" "$here/$program" "$here/parts" /etc/systemd/system /etc/systemd/system-generators; do
		! open=$(way_in "$place") || found "$open: $user may write there, and so do as root" "chown root:root $open; chmod go-w $open"
	done
}

# files that the jobs and the operators rely on, and those that only they may read
look_at_state() {
	for place in "$state" $logs "$run_dir/www"; do
		[ -d "$place" ] || continue
		! open=$(way_in "$place") || found "$open: $user may write there, and the jobs believe what they find in $place" "$setup"
		[ "$place" = "$run_dir/www" ] || ! readable "$place" || found "$place: $user can read it" "$setup"
	done
}

# groups that may read the token or are as good as root: the user's own, and those that its unit adds
look_at_groups() {
	for group in $(id -nG "$user") $added; do
		case $group in
		root | sudo | wheel | disk | shadow | kmem | docker | lxd | incus-admin | libvirt | ctvsync)
			case " $added " in
			*" $group "*) found "$unit: gives the application the group $group" "systemctl edit $unit: SupplementaryGroups= (empty)" ;;
			*) found "$user is in the group $group" "gpasswd -d $user $group; systemctl restart $unit" ;;
			esac
			;;
		esac
	done
}

# files that systemd reads as root before it makes a sandbox, and programs that it runs as root in spite of User=
look_at_units() {
	# shellcheck disable=SC2086  # words
	set -- $units
	printf '%s\n' "$shown" | sed -n 's/^$/next/p
		s/^EnvironmentFiles=\(.*\) (ignore_errors=[a-z]*)$/\1/p
		s/^Exec[A-Za-z]*={ path=\([^ ;]*\) .*; flags=[^;]*\(privileged\|no-setuid\).*/+\1/p' | while read -r file; do
		each=${1%.service}
		case $file in
		next) shift ;;
		+*) ! open=$(way_in "$(readlink -f "${file#+}")") || found "$each.service: runs ${file#+} as root, and $user may write $open" \
			"systemctl edit --full $each: no + or ! before a program there" ;;
		*) ! open=$(way_in "$file") || found "$each.service: EnvironmentFile=$file: systemd reads it as root, and $user may write $open" \
			"systemctl edit $each: EnvironmentFile= (empty), and env-exec $file before the command of ExecStart=" ;;
		esac
	done
}

look_at_settings() {
	file=$app/.env
	if [ -h "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then
		found "$file: not a regular file, so the application does not start" "put the settings into a file there"
	elif [ -e "$file" ] && ! readable "$file"; then
		found "$file: the application's user $user cannot read it" "as $(stat -c %U "$file"): chgrp $(id -gn "$user") $file; chmod 640 $file"
	fi
	file=${CTV_ENV_FILE:-/etc/ctv-db-sync.env}
	[ ! -f "$file" ] || ! readable "$file" ||
		found "$file: the application's user $user can read the token" "chown root:ctvsync $file; chmod 640 $file"
}

# A directory that he may write by its rights and not in the sandbox was open to the application before it had one
look_at_sandbox() {
	[ "$(property ProtectSystem)" = strict ] || return 0
	may=$(property ReadWritePaths)
	directories | while read -r dir; do
		covered=
		for path in $may; do
			path=${path#[-+]}
			case $dir/ in "${path#+}"/*) covered=yes ;; esac
		done
		[ -n "$covered" ] || found "$unit cannot write $dir, which its user $user may" "$setup"
	done
}

# ---- main -----------------------------------------------------------------------------------

app=/opt/apps/ctv-bookedbiz-db unit=flaskapp.service state=/var/lib/ctv-mirror logs='' run_dir=/run/ctv-mirror node='' primary=pi-ctv
# a setting that cannot be read has its default
said=$(ctv-conf CTV_APP_DIR "$app" CTV_SERVICE "$unit" CTV_STATE_DIR "$state" CTV_LOG_DIR '' CTV_RUN_DIR "$run_dir" CTV_NODE '' \
	CTV_PRIMARY_NODE "$primary" 2>/dev/null) && {
	read -r app; read -r unit; read -r state; read -r logs; read -r run_dir; read -r node; read -r primary
} <<END
$said
END
logs=${logs:-/var/log/ctv-pi2-download /var/log/ctv-db-sync}
setup="$here/host-setup.sh standby install"
[ "$node" != "$primary" ] || setup="${setup% standby *} primary install"
units="$unit ctv-pi2-download ctv-db-sync ctv-settle ctv-status ctv-resume ctv-code ctv-publish ctv-follow ctv-follow-check ctv-proof control-station"
# shellcheck disable=SC2086  # words
shown=$(timeout -k 1s 5s systemctl show -p User,Group,SupplementaryGroups,ProtectSystem,ReadWritePaths,EnvironmentFiles \
	-p ExecConditionEx,ExecStartPreEx,ExecStartEx,ExecStartPostEx,ExecReloadEx,ExecStopEx,ExecStopPostEx $units 2>/dev/null) ||
	case $? in 124 | 137) unknown "systemd gives no answer in 5 s" ;; esac
user=$(property User)
case $user in '' | *[!A-Za-z0-9_.-]*) user=ctvapps ;; esac
id "$user" >/dev/null 2>&1 || unknown "$unit: its user $user is not there"
[ -d "$app" ] || unknown "$app: no such directory"
[ "$(id -u "$user")" -ne 0 ] || unknown "$unit runs as root: whoever takes it over has this host"
added="$(property Group) $(property SupplementaryGroups)"
case $added in *[!A-Za-z0-9\ _.-]*) added= ;; esac
# shellcheck disable=SC2086  # words
rights_of "$user" $added
if [ -n "$writes" ]; then
	directories
	exit 0
fi
findings=$(look_at_code; look_at_programs; look_at_state; look_at_groups; look_at_units; look_at_settings; look_at_sandbox)
if [ -z "$findings" ]; then
	echo "TRUST OK: the application's user $user may write nothing that others run or believe | findings=0"
	exit 0
fi
# the application chooses the names of its files, and these must not drive a terminal
LC_ALL=C sed 's/[^ -~]/?/g' <<END
TRUST WARNING: the application's user $user may do more than it should | findings=$(printf '%s\n' "$findings" | grep -vc '^hint: ')
$findings
END
exit 1
