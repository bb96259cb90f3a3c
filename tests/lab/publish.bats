#!/usr/bin/env bats
# The primary publishes by its unit: its sandbox and rights suffice, also to have the nightly job make a base, and no plug that is
# pulled breaks the chain.

load lab

setup_file() { lab_base; }
teardown_file() { lab_base_end; }
setup() { lab_new; }
teardown() { lab_end; }

# minutes: changes are published from now on; the last night was not just now
minutes() {
	lab run pi-ctv sh -c "sed -i s/^CTV_CHANGES_EVERY=off/CTV_CHANGES_EVERY=5s/ /etc/ctv-db-sync.env && touch /etc/ctv-lab.publish &&
		touch -d '2 hours ago' $STATE/last-upload.json && systemctl start ctv-publish.service"
}

head_of() {
	lab run pi-ctv mirror-head show -n -f "$1" 2>/dev/null
}

# is_published N: state N or a later one is on record
is_published() {
	[ "$(head_of newest_n)" -ge "$1" ] 2>/dev/null
}

made_base() {
	[ "$(lab run pi-ctv jq .base $STATE/last-upload.json)" = true ]
}

write() {
	lab run pi-ctv setpriv --reuid ctvapps --regid ctvapps --init-groups sqlite3 -cmd '.timeout 9000' $LIVE "$1"
}

# chain_is_live: from the base, the objects lead to what the application has; without a sync it may have lost what came last
chain_is_live() {
	lab run pi-ctv sh -c "cd /root && rm -rf objects copy.db* && mkdir objects && dbx-fetch -o copy.db /database.db &&
		dbx-ls -R /changes | grep -o '/changes/.*zst\$' | while read -r path; do dbx-fetch -o objects/\${path##*/} \$path; done &&
		db-apply --to \$(mirror-head show -n -f newest_object) objects/* copy.db"
	[ "$(lab run pi-ctv sqlite3 -readonly /root/copy.db 'SELECT count(*), sum(x) FROM published')" = \
		"$(lab run pi-ctv sqlite3 -readonly $LIVE 'SELECT count(*), sum(x) FROM published')" ]
}

@test "by its unit, in its sandbox: the nightly job makes the base, then each change is published" {
	minutes
	eventually is_published 1
	# on record is not the end: the record of the run is written last
	eventually made_base
	write 'CREATE TABLE published (x)'
	eventually is_published 2
	[ "$(lab run pi-ctv systemctl show -P NRestarts ctv-publish.service)" = 0 ]
	[ "$(lab run pi-ctv stat -c '%U:%G:%a' $STATE/changes)" = ctvsync:ctvsync:2770 ]
	# the night is one of the states
	upload
	[ "$(head_of n)" -ge 3 ]
	n=$(head_of newest_n)
	write 'INSERT INTO published VALUES (1)'
	eventually is_published $((n + 1))
}

@test "the plug is pulled again and again while it publishes: the chain goes on from what was on record" {
	minutes
	eventually is_published 1
	write 'CREATE TABLE published (x)'
	for i in 1 2 3; do
		before=$(head_of newest_n)
		write "INSERT INTO published VALUES ($i)"
		lab poweroff pi-ctv
		lab boot pi-ctv
		serving $PRIMARY
		write "INSERT INTO published VALUES (10 * $i)"
		eventually is_published $((before + 1))
	done
	[ "$(head_of n)" = 1 ]
	# no second base was needed
	eventually chain_is_live
}
