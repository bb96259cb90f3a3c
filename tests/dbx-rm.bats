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
