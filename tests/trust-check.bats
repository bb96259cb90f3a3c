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
	mkdir -p state log run/www
	chmod 750 state log
	export CTV_STATE_DIR=$PWD/state CTV_LOG_DIR=$PWD/log CTV_RUN_DIR=$PWD/run
	# unit properties, as systemctl show prints them, once for all units: UNIT NAME=VALUE
	: >shown
	cat >stubs/systemctl <<-'END'
		#!/bin/sh
		[ "$1 $2" = 'show -p' ] || exit 1
		exec awk 'BEGIN {
			of["flaskapp"] = "User=nobody\n"
			while ((getline <(ENVIRON["D"] "/shown")) > 0) { unit = $1; sub(/^[^ ]* /, ""); of[unit] = of[unit] $0 "\n" }
			for (i = 1; i < ARGC; i++) if (ARGV[i] == "-p") i++; else if (i > 1) {
				if (n++) print ""
				sub(/\.service$/, "", ARGV[i]); printf "%s", ARGV[i] in of ? of[ARGV[i]] : "User=root\n"
			}
		}' "$@"
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

@test "a .git that is a file: git's directory is looked at where it is, and the one that it shares" {
	rm -r app/.git
	mkdir -p git/worktrees/app git/hooks
	echo ../.. >git/worktrees/app/commondir
	echo 'gitdir: ../git/worktrees/app' >app/.git
	touch git/config
	chown -R daemon:daemon git app/.git
	check
	expect 0 '^TRUST OK'
	for place in git/worktrees/app git/hooks git/config git; do
		chmod o+w $place
		check
		expect 1 "^$D/$place: the application's user nobody may write there"
		expect 1 'findings=1$'
		mended
	done
	ln -s "$D/app/data/hook" git/hooks/post-merge
	check
	expect 1 "^$D/app/data: the application's user nobody may write there, and a link in $D/git leads there"
	rm git/hooks/post-merge
	# what he may write himself leads nowhere: it is a finding, and not opened
	echo "gitdir: $D/app/data" >app/.git
	chown nobody app/.git
	check
	expect 1 "^$D/app/.git: the application's user nobody may write there"
	expect 1 'findings=1$'
	echo 'gitdir: ../git/worktrees/app' >app/.git
	chown daemon app/.git
	echo "$D/app/data" >git/worktrees/app/commondir
	chown nobody git/worktrees/app/commondir
	check
	expect 1 "^$D/git/worktrees/app/commondir: the application's user nobody may write there"
	expect 1 'findings=1$'
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

@test "an access list gives as much as a mode: on the code, on a parent, to what will be made there; the hint takes it away" {
	for who in u:nobody g:nogroup d:u:nobody; do
		for place in . .git/hooks .venv/bin; do
			setfacl -m $who:rwx app/$place
			check
			expect 1 "^$PWD/app(/$place)?: the application.s user nobody may write there"
			expect 1 'findings=1$'
			mended
		done
	done
	# of two in one directory the first is named, and that alone
	mkdir app/scripts/a app/scripts/b
	setfacl -m u:nobody:rwx app/scripts/a app/scripts/b
	check
	expect 1 "^$PWD/app/scripts/[ab]: the application.s user nobody may write there"
	expect 1 'findings=1$'
	rm -r app/scripts/a app/scripts/b
	# another's, and what the mask takes away, are none
	setfacl -m u:irc:rwx,u:nobody:rwx,m::r-x app
	check
	expect 0
	setfacl -m u:nobody:r env
	check
	expect 1 "env: the application.s user nobody can read the token$"
	expect 1 'findings=1$'
	setfacl -b env
	setfacl -m u:nobody:rwx app/logs app/scripts/..
	mkdir app/more
	setfacl -b app
	setfacl -m u:nobody:rwx app/more
	run trust-check.sh --writes
	expect 0 "^$PWD/app/more$"
}

@test "one file inside is enough: a hook, a module of the clone's Python, a script" {
	for place in .git/hooks/post-merge .venv/lib/python3/site-packages/sitecustomize.py scripts/tool; do
		install -D -o daemon /dev/null app/$place
		find app -user root -exec chown daemon {} +
		check
		expect 0
		chmod o+w app/$place
		check
		expect 1 "^$PWD/app/$place: the application.s user nobody may write there"
		mended
		chown nobody app/$place
		check
		expect 1 "^$PWD/app/$place: "
		rm app/$place
	done
}

@test "a link in the code that leads to what the application may write is a finding; one to what it may not is none" {
	ln -s /usr/bin/python3 app/.venv/bin/python3
	mkdir app/.venv/lib
	ln -s lib app/.venv/lib64
	ln -s nowhere app/scripts/gone
	ln -s loop app/scripts/loop
	check
	expect 0 '^TRUST OK'
	mkdir -p 'app/data/a b' elsewhere/bin
	touch app/data/hook elsewhere/bin/python
	chown -R nobody app/data
	while read -r link target open; do
		ln -s "$D/$target" "app/$link"
		check
		expect 1 'findings=1$'
		expect 1 "^$D/$open: the application's user nobody may write there, and a link in $D/app/${link%%/*} leads there\$"
		rm "app/$link"
	done <<-END
		scripts/x.sh app/data/hook app/data
		.git/hooks/post-merge app/data/hook app/data
		bin/dir app/data/a? app/data
		bin/gone app/data/not/yet app/data
	END
	# nobody's file in an operator's directory, and a directory above one that is not his
	chown nobody elsewhere/bin/python
	ln -s "$D/elsewhere/bin/python" app/.venv/bin/python
	check
	expect 1 "^$D/elsewhere/bin/python: .* a link in $D/app/.venv leads there\$"
	chown root elsewhere/bin/python
	chmod o+w elsewhere
	check
	expect 1 "^$D/elsewhere: .* a link in $D/app/.venv leads there\$"
	chmod o-w elsewhere
	# inside of a directory that is not his
	ln -sfn "$D/elsewhere" app/.venv/bin/python
	check
	expect 0
	chown nobody elsewhere/bin/python
	check
	expect 1 "^$D/elsewhere/bin/python: .* a link in $D/app/.venv leads there\$"
}

@test "where a link leads to may have any name: it is looked at to its end, and nothing of the name is an order" {
	chown nobody app/data
	mkdir app/data/keep
	for name in $'a\n-delete' $'\nb' '-delete' 'a  b' '*' $'a\n/'; do
		ln -s "$D/app/data/keep/$name" app/scripts/x
		run timeout 20 trust-check.sh
		expect 1 'findings=1$'
		expect 1 "^$D/app/data: the application's user nobody may write there, and a link in $D/app/scripts leads there\$"
		[ -d app/data/keep ]
		rm app/scripts/x
	done
}

@test "the state, the logs, the page: nobody of the application writes there, or reads the first two" {
	for place in state log run/www; do
		for right in g+w o+w; do
			chgrp nogroup $place
			chmod $right $place
			check
			expect 1 "^$PWD/$place: nobody may write there, and the jobs believe what they find in $PWD/$place$"
			chgrp root $place
			chmod go-w $place
		done
	done
	for place in state log; do
		chmod o+rx $place
		check
		expect 1 "^$PWD/$place: nobody can read it$"
		expect 1 '^hint: .*host-setup.sh standby install$'
		chmod o-rx $place
	done
	CTV_NODE=pi-ctv check
	expect 0
}

@test "the groups that its unit gives it count, and one that is as good as root is named" {
	echo 'flaskapp SupplementaryGroups=adm ctvx' >shown
	check
	expect 0
	echo 'flaskapp SupplementaryGroups=docker daemon' >shown
	chgrp daemon env app/.git
	chmod g+w app/.git
	check
	expect 1 '^flaskapp.service: gives the application the group docker$'
	expect 1 "^$PWD/env: the application.s user nobody can read the token$"
	expect 1 "^$PWD/app/.git: the application.s user nobody may write there"
	expect 1 'findings=3$'
}

@test "a program that a unit runs as root in spite of User=, in a place that the application may write" {
	echo "flaskapp ExecStartPreEx={ path=$PWD/app/logs/x ; argv[]=$PWD/app/logs/x a ; flags=privileged ; start_time=[n/a] }" >shown
	check
	expect 1 "^flaskapp.service: runs $PWD/app/logs/x as root, and nobody may write $PWD/app/logs$"
	echo "flaskapp ExecStartEx={ path=$PWD/app/logs/x ; argv[]=$PWD/app/logs/x a ; flags= ; start_time=[n/a] }" >shown
	check
	expect 0
}

@test "a clone of the application's own is to be made anew" {
	chown nobody app
	check
	expect 1 "^hint: clone it anew as an operator, ctv-mirror\(7\), and take $PWD/app/data along$"
}

@test "an EnvironmentFile= in a place that the application may write is found, in a job's unit too" {
	echo "flaskapp EnvironmentFiles=$PWD/app/data/x.env (ignore_errors=yes)" >shown
	echo "ctv-settle EnvironmentFiles=/etc/passwd (ignore_errors=no)" >>shown
	check
	expect 1 "^flaskapp.service: EnvironmentFile=$PWD/app/data/x.env: systemd reads it as root, and nobody may write $PWD/app/data$"
	expect 1 'findings=1$'
	echo "ctv-settle EnvironmentFiles=$PWD/app/data/y.env (ignore_errors=no)" >shown
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
	printf '%s\n' 'flaskapp ProtectSystem=strict' "flaskapp ReadWritePaths=-$PWD/app/data /x" >shown
	ln -s /tmp app/tmp
	check
	expect 1 "^flaskapp.service cannot write $PWD/app/logs, which its user nobody may$"
	expect 1 'findings=1$'
	run trust-check.sh --writes
	expect 0
	[ "$(sort <<<"$output")" = "$(printf '%s\n' "$PWD/app/data" "$PWD/app/logs")" ]
	printf '%s\n' 'flaskapp ProtectSystem=strict' "flaskapp ReadWritePaths=+$PWD/app/data -$PWD/app/logs" >shown
	check
	expect 0
}

@test "a name of two lines is one finding with its hint, which mends it" {
	touch app/scripts/$'a\nb'
	chown daemon app/scripts/*
	chmod 666 app/scripts/*
	run --separate-stderr trust-check.sh
	expect 1 "app/scripts/a.b: the application.s user nobody may write there"
	[ -z "$stderr" ]
	[ "$(wc -l <<<"$output")" -eq 3 ]
	mended
}

@test "an application whose directory is a link: what its user may write is below it all the same" {
	mv app real
	ln -s real app
	[ "$(trust-check.sh --writes | sort | xargs)" = "$PWD/app/data $PWD/app/logs" ]
}

@test "what our own scripts read is looked at as they are" {
	cp -r "$ROOT/scripts" lib
	run lib/trust-check.sh
	expect 0
	chmod 777 lib/parts
	run lib/trust-check.sh
	expect 1 "^$PWD/lib/parts: nobody may write there, and so do as root$"
}

@test "a name that the application chose drives no terminal" {
	printf '%s\n' 'flaskapp ProtectSystem=strict' "flaskapp ReadWritePaths=$PWD/app/data $PWD/app/logs" >shown
	mkdir "app/$(printf 'x\033[2J')"
	chown nobody app/x*
	check
	expect 1
	run grep -c "$(printf '\033')" <<<"$output"
	expect 1 '^0$'
}

@test "a systemd that is silent is not waited for: what it would have said is not known" {
	printf '#!/bin/sh\nexec sleep 1000\n' >stubs/systemctl
	run timeout 60 trust-check.sh
	expect 3 '^TRUST UNKNOWN: systemd gives no answer in 5 s$'
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
