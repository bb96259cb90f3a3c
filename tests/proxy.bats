#!/usr/bin/env bats
# https goes through a proxy where the settings name one, in a tunnel; nothing else does

load helper

setup() {
	P=$BATS_TEST_TMPDIR/proxy
	mkdir "$P"
	mkfifo "$P/port"
	setpriv --pdeathsig TERM python3 "$ROOT/tests/proxy.py" "$P" >"$P/port" 3>&- &
	PROXY_PID=$!
	read -r -t 20 port <"$P/port"
	: >"$P/asked"
	proxy=http://127.0.0.1:$port
	unset https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
	cd "$BATS_TEST_TMPDIR" || return
	export CTV_ENV_FILE="$PWD/env" CTV_BACKOFF=1ms
	dropbox_start --tls
	echo "${DROPBOX_API_URL##*:}" >"$P/to"
	# as if it stood where only the proxy gets
	export DROPBOX_API_URL=https://api.dropboxapi.com DROPBOX_TOKEN_URL=https://api.dropboxapi.com/oauth2/token
	dropbox=$(sed -n 's/^DROPBOX_API_URL=//p' "$DROPBOX_ROOT.env")
	curl -sS --cacert "$DROPBOX_CA_FILE" --data-binary '{"path":"/a","text":"x"}' "$dropbox/control/put" >/dev/null
}

teardown() {
	dropbox_stop
	kill "$PROXY_PID"
}

# through WHAT...: the listing comes, and the proxy was asked for a tunnel
through() {
	: >"$P/asked"
	run env "$@" dbx-ls /
	expect 0 '^a$'
	[ "$(sort -u "$P/asked")" = 'CONNECT api.dropboxapi.com:443 HTTP/1.1' ]
}

@test "each name that curl knows, in the environment and in the file, also with a user and a password" {
	for name in https_proxy HTTPS_PROXY all_proxy ALL_PROXY; do
		through "$name=$proxy"
	done
	# the narrower name, and the smaller letters, come first
	through "https_proxy=$proxy" HTTPS_PROXY=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1
	through "HTTPS_PROXY=$proxy" all_proxy=http://127.0.0.1:1
	printf %s user:s3cr3t | base64 >"$P/user"
	(umask 077; echo "HTTPS_PROXY=http://user:s3cr3t@127.0.0.1:$port" >env)
	through TZ=UTC
}

@test "a proxy that refuses, or is not there, is 69 and says so without its password" {
	echo nobody >"$P/user"
	run env "HTTPS_PROXY=http://user:s3cr3t@127.0.0.1:$port" dbx-ls -v /
	expect 69 'response 407'
	! grep -q s3cr3t <<<"$output" || return 1
	run env HTTPS_PROXY=http://user:s3cr3t@127.0.0.1:1 dbx-ls -v /
	expect 69
	! grep -q s3cr3t <<<"$output" || return 1
}

@test "neither this host, nor plain http, nor a host of NO_PROXY is asked for through a proxy" {
	export HTTPS_PROXY=$proxy http_proxy=$proxy ALL_PROXY=$proxy
	DROPBOX_API_URL=$dropbox DROPBOX_TOKEN_URL=$dropbox/oauth2/token run dbx-ls /
	expect 0 '^a$'
	DROPBOX_API_URL=https://localhost:${dropbox##*:} DROPBOX_TOKEN_URL=$dropbox/oauth2/token run dbx-ls /
	expect 0 '^a$'
	run http-probe --connect-timeout 1s http://name.invalid/
	expect 2
	NO_PROXY=example.org,.invalid DROPBOX_API_URL=https://name.invalid DROPBOX_ACCESS_TOKEN=x run dbx-ls /
	expect 69
	[ ! -s "$P/asked" ]
}
