#!/usr/bin/env bats
# dbx-put against the local Dropbox: what is committed, what is refused, what goes on where it was

load helper
load transfer

# local_file NAME SIZE: of chance
local_file() {
	head -c "$2" /dev/urandom >"$1"
}

# there REMOTE LOCAL: the content of REMOTE is that of LOCAL
there() {
	dropbox_get "$1" | cmp - "$2"
}

# how many revisions REMOTE has had
revisions() {
	dropbox_api files/list_revisions "$(jq -nc --arg path "$1" '{$path, limit: 100}')" | jq '.entries | length'
}

no_such_file() {
	dropbox_api files/get_metadata "$(jq -nc --arg path "$1" '{$path}')" | grep -q not_found
}

# bytes that the server took in pieces
bytes_in() {
	dropbox_log 'select(.route == "files/upload_session/append_v2" and .status == 200) | .in' |
		awk '{ n += $1 } END { print n + 0 }'
}

# fault ROUTE KIND [JSON]: ROUTE without its files/ and upload_session/
fault() {
	local route=files/$1
	case $1 in start | append_v2 | finish) route=files/upload_session/$1 ;; esac
	dropbox_fault "$(jq -nc --arg route "$route" --arg kind "$2" --argjson more "${3-{\}}" '{$route, $kind} + $more')"
}

# ---- the ordinary case ----

@test "a file is there with its time, in silence, by one request beside the look" {
	local_file a 5000000
	touch -d 2026-11-23T02:05:07Z a
	run --separate-stderr dbx-put a /d/a
	expect 0
	[ -z "$output$stderr" ]
	there /d/a a
	[ "$(dropbox_api files/get_metadata '{"path":"/d/a"}' | jq -r .client_modified)" = 2026-11-23T02:05:07Z ]
	[ "$(dropbox_calls files/upload)" -eq 1 ]
	[ "$(dropbox_calls files/get_metadata)" -eq 2 ]
	only a
}

@test "files and streams of every size around the pieces arrive whole, and leave nothing beside" {
	local size
	for size in 0 1 $((4 * M - 1)) $((4 * M)) $((4 * M + 1)) $((8 * M)) $((16 * M)) $((16 * M + 1)) \
		$((20 * M)) $((32 * M)) $((32 * M + 1)) $((48 * M - 1)); do
		local_file f "$size"
		dbx-put -f f /f || { echo "size $size" >&2; return 1; }
		there /f f || { echo "size $size" >&2; return 1; }
		dbx-put -f -j 1 f /one
		there /one f
		dbx-put -f - /piped <f
		there /piped f || { echo "size $size" >&2; return 1; }
	done
	only f
}

@test "a stream through a pipe, in whatever portions it comes" {
	local_file f 9000000
	{ head -c 3 f; tail -c +4 f | head -c 4194300; tail -c +4194304 f; } | cat | dbx-put - /f
	there /f f
	zstd -qc f | dbx-put - /f.zst
	dropbox_get /f.zst | zstd -dc | cmp - f
	dbx-put - /empty </dev/null
	[ "$(dropbox_api files/get_metadata '{"path":"/empty"}' | jq .size)" -eq 0 ]
}

@test "--json says what is there, in one line" {
	local_file a 1000
	run --separate-stderr dbx-put --json a /A
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	jq -e '.path == "/A" and .size == 1000 and .uploaded and (.rev | test("^[0-9a-f]{9,}$")) and
		(.content_hash | length == 64) and (.id | startswith("id:")) and (.server_modified | length == 20)' <<<"$output"
	first=$(jq -r .rev <<<"$output")
	run --separate-stderr dbx-put --json a /a
	expect 0
	jq -e --arg rev "$first" '(.uploaded | not) and .rev == $rev' <<<"$output"
}

@test "what is asked of Dropbox: no autorename, no notice, every body with its length and hash" {
	local_file a $((20 * M))
	dbx-put a /a
	dbx-put - /b <a
	head -c 10 a >c
	dbx-put c /c
	dropbox_log 'select(.host == "content")' >calls
	jq -se 'map(select(.route | test("finish$|files/upload$")) | (.arg.commit // .arg)) |
		length == 3 and all(.autorename == false and .mute == true and .mode == "add" and
		(.client_modified | length == 20))' calls
	jq -se 'all(.content_length != null and .transfer_encoding == null)' calls
	jq -se 'map(select(.in > 0)) | length > 5 and all(.arg.content_hash | length == 64)' calls
}

@test "the pieces go on at most -j connections, and the one that closes the session goes last and alone" {
	local_file a $((80 * M + 1))
	dropbox_control option '{"latency_ms":500}' >/dev/null
	dbx-put -j 3 a /a
	there /a a
	dropbox_log 'select(.route == "files/upload_session/append_v2")' >calls
	jq -se 'length == 6 and (map(.parallel) | max <= 3) and (map(.parallel) | max > 1) and
		(map(select(.arg.close)) | length == 1 and .[0].arg.cursor.offset == 83886080) and
		(map(select(.arg.close | not) | .mono + .took) | max) <= (map(select(.arg.close))[0].mono + 0.4)' calls
}

@test "names of every kind: emoji, quotes, percent, 255 characters, a local name of any bytes" {
	local name long
	long=$(printf 'é%.0s' $(seq 255))
	for name in '/😀 🦋.db' '/a"b'\''c.db' '/100%25 &?#.db' '/ünïcödé/日本.db' "/$long" '/$(id)`x`.db' '/-f'; do
		echo "$name" >f
		dbx-put f "$name" || { echo "name $name" >&2; return 1; }
		[ "$(dropbox_get "$name")" = "$name" ]
	done
	name=$(printf 'o\377\n"\\ut')
	echo x >"$name"
	dbx-put "./$name" /x
	head -c $((17 * M)) /dev/zero >"$name"
	dbx-put -f --json "$name" /x | jq -e .uploaded
	echo dash >-
	dbx-put ./- /dash
	[ "$(dropbox_get /dash)" = dash ]
}

# ---- what is there already ----

@test "nothing that exists is overwritten, before a byte is sent" {
	local_file a 5000
	local_file big $((20 * M))
	dropbox_seed a /a
	local_file b 5000
	for f in b big; do
		run dbx-put "$f" /A
		expect 73 '^dbx-put: /A: exists in Dropbox and is not overwritten$'
		expect 73 '^hint: -f overwrites it$'
	done
	run dbx-put - /a <b
	expect 73 'exists in Dropbox'
	there /a a
	[ "$(dropbox_log 'select(.host == "content" and .route != "files/download")' | wc -l)" -eq 0 ]
}

@test "the same content is no conflict, and nothing is sent" {
	local_file a 5000000
	dropbox_seed a /a
	dbx-put a /a
	dbx-put -c a /a
	dbx-put -f -c a /a
	[ "$(dropbox_calls files/upload)" -eq 0 ]
	[ "$(revisions /a)" -eq 1 ]
	run dbx-put -v -c a /a
	expect 0 '/a has this content already'
}

@test "-f overwrites, -f -c only what differs" {
	local_file a 5000000
	echo old >old
	dropbox_seed old /a
	dbx-put -f -c a /a
	there /a a
	dbx-put -f old /a
	there /a old
	dbx-put -f - /a <a
	there /a a
	[ "$(revisions /a)" -eq 4 ]
}

@test "--if-rev overwrites that revision only, in one request or in many" {
	local size old
	for size in 5000 $((20 * M)); do
		echo "old $size" >old
		dropbox_seed old /a
		old=$(dropbox_api files/get_metadata '{"path":"/a"}' | jq -r .rev)
		local_file a "$size"
		run dbx-put --if-rev 0123456789abcdef a /a
		expect 73 "^dbx-put: /a: changed in Dropbox: revision $old, not 0123456789abcdef$"
		there /a old
		dbx-put --if-rev "$old" a /a
		there /a a
		run dbx-put --if-rev "$old" old /a
		expect 73 'changed in Dropbox'
		run dbx-put --if-rev "$old" - /a <old
		expect 73 'changed in Dropbox'
		there /a a
	done
	run dbx-put --if-rev "$old" a /nothing
	expect 73 "^dbx-put: /nothing: not there any more, so it is not revision $old$"
	no_such_file /nothing
}

@test "a race that is lost between the look and the commit is 73, and the winner's content stays" {
	local size route
	for size in 5000 $((20 * M)); do
		route=upload
		[ "$size" -eq 5000 ] || route=finish
		local_file a "$size"
		echo old >old
		dropbox_seed old /a
		rev=$(dropbox_api files/get_metadata '{"path":"/a"}' | jq -r .rev)
		fault "$route" replace '{"path":"/a","text":"winner"}'
		run dbx-put --if-rev "$rev" a /a
		expect 73 '^dbx-put: /a: another file is there'
		[ "$(dropbox_get /a)" = winner ]
		# and without a condition: it was absent when we looked
		fault "$route" replace '{"path":"/new'"$size"'","text":"winner"}'
		run dbx-put a "/new$size"
		expect 73 '^dbx-put: /new.*: another file is there'
		[ "$(dropbox_get "/new$size")" = winner ]
	done
	[ "$(find . -name '.*upload' | wc -l)" -eq 0 ]
}

@test "a race lost to the same content is no loss without a condition, but one with --if-rev" {
	local_file a 5000
	fault upload replace "$(jq -nc --arg from "$PWD/a" '{path: "/a", $from}' | sed 's/"from"/"from"/')" 2>/dev/null ||
		fault upload replace '{"path":"/a","text":"same"}'
	printf same >same
	dropbox_control reset '{"data":true}' >/dev/null
	fault upload replace '{"path":"/a","text":"same"}'
	dbx-put same /a
	printf old >old
	dropbox_seed old /b
	rev=$(dropbox_api files/get_metadata '{"path":"/b"}' | jq -r .rev)
	fault upload replace '{"path":"/b","text":"same"}'
	run dbx-put --if-rev "$rev" same /b
	expect 73 'another file is there'
}

@test "a folder in the place, a file above it: 73, 78" {
	local_file a 5000
	dropbox_seed a /dir/f
	run dbx-put a /dir
	expect 73 '^dbx-put: /dir: a folder is there$'
	run dbx-put -f a /dir
	expect 73 '^dbx-put: /dir: a folder is there$'
	run dbx-put a /dir/f/x
	expect 78 'a file stands where a folder is needed'
	there /dir/f a
}

# ---- the command line and the local side ----

@test "bad command lines are refused with 64, a reason and a hint, and ask nobody" {
	echo x >f
	local n=0 args reason
	while IFS='|' read -r args reason; do
		eval "run dbx-put $args </dev/null"
		expect 64 "^dbx-put: .*$reason" || { echo "row: $args" >&2; return 1; }
		[ "${lines[-1]}" = "hint: see dbx-put --help" ] || { echo "row: $args" >&2; return 1; }
		n=$((n + 1))
	done <<'ROWS'
|LOCAL and REMOTE are needed
f|LOCAL and REMOTE are needed
f /a /b|LOCAL and REMOTE are needed
f ''|starts with '/'
f a|starts with '/'
f /|the root is no file
f /a/|ends with '/'
f '/a '|ends with a blank
f '/a//b'|empty component
f '//a'|empty component
f '/a\b'|backslash
f $'/a\tb'|control character
f $'/a\177'|control character
f $'/\377'|not valid UTF-8
f $'/\355\240\200'|not valid UTF-8
f $'/\300\257etc'|not valid UTF-8
f "/$(printf 'x%.0s' $(seq 256))"|more than 255 characters
f rev:123456789ab|starts with '/'
f id:abcdefgh|starts with '/'
-f --if-rev 123456789ab f /a|exclude each other
--if-rev 12345 f /a|at least 9 hex digits
--if-rev 123456789ABC f /a|at least 9 hex digits
--if-rev|--if-rev: needs a value
-c - /a|-c needs a file
-j 0 f /a|0: too small
-j 17 f /a|17: too large
-j x f /a|x: not a number
--limit-rate 1Q f /a|1Q: not a size
--timeout soon f /a|soon: not a duration
--json=1 f /a|takes no value
--frobnicate f /a|--frobnicate: no such option
-x f /a|-x: no such option
ROWS
	[ "$n" -ge 20 ]
	[ "$(dropbox_log | wc -l)" -eq 0 ]
	only f
}

@test "a terminal is refused as standard input" {
	run script -qec 'dbx-put - /a; echo "status $?"' /dev/null
	[[ $output == *"standard input is a terminal"* ]]
	[[ $output == *"status 64"* ]]
}

@test "--help and --version go to standard output, and every option stands in both help and manual" {
	run --separate-stderr dbx-put --help
	expect 0 '^usage: dbx-put '
	[ -z "$stderr" ]
	run --separate-stderr dbx-put -V
	expect 0 '^dbx-put [0-9.]+$'
	dbx-put --help | grep -oE -- '--[a-z-]+' | sort -u >help
	mandoc -T utf8 "$ROOT/man/dbx-put.1" | sed "s|.\x08||g" | grep -oE -- '--[a-z-]+' | sort -u >page
	diff help page
}

@test "what is no readable regular file is 66, and asks nobody" {
	mkdir dir
	mkfifo fifo
	ln -s nowhere dangling
	local f
	for f in dir fifo /dev/null; do
		run timeout 20 dbx-put "$f" /a
		expect 66 "^dbx-put: $f: not a regular file$" || return
	done
	for f in missing dangling dir/x fifo/x; do
		run timeout 20 dbx-put "$f" /a
		expect 66 "^dbx-put: $f: cannot open: " || return
	done
	[ "$(dropbox_log | wc -l)" -eq 0 ]
	echo x >secret
	chmod 0000 secret
	run as_nobody "$(command -v dbx-put)" "$PWD/secret" /a
	expect 66 'cannot open: Permission denied'
	echo target >target
	ln -s target link
	dbx-put link /link
	[ "$(dropbox_get /link)" = target ]
	# where the application may write, it may be the application's, which wants to see what only we may read
	[ "$(id -u)" -ne 0 ] || {
		chown -h nobody link
		run dbx-put link /foreign
		expect 66 '^dbx-put: link: a symbolic link of another user$'
		[ "$(dropbox_log 'select(.arg.path == "/foreign")' | wc -l)" -eq 0 ]
	}
}

@test "standard input that cannot be read is 74, a closed one too, and nothing is there" {
	run bash -c 'dbx-put - /a 2>&1 <.'
	expect 74 '^dbx-put: standard input: cannot read: Is a directory$'
	run bash -c 'dbx-put - /a 2>&1 <&-'
	expect 74 '^dbx-put: standard input: cannot read: '
	no_such_file /a
}

@test "a configuration that is too open or broken is 78, and asks nobody" {
	echo x >f
	grep -v URL "$DROPBOX_ROOT.env" >conf
	chmod 0644 conf
	CTV_ENV_FILE=conf run dbx-put f /a
	expect 78 'holds secrets, but others can read it'
	DROPBOX_REFRESH_TOKEN= run dbx-put f /a
	expect 78 'no Dropbox credentials'
	[ "$(dropbox_log | wc -l)" -eq 0 ]
}

# ---- what the server says ----

# refused STATUS CALLS REGEX SIZE ROUTE KIND [JSON]: nothing is committed, nothing stays beside the file
refused() {
	local want=$1 calls=$2 regex=$3 size=$4
	shift 4
	dropbox_control reset '{"data":true}' >/dev/null
	fault "$@"
	local_file f "$size"
	run timeout 60 dbx-put -j 1 f /f
	expect "$want" "^dbx-put: /f: .*$regex" || { echo "fault: $*" >&2; return 1; }
	local route=files/$1 made
	case $1 in start | append_v2 | finish) route=files/upload_session/$1 ;; esac
	made=$(dropbox_calls "$route")
	dropbox_control reset >/dev/null
	no_such_file /f || { echo "fault: $*: committed" >&2; return 1; }
	if [ "$made" -ne "$calls" ]; then
		echo "fault: $*: $made calls" >&2
		return 1
	fi
}

@test "what time cannot heal is asked once: each class of error has its status and message" {
	local size route kind json status regex
	while IFS='|' read -r size route kind json status regex; do
		refused "$status" 1 "$regex" "$size" "$route" "$kind" "$(jq -nc --argjson j "$json" '{count: -1} + $j')"
	done <<'ROWS'
5|get_metadata|400|{}|70|does not take the request
5|get_metadata|invalid-token|{}|77|does not accept the token: invalid_access_token
5|get_metadata|missing-scope|{}|77|lacks the scope files.metadata.read
5|upload|400|{}|70|does not take the request
5|upload|403|{}|77|does not allow that to this account: invalid_account_type
5|upload|403-month|{}|77|invalid_account_type/feature: Your team has used all of its data transport API calls for the month
5|upload|missing-scope|{}|77|lacks the scope files.content.write
5|upload|404-html|{}|76|answer 404
5|upload|redirect|{}|76|answer 302
5|upload|409|{"tag":"path/insufficient_space"}|74|no space left in Dropbox
5|upload|409|{"tag":"path/conflict/file"}|73|another file is there
5|upload|409|{"tag":"path/conflict/file_ancestor"}|78|a file stands where a folder is needed
5|upload|409|{"tag":"path/malformed_path"}|65|does not take this name
5|upload|409|{"tag":"path/disallowed_name"}|65|does not take this name
5|upload|409|{"tag":"path/no_write_permission"}|77|no permission
5|upload|409|{"tag":"path/access_restricted"}|77|access is restricted
5|upload|409|{"tag":"path/operation_suppressed"}|76|Dropbox refuses: path/operation_suppressed
5|upload|409|{"tag":"payload_too_large"}|76|Dropbox refuses: payload_too_large
5|upload|409|{"tag":"something_new"}|76|Dropbox refuses: something_new
5|upload|reply|{"status":413,"text":"too large"}|76|answer 413
17000000|start|403|{}|77|does not allow that
17000000|start|409|{"tag":"payload_too_large"}|76|Dropbox refuses
17000000|start|reply|{"status":200,"type":"application/json","text":"{}"}|76|no session_id
17000000|start|reply|{"status":200,"type":"application/json","text":"{\"session_id\":\"a b\"}"}|76|no session_id
17000000|append_v2|409|{"tag":"too_large"}|76|Dropbox refuses: too_large
17000000|append_v2|409|{"tag":"concurrent_session_invalid_offset"}|76|Dropbox refuses
17000000|append_v2|400|{}|70|does not take the request
17000000|append_v2|missing-scope|{}|77|lacks the scope
17000000|finish|409|{"tag":"path/insufficient_space"}|74|no space left in Dropbox
17000000|finish|409|{"tag":"path/conflict/folder"}|73|a folder is there
17000000|finish|409|{"tag":"path/malformed_path"}|65|does not take this name
17000000|finish|409|{"tag":"lookup_failed/not_closed"}|76|Dropbox refuses
17000000|finish|409|{"tag":"concurrent_session_missing_data"}|76|Dropbox refuses
17000000|finish|403|{}|77|does not allow that
ROWS
}

@test "a full account is 74, for a file and for a stream" {
	dropbox_control option '{"quota":1000000}' >/dev/null
	local_file f 5000000
	run dbx-put f /f
	expect 74 '^dbx-put: /f: no space left in Dropbox'
	expect 74 '^hint: make room in Dropbox$'
	run dbx-put - /f <f
	expect 74 'no space left'
	no_such_file /f
	# all of a session is there: when there is room nothing is sent again
	local_file g 17000000
	run dbx-put g /g
	expect 74 '^dbx-put: /g: no space left in Dropbox'
	[[ $output != *'kept for seven days'* ]]
	sent=$(dropbox_calls files/upload_session/append_v2)
	run dbx-put g /g
	expect 74 'no space left'
	dropbox_control option '{"quota":100000000}' >/dev/null
	dbx-put g /g
	[ "$(dropbox_calls files/upload_session/append_v2)" -eq "$sent" ]
	dropbox_get /g | cmp - g
}

@test "what time can heal is tried again until it works, on every route" {
	local kind route size
	for kind in 408 500 502-html 503-empty 409-too-many-writes reset-before close-before reset-mid close-mid \
		early-error stall; do
		export CTV_STALL=60s
		[ "$kind" != stall ] || CTV_STALL=300ms
		for route in upload start append_v2 finish; do
			[ "$route" = upload ] || [ "$route" = finish ] || [ "$kind" != 409-too-many-writes ] || continue
			# neither a start nor a finish has a body to break in
			case $route-$kind in start-*-mid | finish-*-mid | *-early-error) continue ;; esac
			[ "$route" = finish ] && [ "$kind" = stall ] && continue	# it may think ten times as long
			size=$((17 * M))
			[ "$route" != upload ] || size=300000
			local_file f "$size"
			fault "$route" "$kind" '{"count":2}'
			run dbx-put -v -f f /f
			# a broken connection may have been repaired by curl itself
			expect 0 || { echo "$route $kind" >&2; return 1; }
			there /f f || { echo "$route $kind" >&2; return 1; }
			[ "$(dropbox_control fault | jq '[.[] | .left] | add')" -eq 0 ] || { echo "$route $kind" >&2; return 1; }
		done
	done
	only f
}

@test "a stream survives the same" {
	local kind
	local_file f $((9 * M))
	for kind in 500 503-empty reset-before reset-mid reset-after close-mid close-after early-error cut-json; do
		for route in start append_v2 finish; do
			fault "$route" "$kind" '{"count":2}'
			dbx-put -f - /f <f || { echo "$route $kind" >&2; return 1; }
			there /f f || { echo "$route $kind" >&2; return 1; }
			dropbox_control reset '{"data":true}' >/dev/null
		done
	done
}

@test "a server that stays ill is given up after some tries with 69" {
	refused 69 8 'answers 503' 5 upload 503-empty '{"count":-1}'
	refused 69 8 'answers 503' 17000000 start 503-empty '{"count":-1}'
	refused 69 8 'answers 503' 17000000 append_v2 503-empty '{"count":-1}'
	refused 69 8 'answers 503' 17000000 finish 503-empty '{"count":-1}'
	refused 75 8 'busy with other writes' 17000000 finish 409-too-many-writes '{"count":-1}'
	refused 76 8 'not Dropbox.s' 5 upload html-200 '{"count":-1}'
	refused 76 8 'not Dropbox.s' 5 get_metadata html-200 '{"count":-1}'
	DROPBOX_API_URL=http://127.0.0.1:1 DROPBOX_TOKEN_URL=http://127.0.0.1:1/t run dbx-put f /f
	expect 69 '^dbx-put: /f: Failed to connect'
}

@test "Retry-After is waited for, by all connections" {
	local_file a $((200 * M))
	dropbox_control option '{"latency_ms":30}' >/dev/null
	fault append_v2 429 '{"retry_after":2,"after":1}'
	dbx-put a /a
	there /a a
	dropbox_log 'select(.route == "files/upload_session/append_v2")' >calls
	# each connection may begin one more before it learns of the answer
	jq -se 'map(select(.status == 429)) as [$no] | ($no.mono + $no.took) as $at |
		(map(select(.mono > $at + 0.05 and .mono < $at + 1.9)) | length) <= 3 and any(.mono >= $at + 1.9)' calls
}

@test "a token that expires in the middle is renewed once between all" {
	local_file a $((70 * M))
	export DROPBOX_ACCESS_TOKEN
	DROPBOX_ACCESS_TOKEN=$(dropbox_token)
	fault append_v2 expired-token '{"after":1}'
	dbx-put a /a
	there /a a
	[ "$(dropbox_calls oauth2/token)" -eq 1 ]
	fault finish expired-token
	dbx-put -f - /a <a
	there /a a
}

# ---- lost replies ----

@test "a lost reply of the commit is resolved by looking: one revision, success" {
	local kind mode size route
	for mode in "" -f; do
		for kind in reset-after close-after finish-503-but-committed cut-json empty-200; do
			for size in 5000 $((17 * M)); do
				route=upload
				[ "$size" -eq 5000 ] || route=finish
				dropbox_control reset '{"data":true}' >/dev/null
				local_file f "$size"
				fault "$route" "$kind"
				dbx-put $mode f /f || { echo "$mode $kind $size" >&2; return 1; }
				there /f f
				[ "$(revisions /f)" -eq 1 ] || { echo "$mode $kind $size" >&2; return 1; }
			done
			dropbox_control reset '{"data":true}' >/dev/null
			fault finish "$kind"
			dbx-put $mode - /f <f
			there /f f
			[ "$(revisions /f)" -eq 1 ]
			[ "$(dropbox_calls files/upload_session/start)" -eq 1 ]
		done
	done
	only f
}

@test "a lost reply of the commit with --if-rev is a success, too" {
	local size route
	for size in 5000 $((17 * M)); do
		route=upload
		[ "$size" -eq 5000 ] || route=finish
		echo old >old
		dropbox_seed old "/f$size"
		rev=$(dropbox_api files/get_metadata "{\"path\":\"/f$size\"}" | jq -r .rev)
		local_file f "$size"
		fault "$route" reset-after
		dbx-put --if-rev "$rev" f "/f$size"
		there "/f$size" f
		[ "$(revisions "/f$size")" -eq 2 ]
	done
}

@test "a commit that nobody can see for a while is not sent again" {
	local_file f $((17 * M))
	fault finish reset-after
	fault get_metadata not-found '{"count":3,"after":1}'
	dbx-put f /f
	there /f f
	[ "$(dropbox_calls files/upload_session/start)" -eq 1 ]
	[ "$(bytes_in)" -eq $((17 * M)) ]
}

@test "a lost reply, and then another's content: 73, and that stays" {
	local_file f 5000
	fault upload 503-empty
	fault upload replace '{"path":"/f","text":"winner"}'
	run dbx-put f /f
	expect 73 'another file is there'
	[ "$(dropbox_get /f)" = winner ]
}

@test "a lost reply of a piece is no loss, the closing one included" {
	local kind
	local_file f $((40 * M))
	for kind in reset-after close-after cut-json; do
		fault append_v2 "$kind" '{"count":2}'
		fault append_v2 "$kind" '{"match":"\"close\":true"}'
		fault append_v2 "$kind" '{"match":"\"close\": true"}'
		dbx-put -f f /f || { echo "$kind" >&2; return 1; }
		there /f f
		dropbox_control reset >/dev/null
	done
	only f
}

@test "the offset of a stream is repaired: after a lost reply nothing is sent twice" {
	local_file f $((13 * M))
	fault append_v2 reset-after '{"after":1}'
	dbx-put - /f <f
	there /f f
	[ "$(bytes_in)" -eq $((13 * M)) ]
	dropbox_log 'select(.route == "files/upload_session/append_v2" and .status == 409)' | grep -q incorrect_offset ||
		[ "$(dropbox_calls files/upload_session/append_v2)" -eq 14 ]
}

@test "an offset within the chunk is gone on from; one beside it is the end, without a loop" {
	local_file f $((5 * M))
	# the server took the first 1000 bytes of the second chunk and says so
	fault append_v2 reply '{"status":409,"type":"application/json","after":1,
		"text":"{\"error\":{\".tag\":\"incorrect_offset\",\"correct_offset\":1049576}}"}'
	run dbx-put - /f <f
	expect 76 'incorrect_offset'
	dropbox_log 'select(.route == "files/upload_session/append_v2") | .arg.cursor.offset' >offsets
	[ "$(sed -n 3p offsets)" -eq 1049576 ]
	dropbox_control reset >/dev/null
	for offset in 1 999999999999 -5 1.5 '"x"'; do
		fault append_v2 reply "$(jq -nc --argjson o "$offset" '{status: 409, type: "application/json", after: 1, count: -1,
			text: ({error: {".tag": "incorrect_offset", correct_offset: $o}} | tojson)}')"
		run timeout 30 dbx-put - /f <f
		expect 76 'incorrect_offset' || { echo "offset $offset" >&2; return 1; }
		[ "$(dropbox_calls files/upload_session/append_v2)" -eq 2 ]
		dropbox_control reset >/dev/null
	done
	# always the same offset within the chunk: bounded
	fault append_v2 reply '{"status":409,"type":"application/json","count":-1,
		"text":"{\"error\":{\".tag\":\"incorrect_offset\",\"correct_offset\":1000}}"}'
	run timeout 30 dbx-put - /f <f
	expect 76 'incorrect_offset'
	[ "$(dropbox_calls files/upload_session/append_v2)" -le 20 ]
	no_such_file /f
}

# ---- sessions that are gone ----

@test "a session that is gone: a file begins another, a stream says so" {
	local_file f $((40 * M))
	local route
	for route in append_v2 finish; do
		fault "$route" not-found
		run dbx-put -v -f f /f
		expect 0 'beginning another' || { echo "$route" >&2; return 1; }
		there /f f
		dropbox_control reset '{"data":true}' >/dev/null
	done
	fault append_v2 409 '{"tag":"closed"}'
	dbx-put f /f
	dropbox_control reset '{"data":true}' >/dev/null
	for route in append_v2 finish; do
		fault "$route" not-found
		run dbx-put - /f <f
		expect 75 '^dbx-put: /f: the upload session is gone, and standard input cannot be read again' ||
			{ echo "$route" >&2; return 1; }
		no_such_file /f
	done
}

@test "a Dropbox that loses every session is given up with 69" {
	refused 69 3 'loses every upload session' 17000000 append_v2 not-found '{"count":-1}'
	refused 69 3 'loses every upload session' 17000000 finish not-found '{"count":-1}'
}

# killed_after N SIGNAL [FILE [REMOTE]]: lets N pieces pass on one connection and kills it in the next
killed_after() {
	fault append_v2 stall-mid "{\"after\":$1,\"count\":-1}"
	# the shell's background jobs ignore SIGINT
	env --default-signal=INT dbx-put -j 1 "${3-f}" "${4-/f}" 2>err &
	local pid=$!
	dropbox_control wait '{"stalled":1}' >/dev/null
	kill -"$2" "$pid"
	code=0
	wait "$pid" || code=$?
	dropbox_control reset >/dev/null
}

@test "after a SIGKILL the next run sends the missing pieces only" {
	local_file f $((90 * M))
	killed_after 3 KILL
	[ "$code" -eq 137 ]
	no_such_file /f
	only f err "$(find . -name '.f.????????.upload' -printf %P)"
	dropbox_control reset >/dev/null
	dbx-put f /f
	there /f f
	[ "$(bytes_in)" -eq $((90 * M - 3 * 16 * M)) ]
	[ "$(dropbox_calls files/upload_session/start)" -eq 0 ]
	only f err
}

@test "SIGINT, SIGTERM and SIGHUP end it with 75, and the next run goes on" {
	local_file f $((90 * M))
	local signal
	for signal in INT TERM HUP; do
		killed_after 1 "$signal"
		[ "$code" -eq 75 ] || { echo "$signal: $code" >&2; return 1; }
		grep -q '^dbx-put: /f: interrupted$' err
		grep -q '^hint: what was sent is kept for seven days, the next run goes on from there$' err
		[ "$(wc -l <err)" -eq 2 ]
	done
	dbx-put f /f
	there /f f
	[ "$(bytes_in)" -eq $((90 * M - 3 * 16 * M)) ]
	only f err
}

@test "killed at the commit, before or after it: the next run ends well, with one revision" {
	local_file f $((40 * M))
	local kind
	for kind in stall stall-after; do
		dropbox_control reset '{"data":true}' >/dev/null
		fault finish "$kind"
		dbx-put f /f &
		dropbox_control wait '{"stalled":1}' >/dev/null
		kill -9 $!
		wait $! || true
		dropbox_control reset >/dev/null
		dbx-put f /f
		there /f f
		[ "$(revisions /f)" -eq 1 ]
		[ "$(bytes_in)" -eq 0 ]
		only f
	done
}

@test "a session that is older than seven days is begun anew" {
	local_file f $((40 * M))
	killed_after 1 KILL
	dropbox_control clock '{"advance":700000}' >/dev/null
	dbx-put f /f
	there /f f
	[ "$(dropbox_calls files/upload_session/start)" -eq 1 ]
	[ "$(bytes_in)" -eq $((40 * M)) ]
}

@test "a file that changed between two runs is sent as it is now" {
	local_file f $((60 * M))
	killed_after 2 KILL
	printf changed | dd of=f bs=1 seek=1000 conv=notrunc status=none
	dbx-put f /f
	there /f f
	killed_after 2 KILL f /g
	local_file f $((50 * M))
	dbx-put f /g
	there /g f
	only f err
}

@test "damage of the journal by a power cut never harms, whatever it is" {
	local_file f $((40 * M))
	local damage j
	for damage in 'truncate -s -10 $j' 'truncate -s +5000 $j' ': >$j' 'rm $j' 'echo garbage >>$j' 'echo >>$j' \
		'head -c 3000 /dev/urandom >$j' 'head -c 3000 /dev/urandom >>$j' 'sed -i 2d $j' 'sed -i "2s/.*/session /" $j' \
		'sed -i "2s/.*/session nonsense/" $j' 'sed -i "3s/piece 0/piece 2/" $j' 'sed -i "3s/piece 0/piece 99/" $j' \
		'sed -i "3s/piece 0/piece 999999999999999999999/" $j' 'sed -i "3s/[0-9a-f]\$/x/" $j' \
		'sed -i "3s/[0-9a-f]*\$/$(printf %064d 0)/" $j' 'sed -i "2{p;p}" $j' 'sed -i "3{p;p}" $j' \
		'sed -i "1s/40/41/" $j' 'head -c 100000 /dev/zero | tr "\0" a >>$j'; do
		dropbox_control reset '{"data":true}' >/dev/null
		killed_after 1 KILL
		j=$(find . -name '.f.????????.upload')
		[ -n "$j" ]
		eval "$damage"
		dbx-put f /f || { echo "damage: $damage" >&2; return 1; }
		there /f f || { echo "damage: $damage" >&2; return 1; }
		only f err || { echo "damage: $damage" >&2; return 1; }
	done
}

@test "of two runs at once for one remote path the second is 73; for another path both go on" {
	local_file f $((40 * M))
	fault append_v2 stall '{"match":"\"offset\":0"}'
	fault append_v2 stall '{"match":"\"offset\": 0"}'
	CTV_STALL=60s dbx-put -j 1 f /f &
	dropbox_control wait '{"stalled":1}' >/dev/null
	run dbx-put f /f
	expect 73 'upload: in use by another process$'
	dbx-put f /other || true
	dropbox_control reset >/dev/null
	dbx-put -f f /other
	there /other f
	wait $!
	there /f f
	only f
}

# ---- a source that does not keep still ----

@test "a file that changes while it is sent is 65, and nothing is committed" {
	local_file f $((40 * M))
	fault append_v2 stall '{"after":1}'
	CTV_STALL=60s dbx-put -j 1 f /f 2>err &
	dropbox_control wait '{"stalled":1}' >/dev/null
	printf changed | dd of=f bs=1 seek=1000 conv=notrunc status=none
	dropbox_control release >/dev/null
	code=0
	wait $! || code=$?
	cat err
	[ "$code" -eq 65 ]
	grep -q '^dbx-put: f: changed while it was read$' err
	no_such_file /f
	only f err
}

@test "bytes that arrive damaged are sent again; bytes that Dropbox has wrongly at the end are 65" {
	local_file f $((17 * M))
	head -c 1000 f >s
	fault append_v2 409 '{"tag":"content_hash_mismatch","count":2}'
	fault upload 409 '{"tag":"content_hash_mismatch","count":2}'
	dbx-put f /f
	dbx-put s /s
	there /f f
	there /s s
	local kind
	for kind in wrong-hash-reply wrong-size-reply; do
		fault upload "$kind"
		run dbx-put -f s /s2
		expect 65 '^dbx-put: /s2: Dropbox has other bytes than were sent'
		fault finish "$kind"
		run dbx-put -f f /f2
		expect 65 '^dbx-put: /f2: Dropbox has other bytes than were sent'
		fault finish "$kind"
		run dbx-put -f - /f3 <f
		expect 65 '^dbx-put: /f3: Dropbox has other bytes than were sent'
	done
	only f s
}

# ---- places ----

@test "where nothing can be written the file is uploaded all the same" {
	may_mount
	local long
	long=$(printf 'x%.0s' $(seq 250))
	local_file "$long" $((17 * M))
	dbx-put "$long" /long
	there /long "$long"
	mv "$long" f
	mkdir dir
	run unshare -m sh -c 'mount --bind . dir && mount -o remount,ro,bind dir && exec dbx-put -v dir/f /ro'
	expect 0 'an interrupted upload will start over'
	there /ro f
	run unshare -m sh -c 'mount -t tmpfs -o size=17m none dir && cp f dir/f && { cat /dev/zero >dir/fill; true; } 2>/dev/null &&
		exec dbx-put dir/f /full'
	expect 0
	there /full f
	run bash -c 'ulimit -f 0; dbx-put f /limit'
	expect 0
	there /limit f
	chmod 0755 . && chmod 0644 f
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$(command -v dbx-put)" -v "$PWD/f" /other
	expect 0 'an interrupted upload will start over'
	only f dir
}

@test "what stands in the way under the hidden name is never followed" {
	local_file f $((17 * M))
	killed_after 0 KILL
	j=$(find . -name '.f.????????.upload')
	rm "$j"
	echo precious >precious
	ln -s precious "$j"
	run dbx-put f /f
	expect 73
	[ "$(cat precious)" = precious ]
	rm "$j"
	mkfifo "$j"
	run timeout 20 dbx-put f /f
	expect 73 'not a regular file'
}

# ---- time, signals, what people see ----

@test "a stall ends after CTV_STALL, --timeout ends everything with 75, and the next run goes on" {
	local_file f $((40 * M))
	fault append_v2 stall-mid '{"after":1,"count":-1}'
	CTV_STALL=1500ms run timeout 60 dbx-put -j 1 f /f
	expect 69 'moved for too long'
	expect 69 '^hint: what was sent is kept'
	CTV_STALL=60s run timeout 60 dbx-put -j 1 --timeout 2s f /f
	expect 75 'out of time'
	dropbox_control reset >/dev/null
	dbx-put f /f
	there /f f
	[ "$(bytes_in)" -le $((24 * M)) ]
}

@test "a commit may take longer than a stall" {
	local_file f $((17 * M))
	fault finish delay '{"ms":1500}'
	CTV_STALL=600ms dbx-put f /f
	[ "$(dropbox_calls files/upload_session/finish)" -eq 1 ]
}

@test "--limit-rate is kept, by files and by streams" {
	local_file f $((3 * M))
	local start
	start=$(steady)
	dbx-put --limit-rate 1500K f /f
	[ $(($(steady) - start)) -ge 1500 ]
	start=$(steady)
	dbx-put --limit-rate 1500K - /g <f
	[ $(($(steady) - start)) -ge 1500 ]
	there /f f
	there /g f
}

@test "a signal ends it while standard input sends nothing" {
	local first writer
	mkfifo in
	# a piece and what fits into the pipe: nothing more is to be read when the piece has gone
	for first in 0 4200000; do
		# a writer that keeps the pipe open, and nothing else of bats' own
		(head -c "$first" /dev/zero || true; exec sleep 60) >in 3>&- &
		writer=$!
		env --default-signal=INT dbx-put - /f <in 2>err 3>&- &
		pid=$!
		if [ "$first" -gt 0 ]; then
			dropbox_control wait '{"route":"files/upload_session/append_v2","calls":1,"quiet":true}' >/dev/null
		else
			dropbox_control wait '{"route":"files/get_metadata","calls":1,"quiet":true}' >/dev/null
		fi
		kill -TERM "$pid"
		code=0
		wait "$pid" || code=$?
		cat err
		[ "$code" -eq 75 ]
		grep -q 'interrupted$' err
		[ "$(wc -l <err)" -eq 1 ]
		kill "$writer"
		dropbox_control reset >/dev/null
	done
}

@test "a stream that is cut off by its writer's death is still only what came" {
	# nobody can know: a pipe's end looks the same; the documentation says so (pipefail)
	(head -c 5000000 /dev/zero; kill -9 "$BASHPID") | dbx-put - /f
	[ "$(dropbox_api files/get_metadata '{"path":"/f"}' | jq .size)" -eq 5000000 ]
}

@test "--progress draws on standard error, never past the end" {
	local_file f $((17 * M))
	fault append_v2 reset-mid '{"count":2}'
	dbx-put --progress -j 1 f /f >said 2>err
	[ ! -s said ]
	grep -Eq '^f: 100 %  17 MiB of 17 MiB ' err
	run ! grep -Eq '(10[1-9]|1[1-9][0-9]|[2-9][0-9][0-9]) %' err
	run --separate-stderr dbx-put --progress -f - /f <f
	expect 0
	[ -n "$stderr" ]
	run --separate-stderr dbx-put --no-progress -f f /f
	[ -z "$stderr" ]
}

@test "no token ever shows, in an error or with -v" {
	local_file f $((17 * M))
	token=$(dropbox_token)
	fault append_v2 expired-token
	fault finish 503-empty
	DROPBOX_ACCESS_TOKEN=$token dbx-put -v f /f 2>err
	[ -s err ]
	local secret
	for secret in "$token" "$DROPBOX_REFRESH_TOKEN" "$DROPBOX_APP_SECRET"; do
		[ "${#secret}" -gt 5 ]
		if grep -qF -- "$secret" err; then return 1; fi
	done
	killed_after 0 KILL f /g
	if grep -rqF -- "$DROPBOX_REFRESH_TOKEN" .; then return 1; fi
}

@test "memory stays under 16 MiB whatever the size, over TLS, for a file and for a stream" {
	unsanitized
	(
		DROPBOX_ROOT="$PWD/tls"
		dropbox_start --tls
		trap dropbox_stop EXIT
		truncate -s 300M f
		printf x | dd of=f bs=1 seek=$((200 * M)) conv=notrunc status=none
		/usr/bin/time -f %M -o peak dbx-put f /f
		/usr/bin/time -f %M -o peak2 dbx-put - /g <f
		dropbox_get /f | cmp - f
		echo "peak $(cat peak) $(cat peak2) KiB"
		[ "$(tail -n1 peak)" -le 16384 ]
		[ "$(tail -n1 peak2)" -le 16384 ]
	)
}
