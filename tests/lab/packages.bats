#!/usr/bin/env bats
# The Debian packages on hosts whose systemd runs: what a run, an application that serves, an administrator's wish and a
# port have to fear from dpkg. What is in them, and chroots without systemd: packages.bats beside this directory.

load lab

# later_units TREE: what a later version might have more than this one: a unit that runs for ever, and a timer
later_units() {
	local dir
	dir=$(dirname "$(find "$1/ctv-mirror-standby" -name ctv-status.timer)")
	printf '%s\n' '[Service]' 'ExecStart=/bin/sleep infinity' '[Install]' WantedBy=multi-user.target >"$dir/ctv-later.service"
	printf '%s\n' '[Timer]' 'OnCalendar=2199-01-01' Unit=ctv-later.service '[Install]' WantedBy=timers.target >"$dir/ctv-later.timer"
	sed -i "s/^\tarmed='ctv-pi2-download.timer/& ctv-later.service ctv-later.timer/" "$1/ctv-mirror/usr/lib/ctv-mirror/host-setup.sh"
	grep -q ctv-later "$1/ctv-mirror/usr/lib/ctv-mirror/host-setup.sh"
}

# a day's base: the hosts of make install, one night behind them; on pi2 besides what dpkg knows of this machine, and the
# packages in two versions
setup_file() {
	local deb=$BATS_FILE_TMPDIR/deb new=$BATS_FILE_TMPDIR/new package
	lab_hosts base
	[ -z "$LAB_WHY" ] || return 0
	debs "$deb"
	mkdir "$new"
	for package in ctv-mirror ctv-mirror-standby ctv-mirror-primary; do
		dpkg-deb -R "$deb/$package"_*.deb "$new/$package"
		# the same again, called a later version
		sed -i "s/$(dpkg-deb -f "$deb/$package"_*.deb Version | sed 's/\./\\./g')/9.0/g" "$new/$package/DEBIAN/control"
	done
	later_units "$new"
	for package in ctv-mirror ctv-mirror-standby ctv-mirror-primary; do
		dpkg-deb --root-owner-group -b "$new/$package" "$new" >/dev/null
	done
	night
	tar -C "${LAB_ROOT:-}/var/lib/dpkg" -c status triggers alternatives $(cd "${LAB_ROOT:-}/var/lib/dpkg" && ls -d info/*.list arch 2>/dev/null) |
		pi2 sh -c 'mkdir -p /var/lib/dpkg/updates /var/lib/dpkg/parts /var/lib/dpkg/info && tar -C /var/lib/dpkg -x'
	tar -C "$deb" -c --transform 's,^\./,old/,' $(cd "$deb" && ls ./*.deb) | pi2 tar -C /root -x
	tar -C "$new" -c --transform 's,^\./,new/,' $(cd "$new" && ls ./*.deb) | pi2 tar -C /root -x
	lab_off
}

teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

# packages old|new [ROLE]: installed as a person does it
packages() {
	pi2 sh -c "DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io -i /root/$1/ctv-mirror_*.deb /root/$1/ctv-mirror-${2:-standby}_*.deb"
}
# switched: from make install to the packages
switched() {
	pi2 make -s -C /usr/src/ctv-mirror uninstall
	packages "${1-old}"
}
version() { pi2 dpkg-query -W -f '${db:Status-Status} ${Version}' ctv-mirror-standby; }
property() { pi2 systemctl show -P "$1" "$2"; }
enabled() { pi2 systemctl is-enabled "$1" || true; }
ARMED='ctv-pi2-download.timer ctv-code.path ctv-follow.service ctv-follow-check.timer ctv-resume.service ctv-settle.path ctv-status.timer ctv-status.path control-station.service'

# armed: the units that an installation starts are enabled, the timers run, the page is served, and nothing has failed
armed() {
	local unit
	for unit in $ARMED; do
		[ "$(enabled "$unit")" = enabled ] || { echo "$unit: $(enabled "$unit")" >&2; return 1; }
	done
	[ "$(pi2 systemctl is-active ctv-pi2-download.timer ctv-status.timer ctv-settle.path control-station.service | sort -u)" = active ]
	[ -z "$(pi2 systemctl --failed --no-legend --plain)" ]
}

# a night of the packages brings what was entered
brings() {
	enter $PRIMARY "$1"
	night
	notes pi2 | grep -qx "$1"
}

@test "a host of make install becomes one of the packages: settings, state and database stay, a night and a failover work" {
	packages_refused() { run packages old; expect 1 'make uninstall'; }
	packages_refused
	before=$(pi2 sh -c "md5sum /etc/ctv-db-sync.env $STATE/role $STATE/installed.json $LIVE")
	pi2 make -s -C /usr/src/ctv-mirror uninstall
	[ -z "$(pi2 sh -c 'ls -d /etc/systemd/system/ctv-*.service /usr/local/bin/* /usr/local/lib/ctv-mirror 2>/dev/null')" ]
	packages old
	[ "$(pi2 sh -c "md5sum /etc/ctv-db-sync.env $STATE/role $STATE/installed.json $LIVE")" = "$before" ]
	armed
	[ "$(pi2 readlink $APP/scripts/failover-to-pi2.sh)" = /usr/lib/ctv-mirror/failover-to-pi2.sh ]
	[ "$(property FragmentPath ctv-pi2-download.service)" != /etc/systemd/system/ctv-pi2-download.service ]
	brings packaged
	run pi2 ctv-doctor.sh
	[[ $output != *"make install"* ]]
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	answers $STANDBY
}

@test "an upgrade while a download is under way leaves that run alone, and it ends well" {
	switched
	pi2 sh -c 'sed -i s/^CTV_CHANGES_EVERY=.*/CTV_CHANGES_EVERY=1m/ /etc/ctv-db-sync.env; systemctl restart ctv-follow.service'
	enter $PRIMARY meanwhile
	lab run pi-ctv systemctl start ctv-db-sync.service
	lab cut pi2 dropbox
	pi2 systemctl start --no-block ctv-pi2-download.service
	eventually eval '[ "$(property ActiveState ctv-pi2-download.service)" = activating ]'
	eventually eval '[ "$(property MainPID ctv-pi2-download.service)" -gt 0 ]'
	followed=$(property InvocationID ctv-follow.service)
	was=$(property MainPID ctv-pi2-download.service) run=$(property InvocationID ctv-pi2-download.service)
	packages new
	[ "$(version)" = 'installed 9.0' ]
	[ "$(property MainPID ctv-pi2-download.service)" = "$was" ]
	# but what runs for ever goes on as the new version
	eventually eval '[ "$(property InvocationID ctv-follow.service)" != "$followed" ] && [ "$(property ActiveState ctv-follow.service)" = active ]'
	lab join pi2 dropbox
	eventually eval '[ "$(property ActiveState ctv-pi2-download.service)" != activating ]'
	[ "$(property InvocationID ctv-pi2-download.service)" = "$run" ]
	[ "$(property Result ctv-pi2-download.service)" = success ]
	notes pi2 | grep -qx meanwhile
	armed
}

@test "a host that serves is neither stopped nor restarted by upgrade, downgrade or repeat; its removal is refused whole" {
	switched
	lab poweroff pi-ctv
	failover -y
	enter $STANDBY served
	was=$(property MainPID flaskapp.service) page=$(property MainPID control-station.service)
	for each in new new old; do
		packages $each
		[ "$(property MainPID flaskapp.service)" = "$was" ]
		[ "$(property MainPID control-station.service)" = "$page" ]
		[ "$(role)" = active ]
		answers $STANDBY
		armed
	done
	for how in -r -P; do
		run pi2 dpkg $how ctv-mirror-standby
		expect 1 'this host serves in place of the primary: fail back first'
		run pi2 dpkg $how ctv-mirror-standby ctv-mirror
		expect 1 'this host serves in place of the primary: fail back first'
	done
	run packages old primary
	expect 1
	[[ $(version) == 'installed '* ]]
	[ "$(property MainPID flaskapp.service)" = "$was" ]
	[ "$(property MainPID control-station.service)" = "$page" ]
	pi2 test -h $APP/scripts/failover-to-pi2.sh -a -x /usr/bin/svc-ctl -a -s /etc/ctv-db-sync.env
	armed
	answers $STANDBY
	# after the failback it goes
	lab boot pi-ctv
	serving $PRIMARY
	failback --yes
	pi2 dpkg -r ctv-mirror-standby ctv-mirror
}

@test "what an administrator has disabled or masked stays so, through upgrade, downgrade, removal and return" {
	switched
	pi2 systemctl disable -q --now ctv-pi2-download.timer
	pi2 systemctl disable -q --now control-station.service
	pi2 systemctl mask -q --now ctv-settle.path
	for each in new old; do
		run packages $each
		expect 0 'ctv-pi2-download.timer: disabled, and stays so: systemctl enable --now ctv-pi2-download.timer'
		[ "$(enabled ctv-pi2-download.timer)/$(property ActiveState ctv-pi2-download.timer)" = disabled/inactive ]
		[ "$(enabled control-station.service)/$(property ActiveState control-station.service)" = disabled/inactive ]
		[ "$(enabled ctv-settle.path)/$(property ActiveState ctv-settle.path)" = masked/inactive ]
		[ "$(enabled ctv-status.timer)/$(property ActiveState ctv-status.timer)" = enabled/active ]
	done
	pi2 dpkg -r ctv-mirror-standby ctv-mirror
	packages new
	[ "$(enabled ctv-pi2-download.timer)/$(property ActiveState ctv-pi2-download.timer)" = disabled/inactive ]
	[ "$(enabled ctv-status.timer)/$(property ActiveState ctv-status.timer)" = enabled/active ]
	pi2 systemctl enable -q --now ctv-pi2-download.timer control-station.service
	pi2 systemctl unmask -q ctv-settle.path
	pi2 systemctl enable -q --now ctv-settle.path
	packages old
	armed
}

@test "removed, the host is still and its data stay; purged, settings and state go, the database never; installed again, it works" {
	switched
	settings=$(pi2 cat /etc/ctv-db-sync.env)
	database=$(pi2 md5sum $LIVE)
	pi2 dpkg -r ctv-mirror-standby ctv-mirror
	[ -z "$(pi2 sh -c 'systemctl list-units --all --no-legend --plain "ctv-*.timer" "ctv-*.path" ctv-follow.service control-station.service | grep " active "')" ]
	[ -z "$(pi2 find /etc/systemd/system -name 'ctv-*' ! -name '*.d' -o -name place.conf)" ]
	pi2 test ! -h $APP/scripts/failover-to-pi2.sh
	[ "$(pi2 cat /etc/ctv-db-sync.env)" = "$settings" ]
	[ "$(role)" = standby ]
	run office curl -s -m 5 http://100.96.96.109:5001/
	[ "$status" -ne 0 ]
	packages new
	armed
	brings again
	pi2 dpkg -P ctv-mirror-standby ctv-mirror
	for gone in /etc/ctv-db-sync.env $STATE /var/log/ctv-pi2-download /etc/logrotate.d/ctv-mirror; do pi2 test ! -e $gone; done
	[ "$(pi2 md5sum $LIVE)" != "$database" ]
	sound pi2
	notes pi2 | grep -qx again
	packages old
	armed
}

@test "a downgrade is safe: what only the later version had runs no longer, what it wrote stops no night and no failover, and it comes back" {
	switched new
	later() { echo "$(enabled "ctv-later.$1")/$(property ActiveState "ctv-later.$1")"; }
	[ "$(later service) $(later timer)" = 'enabled/active enabled/active' ]
	# settings and state of which this version knows nothing
	pi2 sh -c "echo CTV_LATER=of-a-later-version >>/etc/ctv-db-sync.env
		jq -c '. + {later: {schema: 9}}' $STATE/installed.json >/root/installed && cat /root/installed >$STATE/installed.json"
	packages old
	[ "$(property ActiveState ctv-later.service)/$(property ActiveState ctv-later.timer)" = inactive/inactive ]
	[ -z "$(pi2 find /etc/systemd/system -name 'ctv-later*')" ]
	armed
	brings downgraded
	packages new
	[ "$(later service) $(later timer)" = 'enabled/active enabled/active' ]
	packages old
	lab poweroff pi-ctv
	run failover -y
	expect 0 'FAILOVER COMPLETE'
	notes pi2 | grep -qx downgraded
}

@test "no port opens but 5001, where lighttpd comes with the package, and where it was there and served" {
	ports() { pi2 ss -Hltn | awk '{ sub(".*:", "", $4); print $4 }' | sort -un | tr '\n' ' '; }
	# a package like Debian's, which this machine has no copy of: the program, and a site on port 80 that starts with it
	pi2 sh -c 'mkdir -p /root/l/DEBIAN /root/l/usr/sbin /root/l/lib/systemd/system /root/l/etc/lighttpd && cp /usr/sbin/lighttpd /root/l/usr/sbin/ &&
		printf "%s\n" "Package: lighttpd" "Version: 99" "Architecture: all" "Maintainer: x" "Description: x" >/root/l/DEBIAN/control &&
		printf "%s\n" "#!/bin/sh" "systemctl daemon-reload; systemctl enable -q lighttpd; systemctl start lighttpd" >/root/l/DEBIAN/postinst &&
		chmod 755 /root/l/DEBIAN/postinst &&
		printf "%s\n" "[Service]" "ExecStart=/usr/sbin/lighttpd -D -f /etc/lighttpd/site.conf" "[Install]" "WantedBy=multi-user.target" >/root/l/lib/systemd/system/lighttpd.service &&
		printf "%s\n" "server.document-root = \"/tmp\"" "server.port = 80" >/root/l/etc/lighttpd/site.conf &&
		dpkg-deb -b /root/l /root/lighttpd_99_all.deb'
	pi2 make -s -C /usr/src/ctv-mirror uninstall
	pi2 sh -c 'dpkg --force-all -P lighttpd; rm -f /usr/sbin/lighttpd'
	# unpacked in the order of need, as apt does it
	pi2 sh -c 'dpkg --force-unsafe-io -i /root/lighttpd_99_all.deb /root/old/ctv-mirror_*.deb /root/old/ctv-mirror-standby_*.deb'
	serving_page() { office curl -sf -o /dev/null -m 5 http://100.96.96.109:5001/; }
	round pi2
	serving_page
	[ "$(ports)" = '5001 ' ]
	packages new
	lab reboot pi2
	[ "$(ports)" = '5001 ' ]
	# a site that was there before is the administrator's
	pi2 dpkg -P ctv-mirror-standby ctv-mirror
	pi2 sh -c 'systemctl daemon-reload; systemctl start lighttpd'
	[ "$(ports)" = '80 ' ]
	packages old
	[ "$(ports)" = '80 5001 ' ]
}
