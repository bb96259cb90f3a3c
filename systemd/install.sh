#!/bin/sh
# install.sh install|uninstall - what `make install ROLE=standby|primary` and `make uninstall` do
#
# Environment: ROLE, PREFIX, DESTDIR, APP, B (where the binaries are). With DESTDIR nothing but files is made; without
# it users, directories, timers and the role of this host too. Never touched: the configuration once it is
# there, the database, the state, the logs.
set -eu
cd "$(dirname "$0")/.."

ROLE=${ROLE:-standby} PREFIX=${PREFIX:-/usr/local} DESTDIR=${DESTDIR:-} B=${B:-build}
APP=${APP:-/opt/apps/ctv-bookedbiz-db}
bin=$PREFIX/bin lib=$PREFIX/lib/ctv-mirror man=$PREFIX/share/man units=/etc/systemd/system
state=/var/lib/ctv-mirror

die() {
	echo "install.sh: $2" >&2
	exit "$1"
}

case $ROLE in
standby)
	timers='ctv-pi2-download.timer ctv-resume.service ctv-settle.path ctv-status.timer ctv-status.path
		control-station.service'
	own='ctv-code.service ctv-pi2-download.service ctv-pi2-download.timer ctv-resume.service ctv-settle.path
		ctv-settle.service ctv-status.service ctv-status.timer ctv-status.path control-station.service
		flaskapp.service' node=pi2
	;;
primary)
	# its application is there already, with a unit of its own
	timers='ctv-db-sync.timer ctv-status.timer'
	own='ctv-db-sync.service ctv-db-sync.timer ctv-status.service ctv-status.timer' node=pi-ctv
	;;
*) die 64 "ROLE=$ROLE: neither standby nor primary" ;;
esac
# an application without a clone has nothing to update
owner=$(stat -c %U "$DESTDIR$APP/.git" 2>/dev/null) || owner=ctvapps
own="$own ctv-alert@.service ctv-resolve@.service"
tools=$(for tool in tools/*.c; do [ ! -e "$tool" ] || basename "$tool" .c; done)
scripts=$(cd scripts && for script in *.sh; do case $script in deps.sh | demo.sh) ;; *) echo "$script" ;; esac; done)
pages=$(cd man && echo *.[1-8])

# links: NAME TARGET of what the runbook calls in the application's directory
links() {
	[ "$ROLE" = standby ] && cat <<-EOF
		scripts/failover-to-pi2.sh $lib/failover-to-pi2.sh
		scripts/failback-to-pi-ctv.sh $lib/failback-to-pi-ctv.sh
		scripts/failback-to-pi2.sh $lib/failback-to-pi-ctv.sh
		bin/daily-download.sh $lib/daily-download.sh
	EOF
	echo "cli_db_sync.py $lib/cli_db_sync.py"
}

# put MODE FROM TO: with the paths of this installation in it
put() {
	mkdir -p "$(dirname "$DESTDIR$3")"
	sed "s,@APP@,$APP,g; s,@BIN@,$bin,g; s,@LIB@,$lib,g; s,@ROLE@,$ROLE,g; s,@NODE@,$node,g; s,@OWNER@,$owner,g
		s,^PATH=.PATH:/usr/local/bin,PATH=\$PATH:$bin," "$2" >"$DESTDIR$3.new"
	chmod "$1" "$DESTDIR$3.new"
	mv -f "$DESTDIR$3.new" "$DESTDIR$3"
}

# config_files: FROM TO
config_files() {
	for unit in $own; do
		echo "systemd/$unit $units/$unit"
		case $unit in
		*@.service) ;;
		*.service) echo "systemd/alert.conf $units/$unit.d/alert.conf" ;;
		esac
	done
	echo "systemd/hardening.conf $units/ctv-.service.d/hardening.conf"
	[ "$ROLE" = primary ] || {
		echo "systemd/hardening.conf $units/flaskapp.service.d/hardening.conf"
		echo "systemd/hardening.conf $units/control-station.service.d/hardening.conf"
		echo "systemd/control-station.conf $lib/control-station.conf"
		echo "systemd/kuma.json $lib/kuma.json"
		echo "scripts/kuma-import.js $lib/kuma-import.js"
		echo "systemd/home.conf $units/ctv-code.service.d/home.conf"
		echo "systemd/owner.conf $units/ctv-pi2-download.service.d/owner.conf"
		echo "systemd/setuid.conf $units/flaskapp.service.d/setuid.conf"
		echo "systemd/polkit.rules /etc/polkit-1/rules.d/60-ctv-mirror.rules"
	}
	echo "systemd/sysusers.conf /etc/sysusers.d/ctv-mirror.conf"
	echo "systemd/tmpfiles.conf /etc/tmpfiles.d/ctv-mirror.conf"
	echo "systemd/logrotate.conf /etc/logrotate.d/ctv-mirror"
}

# ours FILE: the application's unit may be there already, and the site's own
ours() {
	[ "${1##*/}" != flaskapp.service ] || [ ! -e "$1" ] || grep -q ctv-mirror "$1"
}

install_files() {
	mkdir -p "$DESTDIR$bin" "$DESTDIR$lib"
	for tool in $tools; do
		install -m 755 "$B/$tool" "$DESTDIR$bin/$tool"
	done
	for script in $scripts; do
		put 755 "scripts/$script" "$lib/$script"
	done
	put 755 scripts/cli_db_sync.py "$lib/cli_db_sync.py"
	ln -sfn "$lib/cli-db-sync.sh" "$DESTDIR$bin/cli-db-sync"
	ln -sfn "$lib/ctv-doctor.sh" "$DESTDIR$bin/ctv-doctor.sh"
	for page in $pages; do
		install -D -m 644 "man/$page" "$DESTDIR$man/man${page##*.}/$page"
	done
	config_files | while read -r from to; do
		if ! ours "$DESTDIR$to"; then
			echo "install.sh: $to: kept as it is"
			continue
		fi
		put 644 "$from" "$to"
	done
}

# the application's directory is a git clone: what we put there is none of git's business, and where the
# repository has files of these names, ours stand in for them
install_links() {
	if [ -z "$DESTDIR" ] && [ ! -d "$APP" ]; then
		echo "install.sh: $APP: not there; clone the application, then run this again for its scripts"
		return
	fi
	links | while read -r name target; do
		mkdir -p "$(dirname "$DESTDIR$APP/$name")"
		ln -sfn "$target" "$DESTDIR$APP/$name"
		[ -d "$DESTDIR$APP/.git" ] || continue
		grep -qsxF "/$name" "$DESTDIR$APP/.git/info/exclude" || echo "/$name" >>"$DESTDIR$APP/.git/info/exclude"
		git_app update-index --skip-worktree "$name" 2>/dev/null || :
	done
}

# as the owner of the clone, so that nothing in it becomes root's
git_app() {
	setpriv --reuid "$(stat -c %u "$DESTDIR$APP/.git")" --regid "$(stat -c %g "$DESTDIR$APP/.git")" --clear-groups \
		env HOME=/nonexistent git -C "$DESTDIR$APP" "$@"
}

activate() {
	systemd-sysusers /etc/sysusers.d/ctv-mirror.conf
	systemd-tmpfiles --create /etc/tmpfiles.d/ctv-mirror.conf
	if [ ! -e /etc/ctv-db-sync.env ]; then
		put 640 systemd/ctv-db-sync.env /etc/ctv-db-sync.env
		chgrp ctvapps /etc/ctv-db-sync.env
	fi
	[ ! -d "$APP" ] || install -d -o ctvapps -g ctvapps -m 2775 "$APP/data" "$APP/data/database"
	systemctl daemon-reload
	for unit in $timers; do
		systemctl enable --quiet --now "$unit"
	done
	[ "$ROLE" = primary ] || [ -x /usr/sbin/lighttpd ] ||
		echo "install.sh: lighttpd is not installed, so nobody serves the page on port 5001: README.md says how"
	cat <<-EOF
		Installed as $ROLE. Next: the token in /etc/ctv-db-sync.env (dbx-auth login), operators into the group
		(usermod -aG ctvapps NAME), and a look: ctv-doctor.sh
	EOF
}

check_role() {
	[ -z "$DESTDIR" ] || return 0
	[ "$(id -u)" -eq 0 ] || die 77 "needs root, or DESTDIR"
	role=$(head -n 1 $state/role 2>/dev/null) || return 0
	case $role in
	"$ROLE") ;;
	active) [ "$ROLE" = standby ] || die 73 "this host serves in place of the primary: fail back first" ;;
	*) die 73 "$state/role: this host is installed as $role; remove that file to make it the $ROLE" ;;
	esac
}

uninstall() {
	if [ -z "$DESTDIR" ]; then
		[ "$(id -u)" -eq 0 ] || die 77 "needs root, or DESTDIR"
		ROLE=$(head -n 1 $state/role 2>/dev/null) || ROLE=standby
		[ "$ROLE" != active ] || die 73 "this host serves in place of the primary: fail back first"
		for unit in ctv-pi2-download.timer ctv-resume.service ctv-settle.path ctv-db-sync.timer ctv-status.timer \
			ctv-status.path control-station.service; do
			[ ! -e "$units/$unit" ] || systemctl disable --quiet --now "$unit"
		done
	fi
	for tool in $tools cli-db-sync ctv-doctor.sh; do
		rm -f "$DESTDIR$bin/$tool"
	done
	rm -rf "${DESTDIR:-}$lib"
	for page in $pages; do
		rm -f "$DESTDIR$man/man${page##*.}/$page"
	done
	for own in standby primary; do
		ROLE=$own sh "$0" files
	done | while read -r to; do
		ours "$DESTDIR$to" || continue
		rm -f "$DESTDIR$to"
	done
	rmdir "$DESTDIR$units"/ctv-*.d "$DESTDIR$units"/flaskapp.service.d \
		"$DESTDIR$units"/control-station.service.d 2>/dev/null || :
	[ -n "$DESTDIR" ] || systemctl daemon-reload
	echo "Removed. Left: /etc/ctv-db-sync.env, $state, the logs, the database, the user ctvapps."
}

case ${1-} in
install)
	check_role
	install_files
	install_links
	[ -n "$DESTDIR" ] || activate
	;;
uninstall) uninstall ;;
# of this role, whether there or not
files)
	config_files | cut -d ' ' -f 2
	links | sed "s,^,$APP/,; s, .*,,"
	;;
*) die 64 "usage: install.sh install|uninstall" ;;
esac
