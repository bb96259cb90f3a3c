#!/usr/bin/env bats
# dbx-ls, dbx-cp, dbx-rm: look, copy and delete within Dropbox

load helper

setup() {
	export CTV_ENV_FILE=$BATS_TEST_TMPDIR/none CTV_BACKOFF=5ms
	dropbox_start --page 2
	cd "$BATS_TEST_TMPDIR" || return
	for name in one two three; do
		echo "$name" >"$name"
		dropbox_seed "$name" "/dir/$name.txt"
	done
	dropbox_seed one /top.txt
}

teardown() {
	dropbox_stop
}

# rev PATH
rev() { dbx-ls --json "$1" | jq -r .rev; }

# ---- dbx-ls

@test "ls: the root without an operand and with /, folders marked, names sorted over all pages" {
	run dbx-ls
	expect 0
	[ "$output" = $'dir/\ntop.txt' ]
	[ "$(dbx-ls /)" = "$output" ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "ls: -R has paths, -l size, time, hash and path, a file operand shows the file" {
	[ "$(dbx-ls -R)" = $'/dir/\n/dir/one.txt\n/dir/three.txt\n/dir/two.txt\n/top.txt' ]
	run dbx-ls -l /dir/one.txt
	expect 0 '^ +4  2[0-9-]+T[0-9:]+Z +[0-9a-f]{64}  /dir/one\.txt$'
}

@test "ls: --json is one object a line with the API's names, whatever the server's style" {
	run dbx-ls --json /dir
	expect 0
	[ "$(jq -r '[.[".tag"], .name, .size] | join(" ")' <<<"$output" | paste -sd,)" = 'file one.txt 4,file three.txt 6,file two.txt 4' ]
	[ "$(jq -r '.rev, .content_hash, .client_modified, .path_display, .id' <<<"$output" | grep -c .)" -eq 15 ]
}

@test "ls: an operand that is not there is 66, the others are still listed" {
	run dbx-ls /none /dir
	expect 66 '^dbx-ls: /none: not found in Dropbox'
	grep -q '^two.txt$' <<<"$output"
}

@test "ls: a listing that breaks off prints nothing of that folder" {
	dropbox_fault '{"route":"files/list_folder/continue","kind":"400","count":-1}'
	run --separate-stderr dbx-ls /dir
	[ "$status" -eq 70 ]
	[ -z "$output" ]
}

@test "ls: a cursor that is reset begins the listing afresh, but not for ever" {
	dropbox_fault '{"route":"files/list_folder/continue","kind":"409","tag":"reset","count":1}'
	[ "$(dbx-ls /dir | wc -l)" -eq 3 ]
	dropbox_fault '{"route":"files/list_folder/continue","kind":"409","tag":"reset","count":-1}'
	run dbx-ls /dir
	[ "$status" -ne 0 ]
	grep -q 'afresh again and again' <<<"$output"
}

@test "ls: a name that would drive the terminal is escaped" {
	dropbox_control put "$(jq -nc '{path: "/dir/a\u202eb.txt", text: "x"}')" >/dev/null
	run dbx-ls /dir
	expect 0 '^a\\xe2\\x80\\xaeb\.txt$'
}

@test "ls: an empty folder prints nothing and is fine" {
	dbx-rm /dir/one.txt /dir/two.txt /dir/three.txt
	run dbx-ls /dir
	expect 0
	[ -z "$output" ]
}

@test "ls: bad command lines end with 64, and nothing is sent" {
	for args in 'dir' 'dir/' '/dir/' '//' '/a//b' '/x\y' 'rev:zz' 'id:' '-l --json' '--bogus' '-x' '--json=1' \
		'--timeout' '--timeout x' '--timeout -1s' "/$(printf 'a%.0s' {1..256})" '-R -l dir' '/dir dir2' \
		'--recursive=1' '--timeout=1y'; do
		# shellcheck disable=SC2086
		run dbx-ls $args
		expect 64 'hint: see dbx-ls --help'
	done
	run dbx-ls $'/a\xff'
	expect 64 'not valid UTF-8'
	run dbx-ls $'/a\nb'
	expect 64 'control character'
	run dbx-ls '/trailing '
	expect 64 'ends with a blank'
	[ -z "$(dropbox_log 'select(.route | startswith("files/"))')" ]
}

# ---- dbx-cp

@test "cp: a copy is there with the same content, and nothing was transferred" {
	dropbox_control reset >/dev/null
	run dbx-cp /top.txt /new/place/copy.txt
	expect 0
	[ -z "$output" ]
	[ "$(dbx-fetch /new/place/copy.txt)" = one ]
	[ -z "$(dropbox_log 'select(.route == "files/upload")')" ]
}

@test "cp: what is there is not overwritten, unless it is the same already" {
	run dbx-cp /top.txt /dir/two.txt
	expect 73 '^dbx-cp: /dir/two.txt: exists in Dropbox and is not overwritten'
	[ "$(dbx-fetch /dir/two.txt)" = two ]
	before=$(rev /dir/one.txt)
	run dbx-cp /top.txt /dir/one.txt
	expect 0
	[ "$(rev /dir/one.txt)" = "$before" ]
}

@test "cp: -f overwrites, and leaves no other name behind" {
	run dbx-cp -f /top.txt /dir/two.txt
	expect 0
	[ "$(dbx-fetch /dir/two.txt)" = one ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "cp: -f does not take what somebody else put there in the same moment" {
	dropbox_fault '{"route":"files/copy_v2","kind":"replace","path":"/dir/two.txt","text":"theirs"}'
	run dbx-cp -f /top.txt /dir/two.txt
	expect 73 'hint: the copy may be at /dir/two.txt\.'
	[ "$(dbx-fetch /dir/two.txt)" = theirs ]
}

@test "cp: a reply that was lost is resolved by looking" {
	dropbox_fault '{"route":"files/copy_v2","kind":"reset-after","count":1}'
	run dbx-cp /top.txt /copy.txt
	expect 0
	[ "$(dbx-fetch /copy.txt)" = one ]
	[ "$(dbx-ls | grep -c copy)" -eq 1 ]
}

@test "cp: a source that Dropbox does not find yet is tried again" {
	dropbox_fault '{"route":"files/copy_v2","kind":"409","tag":"from_lookup/not_found","count":2}'
	run dbx-cp /top.txt /copy.txt
	expect 0
}

@test "cp: a missing source is 66, a folder 65, a folder in the way 73" {
	run dbx-cp /none /x
	expect 66 '/none: not found'
	run dbx-cp /dir /x
	expect 65 '/dir: a folder'
	run dbx-cp /top.txt /dir
	expect 73 '/dir: a folder is there'
	run dbx-cp /top.txt /dir/one.txt/below
	expect 73 'a file stands where a folder is needed'
}

@test "cp: no space is 74, a rate limit that does not end 75, no token 77" {
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

@test "cp: bad command lines end with 64" {
	for args in '' '/a' '/a /b /c' 'a /b' '/a b' '/a /b/' '/ /b' '/a /' 'rev:123456789 /b' 'id:x /b' '-x /a /b' \
		'--force=1 /a /b' '--timeout' '--timeout q /a /b' '--bogus' '/a//c /b' '/a\ /b' '-f' '-f /a' '--timeout= /a /b'; do
		# shellcheck disable=SC2086
		run dbx-cp $args
		expect 64 'hint: see dbx-cp --help'
	done
}

# ---- dbx-rm

@test "rm: files are deleted, -n only says which" {
	run dbx-rm -n /DIR/one.txt /top.txt
	expect 0
	[ "${lines[1]}" = /top.txt ]
	[ "$(dbx-ls -R | wc -l)" -eq 5 ]
	run dbx-rm /dir/one.txt /top.txt
	expect 0
	[ -z "$output" ]
	[ "$(dbx-ls -R | wc -l)" -eq 3 ]
}

@test "rm: a folder is refused with 65, a missing file is 66, the rest is deleted" {
	run dbx-rm /dir /none /top.txt
	expect 65 '/dir: a folder, and only files are deleted'
	grep -q '/none: not found' <<<"$output"
	[ "$(dbx-ls)" = dir/ ]
	[ "$(dbx-ls /dir | wc -l)" -eq 3 ]
}

@test "rm: what was replaced in the same moment stays" {
	dropbox_fault '{"route":"files/delete_v2","kind":"replace","text":"newer"}'
	run dbx-rm /top.txt
	expect 73 'was replaced in Dropbox meanwhile, and stays'
	[ "$(dbx-fetch /top.txt)" = newer ]
}

@test "rm: a reply that was lost is not taken for a failure" {
	dropbox_fault '{"route":"files/delete_v2","kind":"reset-after","count":1}'
	run dbx-rm /top.txt
	expect 0
	[ "$(dbx-ls)" = dir/ ]
}

@test "rm: one bad name, and nothing is deleted" {
	run dbx-rm /top.txt dir/one.txt
	expect 64
	[ "$(dbx-ls)" = $'dir/\ntop.txt' ]
}

@test "rm: bad command lines end with 64" {
	for args in '' '-n' 'a' '/' '/a/' '//a' 'rev:123456789' 'id:abc' '-f /a' '--dry-run=1 /a' '--timeout' \
		'--timeout z /a' '--bogus /a' '-r /a' '/a /b/' '/a\b' '-n -x /a' '--timeout=10 a' '--json /a' '--' ; do
		# shellcheck disable=SC2086
		run dbx-rm $args
		expect 64 'hint: see dbx-rm --help'
	done
}
