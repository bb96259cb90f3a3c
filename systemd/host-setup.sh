#!/bin/sh
# host-setup.sh standby|primary install|remove - what an installation does on its host, besides bringing files there
#
# Called by `make install` and `make uninstall`, and by a package's maintainer scripts; install may be run again at any time,
# and brings an older installation's host up to this one. What always holds: below the application's directory, where
# others than root may write, everything is done as the owner of the place, in a session of its own that has nothing of
# our terminal; no link there is followed to write; what is not done is said, with the command that does it.
#
# Environment: DESTDIR, for the links in the application's directory alone. Never touched: the configuration once it is
# there but for its group, the database but for its rights.
set -eu

app=@APP@ bin=@BIN@ lib=@LIB@
state=/var/lib/ctv-mirror settings=/etc/ctv-db-sync.env units=/etc/systemd/system
PATH=$PATH:/usr/sbin:/sbin
DESTDIR=${DESTDIR:-}

die() {
	printf 'host-setup: %s\n' "$2" >&2
	exit "$1"
}

say() {
	printf 'host-setup: %s\n' "$1"
}

role=${1-} action=${2-}
case $role/$action in
standby/install | standby/remove)
	node=pi2
	armed='ctv-pi2-download.timer ctv-code.path ctv-follow.service ctv-follow-check.timer ctv-resume.service ctv-settle.path
		ctv-status.timer ctv-status.path control-station.service'
	with_data='ctv-pi2-download ctv-follow ctv-follow-check ctv-proof ctv-status flaskapp'
	;;
primary/install | primary/remove)
	# its application is there already, with a unit of its own
	node=pi-ctv
	armed='ctv-db-sync.timer ctv-publish.service ctv-status.timer'
	with_data='ctv-db-sync ctv-publish ctv-status'
	;;
*) die 64 "usage: host-setup.sh standby|primary install|remove" ;;
esac
# a system that is made, in a chroot, has nothing to start
running=yes
[ -d /run/systemd/system ] || running=
jobs='ctv-pi2-download.timer ctv-follow-check.timer ctv-db-sync.timer ctv-status.timer ctv-status.path ctv-settle.path
	ctv-follow.service ctv-follow-check.service ctv-pi2-download.service ctv-db-sync.service ctv-publish.service ctv-status.service
	ctv-settle.service'

# ---- as another user --------------------------------------------------------------------------

# be USER COMMAND...: with his groups and ours for data, no terminal, and the caller's input and output, which are to be pipes
be() {
	who=$1
	shift
	groups=$(id -G "$who" 2>/dev/null | tr ' ' ,) || groups=
	team=$(getent group ctvapps | cut -d : -f 3)
	set -- setsid -w setpriv --reuid "$who" --regid "$(id -g "$who" 2>/dev/null || echo 65534)" \
		--groups "${groups:-65534}${team:+,$team}" env -i PATH=/usr/bin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 "$@"
	"$@"
}

# as USER COMMAND...: prints what it says, which drives no terminal; its exit status
as() {
	said=0
	words=$(be "$@" 2>&1 </dev/null) || said=$?
	[ -z "$words" ] || printf '%s\n' "$words" | LC_ALL=C tr -c '\n\t -~' '?'
	return $said
}

# owner_of FILE: of the file itself, not of what a link names
owner_of() {
	stat -c %u "$1" 2>/dev/null
}

# roots_alone DIRECTORY...: nobody else may change a name in them
roots_alone() {
	[ -z "$(find "$@" -maxdepth 0 \( ! -user 0 -o -perm /002 -o -perm /020 ! -group 0 \) -print -quit 2>/dev/null)" ]
}

# ---- the application's directory --------------------------------------------------------------

# links: NAME TARGET of what the runbook calls there
links() {
	[ "$role" = primary ] || cat <<-EOF
		scripts/failover-to-pi2.sh $lib/failover-to-pi2.sh
		scripts/failback-to-pi-ctv.sh $lib/failback-to-pi-ctv.sh
		scripts/failback-to-pi2.sh $lib/failback-to-pi-ctv.sh
		bin/daily-download.sh $lib/daily-download.sh
	EOF
	echo "cli_db_sync.py $lib/cli_db_sync.py"
}

# shellcheck disable=SC2016  # for the owner's shell
# The clone's business is git's: what we put there is none of it, and where the repository has files of these names, ours
# stand in for them. An index that is root's stays as it is: root never runs the clone's git.
link_there='
umask 022
cd "$1" && shift || exit
while [ $# -gt 1 ]; do
	case $1 in */*) mkdir -p "${1%/*}" ;; esac
	ln -sfnT "$2" "$1"
	if [ -d .git ]; then
		exclude=.git/info/exclude
		dd if=$exclude iflag=nofollow,nonblock status=none 2>/dev/null | grep -qxF "/$1" ||
			printf "/%s\n" "$1" | dd of=$exclude oflag=append,nofollow,nonblock conv=notrunc status=none
		[ "$(id -u)" -eq 0 ] || git update-index --skip-worktree "$1" 2>/dev/null || :
	fi
	shift 2
done'

# shellcheck disable=SC2016
unlink_there='
cd "$1" && lib=$2 && shift 2 || exit
while [ $# -gt 1 ]; do
	[ ! -h "$1" ] || [ "$(readlink "$1")" != "$2" ] || rm -f "$1"
	shift 2
done'

# in_clone COMMAND...: as its owner; as root only where root alone may change what is there
in_clone() {
	owner=$(owner_of "$DESTDIR$app/.") || return 0
	if [ "$owner" -ne 0 ] || [ "$(id -u)" -ne 0 ]; then
		if [ "$(id -u)" -eq 0 ]; then as "$owner" "$@"; else "$@"; fi
	elif cd "$DESTDIR$app" && roots_alone .. . scripts bin data .git .git/info; then
		"$@"
		cd /
	else
		say "$app: root's, but others may write there, so nothing was done in it: chown it to its user, or chmod -R go-w $app"
		return 1
	fi
}

make_links() {
	if [ -n "$DESTDIR" ]; then
		mkdir -p "$DESTDIR$app"
	elif [ ! -d "$app" ]; then
		say "$app: not there; clone the application, then run this again for its scripts"
		return
	fi
	# shellcheck disable=SC2046  # words
	in_clone sh -c "$link_there" links "$DESTDIR$app" $(links) || :
}

remove_links() {
	[ -d "$DESTDIR$app" ] || return 0
	# shellcheck disable=SC2046  # words
	in_clone sh -c "$unlink_there" links "$DESTDIR$app" "$lib" $(links) || :
}

# forget_followed: what was followed is the jobs' own, and can be made again; where the next primary would keep it, it goes
forget_followed() {
	[ -z "$(getent passwd ctvsync)" ] || as ctvsync timeout 30 "$lib/follow-changes.sh" --forget ||
		say "a directory .follow that is left beside the database is no longer needed"
}

# shellcheck disable=SC2016  # for the owner's shell
# A user who may write the directory could put another file under a name between our look and our change. So held NAME opens the
# file, and is true if NAME still means that file and is no link; changes are made to $thing, the open file.
held='
thing=/proc/self/fd/3
held() {
	command exec 3<"$1" && [ -O $thing ] && [ "$(stat -Lc %d:%i $thing)" = "$(stat -c %d:%i "$1")" ]
}'

# shellcheck disable=SC2016
# Made by the clone's owner, or his already: the group's, so that the application writes there and its files are the group's
data_there="$held"'
for dir do
	[ -e "$dir" ] || [ -h "$dir" ] || mkdir "$dir" || continue
	[ -d "$dir" ] && [ ! -h "$dir" ] && [ -O "$dir" ] && held "$dir" && [ -d $thing ] || continue
	chgrp ctvapps $thing && chmod 2775 $thing
done'

# shellcheck disable=SC2016
# The jobs and the application are two users of one group: a file of either is written by the other. Run by the file's owner
share_there="$held"'
for file do
	[ -f "$file" ] && [ ! -h "$file" ] && [ -O "$file" ] && held "$file" && [ -f $thing ] && [ "$(stat -Lc %h $thing)" -eq 1 ] || continue
	chgrp ctvapps $thing
	chmod "$mode" $thing
done'

share_data() {
	[ -d "$app" ] || return 0
	in_clone timeout 10 sh -c "$data_there" data "$app/data" "$app/data/database" || :
	as ctvapps test -w "${live%/*}" || say "${live%/*}: the application cannot write there: chgrp ctvapps ${live%/*}; chmod 2775 ${live%/*}"
	for file in "$live" "$live-wal" "$live-shm" "$live-journal"; do
		share "$file" g+rw
	done
	[ ! -h "$app/.env" ] || say "$app/.env: a link, so the application does not start: its settings must be in a file there"
	as ctvapps test -r "$app/.env" || share "$app/.env" 640
}

# share FILE MODE: as its owner
share() {
	who=$(owner_of "$1") || return 0
	if [ "$who" -ne 0 ]; then
		as "$who" env mode="$2" timeout 10 sh -c "$share_there" share "$1" || :
	elif ! as ctvapps test -r "$1"; then
		say "$1: root's, and the application cannot read it: chgrp ctvapps $1; chmod $2 $1"
	fi
}

# ---- where the database really is -------------------------------------------------------------

# A database on another disk, behind a link, is named once, here: no program follows links there night after night
find_live() {
	live=$("$bin/ctv-conf" DATABASE_PATH '') || live=
	[ -z "$live" ] || return 0
	live=$app/data/database/production.db
	for link in "$app/data" "$app/data/database" "$live"; do
		[ -h "$link" ] || continue
		real=$(as "$(owner_of "$link")" readlink -f "$live") || real=
		case $real in
		'' | [!/]* | *[!A-Za-z0-9/._+-]*)
			say "$link: a link to where no database can be: name the file, as DATABASE_PATH in $settings"
			return 0
			;;
		esac
		# a link may be the application's own work: it names no place that it could not write in anyway
		if ! as ctvapps test -w "${real%/*}" || { [ -e "$real" ] && ! as ctvapps test -f "$real" -a -w "$real"; }; then
			say "$live: a link to $real, where the application cannot write: if it is yours, chgrp ctvapps ${real%/*} $real; chmod 2775 ${real%/*}; chmod 660 $real; then run this again"
			return 0
		fi
		live=$real
		[ -z "$(tail -c 1 "$settings")" ] || echo >>"$settings"
		printf 'DATABASE_PATH=%s\n' "$live" >>"$settings"
		say "$link is a link: DATABASE_PATH=$live, in $settings"
		return 0
	done
}

# place UNIT SETTING...: what is so on this host, beside its file
place() {
	to=$units/$1.service.d/place.conf
	shift
	if [ $# -eq 0 ]; then
		rm -f "$to"
		return
	fi
	mkdir -p "${to%/*}"
	printf '%s\n' "# of this host, written by host-setup.sh" '[Service]' "$@" >"$to.new"
	chmod 644 "$to.new"
	mv -f "$to.new" "$to"
}

write_places() {
	outside=
	case ${live%/*}/ in
	"$app"/data/*) ;;
	*[!A-Za-z0-9/._+-]*) say "${live%/*}: a name that no unit takes: its ReadWritePaths= are yours to write" ;;
	*) outside=${live%/*} ;;
	esac
	for unit in $with_data; do
		set -- ${outside:+"ReadWritePaths=-$outside"}
		# the directories that the application could write before it had a sandbox stay open to it
		[ "$unit" != flaskapp ] || for dir in $("$lib/trust-check.sh" --writes | grep -v '[^A-Za-z0-9/._+-]'); do
			case $dir/ in "$app"/data/*) ;; *)
				set -- "$@" "ReadWritePaths=-$dir"
				say "flaskapp.service may write $dir too, as its user may"
				;;
			esac
		done
		place "$unit" "$@"
	done
	# the clone is updated by the user that owns it
	[ "$role" = primary ] || ! owner=$(stat -c %U "$app/.git" 2>/dev/null) || place ctv-code "User=$owner"
}

# ---- users, state, settings -------------------------------------------------------------------

# In older installations the operators were the members of the application's group. Its own user is a member, too, and so may be
# that of a web server which hands out its files: neither of these may read the token.
join_operators() {
	serves=$(systemctl show -P User flaskapp.service 2>/dev/null) || serves=
	for who in $(getent group ctvapps | cut -d : -f 4 | tr , ' '); do
		case " $(id -nG "$who" 2>/dev/null) " in *" ctvsync "*) continue ;; esac
		if [ "$(id -u "$who" 2>/dev/null || echo 0)" -lt 1000 ] || [ "$who" = "$serves" ]; then
			say "$who is in the group ctvapps, and is no person: not taken for an operator"
			continue
		fi
		usermod -aG ctvsync "$who"
		say "$who joined the group ctvsync: from his next login on he may work here"
	done
}

# role_here: the state may be an older installation's, where the application could write
role_here() {
	who=$(owner_of "$state") || return 0
	be "$who" timeout 5 dd if=$state/role iflag=nofollow,nonblock bs=64 count=1 status=none 2>/dev/null </dev/null |
		head -n 1 | LC_ALL=C tr -cd '[:lower:]'
}

# shellcheck disable=SC2016  # for the shell of the jobs' user
write_there='
umask 007
case $2 in */*) mkdir -p "$1/${2%/*}" ;; esac
dd of="$1/$2" conv=excl oflag=nofollow bs=64k status=none && touch -d "@$3" "$1/$2"'

# ours_now DIRECTORY: that of an older installation is the application's, who may hold any file in it open: it is made anew,
# with new files, each read as the application's user and written as the jobs'
ours_now() {
	# a run that was killed between the two renames
	[ -e "$1" ] || [ ! -e "$1.new" ] || mv -T "$1.new" "$1"
	[ -d "$1" ] && [ ! -h "$1" ] || return 0
	who=$(owner_of "$1")
	[ "$who" -ne "$(id -u ctvsync)" ] || return 0
	rm -rf "$1.new"
	mkdir -m 700 "$1.new"
	chown ctvsync:ctvsync "$1.new"
	as "$who" find "$1" -xdev -mindepth 1 -maxdepth 2 -type f -links 1 ! -path '*/.*' ! -path "$1/upload.*" \
		-printf '%T@ %P\n' | grep -E '^[0-9.]+ [A-Za-z0-9@_][A-Za-z0-9@_.-]*(/[A-Za-z0-9@_][A-Za-z0-9@_.-]*)?$' |
		while read -r time name; do
			be "$who" dd if="$1/$name" iflag=nofollow,nonblock bs=64k status=none 2>/dev/null </dev/null |
				be ctvsync sh -c "$write_there" copy "$1.new" "$name" "$time" 2>/dev/null ||
				say "$1/$name: not taken along"
		done
	chmod 2770 "$1.new"
	mv -T "$1" "$1.before"
	mv -T "$1.new" "$1"
	as "$who" find "$1.before" -xdev -mindepth 1 -delete || :
	rmdir "$1.before" 2>/dev/null || say "$1.before: what was there before; nobody needs it any more"
	say "$1 belongs to ctvsync now, and the application cannot read it"
}

take_over() {
	set -- $state /var/log/ctv-pi2-download /var/log/ctv-db-sync
	for dir in "$@"; do
		who=$(owner_of "$dir") || continue
		[ "$who" -ne "$(id -u ctvsync)" ] || continue
		if [ "$dir" = $state ]; then
			held=0
			as "$who" timeout 5 flock -n -E 99 $state/operator.lock true >/dev/null || held=$?
			[ $held -ne 99 ] || die 73 "$state/operator.lock: a failover or failback is under way: run this again after it"
		fi
		# none of them writes meanwhile; the timers come back below
		# shellcheck disable=SC2086  # words
		systemctl stop $jobs 2>/dev/null || :
	done
	for dir in "$@"; do
		ours_now "$dir"
	done
	# uv's cache, from when the nightly job brought the code, too
	cache=/var/cache/ctv-mirror
	who=$(owner_of $cache) || return 0
	as "$who" find $cache -xdev -mindepth 1 -delete || :
	rmdir $cache || :
}

settings_file() {
	if [ ! -e $settings ]; then
		(umask 077 && sed "s,^CTV_NODE=.*,CTV_NODE=$node," "$lib/ctv-db-sync.env" >$settings.new)
		mv -f $settings.new $settings
	fi
	# an application that could read the token may have kept it
	! as ctvapps grep -qs '^ *DROPBOX_REFRESH_TOKEN=.' $settings ||
		say "$settings: the application could read the token until now: at dropbox.com, Settings, Connected apps, disconnect the app; then dbx-auth login here and on the other host"
	chown root:ctvsync $settings
	chmod 640 $settings
}

# helper VERB UNIT: Debian's own memory of what was enabled, by which all packages do it; of make install it knows nothing
helper() {
	DPKG_MAINTSCRIPT_PACKAGE=ctv-mirror deb-systemd-helper --quiet "$@" >/dev/null
}

# arm UNIT: enabled and started, but where an administrator has masked it, or disabled it since we enabled it
arm() {
	case $(systemctl is-enabled "$1" 2>/dev/null) in masked*) return ;; esac
	if helper was-enabled "$1"; then
		helper enable "$1"
		# a unit that cannot start yet, for want of the application's directory, must not keep the others from being started
		[ -z "$running" ] || systemctl start "$1" || say "$1: did not start: systemctl status $1"
	else
		say "$1: disabled, and stays so: systemctl enable --now $1"
	fi
}

# disarm UNIT: one that somebody has disabled stays so if we are installed again
disarm() {
	case $(systemctl is-enabled "$1" 2>/dev/null) in
	'' | not-found | disabled | masked*) ;;
	*)
		systemctl disable --quiet ${running:+--now} "$1"
		helper purge "$1"
		;;
	esac
}

# leave_later: what a later version had and this one has not runs no longer, and is enabled anew when that one comes back
leave_later() {
	find $units -name 'ctv-*' -xtype l | while read -r link; do
		rm -f "$link"
		helper purge "${link##*/}"
	done
	[ -z "$running" ] || for unit in $(systemctl list-units --all --plain --no-legend 'ctv-*' |
		awk '$2 == "not-found" && $3 != "inactive" { print $1 }'); do
		systemctl stop "$unit" || :
		# a timer whose service is gone is one that has failed, which is not for anybody to mend
		systemctl reset-failed "$unit" 2>/dev/null || :
	done
}

check_role() {
	[ "$(id -u)" -eq 0 ] || die 77 "needs root"
	is=$(role_here)
	case $is in
	'' | "$role") ;;
	active) [ "$role" = standby ] || die 73 "this host serves in place of the primary: fail back first" ;;
	*) die 73 "$state/role: this host is installed as $is; remove that file to make it the $role" ;;
	esac
}

# ---- main -------------------------------------------------------------------------------------

if [ -n "$DESTDIR" ]; then
	case $action in
	install) make_links ;;
	remove) remove_links ;;
	esac
	exit 0
fi
case $action in
install)
	check_role
	systemd-sysusers ctv-mirror.conf
	join_operators
	take_over
	systemd-tmpfiles --create ctv-mirror.conf
	settings_file
	make_links
	find_live
	share_data
	[ "$role" = standby ] || forget_followed
	write_places
	[ -z "$running" ] || systemctl daemon-reload
	leave_later
	for unit in $armed; do
		arm "$unit"
	done
	# services that run for ever would go on with the old programs; a round that is cut short is taken up by the next
	[ -z "$running" ] || systemctl --no-block try-restart ctv-follow.service ctv-publish.service 2>/dev/null || :
	[ "$role" = primary ] || [ -x /usr/sbin/lighttpd ] ||
		say "lighttpd is not installed, so nobody serves the page on port 5001: README.md says how"
	"$lib/trust-check.sh" || :
	cat <<-EOF
		Installed as $role. Next: the token in $settings (dbx-auth login), operators into the groups
		(usermod -aG ctvapps,ctvsync NAME, from their next login on), and a look: ctv-doctor.sh
	EOF
	;;
remove)
	[ "$(id -u)" -eq 0 ] || die 77 "needs root"
	[ "$(role_here)" != active ] || die 73 "this host serves in place of the primary: fail back first"
	for unit in ctv-pi2-download.timer ctv-code.path ctv-follow.service ctv-follow-check.timer ctv-resume.service ctv-settle.path \
		ctv-db-sync.timer ctv-publish.service ctv-status.timer ctv-status.path control-station.service; do
		disarm "$unit"
	done
	[ -z "$running" ] || systemctl stop ctv-follow.service ctv-follow-check.service 2>/dev/null || :
	[ "$role" = primary ] || forget_followed
	remove_links
	rm -f $units/*.service.d/place.conf
	rmdir $units/ctv-*.d $units/flaskapp.service.d 2>/dev/null || :
	echo "Removed. Left: $settings, $state, the logs, the database, the users ctvapps and ctvsync."
	;;
esac
