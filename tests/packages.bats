#!/usr/bin/env bats
# shellcheck disable=SC2016  # what on_host runs is expanded there
# The Debian packages: built by make deb, and installed, removed and purged on throw-away copies of this system.

load helper

setup_file() {
	export DEB=$BATS_FILE_TMPDIR/deb
	debs "$DEB"
}

files_of() {
	dpkg-deb --fsys-tarfile "$DEB/$1"_*.deb | tar -t | sed 's/^\.//' | grep -v '/$'
}

# needs PACKAGE: the names of what it depends on, in order
needs() {
	dpkg-deb -f "$DEB/$1"_*.deb Depends | tr ',' '\n' | sed 's/^ *//; s/ .*//' | sort -u | tr '\n' ' '
}

# on_host SCRIPT: as root of a throw-away copy of this system, whose systemd does not run; ours are in /mnt
on_host() {
	local T=$BATS_TEST_TMPDIR/host
	mkdir -p "$T/upper" "$T/work" "$T/root"
	# shellcheck disable=SC2016  # expanded by the inner shell
	unshare -m -p -n --fork --kill-child sh -euc '
		mount --make-rprivate /
		mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
		mount -t proc proc "$1/root/proc"
		mount --rbind /dev "$1/root/dev"
		mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
		mount --bind "$2" "$1/root/mnt"
		ip link set lo up
		export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
		exec chroot "$1/root" sh -euc "$3"' host "$T" "$DEB" "
		app=/opt/apps/ctv-bookedbiz-db
		install() { dpkg --force-unsafe-io -i /mnt/ctv-mirror_*.deb /mnt/ctv-mirror-\$1_*.deb; }
		clone() {
			useradd -m keeper
			mkdir -p \$app && git init -q \$app && mkdir -p \$app/data/database && echo live >\$app/data/database/production.db
			chown -R keeper: \$app
		}
		is() { [ \"\$1\" = \"\$2\" ] || { echo \"\$3: \$1, wanted \$2\" >&2; exit 1; }; }
		$1"
}

@test "the programs package has every program, its page and its completion, and the scripts" {
	files_of ctv-mirror >"$BATS_TEST_TMPDIR/files"
	for source in "$ROOT"/tools/*.c; do
		tool=$(basename "$source" .c)
		grep -x "/usr/bin/$tool" "$BATS_TEST_TMPDIR/files"
		grep -x "/usr/share/man/man1/$tool.1.gz" "$BATS_TEST_TMPDIR/files"
		grep -x "/usr/share/bash-completion/completions/$tool" "$BATS_TEST_TMPDIR/files"
	done
	grep -x /usr/lib/ctv-mirror/host-setup.sh "$BATS_TEST_TMPDIR/files"
	run grep -vE '^/usr/(bin|lib/ctv-mirror|share/(man|doc|lintian|bash-completion))/' "$BATS_TEST_TMPDIR/files"
	expect 1
}

@test "the role packages have units and settings of the system, all of it below /usr and /lib" {
	for role in standby primary; do
		files_of ctv-mirror-$role >"$BATS_TEST_TMPDIR/files"
		grep -E '/systemd/system/ctv-status\.timer$' "$BATS_TEST_TMPDIR/files"
		grep -x /usr/lib/sysusers.d/ctv-mirror.conf "$BATS_TEST_TMPDIR/files"
		run grep -vE '^(/usr)?/lib/systemd/system(-generators)?/|^/usr/lib/(sysusers|tmpfiles)\.d/|^/usr/share/(doc|polkit-1)/|^/etc/logrotate.d/' \
			"$BATS_TEST_TMPDIR/files"
		expect 1
	done
	[ "$(dpkg-deb -f "$DEB"/ctv-mirror-standby_*.deb Conflicts)" = ctv-mirror-primary ]
	[ "$(dpkg-deb -f "$DEB"/ctv-mirror-primary_*.deb Conflicts)" = ctv-mirror-standby ]
}

@test "no path of another installation, and no place holder, is in any file" {
	for package in ctv-mirror ctv-mirror-standby ctv-mirror-primary; do
		dpkg-deb -x "$DEB/$package"_*.deb "$BATS_TEST_TMPDIR/$package"
		run grep -rlE '@(APP|BIN|LIB|ROLE|NODE|OWNER)@|/usr/local/lib/ctv' "$BATS_TEST_TMPDIR/$package"
		expect 1
	done
}

@test "the dependencies are what the programs are linked to, and what each role calls" {
	dpkg-deb -x "$DEB"/ctv-mirror_*.deb "$BATS_TEST_TMPDIR/root"
	linked=$(readelf -d "$BATS_TEST_TMPDIR"/root/usr/bin/* 2>/dev/null | sed -n 's/.*NEEDED.*\[lib\([a-z]*\).*/\1/p' |
		sort -u | grep -vc '^m$')
	libraries=$(needs ctv-mirror | tr ' ' '\n' | grep -c '^lib')
	[ "$linked" -eq "$libraries" ]
	grep -qw curl <<<"$(needs ctv-mirror)"
	[ "$(needs ctv-mirror-standby | sed 's/systemd .*/systemd/')" = 'ctv-mirror git lighttpd polkitd systemd' ]
	# the publisher starts the nightly job
	[ "$(needs ctv-mirror-primary | sed 's/systemd .*/systemd/')" = 'ctv-mirror polkitd systemd' ]
}

@test "lintian has nothing to say that no override explains" {
	run lintian --allow-root --fail-on error,warning "$DEB"/*.changes
	expect 0
}

@test "built again, in another directory, each package has the same bytes" {
	make -s -C "$ROOT" B="$BATS_TEST_TMPDIR/two" deb >/dev/null 2>&1
	for package in "$DEB"/*.deb; do
		cmp "$package" "$BATS_TEST_TMPDIR/two/deb/${package##*/}"
	done
}

@test "installed, the standby is set up, its application's unit untouched; purged, all is gone but the database" {
	needs_root 'to install'
	on_host '
		clone
		install standby
		is "$(cat /var/lib/ctv-mirror/role)" standby role
		is "$(stat -c %U:%G:%a /etc/ctv-db-sync.env)" root:ctvsync:640 settings
		is "$(stat -c %U $app/scripts/failover-to-pi2.sh)" keeper link
		is "$(readlink $app/scripts/failover-to-pi2.sh)" /usr/lib/ctv-mirror/failover-to-pi2.sh link
		for unit in ctv-pi2-download.timer ctv-status.timer control-station.service; do
			is "$(systemctl is-enabled $unit)" enabled $unit
		done
		is "$(systemctl is-enabled flaskapp.service || :)" disabled flaskapp
		[ ! -e /etc/systemd/system/lighttpd.service.d ]

		echo "# of the operator" >>/etc/ctv-db-sync.env
		install standby
		grep -q "of the operator" /etc/ctv-db-sync.env

		# what was followed is the jobs own, and goes; through a link nothing does
		followed=$app/data/database/.follow
		setpriv --reuid ctvsync --regid ctvsync --init-groups sh -c "umask 007; mkdir $followed && touch $followed/newest.db"
		dpkg -r ctv-mirror-standby ctv-mirror
		[ ! -e $followed ]
		mkdir /srv/elsewhere && touch /srv/elsewhere/newest.db && chown -R ctvsync:ctvsync /srv/elsewhere
		install standby
		ln -s /srv/elsewhere $followed
		dpkg -r ctv-mirror-standby ctv-mirror
		[ -e /srv/elsewhere/newest.db ] && rm $followed
		[ ! -h $app/scripts/failover-to-pi2.sh ]
		[ ! -h /etc/systemd/system/timers.target.wants/ctv-status.timer ]
		grep -q "of the operator" /etc/ctv-db-sync.env
		is "$(cat /var/lib/ctv-mirror/role)" standby role
		dpkg -P ctv-mirror-standby ctv-mirror
		[ ! -e /etc/ctv-db-sync.env ] && [ ! -e /var/lib/ctv-mirror ] && [ ! -e /etc/logrotate.d/ctv-mirror ]
		is "$(cat $app/data/database/production.db)" live database'
}

@test "a host that serves: an upgrade leaves it so, a removal is refused and changes nothing" {
	needs_root 'to install'
	on_host '
		clone
		install standby
		echo active >/var/lib/ctv-mirror/role
		install standby
		is "$(cat /var/lib/ctv-mirror/role)" active role
		! dpkg -P ctv-mirror-standby ctv-mirror 2>/tmp/why || exit 1
		grep "serves in place of the primary: fail back first" /tmp/why
		is "$(systemctl is-enabled ctv-status.timer)" enabled timer
		[ -h $app/scripts/failover-to-pi2.sh ] && [ -x /usr/bin/svc-ctl ] && [ -e /etc/ctv-db-sync.env ]'
}

@test "the site of lighttpd stays off where it came with us, and our note about it goes at the end" {
	needs_root 'to install'
	on_host '
		off=/etc/systemd/system/lighttpd.service.d/ctv-mirror.conf
		# as apt does it: all are unpacked, then all are set up
		sed -i "/^Package: lighttpd\$/,/^\$/s/^Status: .*/Status: install ok unpacked/" /var/lib/dpkg/status
		dpkg --force-unsafe-io --unpack /mnt/ctv-mirror_*.deb /mnt/ctv-mirror-standby_*.deb
		grep ConditionPathExists=/nonexistent $off
		dpkg -P ctv-mirror-standby ctv-mirror
		[ ! -e $off ]'
}

@test "a host of make install, and one of the other role, are not taken over by the way" {
	needs_root 'to install'
	on_host '
		mkdir -p /usr/local/lib/ctv-mirror && echo >/usr/local/lib/ctv-mirror/programs
		! install primary 2>/tmp/why || exit 1
		grep "make uninstall" /tmp/why
		rm -r /usr/local/lib/ctv-mirror
		install primary
		is "$(systemctl is-enabled ctv-db-sync.timer)" enabled timer
		is "$(cat /var/lib/ctv-mirror/role)" primary role
		dpkg -r ctv-mirror-primary
		! install standby 2>/tmp/why || exit 1
		grep "this host is installed as primary" /tmp/why'
}

@test "what is installed does the main job, as debian/tests has it" {
	needs_root 'to install'
	cp "${CTV_BUILD:-$ROOT/build}/dropboxd" "$ROOT/debian/tests/main-job" "$DEB"
	on_host '
		dpkg --force-unsafe-io -i /mnt/ctv-mirror_*.deb
		AUTOPKGTEST_TMP= DROPBOXD=/mnt/dropboxd sh /mnt/main-job'
}
