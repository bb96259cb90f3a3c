#!/usr/bin/env bats
# dbx-fetch against the local Dropbox: what arrives, what is refused, what survives

load helper
load transfer

# remote NAME SIZE: a local file of chance, and the same as /NAME in Dropbox
remote() {
	head -c "$2" /dev/urandom >"$1"
	dropbox_seed "$1" "/$1" 2026-11-23T02:05:07Z
}

# bytes of files that left the server
bytes_out() {
	dropbox_log 'select(.route == "files/download" and (.status == 200 or .status == 206)) | .out' |
		awk '{ n += $1 } END { print n + 0 }'
}

# hold N [KIND]: lets N requests of bytes pass and spoils all others, by holding them in the middle
hold() {
	dropbox_fault "$(jq -nc --argjson after "$1" --arg kind "${2-stall-mid}" \
		'{route: "files/download", $kind, $after, count: -1}')"
}

# ---- the ordinary case ----

@test "a file goes to standard output byte for byte, and nothing is said" {
	remote a.bin 5000000
	dbx-fetch /a.bin >out 2>err
	cmp a.bin out
	[ ! -s err ]
	only a.bin out err
}

@test "-o writes the file with the time of the remote one and the umask's mode, and leaves nothing else" {
	remote a.bin 9000000
	umask 027
	run --separate-stderr dbx-fetch -o out /a.bin
	expect 0
	[ -z "$output$stderr" ]
	cmp a.bin out
	[ "$(stat -c '%a %Y' out)" = "640 $(date -d 2026-11-23T02:05:07Z +%s)" ]
	only a.bin out
}

@test "an existing file is replaced as a whole: owner and mode stay, an open descriptor keeps the old bytes" {
	remote a.bin 5000000
	echo old >out
	[ "$(id -u)" -ne 0 ] || chown 1234:2345 out
	chmod 0604 out
	rights=$(stat -c '%u:%g %a' out)
	exec 7<out
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(stat -c '%u:%g %a' out)" = "$rights" ]
	[ "$(cat <&7)" = old ]
	exec 7<&-
}

@test "files of every size around the blocks arrive whole, in parallel and in order" {
	local size
	for size in 0 1 $((4 * M - 1)) $((4 * M)) $((4 * M + 1)) $((8 * M)) $((16 * M)) $((16 * M + 1)) \
		$((33 * M - 5)) $((64 * M)); do
		remote f "$size"
		dbx-fetch -o out /f
		cmp f out || return
		dbx-fetch /f | cmp f - || return
		dbx-fetch -j 1 -o one /f
		cmp f one || return
		dbx-fetch -j 16 -o many /f
		cmp f many || return
	done
	only f out one many
}

@test "an empty file needs no request for bytes" {
	remote empty 0
	dbx-fetch -o out /empty
	[ -f out ] && [ ! -s out ]
	[ "$(dropbox_calls files/download)" -eq 0 ]
}

@test "names of every kind are found: emoji, quotes, percent, newline-like, 255 characters" {
	local name long
	long=$(printf 'é%.0s' $(seq 255))
	for name in '/😀 🦋.db' '/a"b'\''c.db' '/100%25 &?#.db' '/ünïcödé/日本.db' "/$long" '/$(id)`x`.db'; do
		echo "$name" >f
		dropbox_seed f "$name"
		[ "$(dbx-fetch "$name")" = "$name" ] || return
	done
}

@test "the local name may be any bytes, and --json stays valid JSON" {
	remote a.bin 1000
	name=$(printf 'o\377\n"\\ut')
	run --separate-stderr dbx-fetch --json -o "./$name" /a.bin
	expect 0
	cmp a.bin "$name"
	[ "${#lines[@]}" -eq 1 ]
	iconv -f UTF-8 -t UTF-8 <<<"$output" >/dev/null
	jq -e '.fetched and .size == 1000' <<<"$output"
}

@test "--json says what was fetched, in one line" {
	remote a.bin 5000000
	run --separate-stderr dbx-fetch --json -o out /A.BIN
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	jq -e '.path == "/a.bin" and .size == 5000000 and .file == "out" and .fetched and
		.client_modified == "2026-11-23T02:05:07Z" and (.rev | test("^[0-9a-f]{9,}$")) and
		(.id | startswith("id:")) and (.content_hash | length == 64) and (.server_modified | length == 20)' \
		<<<"$output"
}

@test "a file is found by its revision and its id, and --rev takes an older revision of a path" {
	echo first >f
	dropbox_seed f /f
	meta=$(dbx-fetch --json -o first /f)
	echo second >f
	dropbox_seed f /f
	rev=$(jq -r .rev <<<"$meta")
	[ "$(dbx-fetch "rev:$rev")" = first ]
	[ "$(dbx-fetch --rev "$rev" /f)" = first ]
	[ "$(dbx-fetch "$(jq -r .id <<<"$meta")")" = second ]
	[ "$(dbx-fetch /f)" = second ]
	run dbx-fetch --rev 00000000abcdef -o out /f
	expect 66 '^dbx-fetch: /f: no such revision in Dropbox: 00000000abcdef$'
}

@test "--rev is refused when it is another file's, whatever the case of the name" {
	echo here >f
	dropbox_seed f '/Über/F'
	rev=$(dbx-ls --json '/Über/F' | jq -r .rev)
	[ "$(dbx-fetch --rev "$rev" '/üBER/f')" = here ]
	[ "$(dbx-fetch --rev "$rev" "$(dbx-ls --json '/Über/F' | jq -r .id)")" = here ]
	for other in /Über/G /Über/F2 /Über /F id:none; do
		run dbx-fetch --rev "$rev" -o out "$other"
		expect 66 "^dbx-fetch: $other: revision $rev is not of this file but of /Über/F$"
	done
	only f
}

@test "every request of bytes asks for a range of one pinned revision, on at most -j connections" {
	remote a.bin $((40 * M))
	dropbox_control option '{"latency_ms":20}' >/dev/null
	dbx-fetch -j 3 -o out /a.bin
	cmp a.bin out
	dropbox_log 'select(.route == "files/download")' >calls
	[ "$(wc -l <calls)" -ge 3 ]
	jq -se 'all(.arg.path | startswith("rev:")) and all(.range != null) and all(.status == 206) and
		(map(.arg.path) | unique | length == 1) and (map(.parallel) | max == 3)' calls
	# no byte twice
	[ "$(bytes_out)" -eq $((40 * M)) ]
}

@test "one connection serves several requests" {
	remote a.bin $((20 * M))
	dbx-fetch -j 1 -o out /a.bin
	[ "$(dropbox_log 'select(.route == "files/download") | .port' | sort -u | wc -l)" -eq 1 ]
	[ "$(dropbox_calls files/download)" -gt 1 ]
}

# ---- -c and --min-size ----

@test "-c fetches nothing when the file has that content already" {
	remote a.bin 5000000
	cp a.bin have
	run --separate-stderr dbx-fetch -c have -o out --json /a.bin
	expect 0
	jq -e '.fetched | not' <<<"$output"
	only a.bin have
	[ "$(dropbox_calls files/download)" -eq 0 ]
	run --separate-stderr dbx-fetch -c have /a.bin
	expect 0
	[ -z "$output$stderr" ]
	run dbx-fetch -v -c have -o out /a.bin
	expect 0 'have has this content already'
}

@test "-c fetches when the content differs, is of another length, or cannot be read" {
	remote a.bin 5000000
	cp a.bin have
	printf x | dd of=have bs=1 seek=4500000 conv=notrunc status=none
	head -c 4999999 a.bin >short
	mkdir dir
	mkfifo fifo
	ln -s nowhere dangling
	for have in have short dir fifo dangling missing; do
		rm -f out
		timeout 20 dbx-fetch -c "$have" -o out /a.bin
		cmp a.bin out || return
	done
}

@test "-c may name the file itself" {
	remote a.bin 5000000
	echo old >out
	dbx-fetch -c out -o out /a.bin
	cmp a.bin out
	[ "$(dropbox_calls files/download)" -gt 0 ]
	dropbox_control reset >/dev/null
	dbx-fetch -c out -o out /a.bin
	[ "$(dropbox_calls files/download)" -eq 0 ]
}

@test "--min-size refuses a file that is too small before a byte is fetched, and keeps the old one" {
	remote a.bin $((M - 1))
	echo old >out
	run dbx-fetch --min-size 1M -o out /a.bin
	expect 65 '^dbx-fetch: /a.bin: only 1024 KiB, at least 1024 KiB are expected$|only .* at least'
	[ "$(cat out)" = old ]
	only a.bin out
	[ "$(dropbox_calls files/download)" -eq 0 ]
	head -c $M /dev/zero >b.bin
	dropbox_seed b.bin /b.bin
	dbx-fetch --min-size 1M -o out /b.bin
	cmp b.bin out
}

@test "a folder, a missing file and a bad type are told apart" {
	remote a.bin 10
	dropbox_seed a.bin /dir/a.bin
	run dbx-fetch -o out /dir
	expect 65 '^dbx-fetch: /dir: a folder, not a file$'
	run dbx-fetch -o out /nothing
	expect 66 '^dbx-fetch: /nothing: not found in Dropbox$'
	run dbx-fetch -o out /a.bin/x
	expect 66
	run dbx-fetch -o out id:AAAAAAAAAAAAAAAAAAAAAA
	expect 66
	only a.bin
}

# ---- the command line ----

@test "bad command lines are refused with 64, a reason and a hint, and ask nobody" {
	remote a.bin 10
	local n=0 args reason
	while IFS='|' read -r args reason; do
		eval "run dbx-fetch $args"
		expect 64 "^dbx-fetch: .*$reason" || { echo "row: $args" >&2; return 1; }
		[ "${lines[-1]}" = "hint: see dbx-fetch --help" ] || { echo "row: $args" >&2; return 1; }
		n=$((n + 1))
	done <<'ROWS'
|one REMOTE is needed
-o out|one REMOTE is needed
-o out /a /b|one REMOTE is needed
-o out ''|starts with '/'
-o out a.bin|starts with '/'
-o out /|the root is no file
-o out /a/|ends with '/'
-o out '/a '|ends with a blank
-o out '/a//b'|empty component
-o out '//a'|empty component
-o out '/a\b'|backslash
-o out $'/a\nb'|control character
-o out $'/\377'|not valid UTF-8
-o out $'/\355\240\200'|not valid UTF-8
-o out $'/\300\257etc'|not valid UTF-8
-o out $'/\340\200\257etc'|not valid UTF-8
-o out "/$(printf 'x%.0s' $(seq 256))"|more than 255 characters
-o out rev:12345|not a revision
-o out rev:123456789ABC|not a revision
-o out id:|not an id
-o '' /a.bin|-o needs the name of a file
-o dir/ /a.bin|-o needs the name of a file
-o|-o: needs a value
-o out -j 0 /a.bin|0: too small
-o out -j 17 /a.bin|17: too large
-o out -j four /a.bin|four: not a number
-o out -j -1 /a.bin|-1: not a number
-o out --min-size 1MB /a.bin|1MB: not a size
-o out --min-size= /a.bin|not a size
-o out --limit-rate fast /a.bin|fast: not a size
-o out --timeout 1h30m /a.bin|1h30m: not a duration
-o out --timeout /a.bin|not a duration
-o out --rev xyz /a.bin|at least 9 hex digits
-o out --rev 123 /a.bin|at least 9 hex digits
-o out --rev 123456789ab rev:123456789ab|--rev
-o out --json=yes /a.bin|takes no value
-o out --frobnicate /a.bin|--frobnicate: no such option
-o out -x /a.bin|-x: no such option
--json /a.bin|--json and --shell need -o
-o out -- -a.bin|starts with '/'
/a.bin /b|one REMOTE is needed, or --into
--into . /a.bin rev:123456789abc|starts with '/'
--into . id:AAAAAAAAAAAAAAAAAAAAAA|starts with '/'
--into . -o out /a.bin|none of the options for one
--into . --shell /a.bin|none of the options for one
--into . --rev 123456789ab /a.bin|none of the options for one
ROWS
	[ "$n" -ge 20 ]
	only a.bin
	[ "$(dropbox_log | wc -l)" -eq 0 ]
}

@test "a terminal is refused as standard output" {
	remote a.bin 10
	run script -qec 'dbx-fetch /a.bin; echo "status $?"' /dev/null
	[[ $output == *"standard output is a terminal: use -o FILE, or a pipe"* ]]
	[[ $output == *"status 64"* ]]
}

@test "--help and --version go to standard output, and every option stands in both help and manual" {
	run --separate-stderr dbx-fetch --help
	expect 0 '^usage: dbx-fetch '
	[ -z "$stderr" ]
	run --separate-stderr dbx-fetch -V
	expect 0 '^dbx-fetch [0-9.]+$'
	dbx-fetch --help | grep -oE -- '--[a-z-]+' | sort -u >help
	mandoc -T utf8 "$ROOT/man/dbx-fetch.1" | sed "s|.\x08||g" | grep -oE -- '--[a-z-]+' | sort -u >page
	diff help page
}

# ---- configuration ----

@test "the credentials may stand in the configuration file, which others must not read" {
	remote a.bin 10
	grep -v URL "$DROPBOX_ROOT.env" >conf
	chmod 0600 conf
	unset DROPBOX_APP_KEY DROPBOX_APP_SECRET DROPBOX_REFRESH_TOKEN
	CTV_ENV_FILE=conf dbx-fetch -o out /a.bin
	cmp a.bin out
	chmod 0604 conf
	CTV_ENV_FILE=conf run dbx-fetch -o out2 /a.bin
	expect 78 '^dbx-fetch: conf: holds secrets, but others can read it$'
	expect 78 '^hint: chmod 0640 conf$'
	chmod 0602 conf
	CTV_ENV_FILE=conf run dbx-fetch -o out2 /a.bin
	expect 78 'others can write it'
	[ ! -e out2 ]
}

@test "a broken configuration is refused with 78 before anything is asked" {
	remote a.bin 10
	local n=0 setting reason
	while IFS='|' read -r setting reason; do
		run env "$setting" dbx-fetch -o out /a.bin
		expect 78 "^dbx-fetch: .*$reason" || { echo "row: $setting" >&2; return 1; }
		n=$((n + 1))
	done <<'ROWS'
DROPBOX_REFRESH_TOKEN=|no Dropbox credentials
DROPBOX_APP_KEY=|no Dropbox credentials
DROPBOX_API_URL=http://api.example.com|DROPBOX_API_URL: must be an https URL
DROPBOX_CONTENT_URL=http://10.0.0.1:80|DROPBOX_CONTENT_URL: must be an https URL
DROPBOX_CONTENT_URL=ftp://127.0.0.1/|DROPBOX_CONTENT_URL: must be an https URL
DROPBOX_CONTENT_URL=nonsense|DROPBOX_CONTENT_URL: must be an https URL
DROPBOX_TOKEN_URL=http://127.0.0.1.example.com/t|DROPBOX_TOKEN_URL: must be an https URL
DROPBOX_API_URL=http://127.0.0.1@example.com/|DROPBOX_API_URL: must be an https URL
CTV_BACKOFF=fast|CTV_BACKOFF: not a duration
CTV_STALL=-1|CTV_STALL: not a duration
DROPBOX_CA_FILE=/nonexistent/ca|DROPBOX_CA_FILE: .*No such file
ROWS
	[ "$n" -ge 10 ]
	run env DROPBOX_ACCESS_TOKEN=$'x\r\nHost: evil' dbx-fetch -o out /a.bin
	expect 78 'DROPBOX_ACCESS_TOKEN'
	printf 'DROPBOX_APP_KEY\n' >conf
	CTV_ENV_FILE=conf run dbx-fetch -o out /a.bin
	expect 78
	chmod 0600 conf
	CTV_ENV_FILE=conf run dbx-fetch -o out /a.bin
	expect 78 '^dbx-fetch: conf: line 1 is not NAME=VALUE$'
	only a.bin conf
	[ "$(dropbox_log | wc -l)" -eq 0 ]
}

@test "no token ever shows: not in the arguments, not with -v, not in a message, not to others of the machine" {
	remote a.bin $((9 * M))
	dropbox_fault '{"route":"files/download","kind":"expired-token"}'
	dropbox_fault '{"route":"files/download","kind":"503-empty"}'
	token=$(dropbox_token)
	DROPBOX_ACCESS_TOKEN=$token dbx-fetch -v -o out /a.bin 2>err
	[ -s err ]
	local secret
	for secret in "$token" "$DROPBOX_REFRESH_TOKEN" "$DROPBOX_APP_SECRET"; do
		[ "${#secret}" -gt 5 ]
		if grep -qF -- "$secret" err; then return 1; fi
	done
	hold 0 stall
	dbx-fetch -v -o out2 /a.bin 2>err &
	dropbox_control wait '{"stalled":1}' >/dev/null
	if grep -qF -- "$DROPBOX_REFRESH_TOKEN" "/proc/$!/cmdline" err; then return 1; fi
	kill -9 $!
}

@test "a crash leaves no core with the token in it, nor may others of its user trace it: /proc is root's, whoever runs it" {
	unsanitized
	remote a.bin $((9 * M))
	hold 0 stall
	local as=()
	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" 2>/dev/null || true
	chmod 0777 .
	"${as[@]}" "$(command -v dbx-fetch)" -o out /a.bin 3>&- &
	dropbox_control wait '{"stalled":1}' >/dev/null
	# core(5), proc(5): it is not dumpable; a process of the same user that is has its files
	[ "$(stat -c %u "/proc/$!/environ")" = 0 ]
	kill -9 $!
	"${as[@]}" sleep 60 3>&- &
	until [ "$(cat /proc/$!/comm)" = sleep ]; do sleep 0.01; done
	[ "$(stat -c %u "/proc/$!/environ")" = "${as:+65534}" ] || [ "$(id -u)" -ne 0 ]
	kill -9 $!
}


# ---- the access token ----

@test "a token that expires in the middle is renewed once, and the run goes on" {
	remote a.bin $((24 * M))
	dropbox_fault '{"route":"files/download","kind":"expired-token","after":2}'
	dbx-fetch -j 1 -o out /a.bin
	cmp a.bin out
	[ "$(dropbox_calls oauth2/token)" -eq 2 ]
	[ "$(bytes_out)" -eq $((24 * M)) ]
}

@test "four connections that meet an expired token renew it once between them" {
	remote a.bin $((40 * M))
	export DROPBOX_ACCESS_TOKEN
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"expires_in":-1}')
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(dropbox_calls oauth2/token)" -eq 1 ]
}

@test "an expired token without a refresh token is permanent" {
	remote a.bin 10
	unset DROPBOX_REFRESH_TOKEN
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"expires_in":-1}') run dbx-fetch -o out /a.bin
	expect 77 'DROPBOX_ACCESS_TOKEN has expired, and there is no refresh token'
	only a.bin
}

@test "a token that is refused a second time is permanent, and there is no loop" {
	remote a.bin 10
	dropbox_fault '{"route":"files/get_metadata","kind":"expired-token","count":-1}'
	run dbx-fetch -o out /a.bin
	expect 77 '^dbx-fetch: /a.bin: Dropbox does not accept the token: expired_access_token'
	[ "$(dropbox_calls files/get_metadata)" -eq 2 ]
	[ "$(dropbox_calls oauth2/token)" -le 2 ]
}

@test "a token endpoint that is ill for a while is asked again; a revoked refresh token is permanent" {
	remote a.bin 10
	dropbox_fault '[{"route":"oauth2/token","kind":"503-empty"},{"route":"oauth2/token","kind":"500-json"},
		{"route":"oauth2/token","kind":"reset-after"},{"route":"oauth2/token","kind":"html-200"},
		{"route":"oauth2/token","kind":"cut-json"}]'
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(dropbox_calls oauth2/token)" -eq 6 ]
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"oauth2/token","kind":"invalid-grant","count":-1}'
	run dbx-fetch -o out2 /a.bin
	expect 77 '^dbx-fetch: /a.bin: the refresh token is revoked or wrong'
	expect 77 '^hint: dbx-auth login$'
	[ "$(dropbox_calls oauth2/token)" -eq 1 ]
	[ ! -e out2 ]
	DROPBOX_APP_SECRET=wrong run dbx-fetch -o out2 /a.bin
	expect 77
}

# ---- what the server says ----

# refused STATUS CALLS REGEX FAULT...: with the fault the file is not there, the old one still is, nothing was
# asked more than CALLS times
refused() {
	local want=$1 calls=$2 regex=$3
	shift 3
	dropbox_control reset >/dev/null
	dropbox_fault "$1"
	echo old >out
	run timeout 60 dbx-fetch -j 1 -o out /a.bin
	expect "$want" "$regex" || { echo "fault: $1" >&2; return 1; }
	[ "$(cat out)" = old ] || { echo "fault: $1: the old file is gone" >&2; return 1; }
	local route made
	route=$(jq -r .route <<<"$1")
	made=$(dropbox_calls "$route")
	if [ "$made" -ne "$calls" ]; then
		echo "fault: $1: $made calls" >&2
		return 1
	fi
}

@test "what time cannot heal is asked once: each class of error has its status and message" {
	remote a.bin 5000000
	local route kind status regex
	while IFS='|' read -r route kind status regex; do
		refused "$status" 1 "^dbx-fetch: /a.bin: .*$regex" \
			"$(jq -nc --arg route "$route" --argjson f "$kind" '{$route, count: -1} + $f')"
	done <<'ROWS'
files/get_metadata|{"kind":"400"}|70|Dropbox does not take the request: Error in call
files/get_metadata|{"kind":"400","type":"application/json","text":"{\"error\":{\".tag\":\"other\"},\"error_summary\":\"other/..\",\"user_message\":{\"locale\":\"en\",\"text\":\"Your app (ID: 1) is not permitted to access this endpoint\"}}"}|77|not permitted to access
files/get_metadata|{"kind":"invalid-token"}|77|does not accept the token: invalid_access_token
files/get_metadata|{"kind":"missing-scope"}|77|lacks the scope files.metadata.read
files/get_metadata|{"kind":"403"}|77|invalid_account_type
files/get_metadata|{"kind":"404-html"}|76|answer 404
files/get_metadata|{"kind":"reply","status":405}|76|answer 405
files/get_metadata|{"kind":"reply","status":410,"text":"gone"}|76|answer 410
files/get_metadata|{"kind":"reply","status":422}|76|answer 422
files/get_metadata|{"kind":"redirect"}|76|answer 302
files/get_metadata|{"kind":"not-found"}|66|not found in Dropbox
files/get_metadata|{"kind":"409","tag":"path/malformed_path"}|65|does not take this name
files/get_metadata|{"kind":"409","tag":"path/restricted_content"}|65|refuses this content
files/get_metadata|{"kind":"409","tag":"path/something_new"}|76|Dropbox refuses: path/something_new
files/get_metadata|{"kind":"reply","status":409,"type":"application/json","text":"{}"}|76|an answer without a tag
files/download|{"kind":"400"}|70|Dropbox does not take the request
files/download|{"kind":"missing-scope"}|77|lacks the scope files.content.read
files/download|{"kind":"403"}|77|invalid_account_type
files/download|{"kind":"409","tag":"path/restricted_content"}|65|refuses this content
files/download|{"kind":"409","tag":"path/not_file"}|65|not a file
files/download|{"kind":"409","tag":"unsupported_file"}|65|cannot be downloaded
files/download|{"kind":"redirect"}|76|answer 302
files/download|{"kind":"404-html"}|76|answer 404
files/download|{"kind":"header","name":"Content-Encoding","value":"gzip"}|76|compressed
files/get_metadata|{"kind":"merge","json":{"size":-1}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"size":1.5}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"size":"5"}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"rev":"../../x"}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"rev":null}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"content_hash":"zz"}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"client_modified":"yesterday"}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{".tag":"newthing"}}|76|not Dropbox's metadata
files/get_metadata|{"kind":"merge","json":{"content_hash":null}}|65|has no content_hash
files/get_metadata|{"kind":"reply","status":200,"type":"application/json","text":"[]"}|76|not Dropbox's metadata
ROWS
}

@test "the hint after a missing scope says to authorize again; after a redirect, that something is between" {
	remote a.bin 10
	dropbox_fault '{"kind":"missing-scope","route":"files/download"}'
	run dbx-fetch -o out /a.bin
	expect 77 '^hint: tick the scope .* dbx-auth login again'
	dropbox_fault '{"kind":"redirect","route":"files/download"}'
	run dbx-fetch -o out /a.bin
	expect 76 '^hint: something between here and Dropbox redirects'
	# the bearer token followed no redirect
	[ "$(dropbox_log 'select(.host == "notify")' | wc -l)" -eq 0 ]
}

@test "what time can heal is tried again until it works" {
	remote a.bin 9000000
	local fault
	for fault in 408 500 500-json 502-html 503-empty 504-html 409-too-many-writes reset-before close-before \
		stall html-200 cut-json empty-200 garbage; do
		export CTV_STALL=60s
		[ "$fault" != stall ] || CTV_STALL=2s
		[ "$fault" != garbage ] || continue
		dropbox_fault '{"route":"files/get_metadata","kind":"'$fault'","count":2}'
		dbx-fetch -o out /a.bin || { echo "fault: $fault" >&2; return 1; }
		cmp a.bin out
		rm out
	done
	dropbox_fault '{"route":"files/get_metadata","kind":"reply","status":460,"count":2}'
	dbx-fetch -o out /a.bin
	[ "$(dropbox_calls files/get_metadata)" -eq $((14 * 3)) ]
}

@test "a download that breaks in any way goes on with the block that it broke in" {
	remote a.bin $((24 * M))
	local fault
	for fault in 408 500 503-empty 502-html reset-before reset-mid close-before close-mid short-body truncate \
		stall stall-mid chunked-cut no-api-result html-200 wrong-content-range wrong-total no-content-range; do
		dropbox_control reset >/dev/null
		export CTV_STALL=60s
		[ "${fault%-mid}" != stall ] || CTV_STALL=2s
		dropbox_fault '{"route":"files/download","kind":"'$fault'","count":2}'
		run dbx-fetch -v -j 1 -o out /a.bin
		expect 0 'trying again' || { echo "fault: $fault" >&2; return 1; }
		cmp a.bin out
		# a block at most is fetched again for each break
		[ "$(bytes_out)" -le $((24 * M + 2 * 4 * M)) ] || { echo "fault: $fault: $(bytes_out)" >&2; return 1; }
		rm out
	done
}

@test "odd answers that are right all the same are taken" {
	remote a.bin 9000000
	local fault
	for fault in chunked no-length lower-case-headers mixed-case-headers no-reason odd-reason close-after-reply \
		big-header; do
		dropbox_fault '{"kind":"'$fault'","count":4}'
		dbx-fetch -o out /a.bin || { echo "fault: $fault" >&2; return 1; }
		cmp a.bin out
		rm out
	done
	dropbox_fault '{"kind":"header","name":"X-Future","value":"x","count":-1}'
	dbx-fetch -o out /a.bin
}

@test "an answer that is not HTTP, or without bounds, is a protocol error" {
	remote a.bin 5000000
	refused 76 1 'a.bin: ' '{"route":"files/get_metadata","kind":"garbage","count":-1}'
	refused 76 1 'a.bin: ' '{"route":"files/get_metadata","kind":"big-header","bytes":80000,"count":-1}'
	refused 76 1 'a.bin: ' '{"route":"files/get_metadata","kind":"big-header","bytes":500000,"count":-1}'
	refused 76 1 'a.bin: ' '{"route":"files/download","kind":"garbage","count":-1}'
}

@test "a server that stays ill is given up after some tries with 69, and what arrived is kept" {
	remote a.bin $((12 * M))
	local fault
	for fault in 503-empty reset-before close-before; do
		dropbox_control reset >/dev/null
		hold 1 "$fault"
		dropbox_fault '{"route":"files/download","kind":"short-body","at":6000000}'
		run dbx-fetch -j 1 -o out /a.bin
		expect 69 '^dbx-fetch: /a.bin: ' || { echo "fault: $fault" >&2; return 1; }
		expect 69 '^hint: .* (MiB|KiB|B) are kept, the next run goes on from there$'
		[ ! -e out ] && [ -e .out.part ] && [ -e .out.part.map ]
		[ "$(dropbox_calls files/download)" -ge 8 ]
	done
	dropbox_control reset >/dev/null
	dbx-fetch -o out /a.bin
	cmp a.bin out
}

@test "Retry-After is waited for, by all connections" {
	remote a.bin $((40 * M))
	dropbox_control option '{"latency_ms":30}' >/dev/null
	dropbox_fault '{"route":"files/download","kind":"429","retry_after":2,"after":2}'
	dbx-fetch -o out /a.bin
	cmp a.bin out
	# each connection may begin one more before it learns of the answer; nobody does within the two seconds after
	dropbox_log 'select(.route == "files/download")' >calls
	jq -se 'map(select(.status == 429)) as [$no] | ($no.mono + $no.took) as $at |
		(map(select(.mono > $at + 0.05 and .mono < $at + 1.9)) | length) <= 3 and any(.mono >= $at + 1.9)' calls
}

@test "rate limits of every form are waited out" {
	remote a.bin 1000
	local fault
	for fault in 429-header-only 429-body-only 429-text 429-html 429-empty 429-noheader; do
		dropbox_fault '{"route":"files/get_metadata","kind":"'$fault'"}'
	done
	local start
	start=$(steady)
	run dbx-fetch -v -o out /a.bin
	expect 0 'limits the rate of requests.*; trying again in 1\.[0-9]s'
	[ $(($(steady) - start)) -ge 5000 ]
	[ "$(dropbox_calls files/get_metadata)" -eq 7 ]
}

@test "a rate limit that outlasts the deadline is 75 at once" {
	remote a.bin 1000
	local wait
	for wait in 60 999999999999 '"9223372036854775807"' '"Fri, 31 Dec 9999 23:59:59 GMT"'; do
		dropbox_control reset >/dev/null
		dropbox_fault '{"route":"files/get_metadata","kind":"429-text","count":-1,"retry_after":'"$wait"'}'
		run timeout 20 dbx-fetch --timeout 30s -o out /a.bin
		expect 75 'Dropbox limits the rate of requests' || { echo "wait: $wait" >&2; return 1; }
		[ "$(dropbox_calls files/get_metadata)" -eq 1 ] || { echo "wait: $wait" >&2; return 1; }
	done
}

@test "a Retry-After that says nothing is our own pace" {
	remote a.bin 1000
	local wait
	for wait in '"-5"' '"soon"' '"99999999999999999999"' '""' '"0"' '"Thu, 01 Jan 1970 00:00:00 GMT"'; do
		dropbox_fault '{"route":"files/get_metadata","kind":"429-text","retry_after":'"$wait"'}'
	done
	dbx-fetch -o out /a.bin
	[ "$(dropbox_calls files/get_metadata)" -eq 7 ]
}

# ---- bytes that are not what they should be ----

@test "a server that ignores ranges is read in one piece" {
	remote a.bin $((21 * M + 7))
	dropbox_fault '{"route":"files/download","kind":"ignore-range","count":-1}'
	run dbx-fetch -v -o out /a.bin
	expect 0 'ignores ranges'
	cmp a.bin out
	only a.bin out
}

@test "a server that ignores ranges and breaks off is read again, and what arrived is kept" {
	remote a.bin $((21 * M + 7))
	dropbox_fault '{"route":"files/download","kind":"ignore-range","count":4}'
	dropbox_fault '{"route":"files/download","kind":"short-body","at":15000000,"after":0}'
	dropbox_fault '{"route":"files/download","kind":"ignore-range","count":-1}'
	dbx-fetch -o out /a.bin
	cmp a.bin out
}

@test "ranges ignored once cost no block that was there" {
	remote a.bin $((40 * M))
	hold 3
	dbx-fetch -j 1 -o out /a.bin &
	dropbox_control wait '{"stalled":1}' >/dev/null
	kill -9 $!
	wait $! || true
	dropbox_control reset >/dev/null
	kept=$(wc -l <.out.part.map)
	[ "$kept" -gt 2 ]
	dropbox_fault '{"route":"files/download","kind":"ignore-range"}'
	hold 0 stall
	dbx-fetch -j 1 -o out /a.bin &
	dropbox_control wait '{"stalled":1}' >/dev/null
	kill -9 $!
	wait $! || true
	[ "$(wc -l <.out.part.map)" -ge "$kept" ]
	dropbox_control reset >/dev/null
	dbx-fetch -o out /a.bin
	cmp a.bin out
}

@test "a server that always sends another range is refused" {
	remote a.bin 5000000
	local kind
	for kind in wrong-content-range wrong-total no-content-range; do
		refused 76 8 'other bytes than were asked for' \
			'{"route":"files/download","kind":"'$kind'","count":-1}'
	done
	refused 76 8 'not Dropbox.s' '{"route":"files/download","kind":"no-api-result","count":-1}'
}

@test "a flipped byte is noticed, and the file is fetched again" {
	remote a.bin $((13 * M))
	dropbox_fault '{"route":"files/download","kind":"flip-byte","at":9000000}'
	run dbx-fetch -o out /a.bin
	expect 0
	[ -z "$output" ]
	cmp a.bin out
}

@test "bytes that stay wrong are 65, and the old file stays" {
	remote a.bin $((13 * M))
	echo old >out
	dropbox_fault '{"route":"files/download","kind":"flip-byte","at":9000000,"count":-1}'
	run dbx-fetch -o out /a.bin
	expect 65 '^dbx-fetch: /a.bin: what arrived has another content_hash than it should$'
	[ "${#lines[@]}" -eq 1 ]
	[ "$(cat out)" = old ]
	only a.bin out
	run dbx-fetch /a.bin >/dev/null
	expect 65 'what arrived has another content_hash'
}

@test "truncation with a consistent length is noticed" {
	remote a.bin $((13 * M))
	dropbox_fault '{"route":"files/download","kind":"truncate","at":9000000,"count":-1}'
	run dbx-fetch -o out /a.bin
	expect 76
	[ ! -e out ]
	run bash -c 'dbx-fetch /a.bin >piped'
	expect 76 'other bytes than were asked for'
	run cmp a.bin piped
	expect 1
}

@test "a wrong length and no length at all are noticed" {
	remote a.bin $((5 * M))
	dropbox_fault '{"route":"files/download","kind":"two-lengths"}'
	dropbox_fault '{"route":"files/download","kind":"no-length","at":3000000}'
	dropbox_fault '{"route":"files/download","kind":"chunked-cut","at":3000000}'
	dbx-fetch -j 1 -o out /a.bin
	cmp a.bin out
}

@test "a file that is replaced between two ranges arrives as it was" {
	remote a.bin $((24 * M))
	dropbox_fault '{"route":"files/download","kind":"replace","path":"/a.bin","size":9000000,"after":1}'
	dbx-fetch -j 1 -o out /a.bin
	cmp a.bin out
}

@test "a server that sends another revision than was pinned is refused" {
	remote a.bin $((9 * M))
	dropbox_fault '{"route":"files/get_metadata","kind":"wrong-hash-reply"}'
	run dbx-fetch -o out /a.bin
	expect 76 'another revision than was asked for'
	[ ! -e out ]
}

@test "a revision that is gone meanwhile: the next one is fetched" {
	remote a.bin $((9 * M))
	cp a.bin old
	old=$(dbx-fetch --json -o x /a.bin | jq -r .rev)
	rm x
	hold 0 stall
	dbx-fetch -j 1 -o out /a.bin &
	dropbox_control wait '{"stalled":1}' >/dev/null
	remote a.bin $((10 * M))
	dropbox_control forget "{\"rev\":\"$old\"}" >/dev/null
	dropbox_control reset >/dev/null
	wait $!
	cmp a.bin out
	only a.bin old out
}

@test "a file that is deleted meanwhile is 66, and no part stays" {
	remote a.bin $((9 * M))
	rev=$(dbx-fetch --json -o x /a.bin | jq -r .rev)
	rm x
	hold 0 stall
	dbx-fetch -j 1 -o out /a.bin 2>err &
	dropbox_control wait '{"stalled":1}' >/dev/null
	dropbox_api files/delete_v2 '{"path":"/a.bin"}' >/dev/null
	dropbox_control forget "{\"rev\":\"$rev\"}" >/dev/null
	dropbox_control reset >/dev/null
	status=0
	wait $! || status=$?
	[ "$status" -eq 66 ]
	grep -q '^dbx-fetch: /a.bin: not found in Dropbox$' err
	only a.bin err
}

@test "a captive portal writes nothing and is 76" {
	remote a.bin 5000000
	echo old >out
	refused 76 8 'not Dropbox.s' '{"route":"files/get_metadata","kind":"html-200","count":-1}'
	refused 76 8 'not Dropbox.s' '{"route":"files/download","kind":"html-200","count":-1}'
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/download","kind":"html-200","count":-1}'
	run dbx-fetch /a.bin
	expect 76
	[[ $output != *html* ]]
}

# ---- the connection ----

@test "nobody listens, no such host: 69" {
	remote a.bin 10
	DROPBOX_API_URL=http://127.0.0.1:1 DROPBOX_TOKEN_URL=http://127.0.0.1:1/t run dbx-fetch -o out /a.bin
	expect 69 '^dbx-fetch: /a.bin: Failed to connect'
	DROPBOX_API_URL=https://no-such-host.invalid DROPBOX_TOKEN_URL= run timeout 60 dbx-fetch -o out /a.bin
	expect 69 '^dbx-fetch: /a.bin: Could not resolve host'
	only a.bin
}

@test "an unknown authority or a wrong name is 69 at once, and the hint names the clock" {
	remote a.bin 10
	(
		DROPBOX_ROOT="$PWD/tls"
		dropbox_start --tls
		trap dropbox_stop EXIT
		dropbox_seed a.bin /a.bin
		dbx-fetch -o out /a.bin
		cmp a.bin out
		run env DROPBOX_CA_FILE= dbx-fetch -o out2 /a.bin
		expect 69 '^hint: is the clock right'
		make_ca other
		run env DROPBOX_CA_FILE=other/ca.crt dbx-fetch -o out2 /a.bin
		expect 69 '^hint: is the clock right'
		run env DROPBOX_TOKEN_URL="${DROPBOX_TOKEN_URL/127.0.0.1/127.0.0.4}" dbx-fetch -o out2 /a.bin
		expect 69
		# plain http where TLS is spoken, and TLS where plain http is
		# (the token's too: curl 8.14 sends a plain request by a TLS connection that it has kept to that port)
		run env DROPBOX_API_URL="${DROPBOX_API_URL/https/http}" DROPBOX_TOKEN_URL="${DROPBOX_TOKEN_URL/https/http}" \
			dbx-fetch -o out2 /a.bin
		[ "$status" -ne 0 ]
		[ ! -e out2 ]
	)
	run env DROPBOX_API_URL="${DROPBOX_API_URL/http/https}" dbx-fetch -o out2 /a.bin
	expect 69
	[ ! -e out2 ]
}

@test "a stall ends after CTV_STALL, and so does a drip" {
	remote a.bin $((9 * M))
	export CTV_STALL=500ms
	hold 0 stall-mid
	run timeout 60 dbx-fetch -j 1 -o out /a.bin
	expect 69 'nothing moved for too long'
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/download","kind":"trickle","count":-1,"ms":20}'
	run timeout 60 dbx-fetch -j 1 -o out /a.bin
	expect 69 'moved for too long'
	[ ! -e out ]
}

@test "--timeout ends everything with 75, and what arrived is kept" {
	remote a.bin $((20 * M))
	hold 2 stall-mid
	CTV_STALL=60s run timeout 60 dbx-fetch -j 1 --timeout 5s -o out /a.bin
	expect 75 'out of time'
	expect 75 '^hint: .* are kept'
	dropbox_control reset >/dev/null
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(bytes_out)" -lt $((20 * M)) ]
}

@test "--limit-rate is kept" {
	remote a.bin $((3 * M))
	local start
	start=$(steady)
	dbx-fetch --limit-rate 1M -j 3 -o out /a.bin
	cmp a.bin out
	[ $(($(steady) - start)) -ge 1500 ]
	start=$(steady)
	dbx-fetch --limit-rate 1500K /a.bin | cmp a.bin -
	[ $(($(steady) - start)) -ge 1000 ]
}

# ---- ends and goes on ----

# killed_after N SIGNAL: starts a fetch on one connection, lets N requests of bytes pass and kills it in the next
killed_after() {
	hold "$1"
	# the shell's background jobs ignore SIGINT
	env --default-signal=INT dbx-fetch -j 1 -o out /a.bin 2>err &
	local pid=$!
	dropbox_control wait '{"stalled":1}' >/dev/null
	kill -"$2" "$pid"
	code=0
	wait "$pid" || code=$?
	dropbox_control reset >/dev/null
}

@test "after a SIGKILL the next run fetches the missing blocks only" {
	remote a.bin $((41 * M))
	killed_after 3 KILL
	[ "$code" -eq 137 ]
	[ ! -e out ] && [ -e .out.part ]
	blocks=$(($(wc -l <.out.part.map) - 1))
	[ "$blocks" -ge 4 ]
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(bytes_out)" -eq $((41 * M - blocks * 4 * M)) ]
	only a.bin out err
}

@test "SIGINT, SIGTERM and SIGHUP end it with 75; the part is kept and the next run goes on" {
	remote a.bin $((41 * M))
	local signal
	for signal in INT TERM HUP; do
		killed_after 1 "$signal"
		[ "$code" -eq 75 ] || { echo "$signal: $code" >&2; return 1; }
		grep -q '^dbx-fetch: /a.bin: interrupted$' err
		grep -Eq '^hint: [0-9]+ [KM]iB are kept, the next run goes on from there$' err
		[ "$(wc -l <err)" -eq 2 ]
		[ ! -e out ]
	done
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(bytes_out)" -lt $((37 * M)) ]
}

@test "a signal during the pause before the next try ends it with 75" {
	remote a.bin $((9 * M))
	hold 0 503-empty
	CTV_BACKOFF=60s dbx-fetch -j 1 -o out /a.bin 2>err &
	dropbox_control wait '{"route":"files/download","calls":1,"quiet":true}' >/dev/null
	kill -TERM $!
	code=0
	wait $! || code=$?
	cat err
	[ "$code" -eq 75 ]
}

@test "a signal ends it while the reader of standard output sleeps" {
	remote a.bin $((9 * M))
	mkfifo pipe
	sleep 60 <pipe &
	dbx-fetch /a.bin >pipe 2>err &
	dropbox_control wait '{"route":"files/download","calls":1}' >/dev/null
	kill -TERM $!
	code=0
	wait $! || code=$?
	[ "$code" -eq 75 ]
	grep -q 'interrupted' err
}

@test "a reader that leaves ends it by SIGPIPE, in silence" {
	remote a.bin $((9 * M))
	bash -c 'dbx-fetch /a.bin 2>err | head -c1 >one; echo "${PIPESTATUS[0]}" >code'
	[ "$(cat code)" -eq 141 ]
	cmp one <(head -c1 a.bin)
	[ ! -s err ]
}

@test "it works in a pipe with zstd" {
	head -c 20000000 /dev/zero >a.bin
	dropbox_seed a.bin /a.bin
	dbx-fetch /a.bin | zstd -q >x.zst
	zstd -dc x.zst | cmp a.bin -
}

@test "a stream goes on in the middle after a broken connection, also when ranges are ignored then" {
	remote a.bin $((9 * M))
	dropbox_fault '{"route":"files/download","kind":"reset-mid","at":3000000}'
	dropbox_fault '{"route":"files/download","kind":"503-empty"}'
	dropbox_fault '{"route":"files/download","kind":"short-body","at":7000000}'
	dbx-fetch /a.bin | cmp a.bin -
	[ "$(bytes_out)" -le $((9 * M + 65536)) ]
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"files/download","kind":"short-body","at":5000000}'
	dropbox_fault '{"route":"files/download","kind":"ignore-range","count":-1}'
	dbx-fetch /a.bin | cmp a.bin -
}

@test "standard output that is full or closed is 74" {
	remote a.bin $((5 * M))
	run bash -c 'dbx-fetch /a.bin 2>&1 >/dev/full'
	expect 74 'standard output: cannot write: No space left on device'
	run bash -c 'dbx-fetch /a.bin 2>&1 >&-'
	expect 74 'standard output: cannot write: Bad file descriptor'
	run bash -c 'dbx-fetch --json -o out /a.bin 2>&1 >/dev/full'
	expect 74
	cmp a.bin out
}

@test "damage of the part by a power cut costs the damaged blocks only" {
	remote a.bin $((41 * M))
	local damage blocks
	for damage in 'truncate -s 6M .out.part; truncate -s 41M .out.part' \
		'truncate -s 6M .out.part' \
		'printf x | dd of=.out.part bs=1 seek=5000000 conv=notrunc status=none'; do
		killed_after 3 KILL
		blocks=$(($(wc -l <.out.part.map) - 1))
		[ "$blocks" -ge 4 ]
		eval "$damage"
		dbx-fetch -o out /a.bin
		cmp a.bin out || { echo "damage: $damage" >&2; return 1; }
		# block 0 at least was kept
		[ "$(bytes_out)" -le $((37 * M)) ] || { echo "damage: $damage: $(bytes_out)" >&2; return 1; }
		rm out
	done
}

@test "damage of the map by a power cut never harms, whatever it is" {
	remote a.bin $((41 * M))
	local damage
	for damage in 'truncate -s -10 .out.part.map' 'truncate -s +5000 .out.part.map' ': >.out.part.map' \
		'rm .out.part.map' 'rm .out.part' 'echo garbage >>.out.part.map' 'echo >>.out.part.map' \
		'head -c 3000 /dev/urandom >.out.part.map' 'head -c 3000 /dev/urandom >>.out.part.map' \
		'sed -i "2s/^0 /99 /" .out.part.map' 'sed -i "2s/^0 /99999999999999999999999 /" .out.part.map' \
		'sed -i "2s/^0 /-1 /" .out.part.map' 'sed -i "3s/ .*/ zz/" .out.part.map' \
		'sed -i "1s/$/0/" .out.part.map' 'sed -i "2s/[0-9a-f]$/x/" .out.part.map' \
		'sed -i "2,\$s/ [0-9a-f]*$/ $(printf "%064d" 0)/" .out.part.map' \
		'sed -i "2{p;p}" .out.part.map' 'head -c 100000 /dev/zero | tr "\0" a >>.out.part.map' \
		'sed -i "1s/ 1 / 2 /" .out.part.map'; do
		killed_after 2 KILL
		eval "$damage"
		dbx-fetch -o out /a.bin || { echo "damage: $damage" >&2; return 1; }
		cmp a.bin out || { echo "damage: $damage" >&2; return 1; }
		[ ! -e .out.part ] && [ ! -e .out.part.map ]
		rm out
	done
}

@test "a part of other content is dropped" {
	remote a.bin $((41 * M))
	killed_after 2 KILL
	remote a.bin $((30 * M))
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(bytes_out)" -eq $((30 * M)) ]
	only a.bin out err
}

@test "of two runs at once the second is 73 and harms nothing" {
	remote a.bin $((24 * M))
	hold 2
	CTV_STALL=60s dbx-fetch -j 1 -o out /a.bin &
	dropbox_control wait '{"stalled":1}' >/dev/null
	run dbx-fetch -o out /a.bin
	expect 73 '^dbx-fetch: .*out.*: in use by another process$'
	dropbox_control reset >/dev/null
	wait $!
	cmp a.bin out
	only a.bin out
}

@test "ten runs at once end well or are told that another is at it" {
	remote a.bin $((24 * M))
	local i pids=() good=0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		dbx-fetch -j 2 -o out /a.bin 2>"err$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		code=0
		wait "$i" || code=$?
		[ "$code" -eq 0 ] || [ "$code" -eq 73 ]
		[ "$code" -ne 0 ] || good=$((good + 1))
	done
	[ "$good" -ge 1 ]
	cmp a.bin out
	[ ! -e .out.part ] && [ ! -e .out.part.map ]
}

# ---- places that cannot be written ----

@test "a name that is no regular file is refused with 73 and not touched" {
	needs_root 'to make a device'
	remote a.bin 10
	echo target >target
	ln -s target link
	ln -s nowhere dangling
	mkdir dir
	mkfifo fifo
	mknod null c 1 3
	local out
	for out in link dangling dir fifo null; do
		run timeout 20 dbx-fetch -o "$out" /a.bin
		expect 73 "^dbx-fetch: $out: not a regular file$" || return
	done
	[ "$(cat target)" = target ]
	[ -p fifo ] && [ -c null ] && [ -L link ] && [ ! -e nowhere ]
	only a.bin target link dangling dir fifo null
	[ "$(dropbox_calls files/download)" -eq 0 ]
}

@test "a directory that is missing or not ours is 73; a name that is too long as well" {
	remote a.bin 10
	run dbx-fetch -o nowhere/out /a.bin
	expect 73 '^dbx-fetch: nowhere/out: cannot create: No such file or directory$'
	run dbx-fetch -o a.bin/out /a.bin
	expect 73 '^dbx-fetch: a.bin/out: cannot create: '
	mkdir dir
	chmod 0755 .
	chmod 0555 dir
	chmod 0711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_FILE_TMPDIR" "${BATS_TEST_TMPDIR%/*}" 2>/dev/null || true
	run as_nobody "$(command -v dbx-fetch)" -o "$PWD/dir/out" /a.bin
	expect 73 'out: cannot create: Permission denied$'
	[ "$(ls -A dir)" = "" ]
	long=$(printf 'x%.0s' $(seq 250))
	run dbx-fetch -o "$long" /a.bin
	expect 73 'cannot create: File name too long'
}

@test "a read-only disk is 73, a full one 74: the old file stays and no part takes the rest of the space" {
	may_mount
	remote a.bin $((9 * M))
	mkdir disk
	run unshare -m sh -c 'mount -t tmpfs none disk && mount -o remount,ro disk && exec dbx-fetch -o disk/out /a.bin'
	expect 73 'disk/out: cannot create: Read-only file system$'
	run unshare -m sh -c 'mount -t tmpfs -o size=6m none disk && echo old >disk/out && cd disk &&
		dbx-fetch -o out /a.bin; echo "status $?"; cat out; ls -A; df --output=used . | tail -1'
	[[ $output == *"dbx-fetch: out: cannot reserve 9216 KiB: No space left on device"* ]]
	[[ $output == *"status 74"* ]]
	[[ $output == *old* ]]
	[[ $output != *part* ]]
}

@test "a file size limit is 74, not a death by signal" {
	remote a.bin $((9 * M))
	run bash -c 'ulimit -f 4096; dbx-fetch -o out /a.bin'
	expect 74 '^dbx-fetch: out: cannot reserve 9216 KiB: File too large$'
	only a.bin
}

@test "what stands in the way under the hidden names is refused or replaced, never followed" {
	remote a.bin $((5 * M))
	echo precious >precious
	ln -s precious .out.part
	dbx-fetch -o out /a.bin
	cmp a.bin out
	[ "$(cat precious)" = precious ]
	rm -f out
	ln -s precious .out.part.map
	run dbx-fetch -o out /a.bin
	expect 73
	[ "$(cat precious)" = precious ]
	rm .out.part.map
	mkfifo .out.part.map
	run timeout 20 dbx-fetch -o out /a.bin
	expect 73 'not a regular file'
	rm .out.part.map
	mkdir .out.part
	run dbx-fetch -o out /a.bin
	[ "$status" -eq 73 ]
	[ ! -e out ]
}

# ---- what people see ----

@test "--progress draws on standard error, never past the end, also when bytes come twice" {
	remote a.bin $((13 * M))
	dropbox_fault '{"route":"files/download","kind":"short-body","at":4000000,"count":2}'
	dbx-fetch --progress -j 1 -o out /a.bin >said 2>err
	[ ! -s said ]
	grep -Eq '^/a.bin: 100 %  13 MiB of 13 MiB ' err
	run ! grep -Eq '(10[1-9]|1[1-9][0-9]|[2-9][0-9][0-9]) %' err
	run --separate-stderr dbx-fetch --no-progress -o out /a.bin
	[ -z "$stderr" ]
}

# at_terminal COMMAND...: what a person sees, byte for byte, in the file screen; its exit status
at_terminal() {
	TERM=${TERM_IS-xterm} script -qec "$*" /dev/null </dev/null >screen
}

@test "at a terminal one line is drawn again and again, and is gone at the end, whatever the end is" {
	remote a.bin $((4 * M))
	at_terminal dbx-fetch --limit-rate 4M -o out /a.bin
	cmp a.bin out
	[ "$(grep -ao $'\r/a.bin: [ 0-9]* %' screen | wc -l)" -ge 2 ]
	[ "$(tr -cd '\n' <screen | wc -c)" -eq 0 ]
	[ "$(tail -c 4 screen)" = $'\r\e[K' ]
	# no colour, whatever NO_COLOR says, and of the cursor nothing but the end of its line
	[ -z "$(sed 's/\x1b\[K//g' screen | tr -cd '\033')" ]
	remote b.bin $((9 * M))
	dropbox_fault '{"route":"files/download","kind":"409","tag":"path/restricted_content","after":1,"count":-1}'
	run at_terminal dbx-fetch --limit-rate 8M -j 1 -o out /b.bin
	expect 65
	[ "$(grep -ao $'\r/b.bin: [ 0-9]* %' screen | wc -l)" -ge 1 ]
	# the message has a line of its own
	[ "$(tr -cd '\n' <screen | wc -c)" -eq 1 ]
	[[ $(cat screen) == $'\r/b.bin: '*$'\e[K\r\e[Kdbx-fetch: /b.bin: Dropbox refuses this content'* ]]
}

@test "no line is drawn where it could not be drawn again: no terminal, a dumb one, --no-progress" {
	remote a.bin $((2 * M))
	run dbx-fetch --limit-rate 4M -o out /a.bin
	expect 0 '^$'
	rm out
	TERM_IS=dumb at_terminal dbx-fetch --limit-rate 4M -o out /a.bin
	[ ! -s screen ]
	rm out
	at_terminal dbx-fetch --limit-rate 4M --no-progress -o out /a.bin
	[ ! -s screen ]
	rm out
	TERM_IS=dumb at_terminal dbx-fetch --progress --limit-rate 4M -o out /a.bin
	grep -q '^/a.bin: 100 %' screen
	[ -z "$(tr -cd '\033' <screen)" ]
}

@test "what a server says cannot drive the terminal" {
	remote a.bin 10
	dropbox_fault '{"route":"files/get_metadata","kind":"400","text":"\u001b[31mred\nforged: line\u0007"}'
	run dbx-fetch -o out /a.bin
	expect 70 'x1b\[31mred.x0aforged'
	[ "${#lines[@]}" -eq 1 ]
}

@test "memory stays under 16 MiB whatever the size, over TLS" {
	unsanitized
	DROPBOX_ROOT="$PWD/tls"
	dropbox_start --tls
	truncate -s 300M a.bin
	printf x | dd of=a.bin bs=1 seek=$((200 * M)) conv=notrunc status=none
	dropbox_seed a.bin /a.bin
	/usr/bin/time -f %M -o peak dbx-fetch -o out /a.bin
	cmp a.bin out
	dbx-fetch /a.bin | cmp a.bin -
	dropbox_stop
	echo "peak $(cat peak) KiB"
	[ "$(tail -n1 peak)" -le 16384 ]
}

# ---- many at once ----

@test "--into brings many into one directory, each whole, under its own name, side by side" {
	mkdir here
	for name in a b c d e f g h; do
		remote "$name.bin" 1000
		mv "$name.bin" "$name.was"
	done
	# what is there is replaced as ever
	echo old >here/c.bin
	dropbox_fault '{"route":"files/download","kind":"stall","count":2}'
	dbx-fetch -j 4 --into here /a.bin /b.bin /c.bin /d.bin /e.bin /f.bin /g.bin /h.bin &
	fetch=$!
	# the others do not wait for two that hang
	eventually_files 6
	dropbox_control reset
	wait "$fetch"
	for name in a b c d e f g h; do
		cmp "here/$name.bin" "$name.was"
		[ "$(date -u -r "here/$name.bin" +%FT%TZ)" = 2026-11-23T02:05:07Z ]
	done
	[ "$(ls -A here | wc -l)" -eq 8 ]
}

# eventually_files N: so many of them are whole
eventually_files() {
	local tries=0
	until [ "$(for f in here/?.bin; do cmp -s "$f" "$(basename "$f" .bin).was" && echo "$f"; done | wc -l)" -eq "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 500 ]
		sleep 0.02
	done
}

@test "--into takes each in one call, on one connection a job; what does not come so comes as any other, from where that broke off" {
	mkdir here
	for name in a b c d e f g h; do
		remote "$name.bin" 1000
		mv "$name.bin" "$name.was"
	done
	: >i.was
	dropbox_seed i.was /i.bin
	dropbox_control reset
	dbx-fetch -j 2 --into here /a.bin /b.bin /c.bin /d.bin /e.bin /f.bin /g.bin /h.bin /i.bin
	for name in a b c d e f g h i; do cmp "here/$name.bin" "$name.was"; done
	[ "$(dropbox_calls files/get_metadata)" -eq 0 ]
	[ "$(dropbox_calls files/download)" -eq 9 ]
	[ "$(dropbox_log 'select(.route == "files/download") | .port' | sort -u | wc -l)" -le 2 ]
	for fault in '"kind":"flip-byte","at":500' '"kind":"chunked-cut","at":500' '"kind":"503-empty"' '"kind":"429"' '"kind":"no-api-result"'; do
		rm here/a.bin
		dropbox_fault "{\"route\":\"files/download\",$fault}"
		run dbx-fetch --into here /a.bin
		expect 0
		[ -z "$output" ]
		cmp here/a.bin a.was
		dropbox_control reset
	done
	dropbox_fault '{"route":"files/download","kind":"flip-byte","at":500,"count":-1}'
	rm here/a.bin
	run dbx-fetch --into here /a.bin
	expect 65 '^dbx-fetch: /a.bin: what arrived has another content_hash than it should$'
	[ "${#lines[@]}" -eq 1 ]
	[ "$(ls -A here | wc -l)" -eq 8 ]
	dropbox_control reset
	mkdir here/a.bin
	run dbx-fetch --into here /a.bin
	expect 73 '^dbx-fetch: here/a.bin: not a regular file$'
	[ "${#lines[@]}" -eq 1 ]
	# a large one: no block comes twice
	remote l.bin $((20 * M))
	dropbox_control reset
	dropbox_fault '{"route":"files/download","kind":"chunked-cut","at":9000000}'
	dbx-fetch --into here /l.bin
	cmp here/l.bin l.bin
	[ "$(bytes_out)" -le $((21 * M)) ]
	# nor in another run
	rm here/l.bin
	dropbox_fault '{"route":"files/download","kind":"chunked-cut","at":9000000}'
	dropbox_fault '{"route":"files/get_metadata","kind":"400"}'
	run dbx-fetch --into here /l.bin
	[ "$status" -ne 0 ]
	[ "$(wc -l <here/.l.bin.part.map)" -eq 3 ]
	dropbox_control reset
	dbx-fetch --into here /l.bin
	cmp here/l.bin l.bin
	dropbox_log 'select(.route == "files/download" and .status == 206)' >ranges
	[ "$(jq -s 'map(.out) | add // 0' ranges)" -eq $((12 * M)) ]
}

@test "--into ends with the status of the first that failed, and begins none behind it" {
	mkdir here
	remote a.bin 1000
	remote z.bin 1000
	run dbx-fetch -j 1 --into here /a.bin /none.bin /z.bin
	expect 66 '^dbx-fetch: /none.bin: not found in Dropbox$'
	cmp here/a.bin a.bin
	[ ! -e here/z.bin ]
	run dbx-fetch --into nowhere /a.bin
	expect 73
	run dbx-fetch -j 16 --into here /z.bin
	expect 0
	[ -z "$output" ]
}
