#!/usr/bin/env bats
# dbx-rm: delete files in Dropbox

load helper
load dir

@test "files are deleted, -n only says which" {
	run dbx-rm -n /DIR/one.txt /top.txt
	expect 0
	[ "${lines[1]}" = /top.txt ]
	[ "$(dbx-ls -R | wc -l)" -eq 5 ]
	run dbx-rm /dir/one.txt /top.txt
	expect 0
	[ -z "$output" ]
	[ "$(dbx-ls -R | wc -l)" -eq 3 ]
}

@test "a folder is refused with 65, a missing file is 66, the rest is deleted" {
	run dbx-rm /dir /none /top.txt
	expect 65 '/dir: a folder, and only files are deleted'
	grep -q '/none: not found' <<<"$output"
	[ "$(dbx-ls)" = dir/ ]
	[ "$(dbx-ls /dir | wc -l)" -eq 3 ]
}

@test "what was replaced in the same moment stays" {
	dropbox_fault '{"route":"files/delete_v2","kind":"replace","text":"newer"}'
	run dbx-rm /top.txt
	expect 73 'was replaced in Dropbox meanwhile, and stays'
	[ "$(dbx-fetch /top.txt)" = newer ]
}

@test "a reply that was lost is not taken for a failure" {
	dropbox_fault '{"route":"files/delete_v2","kind":"reset-after","count":1}'
	run dbx-rm /top.txt
	expect 0
	[ "$(dbx-ls)" = dir/ ]
}

@test "one bad name, and nothing is deleted" {
	run dbx-rm /top.txt dir/one.txt
	expect 64
	[ "$(dbx-ls)" = $'dir/\ntop.txt' ]
}

# days: two days of changes, and what is no day
days() {
	local path
	for path in 20261129/a 20261129/b 20261130/a 2026113/a x/20261129/a 20261129x/a; do
		dropbox_control put "{\"path\":\"/changes/$path\",\"text\":\"x\"}" >/dev/null
	done
	for path in /archive/20261129/a /archive/changes/20261129/a; do
		dropbox_control put "{\"path\":\"$path\",\"text\":\"x\"}" >/dev/null
	done
}

@test "with --days the folder of one day of changes goes with all in it, and every other folder is refused as ever" {
	days
	run -0 dbx-rm -n --days /changes/20261129
	[ "$output" = /changes/20261129 ]
	run dbx-rm /changes/20261129
	expect 65 '/changes/20261129: a folder, and only files are deleted'
	before=$(dbx-ls -R)
	for folder in / /changes /archive /dir /changes/2026113 /changes/x /changes/x/20261129 /changes/20261129x /archive/20261129 \
		/archive/changes/20261129 /Changes/20261129 /changes/20261129/; do
		run dbx-rm --days "$folder"
		[[ $status -eq 65 || $status -eq 64 ]] || { echo "$folder: $status" >&2; return 1; }
	done
	[ "$(dbx-ls -R)" = "$before" ]
	run -0 dbx-rm --days /changes/20261129 /top.txt
	[ "$(dbx-ls -R)" = "$(grep -v -e '^/changes/20261129/' -e '^/top.txt' <<<"$before")" ]
	run dbx-rm --days /changes/20261129
	expect 66 'not found'
	# its name alone is not enough: a file is deleted as a file
	dropbox_control put '{"path":"/changes/20261128","text":"x"}' >/dev/null
	dropbox_fault '{"route":"files/delete_v2","kind":"replace","text":"newer"}'
	run dbx-rm --days /changes/20261128
	expect 73 'was replaced in Dropbox meanwhile, and stays'
}

@test "of a folder, too, a reply that was lost is not taken for a failure" {
	days
	dropbox_fault '{"route":"files/delete_v2","kind":"reset-after","count":1}'
	run -0 dbx-rm --days /changes/20261129
	run ! dbx-ls /changes/20261129
}
