#!/usr/bin/env bats
# New code at GitHub, on the three set-ups of the clone: the manual's (the operator's), shared by the group, root's. The
# night, the operator's failover and root's bring it; whoever does, the same owner and modes are left, and the
# application serves.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() {
	lab_new
	# its rounds stop nothing here, and cost time
	[ -n "${LAB_WHY-}" ] || pi2 sh -c "systemctl disable -q --now ctv-status.timer ctv-status.path; systemctl stop ctv-status"
}
teardown() { lab_end; }

# push TEXT: a commit at GitHub that changes the program and adds a file
push() {
	local dev=$BATS_TEST_TMPDIR/dev
	[ -d "$dev" ] || git clone -q "$LAB/github/daseme/ctv-bookedbiz-db.git" "$dev"
	echo "# $1" >>"$dev/src/web/app.py"
	mkdir "$dev/new-$1"
	echo "$1" >"$dev/new-$1/file"
	git -C "$dev" add .
	git -C "$dev" -c user.name=x -c user.email=x@x commit -qm "$1"
	git -C "$dev" push -q
	newest=$(git -C "$dev" rev-parse HEAD)
}

# clone_of USER MODE: the clone, but not the data, is that user's alone, and the installation knows
clone_of() {
	pi2 sh -c "cd $APP &&
		find . -path ./data -prune -o -exec chown -h $1:$1 {} + &&
		find . -path ./data -prune -o ! -type l -exec chmod g-ws,o=g {} + &&
		make -s -C /usr/src/ctv-mirror install ROLE=standby"
}

# brought OWNER: the newest code is there, all of it that user's and readable for the application's
brought() {
	[ "$(pi2 setpriv --reuid "$1" --regid "$1" --init-groups git -C $APP rev-parse HEAD)" = "$newest" ]
	foreign=$(pi2 sh -c "find $APP/.git $APP/src $APP/new-* ! -user $1 -printf '%p %u '")
	[ -z "$foreign" ] || { echo "$foreign" >&2; false; }
	[ -z "$(pi2 /usr/local/lib/ctv-mirror/code-check.sh --unreadable)" ]
	pi2 setpriv --reuid ctvapps --regid ctvapps --init-groups sh -c "cat $APP/src/web/app.py $APP/new-*/file >/dev/null"
	run pi2 /usr/local/lib/ctv-mirror/code-check.sh
	expect 0 '^CODE OK'
}

# the night, then the operator, then root
all_three() {
	local owner=$1
	push night
	pi2 systemctl start ctv-pi2-download.service
	# what is there is not the end of the run that brings it, and before its begin there is neither
	eventually eval '[ "$(pi2 cat $APP/new-night/file)" = night ]'
	eventually idle pi2 ctv-code.service
	[ "$(pi2 systemctl show -P Result ctv-code.service)" = success ]
	brought "$owner"
	push operator
	run failover --force
	expect 0 'FAILOVER COMPLETE'
	if [ "$owner" = daseme ]; then
		expect 0 'code .*, was '
		brought "$owner"
	else
		expect 0 "update-code.sh: $APP: is root's, so an update is for that user or root$"
		expect 0 '^ *hint: sudo .*/update-code.sh$'
	fi
	answers $STANDBY
	failback
	push root
	run pi2 /usr/local/lib/ctv-mirror/failover-to-pi2.sh --force
	expect 0 'FAILOVER COMPLETE'
	expect 0 'code .*, was '
	brought "$owner"
	answers $STANDBY
}

@test "a clone that the operator made, as the manual says" {
	all_three daseme
}

@test "a clone that is shared by the group" {
	pi2 sh -c "cd $APP && setpriv --reuid daseme --regid daseme --init-groups git config -f .git/config core.sharedRepository group &&
		find . -path ./data -prune -o ! -type l -exec chgrp ctvapps {} + -exec chmod g+w {} + &&
		find . -path ./data -prune -o -type d -exec chmod g+s {} + &&
		make -s -C /usr/src/ctv-mirror install ROLE=standby"
	all_three daseme
}

@test "root's clone" {
	clone_of root
	all_three root
}

# noted VERDICT COMMIT: as the jobs' user; waits until ctv-code.service has carried it out, whose result is $result
noted() {
	local before
	before=$(pi2 systemctl show -P InvocationID ctv-code)
	pi2 setpriv --reuid ctvsync --regid ctvsync --init-groups code-note "$1" "$2"
	eventually eval '[ "$(pi2 systemctl show -P InvocationID ctv-code)" != '"'$before'"' ]'
	eventually eval '[[ "$(pi2 systemctl show -P ActiveState ctv-code)" =~ ^(inactive|failed)$ ]]'
	result=$(pi2 systemctl show -P Result ctv-code)
}

# is_at COMMIT
is_at() { [ "$(pi2 setpriv --reuid daseme --regid daseme --init-groups git -C $APP rev-parse HEAD)" = "$1" ]; }

@test "the nightly proof: its note is carried out by the clone's owner, who sees nothing else of the state, and never where this host serves" {
	first=$(pi2 /usr/local/lib/ctv-mirror/code-check.sh --commit)
	noted proved "$first"
	[ "$result" = success ]
	push bad
	pi2 systemctl start ctv-pi2-download.service
	eventually is_at "$newest"
	eventually eval '[ "$(pi2 systemctl show -P ActiveState ctv-code)" = inactive ]'
	noted back "$(pi2 /usr/local/lib/ctv-mirror/code-check.sh --commit)"
	[ "$result" = success ]
	is_at "$first"
	[ -z "$(pi2 find $APP/.git $APP/src ! -user daseme -print)" ]
	run pi2 journalctl -q -o cat -u ctv-code
	expect 0 "again; .* which failed the nightly proof"
	# only the notes
	pi2 sh -c 'mkdir -p /run/systemd/system/ctv-code.service.d && printf "%s\n" "[Service]" ExecStart= \
		"ExecStart=/bin/sh -c \"ls -A /var/lib/ctv-mirror | sed s/^/seen:/ && ! cat /etc/ctv-db-sync.env && ! touch /var/lib/ctv-mirror/ask/x\"" \
		>/run/systemd/system/ctv-code.service.d/look.conf && systemctl daemon-reload && systemctl start ctv-code'
	[ "$(pi2 journalctl -q -o cat -u ctv-code | grep ^seen:)" = seen:ask ]
	pi2 sh -c 'rm -r /run/systemd/system/ctv-code.service.d && systemctl daemon-reload'
	# the night brings a newer one
	push later
	pi2 systemctl start ctv-code.service
	is_at "$newest"
	# a note that nobody has carried out is gone with the role
	pi2 systemctl stop ctv-code.path
	pi2 setpriv --reuid ctvsync --regid ctvsync --init-groups code-note back "$newest"
	run failover --force --no-code
	expect 0 'FAILOVER COMPLETE'
	pi2 test ! -e $STATE/ask/code
	run pi2 setpriv --reuid ctvsync --regid ctvsync --init-groups code-note back "$newest"
	expect 73 'begun to serve'
	pi2 systemctl stop flaskapp
	pi2 systemctl start ctv-code.service
	is_at "$newest"
}

# proved VERDICT COMMIT: the last proof's, and what its note brings about is over: a unit that is at work is not started again
proved() {
	[ "$(pi2 cat $STATE/last-proof.json | jq -r '.verdict + " " + .commit')" = "$1 $2" ] &&
		! pi2 systemctl list-jobs --no-legend | grep -q ctv- && ! pi2 systemctl is-active ctv-proof ctv-code | grep -qvxE 'inactive|failed'
}

@test "code of a night that does not start is named with its commit, and goes back where that is asked for, until there is a newer one" {
	pi2 sh -c 'touch /etc/ctv-lab.proof; echo CTV_PROVE_ROLLBACK=yes >>/etc/ctv-db-sync.env'
	push good
	good=$newest
	pi2 systemctl start ctv-pi2-download.service
	eventually pi2 test -s $STATE/last-proof.json
	eventually proved ok "$good"
	echo 'def broken(:' >>"$BATS_TEST_TMPDIR/dev/src/web/app.py"
	push bad
	pi2 systemctl start ctv-pi2-download.service
	eventually proved failed "$newest"
	eventually is_at "$good"
	run round pi2
	pi2 cat /run/ctv-mirror/www/status.json >"$BATS_TEST_TMPDIR/status"
	[[ $(jq -r .proof.text "$BATS_TEST_TMPDIR/status") = "the proof failed: start: "*", with the code ${newest:0:12}; it said: "*SyntaxError*"; the code goes back to ${good:0:7} of "????-??-??"; the last that was good: "20* ]]
	told=$(jq -r .proof.text "$BATS_TEST_TMPDIR/status")
	[ "$(pi2 jq -r .text $STATE/alerts/proof | tail -n 1)" = "$told" ]
	run pi2 /usr/local/lib/ctv-mirror/code-check.sh
	expect 1 "the newest, ${newest:0:7}, failed the nightly proof, so this stays"
	# the next hour brings it not, and proves what is there again
	pi2 systemctl start ctv-pi2-download.service
	eventually proved ok "$good"
	is_at "$good"
	sed -i '/^def broken/d' "$BATS_TEST_TMPDIR/dev/src/web/app.py"
	push mended
	pi2 systemctl start ctv-pi2-download.service
	eventually proved ok "$newest"
	is_at "$newest"
	run pi2 /usr/local/lib/ctv-mirror/code-check.sh
	expect 0
}

@test "code that the application cannot read: the dry run is not ready, the page and the doctor say so" {
	pi2 chmod 600 $APP/src/web/app.py
	run failover --dry-run
	expect 77 'not ready: .*ctvapps cannot read src/web/app.py'
	round pi2
	pi2 grep -q 'cannot read' /run/ctv-mirror/www/status.json
	run pi2 ctv-doctor.sh code
	expect 2 'ctvapps cannot read src/web/app.py'
}
