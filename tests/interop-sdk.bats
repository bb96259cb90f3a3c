#!/usr/bin/env bats
# The official Python SDK (Debian's python3-dropbox) works against the local Dropbox over TLS, and it
# and our tools read each other's files.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	dropbox_start --tls
	export REQUESTS_CA_BUNDLE=$DROPBOX_CA_FILE
	# the SDK takes hosts from its environment, and an address with a port is a host to it
	export DROPBOX_API_HOST=${DROPBOX_API_URL#https://}
	export DROPBOX_API_CONTENT_HOST=${DROPBOX_CONTENT_URL#https://}
	export DROPBOX_API_NOTIFY_HOST=${DROPBOX_NOTIFY_URL#https://}
}

teardown() {
	dropbox_stop
}

# sdk: runs the Python on its standard input; `dbx` is a client
sdk() {
	{
		cat <<-'END'
		import os, sys, dropbox
		from dropbox.files import *
		from dropbox.exceptions import *
		dbx = dropbox.Dropbox(oauth2_refresh_token=os.environ["DROPBOX_REFRESH_TOKEN"],
		    app_key=os.environ["DROPBOX_APP_KEY"], app_secret=os.environ["DROPBOX_APP_SECRET"],
		    ca_certs=os.environ["DROPBOX_CA_FILE"], max_retries_on_error=3)
		END
		cat
	} | /usr/bin/python3 -W ignore - 2>&1
}

@test "the SDK: account, space, upload, metadata, download" {
	run sdk <<-'END'
	print(dbx.users_get_current_account().email, dbx.users_get_space_usage().used)
	m = dbx.files_upload("Hello Dropbox!".encode(), "/Reports/hello \u00fc.txt", mode=WriteMode.overwrite)
	print(m.content_hash, m.size, m.path_display)
	m2, r = dbx.files_download("/reports/HELLO \u00dc.txt")
	print(r.content.decode(), m2.rev == m.rev, type(dbx.files_get_metadata(m.id)).__name__)
	print(dbx.files_download("rev:" + m.rev)[1].content.decode())
	END
	expect 0
	[ "$output" = 'operator@example.com 0
16dff8700700b9aa627e24bbf832940c084b41ade5c5d6fe5417963a547ed9c2 14 /Reports/hello ü.txt
Hello Dropbox! True FileMetadata
Hello Dropbox!' ]
}

@test "the SDK: sessions, sequential, concurrent and in a batch" {
	run sdk <<-'END'
	data = os.urandom(9000000)
	s = dbx.files_upload_session_start(data[:3000000]).session_id
	dbx.files_upload_session_append_v2(data[3000000:6000000], UploadSessionCursor(s, 3000000))
	dbx.files_upload_session_finish(data[6000000:], UploadSessionCursor(s, 6000000), CommitInfo("/seq.bin"))
	print(dbx.files_download("/seq.bin")[1].content == data)
	try:
	    s = dbx.files_upload_session_start(data[:10]).session_id
	    dbx.files_upload_session_append_v2(data[:10], UploadSessionCursor(s, 5))
	except ApiError as e:
	    print(e.error.get_incorrect_offset().correct_offset)
	s = dbx.files_upload_session_start(b"", session_type=UploadSessionType.concurrent).session_id
	m = 4194304
	for o in (m, 0):
	    dbx.files_upload_session_append_v2(data[o:o + m], UploadSessionCursor(s, o))
	dbx.files_upload_session_append_v2(data[2 * m:], UploadSessionCursor(s, 2 * m), close=True)
	dbx.files_upload_session_finish(b"", UploadSessionCursor(s, len(data)), CommitInfo("/con.bin"))
	print(dbx.files_get_metadata("/con.bin").content_hash == dbx.files_get_metadata("/seq.bin").content_hash)
	ids = dbx.files_upload_session_start_batch(2).session_ids
	for i in ids:
	    dbx.files_upload_session_append_v2(b"x", UploadSessionCursor(i, 0), close=True)
	r = dbx.files_upload_session_finish_batch_v2([UploadSessionFinishArg(UploadSessionCursor(i, 1),
	    CommitInfo("/batch/%d" % n)) for n, i in enumerate(ids)])
	print([e.get_success().name for e in r.entries])
	END
	expect 0
	[ "$output" = "True
10
True
['0', '1']" ]
}

@test "the SDK: list with continue, copy, move, delete, restore, revisions" {
	dropbox_control option '{"page":3}'
	run sdk <<-'END'
	for i in range(8):
	    dbx.files_upload(str(i).encode(), "/d/%d" % i)
	r = dbx.files_list_folder("/d")
	names = [e.name for e in r.entries]
	while r.has_more:
	    r = dbx.files_list_folder_continue(r.cursor)
	    names += [e.name for e in r.entries]
	print("".join(sorted(names)))
	c = dbx.files_list_folder_get_latest_cursor("", recursive=True).cursor
	print(dbx.files_copy_v2("/d/1", "/copy").metadata.name, dbx.files_move_v2("/d/2", "/moved").metadata.name)
	changed = dbx.files_list_folder_longpoll(c, timeout=30)
	print(changed.changes)
	old = dbx.files_get_metadata("/copy").rev
	dbx.files_upload(b"new", "/copy", mode=WriteMode.update(old))
	print(len(dbx.files_list_revisions("/copy").entries))
	print(type(dbx.files_delete_v2("/copy").metadata).__name__)
	dbx.files_restore("/copy", old)
	print(dbx.files_download("/copy")[1].content)
	dbx.files_create_folder_v2("/e/f")
	try:
	    dbx.files_create_folder_v2("/e/f")
	except ApiError as e:
	    print(e.error.get_path().get_conflict().is_folder())
	END
	expect 0
	[ "$output" = "01234567
copy moved
True
2
FileMetadata
b'1'
True" ]
}

@test "the SDK understands our errors: conflict, not found, expired token, rate limit, server error" {
	dropbox_fault '[{"route":"users/get_space_usage","kind":"expired-token"},
		{"route":"users/get_space_usage","kind":"500"},
		{"route":"users/get_space_usage","kind":"429","retry_after":0}]'
	run sdk <<-'END'
	dbx.files_upload(b"a", "/a")
	try:
	    dbx.files_upload(b"b", "/a")
	except ApiError as e:
	    print(e.error.get_path().reason.get_conflict().is_file())
	try:
	    dbx.files_download("/none")
	except ApiError as e:
	    print(e.error.get_path().is_not_found())
	try:
	    dbx.files_delete_v2("/a", parent_rev="123456789")
	except ApiError as e:
	    print(e.error.get_path_write().get_conflict().is_file())
	try:
	    dbx.files_upload(b"b", "/c", content_hash="0" * 64)
	except ApiError as e:
	    print(e.error.is_content_hash_mismatch())
	print(dbx.users_get_space_usage().used)
	END
	expect 0
	[ "$output" = $'True\nTrue\nTrue\nTrue\n1' ]
	[ "$(dropbox_calls oauth2/token)" = 2 ]
}

@test "what the SDK puts our tools fetch, and the other way round" {
	head -c 9000000 /dev/urandom >ours
	dbx-put ours /ours.bin
	run sdk <<-'END'
	dbx.files_download_to_file("got", "/ours.bin")
	data = open("ours", "rb").read()
	print(open("got", "rb").read() == data)
	s = dbx.files_upload_session_start(data[:5000000]).session_id
	dbx.files_upload_session_finish(data[5000000:], UploadSessionCursor(s, 5000000), CommitInfo("/theirs \u00fc.bin"))
	END
	expect 0 True
	dbx-fetch -o theirs '/theirs ü.bin'
	cmp theirs ours
}
