#!/usr/bin/env bats
# trust-check.sh: what the application's user may write, by owners and modes; each finding with what mends it

load helper

# the application is nobody's, the clone is daemon's, as an operator's would be
setup() {
	needs_root 'to give files to others'
	# daemon comes here, as the hints want
	D=$(mktemp -d /tmp/trust-check.XXXXXX)
	chmod 755 "$D"
	export D
	cd "$D"
	mkdir -p stubs app/.git/hooks app/.venv/bin app/scripts app/bin app/data/database app/logs
	touch app/.git/config
	chown -R daemon:daemon app
	chown nobody app/data app/data/database app/logs
	export CTV_APP_DIR=$PWD/app CTV_ENV_FILE=$PWD/env CTV_SERVICE=flaskapp.service PATH=$PWD/stubs:$PATH
	install -m 640 /dev/null env
	# unit properties, as systemctl show -P prints them: NAME UNIT VALUE
	: >shown
	cat >stubs/systemctl <<-'END'
		#!/bin/sh
		[ "$1 $2" = 'show -P' ] || exit 1
		unit=${4%.service}
		case $3 in User) [ "$unit" != flaskapp ] || echo nobody ;; esac
		sed -n "s,^$3 $unit ,,p" "$D/shown"
	END
	chmod +x stubs/systemctl
}

teardown() {
	cd /
	rm -rf "${D:-/nonexistent}"
}

check() { run trust-check.sh; }

# mended: the one finding's hint, done by who it says
mended() {
	hint=$(sed -n 's/^hint: as daemon: //p' <<<"$output")
	[ -n "$hint" ]
	setpriv --reuid daemon --regid daemon --groups "$(id -g daemon),$(id -g nobody)" sh -c "$hint"
	check
	expect 0 '^TRUST OK: '
}

@test "a clone that an operator alone may write is in order, whatever the data are" {
	check
	expect 0 '^TRUST OK: the application.s user nobody may write nothing .*\| findings=0$'
	[ "$(wc -l <<<"$output")" -eq 1 ]
}

@test "a clone, its git, its Python or a script directory that the application may write is a warning, and the hint mends it" {
	for place in . .git .git/config .git/hooks .venv .venv/bin scripts bin; do
		chgrp nogroup app/$place
		chmod g+w app/$place
		check
		expect 1 "^TRUST WARNING: .* findings=1$"
		expect 1 "user nobody may write there, and so do as whoever runs the code$"
		mended
		chmod o+w app/$place
		check
		expect 1 'findings=1$'
		mended
	done
}

@test "a directory above is as good; one with the sticky bit is not" {
	mkdir up
	mv app up/
	export CTV_APP_DIR=$PWD/up/app
	chmod 1777 up
	check
	expect 0
	chmod 777 up
	check
	expect 1 "^$PWD/up: the application.s user nobody may write there"
	[ "$(grep -c 'may write there' <<<"$output")" -eq 1 ]
}

@test "a clone of the application's own is to be made anew" {
	chown nobody app
	check
	expect 1 "^hint: clone it anew as an operator, ctv-mirror\(7\), and take $PWD/app/data along$"
}

@test "an EnvironmentFile= in a place that the application may write is found, in a job's unit too" {
	echo "EnvironmentFiles flaskapp $PWD/app/data/x.env (ignore_errors=yes)" >shown
	echo "EnvironmentFiles ctv-settle /etc/passwd (ignore_errors=no)" >>shown
	check
	expect 1 "^flaskapp.service: EnvironmentFile=$PWD/app/data/x.env: systemd reads it as root, and nobody may write $PWD/app/data$"
	expect 1 'findings=1$'
	echo "EnvironmentFiles ctv-settle $PWD/app/data/y.env (ignore_errors=no)" >shown
	check
	expect 1 '^ctv-settle.service: EnvironmentFile='
}

@test "a .env that is no file, or that the application cannot read, is named with the command; the settings must not be readable" {
	echo A=1 >app/.env
	chown daemon:nogroup app/.env
	chmod 640 app/.env
	check
	expect 0
	chmod 600 app/.env
	check
	expect 1 "^$PWD/app/.env: the application.s user nobody cannot read it$"
	expect 1 "^hint: as daemon: chgrp nogroup $PWD/app/.env; chmod 640 $PWD/app/.env$"
	rm app/.env
	mkfifo app/.env
	check
	expect 1 'not a regular file'
	rm app/.env
	ln -s /etc/shadow app/.env
	check
	expect 1 'not a regular file'
	rm app/.env
	chgrp nogroup env
	check
	expect 1 "^$PWD/env: the application.s user nobody can read the token$"
}

@test "what the user may write and the sandbox does not let it is named; --writes lists it, links not followed" {
	printf '%s\n' 'ProtectSystem flaskapp strict' "ReadWritePaths flaskapp -$PWD/app/data /x" >shown
	ln -s /tmp app/tmp
	check
	expect 1 "^flaskapp.service cannot write $PWD/app/logs, which its user nobody may$"
	expect 1 'findings=1$'
	run trust-check.sh --writes
	expect 0
	[ "$(sort <<<"$output")" = "$(printf '%s\n' "$PWD/app/data" "$PWD/app/logs")" ]
	printf '%s\n' 'ProtectSystem flaskapp strict' "ReadWritePaths flaskapp +$PWD/app/data -$PWD/app/logs" >shown
	check
	expect 0
}

@test "a name that the application chose drives no terminal" {
	printf '%s\n' 'ProtectSystem flaskapp strict' "ReadWritePaths flaskapp $PWD/app/data $PWD/app/logs" >shown
	chmod 777 app
	mkdir "app/$(printf 'x\033[2J')"
	chown nobody app/x*
	check
	expect 1
	run grep -c "$(printf '\033')" <<<"$output"
	expect 1 '^0$'
}

@test "what is not known is not in order: no such user, no application, a unit of root's, a wrong command line" {
	CTV_APP_DIR=/nonexistent check
	expect 3 '^TRUST UNKNOWN: /nonexistent: no such directory$'
	sed -i 's/nobody/nobody-else/' stubs/systemctl
	check
	expect 3 '^TRUST UNKNOWN: flaskapp.service: its user nobody-else is not there$'
	sed -i 's/nobody-else/root/' stubs/systemctl
	check
	expect 3 'runs as root'
	run trust-check.sh --nonsense
	expect 3 'trust-check.sh --help'
}
