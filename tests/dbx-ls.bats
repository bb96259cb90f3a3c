#!/usr/bin/env bats
# dbx-ls: list a folder of Dropbox, or show a file

load helper
load dir

@test "the root without an operand and with /, folders marked, names sorted over all pages" {
	run dbx-ls
	expect 0
	[ "$output" = $'dir/\ntop.txt' ]
	[ "$(dbx-ls /)" = "$output" ]
	[ "$(dbx-ls /dir)" = $'one.txt\nthree.txt\ntwo.txt' ]
}

@test "pages are asked for as large as they may be: each is a call" {
	dbx-ls -R >/dev/null
	[ "$(dropbox_log 'select(.route == "files/list_folder") | .arg.limit')" = 2000 ]
}

@test "-R has paths, -l size, time, hash and path, a file operand shows the file" {
	[ "$(dbx-ls -R)" = $'/dir/\n/dir/one.txt\n/dir/three.txt\n/dir/two.txt\n/top.txt' ]
	run dbx-ls -l /dir/one.txt
	expect 0 '^ +4  2[0-9-]+T[0-9:]+Z +[0-9a-f]{64}  /dir/one\.txt$'
}

@test "--json is one object a line with the API's names, whatever the server's style" {
	run dbx-ls --json /dir
	expect 0
	[ "$(jq -r '[.[".tag"], .name, .size] | join(" ")' <<<"$output" | paste -sd,)" = 'file one.txt 4,file three.txt 6,file two.txt 4' ]
	[ "$(jq -r '.rev, .content_hash, .client_modified, .path_display, .id' <<<"$output" | grep -c .)" -eq 15 ]
}

@test "an answer that is neither a file nor a folder is none" {
	for tag in '"newthing"' null; do
		dropbox_control reset >/dev/null
		dropbox_fault "{\"route\":\"files/get_metadata\",\"kind\":\"merge\",\"json\":{\".tag\":$tag},\"count\":-1}"
		for how in -l --json --shell=file_; do
			run dbx-ls $how /top.txt
			expect 76 "^dbx-ls: /top.txt: the answer is not Dropbox's metadata"
		done
	done
}

@test "an operand that is not there is 66, the others are still listed" {
	run dbx-ls /none /dir
	expect 66 '^dbx-ls: /none: not found in Dropbox'
	grep -q '^two.txt$' <<<"$output"
}

@test "--may-lack: that it is not there is told by the status alone, and anything else in words" {
	run dbx-ls --may-lack --shell /none
	expect 66
	[[ $output != *none* ]]
	run dbx-ls --may-lack /dir/one.txt/none-below /dir
	expect 66
	grep -q '^two.txt$' <<<"$output"
	dropbox_fault '{"route":"files/get_metadata","kind":"400","count":-1}'
	run dbx-ls --may-lack /none
	expect 70 '^dbx-ls: /none: '
}

@test "a listing that breaks off prints nothing of that folder" {
	dropbox_fault '{"route":"files/list_folder/continue","kind":"400","count":-1}'
	run --separate-stderr dbx-ls /dir
	[ "$status" -eq 70 ]
	[ -z "$output" ]
}

@test "a cursor that is reset begins the listing afresh, but not for ever" {
	dropbox_fault '{"route":"files/list_folder/continue","kind":"409","tag":"reset","count":1}'
	[ "$(dbx-ls /dir | wc -l)" -eq 3 ]
	dropbox_fault '{"route":"files/list_folder/continue","kind":"409","tag":"reset","count":-1}'
	run dbx-ls /dir
	[ "$status" -ne 0 ]
	grep -q 'afresh again and again' <<<"$output"
}

@test "a name that would drive the terminal is escaped" {
	dropbox_control put "$(jq -nc '{path: "/dir/a\u202eb.txt", text: "x"}')" >/dev/null
	run dbx-ls /dir
	expect 0 '^a\\xe2\\x80\\xaeb\.txt$'
}

@test "what a server says beside the name is escaped too, and in JSON as JSON does" {
	dropbox_fault "$(jq -nc '{route: "files/get_metadata", kind: "reply", status: 200, type: "application/json",
		count: 2, text: ({".tag": "file", name: "a\u009b", path_lower: "/a", path_display: "/a\u009b\u202e\u0008",
		size: 1, client_modified: "\u001b]0;pwned\u0007", content_hash: "\r\u009b2Jall is well"} | tojson)}')"
	run dbx-ls -l /dir/one.txt
	expect 0 ' 1  \\x1b\]0;pwned\\x07 .* \\x0d\\xc2\\x9b2Jall is well .* /a\\xc2\\x9b\\xe2\\x80\\xae\\x08$'
	run dbx-ls --json /dir/one.txt
	expect 0 '"path_display":"/a\\u009b\\u202e\\b"'
	! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\x9f]' <<<"$output" || return 1
}

@test "a file from before 1970 is listed, fetched and removed like any other" {
	for time in 1969-12-31T23:59:59Z 1601-01-01T00:00:00Z; do
		dropbox_control put "{\"path\":\"/dir/old\",\"text\":\"x\",\"client_modified\":\"$time\"}" >/dev/null
		dbx-ls -l /dir/old | grep -q " $time "
		dbx-fetch --json -o "$BATS_TEST_TMPDIR/old" /dir/old | grep -q "\"client_modified\":\"$time\""
		[ "$(cat "$BATS_TEST_TMPDIR/old")" = x ]
		dbx-rm /dir/old
	done
}

@test "an empty folder prints nothing and is fine" {
	dbx-rm /dir/one.txt /dir/two.txt /dir/three.txt
	run dbx-ls /dir
	expect 0
	[ -z "$output" ]
}

@test "a byte order mark, and a comment behind a value, are 78 with what helps" {
	(umask 077; printf '\xef\xbb\xbfCTV_STALL=1m\n' >env)
	CTV_ENV_FILE=$PWD/env run dbx-ls
	expect 78 "^dbx-ls: $PWD/env: begins with a byte order mark"
	eval "$(sed -n 's/^hint: //p' <<<"$output")"
	CTV_ENV_FILE=$PWD/env dbx-ls
	for line in 'CTV_STALL=1m # a minute' 'DROPBOX_APP_SECRET=x	# of the app' 'DROPBOX_API_URL=http://192.0.2.1 #one'; do
		echo "$line" >env
		CTV_ENV_FILE=$PWD/env run env -u DROPBOX_API_URL -u DROPBOX_APP_SECRET dbx-ls
		expect 78 '^hint: a comment behind a value is part of it'
	done
	echo 'DROPBOX_APP_SECRET=x#1' >env
	CTV_ENV_FILE=$PWD/env run env -u DROPBOX_APP_SECRET dbx-ls
	! grep -q '^hint: a comment' <<<"$output" || return 1
}
