#!/bin/sh
# install.sh install|uninstall - what `make install ROLE=standby|primary` and `make uninstall` do
#
# Brings the files to their places, and then host-setup.sh, which is one of them, does what is to be done on the host;
# with DESTDIR nothing but files is made. Never touched: the configuration once it is there, the database, the state, the logs.
#
# Environment: ROLE, DESTDIR, APP, B (where the binaries are), and the places: PREFIX, UNITDIR, SYSUSERS, TMPFILES, POLKIT, GENERATORS.
set -eu
cd "$(dirname "$0")/.."

ROLE=${ROLE:-standby} PREFIX=${PREFIX:-/usr/local} DESTDIR=${DESTDIR:-} B=${B:-build}
APP=${APP:-/opt/apps/ctv-bookedbiz-db}
units=${UNITDIR:-/etc/systemd/system} sysusers=${SYSUSERS:-/etc/sysusers.d} tmpfiles=${TMPFILES:-/etc/tmpfiles.d}
polkit=${POLKIT:-/etc/polkit-1/rules.d} generators=${GENERATORS:-/etc/systemd/system-generators}
bin=$PREFIX/bin lib=$PREFIX/lib/ctv-mirror man=$PREFIX/share/man
completions=$PREFIX/share/bash-completion/completions

die() {
	echo "install.sh: $2" >&2
	exit "$1"
}

case $ROLE in
standby)
	own='ctv-code.service ctv-code.path ctv-follow.service ctv-follow-check.service ctv-follow-check.timer
		ctv-pi2-download.service ctv-pi2-download.timer ctv-proof.service ctv-resume.service ctv-settle.path ctv-settle.service
		ctv-status.service ctv-status.timer ctv-status.path control-station.service
		flaskapp.service' node=pi2
	;;
primary)
	own='ctv-db-sync.service ctv-db-sync.timer ctv-publish.service ctv-status.service ctv-status.timer' node=pi-ctv
	;;
*) die 64 "ROLE=$ROLE: neither standby nor primary" ;;
esac
# an application without a clone has nothing to update
owner=$(stat -c %U "$DESTDIR$APP/.git" 2>/dev/null) || owner=ctvapps
own="$own ctv-alert@.service ctv-resolve@.service"
tools=$(for tool in tools/*.c; do [ ! -e "$tool" ] || basename "$tool" .c; done)
scripts=$(cd scripts && for script in *.sh; do case $script in deps.sh | demo.sh | completion.sh) ;; *) echo "$script" ;; esac; done)
parts=$(cd scripts && echo parts/*.sh)
pages=$(cd man && echo *.[1-8])

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
		# for a service that is restarted for ever a good start says nothing: it tells by itself that it works again
		*@.service | ctv-follow.service | ctv-publish.service) ;;
		*.service) echo "systemd/alert.conf $units/$unit.d/alert.conf" ;;
		esac
	done
	[ "$ROLE" = standby ] || echo "systemd/polkit-primary.rules $polkit/60-ctv-mirror.rules"
	echo "systemd/hardening.conf $units/ctv-.service.d/hardening.conf"
	echo "systemd/host-setup.sh $lib/host-setup.sh"
	echo "systemd/ctv-db-sync.env $lib/ctv-db-sync.env"
	[ "$ROLE" = primary ] || {
		echo "systemd/hardening.conf $units/flaskapp.service.d/hardening.conf"
		echo "systemd/hardening.conf $units/control-station.service.d/hardening.conf"
		echo "systemd/control-station.conf $lib/control-station.conf"
		echo "systemd/kuma.json $lib/kuma.json"
		echo "scripts/kuma-import.js $lib/kuma-import.js"
		echo "systemd/home.conf $units/ctv-code.service.d/home.conf"
		echo "systemd/share.conf $units/ctv-follow.service.d/share.conf"
		echo "systemd/share.conf $units/ctv-proof.service.d/share.conf"
		echo "systemd/ctv-proof-generator $generators/ctv-proof-generator"
		echo "systemd/ctv-proof-generator $lib/ctv-proof-generator"
		echo "systemd/owner.conf $units/ctv-pi2-download.service.d/owner.conf"
		echo "systemd/setuid.conf $units/flaskapp.service.d/setuid.conf"
		echo "systemd/polkit.rules $polkit/60-ctv-mirror.rules"
	}
	echo "systemd/sysusers.conf $sysusers/ctv-mirror.conf"
	echo "systemd/tmpfiles.conf $tmpfiles/ctv-mirror.conf"
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
	# before the scripts that read them
	for part in $parts; do
		put 644 "scripts/$part" "$lib/$part"
	done
	for script in $scripts; do
		put 755 "scripts/$script" "$lib/$script"
	done
	put 755 scripts/cli_db_sync.py "$lib/cli_db_sync.py"
	{
		for tool in $tools; do echo "tool $tool"; done
		for part in $parts; do echo "part $part"; done
		for script in $scripts cli_db_sync.py; do echo "script $script"; done
	} >"$DESTDIR$lib/programs"
	ln -sfn "$lib/cli-db-sync.sh" "$DESTDIR$bin/cli-db-sync"
	ln -sfn "$lib/ctv-doctor.sh" "$DESTDIR$bin/ctv-doctor.sh"
	for page in $pages; do
		install -D -m 644 "man/$page" "$DESTDIR$man/man${page##*.}/$page"
	done
	install -D -m 644 "$B/completions/ctv-mirror.bash" "$DESTDIR$completions/ctv-mirror"
	# bash loads it by the name of what is typed
	# shellcheck disable=SC2013  # words
	for name in $(sed -n 's/^complete -F _ctv_mirror //p' "$B/completions/ctv-mirror.bash"); do
		ln -sfn ctv-mirror "$DESTDIR$completions/$name"
	done
	config_files | while read -r from to; do
		if ! ours "$DESTDIR$to"; then
			echo "install.sh: $to: kept as it is"
			continue
		fi
		case $from in *.sh | *-generator) put 755 "$from" "$to" ;; *) put 644 "$from" "$to" ;; esac
	done
}

# host-setup.sh as it was installed does the rest on the host
host_setup() {
	export DESTDIR
	sh "$DESTDIR$lib/host-setup.sh" "$ROLE" "$1"
}

uninstall() {
	put 755 systemd/host-setup.sh "$lib/host-setup.sh"
	host_setup remove
	for tool in $tools cli-db-sync ctv-doctor.sh; do
		rm -f "$DESTDIR$bin/$tool"
	done
	rm -rf "${DESTDIR:-}$lib"
	[ ! -d "$DESTDIR$completions" ] || find "$DESTDIR$completions" -lname ctv-mirror -delete
	rm -f "$DESTDIR$completions/ctv-mirror"
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
}

[ -n "$DESTDIR" ] || [ "$(id -u)" -eq 0 ] || [ "${1-}" = files ] || die 77 "needs root, or DESTDIR"
case ${1-} in
install)
	install_files
	host_setup install
	;;
uninstall) uninstall ;;
# of this role, whether there or not
files) config_files | cut -d ' ' -f 2 ;;
*) die 64 "usage: install.sh install|uninstall" ;;
esac
