#!/usr/bin/env bats
# dbx-cp: copy a file within Dropbox

load helper
load dir

@test "a copy is there with the same content, and nothing was transferred" {
	dropbox_control reset >/dev/null
	run dbx-cp /top.txt /new/place/copy.txt
	expect 0
	[ -z "$output" ]
	[ "$(dbx-fetch /new/place/copy.txt)" = one ]
	[ -z "$(dropbox_log 'select(.route == "files/upload")')" ]
}

@test "what is there is not overwritten, unless it is the same already" {
	run dbx-cp /top.txt /dir/two.txt
	expect 73 '^dbx-cp: /dir/two.txt: exists in Dropbox and is not overwritten'
	[ "$(dbx-fetch /dir/two.txt)" = two ]
	before=$(rev /dir/one.txt)
	run dbx-cp /top.txt /dir/one.txt
	expect 0
	[ "$(rev /dir/one.txt)" = "$before" ]
}

@test "-f overwrites, and leaves no other name behind" {
	run dbx-cp -f /top.txt /dir/two.txt
	expect 0
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f does not take what somebody else put there in the same moment" {
	dropbox_fault '{"route":"files/copy_v2","kind":"replace","path":"/dir/two.txt","text":"theirs"}'
	run dbx-cp -f /top.txt /dir/two.txt
	expect 73 '^dbx-cp: /dir/two.txt: was replaced in Dropbox meanwhile, and stays$'
	[ "$(dbx-fetch /dir/two.txt)" = theirs ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

# killed_after ROUTE: dbx-cp -f /top.txt /dir/two.txt dies when that call is done and not answered
killed_after() {
	dropbox_control reset >/dev/null
	dropbox_fault "$(jq -nc --arg route "$1" '{$route, kind: "stall-after"}')"
	dbx-cp -f /top.txt /dir/two.txt 3>&- &
	dropbox_control wait '{"stalled":1}' >/dev/null
	{ kill -9 $! && wait $!; } 2>/dev/null || true
	dropbox_control reset >/dev/null
}

@test "-f after a kill with the copy made: no other name is left" {
	killed_after files/copy_v2
	[ "$(dbx-fetch /dir/two.txt)" = two ]
	[ "$(dbx-ls /dir | wc -l)" -eq 4 ]
	dbx-cp -f /top.txt /dir/two.txt
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f after a kill, and the source has changed: the old copy goes" {
	killed_after files/copy_v2
	dropbox_seed three /top.txt
	dbx-cp -f /top.txt /dir/two.txt
	[ "$(dbx-fetch /dir/two.txt)" = three ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f after a kill between its two steps: the file is there again, and no other name is left" {
	killed_after files/delete_v2
	run dbx-fetch /dir/two.txt
	expect 66
	dbx-cp -f /top.txt /dir/two.txt
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f after a kill, and the content has come there otherwise: the copy goes" {
	killed_after files/copy_v2
	dropbox_seed one /dir/two.txt
	dbx-cp -f /top.txt /dir/two.txt
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f after a kill between its two steps, and the source is gone: what was copied is named, and can be restored" {
	killed_after files/delete_v2
	dbx-rm /top.txt
	run dbx-cp -f /top.txt /dir/two.txt
	expect 66 '/top.txt: not found in Dropbox'
	command=$(sed -n 's/^hint: \(dbx-cp -f .*\) restores what a killed run had copied$/\1/p' <<<"$output")
	[ -n "$command" ]
	eval "$command"
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

# stalled ROUTE: dbx-cp -f /top.txt /dir/two.txt waits before that call, its process is $first
stalled() {
	dropbox_fault "$(jq -nc --arg route "$1" '{$route, kind: "stall"}')"
	dbx-cp -f /top.txt /dir/two.txt 3>&- 2>err &
	first=$!
	dropbox_control wait '{"stalled":1}' >/dev/null
}

# released STATUS: it goes on and ends so
released() {
	local rc=0
	dropbox_control release >/dev/null
	wait "$first" || rc=$?
	[ "$rc" -eq "$1" ] || { echo "status $rc" && cat err && false; }
}

@test "-f: another run's copy for the same place is not taken for one's own" {
	stalled files/delete_v2
	dropbox_fault '{"route":"files/copy_v2","kind":"stall-after"}'
	dbx-cp -f /dir/three.txt /dir/two.txt 3>&- &
	dropbox_control wait '{"stalled":2}' >/dev/null
	{ kill -9 $! && wait $!; } 2>/dev/null || true
	released 0
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f: of two runs to the same place at once one wins and the other says so" {
	stalled files/delete_v2
	dbx-cp -f /dir/three.txt /dir/two.txt
	released 73
	grep -q '/dir/two.txt: was replaced in Dropbox meanwhile, and stays' err
	[ "$(dbx-fetch /dir/two.txt)" = three ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
	dropbox_seed two /dir/two.txt
	stalled files/move_v2
	dbx-cp -f /dir/three.txt /dir/two.txt
	released 73
	[ "$(dbx-fetch /dir/two.txt)" = three ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f: a copy that was taken away between the two steps is made again" {
	stalled files/move_v2
	dbx-rm "$(dbx-ls -R /dir | grep tmp)"
	released 0
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "-f overwrites a name that is as long as Dropbox takes" {
	long=/dir/$(printf 'ü%.0s' $(seq 255))
	dropbox_seed two "$long"
	dbx-cp -f /top.txt "$long"
	[ "$(dbx-fetch "$long")" = one ]
}

@test "a reply that was lost is resolved by looking" {
	dropbox_fault '{"route":"files/copy_v2","kind":"reset-after","count":1}'
	run dbx-cp /top.txt /copy.txt
	expect 0
	[ "$(dbx-fetch /copy.txt)" = one ]
	[ "$(dbx-ls | grep -c copy)" -eq 1 ]
}

@test "a source that Dropbox does not find yet is tried again" {
	dropbox_fault '{"route":"files/copy_v2","kind":"409","tag":"from_lookup/not_found","count":2}'
	run dbx-cp /top.txt /copy.txt
	expect 0
}

@test "a missing source is 66, a folder 65, a folder in the way 73, a file above it 78" {
	run dbx-cp /none /x
	expect 66 '/none: not found'
	run dbx-cp /dir /x
	expect 65 '/dir: a folder'
	run dbx-cp /top.txt /dir
	expect 73 '/dir: a folder is there'
	run dbx-cp /top.txt /dir/one.txt/below
	expect 78 'a file stands where a folder is needed'
}

@test "no space is 74, a rate limit that does not end 75, no token 77" {
	dropbox_fault '{"route":"files/copy_v2","kind":"409","tag":"to/insufficient_space","count":1}'
	run dbx-cp /top.txt /c1
	expect 74 'no space left in Dropbox'
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/copy_v2","kind":"409-too-many-writes","count":-1}'
	run dbx-cp /top.txt /c2
	expect 75 'busy with other writes'
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/*","kind":"missing-scope","count":-1}'
	run dbx-cp /top.txt /c3
	expect 77 'lacks the scope'
}
