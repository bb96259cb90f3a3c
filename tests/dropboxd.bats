#!/usr/bin/env bats
# The local Dropbox itself: it refuses what Dropbox refuses, answers as it answers, fails as it fails.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	dropbox_start
	TOKEN=$(dropbox_token)
}

teardown() {
	dropbox_stop
}

# answer CODE REGEX CURL-ARG...: the status, and an extended regex that headers and body must match
answer() {
	local code=$1 regex=$2
	shift 2
	run curl -sS --max-time 30 -D - -w '\ncode=%{http_code}' "$@"
	if ! grep -q "^code=$code\$" <<<"$output" || ! tr -d '\r\0' <<<"$output" | grep -Eq -- "$regex"; then
		printf 'wanted %s %s, got:\n%s\n' "$code" "$regex" "$output" >&2
		return 1
	fi
}

# lacks REGEX: no line of the last answer matches
lacks() {
	if tr -d '\0' <<<"$output" | grep -Eiq -- "$1"; then
		printf 'unwanted %s in:\n%s\n' "$1" "$output" >&2
		return 1
	fi
}

# body: of the last answer
body() {
	tail -n 2 <<<"$output" | head -n 1
}

# rpc CODE REGEX ROUTE [JSON]
rpc() {
	answer "$1" "$2" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
		--data-binary "${4-null}" "$DROPBOX_API_URL/2/$3"
}

# up CODE REGEX ROUTE JSON [TEXT]: upload style; the text is the body
up() {
	printf %s "${5-}" >body
	answer "$1" "$2" -H "Authorization: Bearer $TOKEN" -H "Dropbox-API-Arg: $4" -H 'Expect:' \
		-H 'Content-Type: application/octet-stream' --data-binary @body "$DROPBOX_CONTENT_URL/2/$3"
}

# down CODE REGEX JSON CURL-ARG...
down() {
	local code=$1 regex=$2 arg=$3
	shift 3
	answer "$code" "$regex" -H "Authorization: Bearer $TOKEN" -H "Dropbox-API-Arg: $arg" "$@" \
		"$DROPBOX_CONTENT_URL/2/files/download"
}

# put PATH TEXT: content, by another client; rev PATH, id PATH, hash PATH: what it has now
put() { dropbox_control put "$(jq -nc --arg p "$1" --arg t "$2" '{path: $p, text: $t}')" >/dev/null; }
meta() { dropbox_api files/get_metadata "$(jq -nc --arg p "$2" '{path: $p}')" | jq -r ".$1"; }

# start [JSON] [TEXT]: a session; sets SESSION
start() {
	printf %s "${2-}" >body
	SESSION=$(dropbox_upload files/upload_session/start "${1-{\}}" body | jq -r .session_id)
	[ -n "$SESSION" ] && [ "$SESSION" != null ]
}
cursor() { printf '"cursor":{"session_id":"%s","offset":%s}' "$SESSION" "$1"; }
append() { up "$1" "$2" files/upload_session/append_v2 "{$(cursor "$3")${5-}}" "${4-}"; }
# finish CODE REGEX OFFSET PATH [TEXT] [MORE-COMMIT]
finish() {
	up "$1" "$2" files/upload_session/finish \
		"{$(cursor "$3"),\"commit\":{\"path\":\"$4\"${6-}}}" "${5-}"
}
# block N CHAR: n bytes
block() { head -c "$1" /dev/zero | tr '\0' "$2"; }

OLD=000000000

# ---- hosts, methods, content types, arguments ----

@test "a route lives on one host only" {
	answer 404 . -d null "$DROPBOX_CONTENT_URL/2/files/get_metadata"
	answer 404 . -d null "$DROPBOX_API_URL/2/files/download"
	answer 404 . -d null "$DROPBOX_API_URL/2/files/list_folder/longpoll"
	answer 404 . -d null "$DROPBOX_CONTENT_URL/oauth2/token"
	answer 404 . -d null "$DROPBOX_NOTIFY_URL/control/reset"
	answer 404 . -d null "$DROPBOX_API_URL/files/get_metadata"
	answer 404 . -d null "$DROPBOX_API_URL/2/files/no_such_route"
	answer 404 . "$DROPBOX_API_URL/"
}

@test "every route wants POST, only download answers GET as well" {
	put /a x
	answer 405 'Allow: POST' -H "Authorization: Bearer $TOKEN" "$DROPBOX_API_URL/2/users/get_current_account"
	answer 405 . -X PUT -d x "$DROPBOX_CONTENT_URL/2/files/upload"
	answer 405 . -H "Authorization: Bearer $TOKEN" "$DROPBOX_CONTENT_URL/2/files/upload"
	down 200 '^x' '{"path":"/a"}'
	down 200 '^x' '{"path":"/a"}' -X POST -H 'Content-Type:' -d ''
	answer 200 '^x' -G --data-urlencode 'arg={"path":"/a"}' --data-urlencode "authorization=Bearer $TOKEN" \
		"$DROPBOX_CONTENT_URL/2/files/download"
}

@test "RPC: the content type is JSON and nothing else" {
	local type
	for type in 'application/x-www-form-urlencoded' 'text/json' 'application/json; charset=latin1' \
		'application/octet-stream'; do
		answer 400 'Bad HTTP "Content-Type" header' -H "Authorization: Bearer $TOKEN" \
			-H "Content-Type: $type" -d '{"path":"/a"}' "$DROPBOX_API_URL/2/files/get_metadata"
	done
	answer 400 'Content-Type' -H "Authorization: Bearer $TOKEN" -H 'Content-Type:' -d '{"path":"/a"}' \
		"$DROPBOX_API_URL/2/files/get_metadata"
	answer 409 not_found -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json; charset=utf-8' \
		-d '{"path":"/a"}' "$DROPBOX_API_URL/2/files/get_metadata"
}

@test "RPC: a route without an argument takes null or no body" {
	rpc 200 '"email": ?"operator@example.com"' users/get_current_account null
	rpc 400 'expected null' users/get_current_account '{}'
	answer 200 allocation -H "Authorization: Bearer $TOKEN" -X POST "$DROPBOX_API_URL/2/users/get_space_usage"
	rpc 200 '"result": ?"foo"' check/user '{"query":"foo"}'
}

@test "arguments: what is not JSON, not a struct, unknown, missing, mistyped or out of range is 400" {
	local arg
	for arg in '' '{' '{"path":"/a"} x' '[]' '"x"' 'null' '{"path":"/a","zzz":1}' '{}' '{"path":7}' \
		'{"path":"a"}' '{"path":"a/b"}' '{"path":"rev:123"}' '{"path":"rev:XYZ123456"}' '{"path":"ns:/x"}' \
		'{"path":"/a","include_deleted":"yes"}' '{"path":"/a","include_deleted":null}' \
		'{"path":"/a\u0000b"}' $'{"path":"/\xff"}'; do
		rpc 400 'Error in call to API function "files/get_metadata": request body: ' files/get_metadata "$arg"
	done
	rpc 400 "unknown field 'zzz'" files/get_metadata '{"path":"/a","zzz":1}'
	rpc 400 "missing required field 'path'" files/get_metadata '{}'
	rpc 400 'limit: .*range' files/list_folder '{"path":"","limit":0}'
	rpc 400 'limit: .*range' files/list_folder '{"path":"","limit":2001}'
	rpc 400 'limit: expected integer' files/list_folder '{"path":"","limit":1.5}'
	rpc 400 'parent_rev' files/delete_v2 '{"path":"/a","parent_rev":"12345678"}'
	rpc 400 'cursor' files/list_folder/continue '{"cursor":""}'
	rpc 400 'num_sessions' files/upload_session/start_batch '{"num_sessions":1001}'
}

@test "upload: exactly octet-stream, also for no bytes at all" {
	local type
	for type in '' 'application/octet-stream; charset=utf8' 'application/json' 'application/x-www-form-urlencoded'; do
		answer 400 'Bad HTTP "Content-Type" header' -H "Authorization: Bearer $TOKEN" \
			-H 'Dropbox-API-Arg: {"path":"/a"}' -H "Content-Type:${type:+ $type}" -d '' \
			"$DROPBOX_CONTENT_URL/2/files/upload"
	done
	up 200 '"size": ?0[,}]' files/upload '{"path":"/a"}'
}

@test "upload: a bad argument is refused after its body was taken" {
	block 3000000 x >big
	answer 400 'unknown field' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a","size":3}' \
		-H 'Expect:' -H 'Content-Type: application/octet-stream' --data-binary @big \
		"$DROPBOX_CONTENT_URL/2/files/upload"
	# who asks first is told at once
	answer 400 'unknown field' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a","size":3}' \
		-H 'Expect: 100-continue' -H 'Content-Type: application/octet-stream' --data-binary @big \
		"$DROPBOX_CONTENT_URL/2/files/upload"
	[ "$(dropbox_log 'select(.route == "files/upload") | .in' | sort -n | head -n 1)" = 0 ]
}

@test "the argument header: missing, not JSON, or with a byte that is not ASCII" {
	answer 400 'Must provide HTTP header "Dropbox-API-Arg"' -H "Authorization: Bearer $TOKEN" \
		-H 'Content-Type: application/octet-stream' -d x "$DROPBOX_CONTENT_URL/2/files/upload"
	up 400 'HTTP header "Dropbox-API-Arg": could not decode input as JSON' files/upload '{path:/a}'
	up 400 'could not decode input as JSON' files/upload '{"path":"/ü"}'
	up 400 'could not decode input as JSON' files/upload $'{"path":"/\x7f"}'
	up 200 '"name"' files/upload '{"path":"/\u00fc\ud83d\ude00"}' x
	[ "$(meta path_display '/ü😀')" = '/ü😀' ]
}

@test "download: form and JSON content types are refused, and a body too" {
	put /a x
	down 400 'Content-Type' '{"path":"/a"}' -X POST -d ''
	down 400 'Content-Type' '{"path":"/a"}' -X POST -H 'Content-Type: application/json' -d ''
	down 400 'body must be empty' '{"path":"/a"}' -X POST -H 'Content-Type: text/plain' -d x
	down 200 . '{"path":"/a"}' -X POST -H 'Content-Type: application/octet-stream' -d ''
}

@test "more than 150 MiB in one request is refused" {
	head -c 157286401 /dev/zero >big
	answer 409 'payload_too_large' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' --data-binary @big "$DROPBOX_CONTENT_URL/2/files/upload"
	answer 409 'payload_too_large' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' -H 'Transfer-Encoding: chunked' -T big -X POST \
		"$DROPBOX_CONTENT_URL/2/files/upload"
	truncate -s 157286400 big
	answer 200 '"size": ?157286400' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' --data-binary @big "$DROPBOX_CONTENT_URL/2/files/upload"
}

@test "the Path-Root header: home and its own namespace are known, others are 422" {
	local ok bad
	for ok in '{".tag":"home"}' '{".tag":"root","root":"70721710"}' \
		'{".tag":"namespace_id","namespace_id":"70721710"}'; do
		answer 200 . -H "Authorization: Bearer $TOKEN" -H "Dropbox-API-Path-Root: $ok" -X POST \
			"$DROPBOX_API_URL/2/users/get_space_usage"
	done
	answer 422 no_permission -H "Authorization: Bearer $TOKEN" -X POST \
		-H 'Dropbox-API-Path-Root: {".tag":"namespace_id","namespace_id":"1"}' "$DROPBOX_API_URL/2/users/get_space_usage"
}

# ---- tokens ----

@test "a token that is missing, malformed, unknown, expired or without the scope" {
	answer 401 'invalid_access_token' -X POST "$DROPBOX_API_URL/2/users/get_space_usage"
	answer 400 'Invalid authorization value' -H 'Authorization: Bearer' -X POST "$DROPBOX_API_URL/2/users/get_space_usage"
	answer 400 'Invalid authorization value' -H 'Authorization: Basic eDp5' -X POST "$DROPBOX_API_URL/2/users/get_space_usage"
	TOKEN=sl.nonsense
	rpc 401 'WWW-Authenticate: Bearer realm="Dropbox-API"' users/get_space_usage
	rpc 401 '"\.tag": ?"invalid_access_token"' users/get_space_usage
	TOKEN=$(dropbox_token '{"expires_in":100}')
	rpc 200 . users/get_space_usage
	dropbox_control clock '{"advance":101}'
	rpc 401 '"\.tag": ?"expired_access_token"' users/get_space_usage
	TOKEN=$(dropbox_token '{"scope":"files.metadata.read"}')
	rpc 401 '"required_scope": ?"account_info.read"' users/get_space_usage
	rpc 200 . files/list_folder '{"path":""}'
	down 401 '"required_scope": ?"files.content.read"' '{"path":"/a"}'
	up 401 '"required_scope": ?"files.content.write"' files/upload '{"path":"/a"}' x
}

# token CODE REGEX FIELD=VALUE...
token() {
	local code=$1 regex=$2 args=() field
	shift 2
	for field; do args+=(--data-urlencode "$field"); done
	answer "$code" "$regex" "${args[@]}" "$DROPBOX_TOKEN_URL"
}

@test "the refresh token buys access tokens, with the secret in the body or as Basic, or without one" {
	local key=$DROPBOX_APP_KEY secret=$DROPBOX_APP_SECRET r=$DROPBOX_REFRESH_TOKEN
	token 200 'Content-Type: text/javascript' grant_type=refresh_token "refresh_token=$r" "client_id=$key" "client_secret=$secret"
	lacks refresh_token
	answer 200 '"expires_in": ?14400' -u "$key:$secret" -d "grant_type=refresh_token&refresh_token=$r" "$DROPBOX_TOKEN_URL"
	token 200 . grant_type=refresh_token "refresh_token=$r" "client_id=$key"
	TOKEN=$(body | jq -r .access_token)
	rpc 200 . users/get_space_usage
}

@test "the token endpoint refuses with 400 and a word" {
	local key=$DROPBOX_APP_KEY secret=$DROPBOX_APP_SECRET r=$DROPBOX_REFRESH_TOKEN
	token 400 'invalid_grant.*malformed' grant_type=refresh_token refresh_token=x "client_id=$key"
	token 400 'invalid_grant.*revoked' grant_type=refresh_token "refresh_token=${r//?/x}" "client_id=$key"
	token 400 'invalid_client: ' grant_type=refresh_token "refresh_token=$r" "client_id=$key" client_secret=wrong
	token 400 'invalid_client: ' grant_type=refresh_token "refresh_token=$r" client_id=wrong
	token 400 'unsupported_grant_type' grant_type=password "client_id=$key"
	token 400 'invalid_request' "client_id=$key"
	token 400 'invalid_scope' grant_type=refresh_token "refresh_token=$r" "client_id=$key" scope=sharing.write
	answer 400 . -H 'Content-Type: application/json' -d '{"grant_type":"refresh_token"}' "$DROPBOX_TOKEN_URL"
	# a client with a secret must show it
	r=$(dropbox_control token '{"kind":"refresh","pkce":false}' | jq -r .refresh_token)
	token 400 'invalid_client: ' grant_type=refresh_token "refresh_token=$r" "client_id=$key"
	token 200 . grant_type=refresh_token "refresh_token=$r" "client_id=$key" "client_secret=$secret"
}

@test "a narrower scope can be asked for" {
	token 200 . grant_type=refresh_token "refresh_token=$DROPBOX_REFRESH_TOKEN" "client_id=$DROPBOX_APP_KEY" \
		scope=files.metadata.read
	TOKEN=$(body | jq -r .access_token)
	rpc 401 missing_scope users/get_space_usage
}

# authorize QUERY: what the user's browser shows
authorize() {
	dropbox_control authorize "$(jq -nc --arg u "https://www.dropbox.com/oauth2/authorize?$1" '{url: $u}')"
}

@test "PKCE: the code works once, with its verifier, for ten minutes" {
	local key=$DROPBOX_APP_KEY verifier challenge query code
	verifier=$(block 60 v)
	challenge=$(printf %s "$verifier" | openssl dgst -sha256 -binary | base64 | tr '+/' '-_' | tr -d '=')
	query="client_id=$key&response_type=code&token_access_type=offline&code_challenge=$challenge&code_challenge_method=S256"
	code=$(authorize "$query" | jq -r .code)
	token 400 invalid_grant grant_type=authorization_code "code=$code" "client_id=$key" "code_verifier=$(block 60 w)"
	token 400 invalid_grant grant_type=authorization_code "code=$code" "client_id=$key"
	token 400 invalid_grant grant_type=authorization_code "code=$code" "client_id=$key" "code_verifier=$verifier" redirect_uri=http://x
	token 200 '"refresh_token": ?"[^"]{64}"' grant_type=authorization_code "code=$code" "client_id=$key" "code_verifier=$verifier"
	local refresh
	refresh=$(body | jq -r .refresh_token)
	token 200 access_token grant_type=refresh_token "refresh_token=$refresh" "client_id=$key"
	token 400 "code doesn't exist or has expired" grant_type=authorization_code "code=$code" "client_id=$key" "code_verifier=$verifier"
	code=$(authorize "$query" | jq -r .code)
	dropbox_control clock '{"advance":601}'
	token 400 "code doesn't exist or has expired" grant_type=authorization_code "code=$code" "client_id=$key" "code_verifier=$verifier"
}

@test "without PKCE the code needs the secret; without offline there is no refresh token" {
	local key=$DROPBOX_APP_KEY code
	code=$(authorize "client_id=$key&response_type=code" | jq -r .code)
	token 400 invalid_grant grant_type=authorization_code "code=$code" "client_id=$key"
	token 200 '"account_id"' grant_type=authorization_code "code=$code" "client_id=$key" "client_secret=$DROPBOX_APP_SECRET"
	lacks refresh_token
}

@test "the browser refuses a wrong authorize URL" {
	[ "$(authorize 'client_id=nobody&response_type=code' | jq -r .error)" = 'unknown client_id' ]
	[ "$(authorize "client_id=$DROPBOX_APP_KEY" | jq -r .error)" = 'response_type must be code' ]
	[ "$(authorize "client_id=$DROPBOX_APP_KEY&response_type=code&code_challenge=short&code_challenge_method=S256" | jq -r .error)" = 'malformed code_challenge' ]
	[ "$(authorize "client_id=$DROPBOX_APP_KEY&response_type=code&scope=everything" | jq -r .error)" = 'unknown scope' ]
}

@test "revoking ends the token and its refresh token" {
	token 200 . grant_type=refresh_token "refresh_token=$DROPBOX_REFRESH_TOKEN" "client_id=$DROPBOX_APP_KEY"
	TOKEN=$(body | jq -r .access_token)
	rpc 200 '^null' auth/token/revoke
	rpc 401 invalid_access_token users/get_space_usage
	token 400 invalid_grant grant_type=refresh_token "refresh_token=$DROPBOX_REFRESH_TOKEN" "client_id=$DROPBOX_APP_KEY"
}

# ---- names ----

@test "names: what Dropbox does not take is malformed_path or disallowed_name" {
	local long name
	long=$(block 256 n)
	for name in /a/ '/a//b' '/a ' '/a /b' '/a\\b' "/$long" /. /a/.. '/a\t'; do
		up 409 'path/malformed_path' files/upload "{\"path\":\"$name\"}" x
	done
	for name in /desktop.ini /x/Thumbs.db /.DS_Store /.dropbox; do
		up 409 'path/disallowed_name' files/upload "{\"path\":\"$name\"}" x
	done
	up 200 . files/upload "{\"path\":\"/${long%n}\"}" x
	up 400 'root folder is unsupported' files/upload '{"path":"/"}' x
	down 400 'root folder is unsupported' '{"path":"/"}'
	rpc 400 'root folder is unsupported' files/get_metadata '{"path":"/"}'
	rpc 400 'Specify the root folder as an empty string' files/list_folder '{"path":"/"}'
	rpc 400 'did not match' files/get_metadata '{"path":""}'
}

@test "names differ in more than case, and keep the case in which they were written" {
	up 200 . files/upload '{"path":"/Reports/Ärger.TXT"}' one || up 200 . files/upload '{"path":"/Reports/\u00c4rger.TXT"}' one
	[ "$(meta path_display '/REPORTS/äRGER.txt')" = '/Reports/Ärger.TXT' ]
	[ "$(meta path_lower '/REPORTS/äRGER.txt')" = '/reports/ärger.txt' ]
	up 409 path/conflict/file files/upload '{"path":"/reports/\u00e4RGER.txt"}' two
	up 200 '"/Reports/new.txt"' files/upload '{"path":"/rePORTS/new.txt"}' x
}

@test "id: and rev: and ns: stand for a path; a superseded revision is still there until forgotten" {
	put /a one
	local id rev
	id=$(meta id /a) rev=$(meta rev /a)
	put /a two
	[ "$(meta id /a)" = "$id" ]
	[ "$(meta rev /a)" != "$rev" ]
	down 200 '^one' "{\"path\":\"rev:$rev\"}"
	down 200 '^one' "{\"path\":\"/a\",\"rev\":\"$rev\"}"
	down 200 '^two' "{\"path\":\"$id\"}"
	down 200 '^two' '{"path":"ns:70721710/a"}'
	down 409 path/not_found '{"path":"ns:1/a"}'
	rpc 200 "\"rev\": ?\"$rev\"" files/get_metadata "{\"path\":\"rev:$rev\"}"
	dropbox_control forget "{\"rev\":\"$rev\"}"
	down 409 path/not_found "{\"path\":\"rev:$rev\"}"
	up 200 . files/upload "{\"path\":\"$id\",\"mode\":\"overwrite\"}" three
	down 200 '^three' '{"path":"/a"}'
}

# ---- upload ----

@test "mode add: absent is written, the same content is no change, other content is a conflict" {
	up 200 . files/upload '{"path":"/d/a.txt","client_modified":"2020-02-02T02:02:02Z"}' one
	local rev
	rev=$(meta rev /d/a.txt)
	up 200 "\"rev\": ?\"$rev\"" files/upload '{"path":"/d/a.txt","client_modified":"2021-01-01T00:00:00Z"}' one
	[ "$(meta client_modified /d/a.txt)" = 2020-02-02T02:02:02Z ]
	up 409 '"reason": ?\{"\.tag": ?"conflict", ?"conflict"|"reason": ?\{"\.tag": ?"conflict"|"conflict": ?\{"\.tag": ?"file"' \
		files/upload '{"path":"/d/a.txt"}' two
	grep -q upload_session_id <<<"$output"
	up 409 path/conflict/file files/upload '{"path":"/d/a.txt","strict_conflict":true}' one
	up 200 '"name": ?"a \(1\)\.txt"' files/upload '{"path":"/d/a.txt","autorename":true}' two
	up 409 path/conflict/folder files/upload '{"path":"/d"}' x
	up 409 path/conflict/file_ancestor files/upload '{"path":"/d/a.txt/b"}' x
}

@test "mode overwrite: a new revision for new content, none for the same" {
	put /a one
	local rev
	rev=$(meta rev /a)
	up 200 "\"rev\": ?\"$rev\"" files/upload '{"path":"/a","mode":"overwrite"}' one
	up 200 . files/upload '{"path":"/a","mode":{".tag":"overwrite"}}' two
	[ "$(meta rev /a)" != "$rev" ]
	rpc 200 . files/create_folder_v2 '{"path":"/d"}'
	up 409 path/conflict/folder files/upload '{"path":"/d","mode":"overwrite"}' x
}

@test "mode update: only on the revision named; strict also when the file is gone" {
	put /a one
	local rev
	rev=$(meta rev /a)
	up 400 "mode: .*update" files/upload '{"path":"/a","mode":"update"}' two
	up 200 . files/upload "{\"path\":\"/a\",\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" two
	up 409 path/conflict/file files/upload "{\"path\":\"/a\",\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" three
	up 200 . files/upload "{\"path\":\"/a\",\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" two
	up 409 path/conflict/file files/upload "{\"path\":\"/a\",\"strict_conflict\":true,\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" two
	up 200 'conflicted copy' files/upload "{\"path\":\"/a\",\"autorename\":true,\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" three
	rpc 200 . files/delete_v2 '{"path":"/a"}'
	up 409 path/conflict/file files/upload "{\"path\":\"/a\",\"strict_conflict\":true,\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" four
	up 200 . files/upload "{\"path\":\"/a\",\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" four
}

@test "a time must be in the one form, and a hash that does not fit stores nothing" {
	local t
	for t in 2020-02-02T02:02:02.5Z 2020-02-02T02:02:02+01:00 '2020-02-02 02:02:02' 2020-02-30T00:00:00Z; do
		up 400 "client_modified: time data" files/upload "{\"path\":\"/a\",\"client_modified\":\"$t\"}" x
	done
	up 409 content_hash_mismatch files/upload "{\"path\":\"/a\",\"content_hash\":\"$(block 64 0)\"}" x
	rpc 409 not_found files/get_metadata '{"path":"/a"}'
	up 200 . files/upload '{"path":"/a","content_hash":"16dff8700700b9aa627e24bbf832940c084b41ade5c5d6fe5417963a547ed9c2"}' 'Hello Dropbox!'
	up 400 'content_hash' files/upload '{"path":"/a","content_hash":"abc"}' x
}

@test "content_hash: the published values" {
	put /q 'Quack!'
	[ "$(meta content_hash /q)" = 6a2d01bcadbad09a0b0aea75f2e1e0652da80a43c8c196ee0cd29cc268ef73a1 ]
	local n want
	while read -r n want; do
		head -c "$n" /dev/zero >z
		dropbox_seed z "/z$n"
		[ "$(meta content_hash "/z$n")" = "$want" ]
	done <<-END
	0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
	4194303 839e2d868a885f260431d186466f0f3c189ee0eee5cc444b54e717740ad7f1c3
	4194304 c7e946d101855255d919ef0c70718633adf77d3dfb3adeeecf5d0cb4e951be58
	4194305 14a4d47f23a30177885d9820122f17d2d3a55fe63f7f5c27b95f689e0b2accd6
	10485760 cfbbdae2c77066b55ee0bca512cfca2299904017a44f1dc362f4cc4e3924925d
	END
}

@test "no space: insufficient_space, and the refused bytes can still be committed" {
	dropbox_control option '{"quota":10}'
	up 409 path/insufficient_space files/upload '{"path":"/a"}' 'more than ten bytes'
	SESSION=$(body | jq -r .error.upload_session_id)
	dropbox_control option '{"quota":1000}'
	finish 200 '"size": ?19' 19 /a
	rpc 200 '"used": ?19' users/get_space_usage
	dropbox_control option '{"quota":20}'
	rpc 409 insufficient_quota files/copy_v2 '{"from_path":"/a","to_path":"/b"}'
}

# ---- sessions ----

@test "a sequential session: start, append, finish with data; invisible until then" {
	start '{}' abc
	append 200 '^null' 3 def
	rpc 409 not_found files/get_metadata '{"path":"/s"}'
	finish 200 '"size": ?9' 6 /s ghi
	down 200 '^abcdefghi' '{"path":"/s"}'
	finish 409 lookup_failed/not_found 9 /s
}

@test "a sequential session: a wrong offset is corrected" {
	start '{}' abc
	append 409 '"error": ?\{.*"correct_offset": ?3' 2 x
	append 409 'incorrect_offset' 4 x
	finish 409 '"lookup_failed": ?\{.*"correct_offset": ?3|"correct_offset": ?3.*lookup_failed' 0 /s
	finish 200 . 3 /s
}

@test "a sequential session: closed takes no more, finish works open and closed" {
	start '{}' abc
	append 200 . 3 def ',"close":true'
	append 409 '"\.tag": ?"closed"' 6 x
	finish 409 lookup_failed/closed 6 /s x
	finish 200 '"size": ?6' 6 /s
	start '{"close":true}' abc
	append 409 closed 3 x
	finish 200 . 3 /t
	start
	finish 200 '"size": ?0[,}]' 0 /empty
}

@test "a session lives for seven days, an unknown one not at all" {
	start '{}' abc
	dropbox_control clock '{"advance":604000}'
	TOKEN=$(dropbox_token)
	append 200 . 3 d
	dropbox_control clock '{"advance":1000}'
	append 409 '"\.tag": ?"not_found"' 4 e
	SESSION=nonsense
	append 409 not_found 0 x
	finish 409 lookup_failed/not_found 0 /x
}

@test "a finish refused for its path keeps the data that came with it" {
	put /f x
	start '{}' abc
	finish 409 '"path": ?\{.*"conflict"' 3 /f def
	grep -Eq 'path/conflict/file' <<<"$output"
	lacks '"reason"'
	finish 409 'correct_offset": ?6' 3 /g def
	finish 200 '"size": ?6' 6 /g
}

@test "a request that breaks off appends nothing" {
	start '{}' abc
	# 100 bytes promised, three sent
	exec 9<>"/dev/tcp/127.0.0.1/${DROPBOX_CONTENT_URL##*:}"
	printf 'POST /2/files/upload_session/append_v2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nDropbox-API-Arg: {%s}\r\nContent-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\nxyz' \
		"$TOKEN" "$(cursor 3)" >&9
	exec 9>&-
	dropbox_control wait '{"route":"files/upload_session/append_v2","calls":1,"quiet":true}'
	finish 200 '"size": ?3' 3 /s
	[ "$(dropbox_log 'select(.complete | not) | .route')" = '"files/upload_session/append_v2"' ]
}

@test "the later of two requests for the same place wins" {
	start '{}' abc
	dropbox_fault '{"route":"files/upload_session/append_v2","kind":"stall"}'
	(append 409 'correct_offset": ?6' 3 xyz) &
	dropbox_control wait '{"stalled":1}'
	append 200 . 3 def
	dropbox_control release
	wait $!
	finish 200 . 6 /s
	down 200 '^abcdef' '{"path":"/s"}'
}

@test "session pieces: content_hash is of the piece" {
	start '{}' abc
	append 409 content_hash_mismatch 3 'Quack!' ",\"content_hash\":\"$(block 64 0)\""
	append 200 . 3 'Quack!' ',"content_hash":"6a2d01bcadbad09a0b0aea75f2e1e0652da80a43c8c196ee0cd29cc268ef73a1"'
	finish 200 '"size": ?9' 9 /s
}

@test "a concurrent session: any order, 4 MiB pieces, closed by the last, no data in start and finish" {
	local m=4194304
	up 409 concurrent_session_data_not_allowed files/upload_session/start '{"session_type":"concurrent"}' x
	up 409 concurrent_session_close_not_allowed files/upload_session/start '{"session_type":"concurrent","close":true}'
	start '{"session_type":{".tag":"concurrent"}}'
	append 200 . $((2 * m)) tail ',"close":true'
	append 409 concurrent_session_invalid_offset 5 x
	append 409 concurrent_session_invalid_data_size 0 x
	append 200 . $m "$(block $m b)"
	finish 409 concurrent_session_missing_data $((2 * m + 4)) /c
	append 200 . 0 "$(block $m a)"
	append 200 . 0 "$(block $m a)"
	finish 409 concurrent_session_data_not_allowed $((2 * m + 4)) /c x
	finish 409 correct_offset $((2 * m)) /c
	finish 200 "\"size\": ?$((2 * m + 4))" $((2 * m + 4)) /c
	dropbox_get /c >got
	(block $m a; block $m b; printf tail) | cmp - got
	dropbox_seed got /d
	[ "$(meta content_hash /c)" = "$(meta content_hash /d)" ]
}

@test "a concurrent session that nobody closed cannot be finished" {
	start '{"session_type":"concurrent"}'
	append 200 . 0 "$(block 4194304 a)"
	finish 409 concurrent_session_not_closed 4194304 /c
	append 200 . 4194304 '' ',"close":true'
	finish 200 . 4194304 /c
}

@test "batches: sessions by the number, finished together, each with its own result" {
	rpc 200 session_ids files/upload_session/start_batch '{"num_sessions":2,"session_type":"sequential"}'
	local ids one two
	ids=$(body)
	one=$(jq -r '.session_ids[0]' <<<"$ids") two=$(jq -r '.session_ids[1]' <<<"$ids")
	SESSION=$one append 200 . 0 first ',"close":true'
	SESSION=$two append 200 . 0 second
	local entries
	entries=$(jq -nc --arg one "$one" --arg two "$two" '{entries: [
		{cursor: {session_id: $one, offset: 5}, commit: {path: "/one"}},
		{cursor: {session_id: $two, offset: 6}, commit: {path: "/two"}}]}')
	rpc 200 success files/upload_session/finish_batch_v2 "$entries"
	body | jq -e '.entries[0].name == "one" and .entries[1].failure.lookup_failed[".tag"] == "not_closed"'
}

@test "sessions and files are there again after a restart" {
	local token=$TOKEN rev
	put /a one
	rev=$(meta rev /a)
	put /a two
	start '{}' "$(block 5000000 s)"
	local seq=$SESSION m=4194304
	start '{"session_type":"concurrent"}'
	append 200 . $m "$(block 100 z)" ',"close":true'
	dropbox_stop
	dropbox_start
	TOKEN=$token
	down 200 '^two' '{"path":"/a"}'
	down 200 '^one' "{\"path\":\"rev:$rev\"}"
	append 200 . 0 "$(block $m y)"
	finish 200 . $((m + 100)) /con
	SESSION=$seq
	append 200 . 5000000 "$(block 5000000 t)"
	finish 200 . 10000000 /seq
	(block 5000000 s; block 5000000 t) >want
	dropbox_seed want /want
	[ "$(meta content_hash /seq)" = "$(meta content_hash /want)" ]
	dropbox_get /seq | cmp - want
	(block $m y; block 100 z) | cmp - <(dropbox_get /con)
}

@test "a journal torn by a kill is read up to there" {
	put /a one
	put /b two
	kill -KILL "$DROPBOX_PID"
	wait "$DROPBOX_PID" || true
	truncate -s -7 "$DROPBOX_ROOT/journal"
	dropbox_start
	TOKEN=$(dropbox_token)
	down 200 '^one' '{"path":"/a"}'
	down 409 not_found '{"path":"/b"}'
	put /b three
	dropbox_stop
	dropbox_start
	TOKEN=$(dropbox_token)
	down 200 '^three' '{"path":"/b"}'
}

# ---- download ----

@test "download: the metadata travels in a header, without .tag, in ASCII" {
	up 200 . files/upload '{"path":"/\u00fc"}' x
	down 200 '[Dd]ropbox-[Aa][Pp][Ii]-[Rr]esult: \{.*"path_lower": ?"/\\u00fc"' '{"path":"/\u00fc"}'
	lacks '^dropbox-api-result.*"\.tag": ?"file"'
	down 200 'Etag: W/"[0-9a-f]{9,}"' '{"path":"/\u00fc"}'
}

@test "download: ranges" {
	put /a 0123456789
	put /empty ''
	down 206 'Content-Range: bytes 2-4/10' '{"path":"/a"}' -r 2-4
	[ "$(body)" = 234 ]
	grep -Eiq '^dropbox-api-result: .*"size": ?10' <<<"$output"
	down 206 'Content-Range: bytes 8-9/10' '{"path":"/a"}' -r 8-
	down 206 'Content-Range: bytes 7-9/10' '{"path":"/a"}' -r -3
	down 206 'Content-Range: bytes 0-9/10' '{"path":"/a"}' -r -30
	down 206 'Content-Range: bytes 0-9/10' '{"path":"/a"}' -r 0-99
	down 200 . '{"path":"/a"}' -H 'Range: lines=1-2'
	down 200 'Content-Length: 0' '{"path":"/empty"}'
	local _
	for _ in 1 2 3 4; do
		down '\(409\|416\)' 'range/not_satisfiable|Content-Range: bytes \*/10' '{"path":"/a"}' -r 10-
		down '\(409\|416\)' . '{"path":"/empty"}' -r 0-
	done
}

@test "download: If-None-Match" {
	put /a one
	down 304 . '{"path":"/a"}' -H "If-None-Match: W/\"$(meta rev /a)\""
	down 200 '^one' '{"path":"/a"}' -H 'If-None-Match: W/"123456789"'
}

@test "download: what is not there or no file" {
	rpc 200 . files/create_folder_v2 '{"path":"/d"}'
	down 409 path/not_found '{"path":"/x"}'
	down 409 path/not_file '{"path":"/d"}'
	down 409 path/not_found '{"path":"rev:123456789abc"}'
	down 409 path/not_found '{"path":"id:xxxxxxxxxxxxxxxxxxxxxx"}'
	down 409 path/malformed_path '{"path":"/x/"}'
}

# ---- folders, moves, revisions ----

# list ARG: the names of all pages
list() {
	local page
	page=$(dropbox_api files/list_folder "$1")
	while :; do
		jq -r '.entries[] | .[".tag"] + " " + .path_display' <<<"$page"
		[ "$(jq .has_more <<<"$page")" = true ] || break
		page=$(dropbox_api files/list_folder/continue "$(jq -c '{cursor}' <<<"$page")")
	done
	CURSOR=$(jq -c '{cursor}' <<<"$page")
}

@test "a folder's list comes in pages; all names once" {
	local i
	for i in 1 2 3 4 5 6 7 8 9; do put "/d/f$i" "$i"; done
	put /d/sub/deep x
	put /e x
	dropbox_control option '{"page":4}'
	list '{"path":"/d"}' >got
	[ "$(wc -l <got)" = 10 ]
	[ "$(sort -u got | wc -l)" = 10 ]
	grep -q 'folder /d/sub' got
	[ "$(list '{"path":"","recursive":true}' | wc -l)" = 13 ]
	[ "$(list '{"path":""}' | sort)" = $'file /e\nfolder /d' ]
	rpc 409 path/not_folder files/list_folder '{"path":"/e"}'
	rpc 409 path/not_found files/list_folder '{"path":"/nothing"}'
}

@test "continue tells what changed, and what is gone" {
	put /d/a x
	put /d/b x
	list '{"path":"/d"}' >/dev/null
	put /d/c x
	rpc 200 . files/delete_v2 '{"path":"/d/a"}'
	local page=
	until page=$(dropbox_api files/list_folder/continue "$CURSOR"); CURSOR=$(jq -c '{cursor}' <<<"$page")
		[ "$(jq .has_more <<<"$page")" = false ]; do :; done
	[ "$(jq -r '.entries[] | .[".tag"] + .name' <<<"$page" | sort | tr '\n' ' ')" = 'deleteda filec ' ]
}

@test "a cursor of an earlier life is reset, nonsense is refused" {
	list '{"path":""}'
	dropbox_control reset '{"data":true}'
	rpc 409 '"\.tag": ?"reset"' files/list_folder/continue "$CURSOR"
	rpc 400 'unsupported cursor type' files/list_folder/continue '{"cursor":"AAnonsense"}'
	answer 409 reset -H 'Content-Type: application/json' -d "$CURSOR" "$DROPBOX_NOTIFY_URL/2/files/list_folder/longpoll"
}

@test "longpoll waits for a change, and wants no token" {
	rpc 200 . files/list_folder/get_latest_cursor '{"path":""}'
	local cursor
	cursor=$(body | jq -c '. + {timeout: 30}')
	answer 400 'does not use it' -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
		-d "$cursor" "$DROPBOX_NOTIFY_URL/2/files/list_folder/longpoll"
	(answer 200 '"changes": ?true' -H 'Content-Type: application/json' -d "$cursor" \
		"$DROPBOX_NOTIFY_URL/2/files/list_folder/longpoll") &
	dropbox_control wait '{"route":"files/list_folder/longpoll","calls":2}'
	put /a x
	wait $!
	answer 400 'timeout' -H 'Content-Type: application/json' -d "$(jq -c '.timeout = 29' <<<"$cursor")" \
		"$DROPBOX_NOTIFY_URL/2/files/list_folder/longpoll"
}

@test "delete: the revision must be the one named; what is in a folder goes with it" {
	put /d/a x
	local rev
	rev=$(meta rev /d/a)
	put /d/a y
	rpc 409 '"path_write": ?\{' files/delete_v2 "{\"path\":\"/d/a\",\"parent_rev\":\"$rev\"}"
	rpc 409 path_lookup/not_found files/delete_v2 '{"path":"/nothing"}'
	rpc 200 '"\.tag": ?"folder"' files/delete_v2 '{"path":"/d"}'
	rpc 409 path/not_found files/get_metadata '{"path":"/d/a"}'
	rpc 200 '"\.tag": ?"deleted"' files/get_metadata '{"path":"/d/a","include_deleted":true}'
	rpc 400 'root folder' files/delete_v2 '{"path":"/"}'
}

@test "move keeps the id and makes parents; copy makes a new one; neither overwrites" {
	put /a one
	put /b two
	local id
	id=$(meta id /a)
	rpc 409 to/conflict/file files/move_v2 '{"from_path":"/a","to_path":"/b"}'
	rpc 409 to/conflict/file files/copy_v2 '{"from_path":"/a","to_path":"/b"}'
	rpc 409 from_lookup/not_found files/move_v2 '{"from_path":"/none","to_path":"/c"}'
	rpc 409 duplicated_or_nested_paths files/move_v2 '{"from_path":"/a","to_path":"/A"}'
	rpc 200 "\"id\": ?\"$id\"" files/move_v2 '{"from_path":"/a","to_path":"/x/y/a"}'
	rpc 409 not_found files/get_metadata '{"path":"/a"}'
	rpc 200 . files/copy_v2 '{"from_path":"/x/y/a","to_path":"/copy"}'
	[ "$(meta id /copy)" != "$id" ]
	[ "$(meta content_hash /copy)" = "$(meta content_hash /x/y/a)" ]
	rpc 409 cant_move_folder_into_itself files/move_v2 '{"from_path":"/x","to_path":"/x/z"}'
	rpc 200 'b \(1\)' files/copy_v2 '{"from_path":"/copy","to_path":"/b","autorename":true}'
	rpc 200 . files/move_v2 '{"from_path":"/x","to_path":"/moved"}'
	[ "$(meta id /moved/y/a)" = "$id" ]
}

@test "folders: made with their parents, a second time a conflict" {
	rpc 200 '"metadata"' files/create_folder_v2 '{"path":"/a/b/c"}'
	lacks '"metadata": ?\{"\.tag"'
	rpc 409 path/conflict/folder files/create_folder_v2 '{"path":"/a/b/c"}'
	put /f x
	rpc 409 path/conflict/file files/create_folder_v2 '{"path":"/f"}'
	rpc 409 path/conflict/file_ancestor files/create_folder_v2 '{"path":"/f/x"}'
}

@test "revisions: newest first; restore brings one back" {
	put /a one
	local rev
	rev=$(meta rev /a)
	put /a two
	put /a three
	run -0 dropbox_api files/list_revisions '{"path":"/a","limit":2}'
	[ "$(jq -c '[.is_deleted, .has_more, (.entries | length)]' <<<"$output")" = '[false,true,2]' ]
	rpc 200 . files/delete_v2 '{"path":"/a"}'
	run -0 dropbox_api files/list_revisions '{"path":"/a"}'
	[ "$(jq -c '[.is_deleted, (.entries | length), (.server_deleted != null)]' <<<"$output")" = '[true,3,true]' ]
	rpc 409 invalid_revision files/restore "{\"path\":\"/a\",\"rev\":\"$OLD\"}"
	rpc 200 . files/restore "{\"path\":\"/a\",\"rev\":\"$rev\"}"
	down 200 '^one' '{"path":"/a"}'
}

# ---- the answers' shape ----

@test "both JSON styles, by choice of chance unless one is asked for" {
	local _
	for _ in $(seq 20); do dropbox_api users/get_space_usage; echo; done >all
	grep -q '^{"used": 0, "allocation"' all
	grep -q '^{"allocation":{".tag":"individual","allocated"' all
	dropbox_stop
	dropbox_start --json-style compact
	for _ in $(seq 10); do dropbox_api users/get_space_usage; echo; done | sort -u >all
	[ "$(wc -l <all)" = 1 ]
}

@test "revisions have many lengths; error summaries end in dots or not" {
	local i
	for i in $(seq 20); do put "/f$i" "$i"; done
	[ "$(list '{"path":""}' | wc -l)" = 20 ]
	for i in $(seq 20); do meta rev "/f$i"; done | awk '{print length($0)}' | sort -u >lengths
	[ "$(wc -l <lengths)" -ge 3 ]
	for i in $(seq 20); do dropbox_api files/get_metadata '{"path":"/none"}' | jq -r .error_summary; done | sort -u >dots
	[ "$(wc -l <dots)" -ge 3 ]
}

# ---- faults ----

@test "faults: the rate limits" {
	put /a one
	dropbox_fault '{"route":"files/download","kind":"429","retry_after":7}'
	down 429 'Retry-After: 7' '{"path":"/a"}'
	grep -q '"retry_after": 7}' <<<"$output"
	down 200 '^one' '{"path":"/a"}'
	local kind
	for kind in 429-header-only 429-text 429-html 429-empty; do
		dropbox_fault "{\"kind\":\"$kind\"}"
		rpc 429 'Retry-After: 1' users/get_space_usage
	done
	dropbox_fault '{"kind":"429-noheader"}'
	rpc 429 . users/get_space_usage
	lacks "^retry-after:"
	dropbox_fault '{"kind":"429-body-only","retry_after":3}'
	rpc 429 '"retry_after":3' users/get_space_usage
	lacks "^retry-after:"
	dropbox_fault '{"kind":"429","retry_after":"Wed, 21 Oct 2026 07:28:00 GMT"}'
	rpc 429 'Retry-After: Wed, 21' users/get_space_usage
}

@test "faults: each route's own shape of too many writes and not found" {
	put /a one
	dropbox_fault '[{"kind":"409-too-many-writes","count":2},{"kind":"not-found","count":4}]'
	up 409 'path/too_many_write_operations' files/upload '{"path":"/b"}' x
	rpc 409 '"error_summary": ?"too_many_write_operations' files/delete_v2 '{"path":"/a"}'
	rpc 409 path/not_found files/get_metadata '{"path":"/a"}'
	rpc 409 from_lookup/not_found files/move_v2 '{"from_path":"/a","to_path":"/b"}'
	rpc 409 path_lookup/not_found files/delete_v2 '{"path":"/a"}'
	down 409 path/not_found '{"path":"/a"}'
	down 200 . '{"path":"/a"}'
	dropbox_fault '{"kind":"409","tag":"path/brand_new/reason"}'
	rpc 409 '"path": ?\{.*brand_new' files/get_metadata '{"path":"/a"}'
}

@test "faults: after, count, match and at choose the calls" {
	put /a 0123456789
	put /b bbb
	dropbox_fault '{"route":"files/download","match":"/a","after":1,"count":2,"kind":"500"}'
	down 200 . '{"path":"/a"}'
	down 200 . '{"path":"/b"}'
	down 500 . '{"path":"/a"}'
	down 500 . '{"path":"/a"}'
	down 200 . '{"path":"/a"}'
	dropbox_fault '{"route":"files/download","at":7,"kind":"flip-byte"}'
	down 206 . '{"path":"/a"}' -r 0-6
	[ "$(body)" = 0123456 ]
	down 206 . '{"path":"/a"}' -r 5-9
	[ "$(body)" = 56689 ]
	[ "$(dropbox_control fault | jq -c '[.[].fired]')" = '[2,1]' ]
	dropbox_fault '{"route":"files/upload_session/*","kind":"503-empty","count":-1}'
	up 503 . files/upload_session/start '{}'
	up 503 . files/upload_session/start '{}'
	dropbox_control reset
	up 200 . files/upload_session/start '{}'
}

@test "faults: the server is ill" {
	local kind code
	while read -r kind code; do
		dropbox_fault "{\"kind\":\"$kind\"}"
		rpc "$code" . users/get_space_usage
	done <<-END
	400 400
	403 403
	404-html 404
	408 408
	500 500
	500-json 500
	502-html 502
	503-empty 503
	504-html 504
	html-200 200
	END
	dropbox_fault '{"kind":"reply","status":460,"text":"odd"}'
	rpc 460 '^odd' users/get_space_usage
	dropbox_fault '{"kind":"redirect"}'
	rpc 302 "Location: $DROPBOX_NOTIFY_URL/2/users" users/get_space_usage
}

@test "faults: tokens" {
	dropbox_fault '{"kind":"expired-token"}'
	rpc 401 expired_access_token users/get_space_usage
	rpc 401 expired_access_token users/get_space_usage
	TOKEN=$(dropbox_token)
	dropbox_fault '[{"kind":"invalid-token"},{"kind":"missing-scope"}]'
	rpc 401 invalid_access_token users/get_space_usage
	rpc 401 '"required_scope": ?"account_info.read"' users/get_space_usage
	rpc 200 . users/get_space_usage
	dropbox_fault '{"route":"oauth2/token","kind":"invalid-grant"}'
	token 400 'invalid_grant' grant_type=refresh_token "refresh_token=$DROPBOX_REFRESH_TOKEN" "client_id=$DROPBOX_APP_KEY"
}

# fails CURL-STATUS CURL-ARG...
fails() {
	local want=$1
	shift
	run curl -sS --max-time 20 -o got "$@"
	[[ $status =~ ^$want$ ]] || { echo "curl $status, wanted $want: $output" >&2; return 1; }
}

@test "faults: the connection" {
	head -c 1000000 /dev/urandom >f
	dropbox_seed f /f
	local url=(-H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/f"}' "$DROPBOX_CONTENT_URL/2/files/download")
	dropbox_fault '{"kind":"reset-before"}'
	fails 56 "${url[@]}"
	dropbox_fault '{"kind":"close-before"}'
	fails 52 "${url[@]}"
	dropbox_fault '{"kind":"reset-mid","at":300000}'
	fails 56 "${url[@]}"
	cmp -n 300000 got f
	[ "$(wc -c <got)" = 300000 ]
	dropbox_fault '{"kind":"short-body","at":300000}'
	fails 18 "${url[@]}"
	[ "$(wc -c <got)" = 300000 ]
	dropbox_fault '{"kind":"truncate","at":300000}'
	fails 0 "${url[@]}"
	[ "$(wc -c <got)" = 300000 ]
	dropbox_fault '{"kind":"trickle","ms":10}'
	fails 28 --speed-limit 1000 --speed-time 1 "${url[@]}"
	dropbox_fault '{"kind":"garbage"}'
	fails 1 "${url[@]}"
	dropbox_fault '{"kind":"chunked-cut","at":300000}'
	fails 18 "${url[@]}"
	dropbox_fault '{"kind":"no-length","at":300000}'
	fails 0 "${url[@]}"
	[ "$(wc -c <got)" = 300000 ]
	dropbox_fault '{"kind":"big-header","bytes":120000}'
	# what curl 7.88 calls out of memory has an error of its own since 8.6
	fails '(27|100)' "${url[@]}"
	local kind
	for kind in close-after-reply lower-case-headers mixed-case-headers no-reason odd-reason chunked no-length big-header; do
		dropbox_fault "{\"kind\":\"$kind\"}"
		fails 0 "${url[@]}"
		cmp got f
	done
	[ "$(dropbox_log '.fault' | sort -u | wc -l)" = 16 ]
}

@test "faults: a stall ends by release, by the client, and can be waited for" {
	put /a 0123456789
	dropbox_fault '{"route":"files/download","kind":"stall-mid","at":4}'
	(down 200 '^0123456789' '{"path":"/a"}') &
	dropbox_control wait '{"stalled":1}'
	dropbox_control release
	wait $!
	dropbox_fault '{"kind":"stall"}'
	rpc 200 . users/get_space_usage &
	dropbox_control wait '{"stalled":1}'
	kill $!
	dropbox_fault '{"kind":"delay","ms":300}'
	rpc 200 . users/get_space_usage
	[ "$(dropbox_log 'select(.fault == "delay" and .took >= 0.3)' | wc -l)" = 1 ]
}

@test "faults: ranges" {
	put /a 0123456789
	dropbox_fault '[{"kind":"ignore-range"},{"kind":"wrong-content-range"},{"kind":"wrong-total"},{"kind":"no-content-range"},{"kind":"no-api-result"}]'
	down 200 '^0123456789' '{"path":"/a"}' -r 2-4
	down 206 'Content-Range: bytes 3-4/10' '{"path":"/a"}' -r 2-4
	down 206 'Content-Range: bytes 2-4/11' '{"path":"/a"}' -r 2-4
	down 206 . '{"path":"/a"}' -r 2-4
	lacks "^content-range:"
	down 206 . '{"path":"/a"}' -r 2-4
	lacks "^dropbox-api-result:"
}

@test "faults: applied, but the answer is lost or wrong" {
	dropbox_fault '{"route":"files/upload","kind":"reset-after"}'
	printf x >body
	fails 56 -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' --data-binary @body "$DROPBOX_CONTENT_URL/2/files/upload"
	rpc 200 . files/get_metadata '{"path":"/a"}'
	start '{}' abc
	dropbox_fault '{"route":"files/upload_session/finish","kind":"finish-503-but-committed"}'
	finish 503 . 3 /b
	rpc 200 . files/get_metadata '{"path":"/b"}'
	dropbox_fault '[{"kind":"cut-json"},{"kind":"empty-200"},{"kind":"wrong-hash-reply"},{"kind":"wrong-size-reply"}]'
	rpc 200 . files/get_metadata '{"path":"/a"}'
	run ! jq . <<<"$(body)"
	rpc 200 'Content-Length: 0' files/get_metadata '{"path":"/a"}'
	rpc 200 0123456789abcdef0123 files/get_metadata '{"path":"/a"}'
	rpc 200 '"size": ?1[,}]' files/get_metadata '{"path":"/a"}'
	dropbox_fault '[{"kind":"merge","json":{"new":{"x":1}}},{"kind":"header","name":"Content-Encoding","value":"gzip"}]'
	rpc 200 '"new": ?\{"x": ?1\}' files/get_metadata '{"path":"/a"}'
	rpc 200 'Content-Encoding: gzip' files/get_metadata '{"path":"/a"}'
}

@test "faults: another client writes in between" {
	put /a one
	dropbox_fault '{"kind":"replace","route":"files/download","after":1,"size":7}'
	down 200 '^one' '{"path":"/a"}'
	local rev
	rev=$(meta rev /a)
	down 200 'Content-Length: 7' '{"path":"/a"}'
	down 200 '^one' "{\"path\":\"rev:$rev\"}"
	rev=$(meta rev /a)
	dropbox_fault '{"kind":"replace","route":"files/upload"}'
	up 409 path/conflict/file files/upload "{\"path\":\"/a\",\"mode\":{\".tag\":\"update\",\"update\":\"$rev\"}}" x
}

@test "faults: an error while the body is still on its way" {
	head -c 4000000 /dev/zero >big
	dropbox_fault '{"route":"files/upload","kind":"early-error","at":1000000}'
	answer 503 'Service Unavailable' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' -H 'Expect:' --data-binary @big "$DROPBOX_CONTENT_URL/2/files/upload"
	rpc 409 not_found files/get_metadata '{"path":"/a"}'
	dropbox_fault '{"route":"files/upload","kind":"reset-mid","at":1000000}'
	fails '5[56]' -H "Authorization: Bearer $TOKEN" -H 'Dropbox-API-Arg: {"path":"/a"}' \
		-H 'Content-Type: application/octet-stream' -H 'Expect:' --data-binary @big "$DROPBOX_CONTENT_URL/2/files/upload"
}

@test "faults: nonsense is refused by the control route" {
	local bad
	for bad in '{"kind":"no-such-kind"}' '{"kind":"429","when":1}' '{}' '"x"' '{' '{"kind":"409"}' '{"kind":"500","at":-1}'; do
		answer 400 . -d "$bad" "$DROPBOX_API_URL/control/fault"
	done
}

# ---- the log ----

@test "the log tells what a test wants to know, and no token" {
	put /a 0123456789
	down 206 . '{"path":"/a"}' -r 2-4 -A probe/1
	run -0 dropbox_log 'select(.route == "files/download")'
	[ "$(jq -c '[.host, .method, .arg.path, .status, .range, .out, .agent, .token, .complete, .parallel]' <<<"$output")" = \
		'["content","GET","/a",206,"bytes=2-4",3,"probe/1","valid",true,1]' ]
	answer 404 . -H "Authorization: Bearer $TOKEN" "$DROPBOX_NOTIFY_URL/anything"
	[ "$(dropbox_log 'select(.host == "notify") | [.route, .token]')" = '["/anything","valid"]' ]
	token 200 . grant_type=refresh_token "refresh_token=$DROPBOX_REFRESH_TOKEN" "client_id=$DROPBOX_APP_KEY" "client_secret=$DROPBOX_APP_SECRET"
	run ! grep -q -e "$TOKEN" -e "$DROPBOX_REFRESH_TOKEN" -e "$DROPBOX_APP_SECRET" "$DROPBOX_ROOT/log"
}

@test "the log knows how many calls ran at a time" {
	put /a x
	dropbox_fault '{"kind":"stall","route":"files/download","count":3}'
	local pids=() _
	for _ in 1 2 3; do
		(down 200 . '{"path":"/a"}') &
		pids+=($!)
	done
	dropbox_control wait '{"stalled":3}'
	dropbox_control release
	wait "${pids[@]}"
	[ "$(dropbox_log 'select(.route == "files/download") | .parallel' | sort -n | tail -n 1)" = 3 ]
	[ "$(dropbox_control stats | jq '.routes["files/download"].high')" = 3 ]
}

# ---- starting, ending ----

@test "after its end its addresses are nobody's, whoever has its ports by then" {
	first=$DROPBOX_PID
	DROPBOX_ROOT=$BATS_TEST_TMPDIR/other dropbox_start
	dbx-ls /
	other=$DROPBOX_PID DROPBOX_PID=$first
	dropbox_stop
	DROPBOX_PID=$other
	CTV_BACKOFF=1ms run dbx-ls /
	expect 69 'Failed to connect'
}

@test "over TLS all is the same, also the replies made by hand" {
	dropbox_stop
	dropbox_start --tls
	[[ $DROPBOX_API_URL == https://127.0.0.1:* ]]
	head -c 3000000 /dev/urandom >f
	dropbox_upload files/upload '{"path":"/f"}' f
	dropbox_get /f | cmp - f
	dropbox_fault '{"route":"files/download","kind":"mixed-case-headers"}'
	dropbox_get /f | cmp - f
	dropbox_fault '{"route":"files/download","kind":"reset-mid","at":1000000}'
	run dropbox_get /f
	[ "$status" = 56 ]
}

@test "a rate is kept over all connections" {
	dropbox_stop
	dropbox_start --rate 4M
	TOKEN=$(dropbox_token)
	head -c 2000000 /dev/zero >f
	dropbox_seed f /f
	down 200 . '{"path":"/f"}' -o x &
	down 200 . '{"path":"/f"}' -o y
	wait $!
	# 4 MB at 4 MiB/s: nine tenths of a second, less the catch-up of 20 ms
	[ "$(dropbox_log 'select(.route == "files/download") | .took' | sort -n | tail -n 1 | awk '{print ($1 > 0.85 && $1 < 30)}')" = 1 ]
}

@test "a wrong command line is 64, an address that is taken 69" {
	run dropboxd
	expect 64 'root is missing'
	run dropboxd --root x y
	expect 64 'unexpected operand'
	run dropboxd --root x --rate fast
	expect 64 fast
	run dropboxd --root x --json-style pretty
	expect 64 'spaced, compact or random'
	run dropboxd --root x --tls-cert y
	expect 64 'go together'
	run dropboxd --root x --api nowhere
	expect 64 'ADDR'
	run dropboxd --root x --api "${DROPBOX_API_URL#http://}"
	expect 69 'cannot listen'
	run dropboxd --root /proc/nothing
	expect 73 'cannot create'
	run dropboxd --help
	expect 0 '^usage: dropboxd'
}

@test "the env file is for its owner only" {
	[ "$(stat -c %a "$DROPBOX_ROOT.env")" = 600 ]
}
