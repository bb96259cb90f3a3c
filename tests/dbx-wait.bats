#!/usr/bin/env bats
# dbx-wait: wait until a file in Dropbox is another one

load helper
load transfer

# rev REMOTE
rev() { dbx-ls --json "$1" | jq -r .rev; }

put() { dropbox_control put "{\"path\":\"$1\",\"text\":\"$2\"}" >/dev/null; }

# waits ARG...: begins to wait, and returns when Dropbox keeps the answer back
waits() {
	local before
	# those that arrived: one whose client has gone is not finished for a while
	before=$(dropbox_control stats | jq '.routes["files/list_folder/longpoll"].calls // 0')
	timeout 60 dbx-wait "$@" >out 2>err 3>&- &
	dropbox_control wait '{"route":"files/list_folder/longpoll","calls":'$((before + 1))'}' >/dev/null
}

@test "a file that is there, or is another revision than the known one, ends it at once" {
	put /f one
	[ "$(dbx-wait /f)" = "$(rev /f)" ]
	[ "$(dbx-wait --not 0123456789abc /f)" = "$(rev /f)" ]
	[ "$(dropbox_calls files/list_folder/longpoll)" -eq 0 ]
}

@test "for a script: what the file is now, and nothing of it after a wait in vain" {
	put "/it's" one
	run dbx-wait --shell=now_ "/it's"
	expect 0
	eval "$output"
	# shellcheck disable=SC2154  # what was evaluated
	[ "$now_rev $now_size $now_size_text $now_path" = "$(rev "/it's") 3 3 B /it's" ]
	run dbx-wait -t 1ms --shell=now_ --not "$now_rev" "/it's"
	expect 75
	eval "$(sed -n /^now_/p <<<"$output")"
	[ -z "$now_rev$now_size$now_size_text$now_path" ]
}

@test "a new revision ends the wait and is printed; another file's change does not" {
	put /f one
	waits --not "$(rev /f)" /f
	put /other x
	put /f two
	wait $!
	[ "$(cat out)" = "$(rev /f)" ]
	[ ! -s err ]
}

@test "a file that is not there yet, in a folder too; and one that is deleted and comes again" {
	put /d/x x
	waits /d/f
	put /d/f one
	wait $!
	[ "$(cat out)" = "$(rev /d/f)" ]
	waits --not "$(rev /d/f)" /d/f
	dbx-rm /d/f
	put /d/f two
	wait $!
	[ "$(cat out)" = "$(rev /d/f)" ]
}

@test "what changes between the cursor and the look is not missed" {
	put /f one
	dropbox_fault '{"route":"files/get_metadata","kind":"stall-after"}'
	timeout 60 dbx-wait --not "$(dbx-ls -R --json | jq -r .rev)" /f >out 3>&- &
	dropbox_control wait '{"stalled":1}' >/dev/null
	put /f two
	dropbox_control release >/dev/null
	wait $!
	[ "$(cat out)" = "$(rev /f)" ]
}

@test "-t ends it with 75, a signal too, and neither waits for Dropbox" {
	put /f one
	run timeout 20 dbx-wait -t 1s --not "$(rev /f)" /f
	expect 75 '^dbx-wait: /f: (out of time|no other revision within 1)'
	waits --not "$(rev /f)" /f
	kill $!
	# not by run, whose shell has no such child and waits for nothing
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	[ "$(cat err)" = 'dbx-wait: /f: interrupted' ]
}

@test "a cursor that is reset is taken anew, but not for ever; an answer that fails is tried again" {
	put /f one
	dropbox_fault '[{"route":"files/list_folder/longpoll","kind":"409","tag":"reset","count":2},
		{"route":"files/list_folder/longpoll","kind":"500","after":2,"count":2}]'
	waits --not "$(rev /f)" /f
	put /f two
	wait $!
	[ "$(cat out)" = "$(rev /f)" ]
	dropbox_fault '{"route":"files/list_folder/longpoll","kind":"409","tag":"reset","count":-1}'
	run timeout 60 dbx-wait --not "$(rev /f)" /f
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
}

@test "a pause that Dropbox asks for is kept before the next longpoll" {
	put /f one
	dropbox_fault '{"route":"files/list_folder/longpoll","kind":"reply","status":200,"type":"application/json",
		"text":"{\"changes\":true,\"backoff\":1}"}'
	waits --not "$(rev /f)" /f
	dropbox_control wait '{"route":"files/list_folder/longpoll","calls":2}' >/dev/null
	put /f two
	wait $!
	dropbox_log 'select(.route == "files/list_folder/longpoll")' >calls
	jq -se 'length == 2 and .[1].mono - .[0].mono >= 1' calls
}

@test "neither a pause that Dropbox asks for nor a folder that is not there makes the wait longer than -t" {
	put /f one
	dropbox_fault '{"route":"files/list_folder/longpoll","kind":"reply","status":200,"type":"application/json",
		"text":"{\"changes\":true,\"backoff\":3600}"}'
	run timeout 20 dbx-wait -t 1s --not "$(rev /f)" /f
	expect 75
	run timeout 20 dbx-wait -t 1s /nowhere/f
	expect 75
}

@test "no token goes to the notify host, and what cannot be right is refused" {
	put /f one
	waits --not "$(rev /f)" /f
	put /f two
	wait $!
	[ "$(dropbox_log 'select(.route == "files/list_folder/longpoll") | .status' | sort -u)" = 200 ]
	put /d/f x
	run dbx-wait /d
	expect 65 'a folder'
	run dbx-wait
	expect 64
	run dbx-wait /f /g
	expect 64
	run dbx-wait -t 0 /f
	expect 64
	run dbx-wait 'f\b'
	expect 64
}
