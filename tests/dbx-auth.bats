#!/usr/bin/env bats
# dbx-auth: a host is authorized once, without a browser, and no secret leaves the configuration file.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export CTV_BACKOFF=5ms CTV_ENV_FILE=$BATS_TEST_TMPDIR/conf
}

teardown() {
	dropbox_stop
}

# start [OPTION...]: the local Dropbox; only the app's key is in the environment, its other credentials are
# in the variables secret and refresh
start() {
	dropbox_start "$@"
	secret=$DROPBOX_APP_SECRET refresh=$DROPBOX_REFRESH_TOKEN key=$DROPBOX_APP_KEY
	unset DROPBOX_APP_SECRET DROPBOX_REFRESH_TOKEN DROPBOX_ACCESS_TOKEN
}

# login [FIRST-LINE]: plays the person: types FIRST-LINE, reads the address, allows the app (for $scope),
# pastes the code or $paste; then status, out (after the address), err, url and code are set
login() {
	local in out_fd pid
	coproc LOGIN { exec dbx-auth login -v 2>err; }
	pid=$LOGIN_PID
	exec {in}>&"${LOGIN[1]}" {out_fd}<&"${LOGIN[0]}"
	eval "exec ${LOGIN[1]}>&- ${LOGIN[0]}<&-"
	[ $# -eq 0 ] || echo "$1" >&"$in"
	url='' code=''
	read -r url <&"$out_fd" || true
	code=$(dropbox_control authorize "$(jq -nc --arg url "$url" --arg scope "${scope-}" \
		'{$url} + if $scope == "" then {} else {$scope} end')" | jq -r .code)
	echo "${paste-$code}" >&"$in" || true
	exec {in}>&-
	status=0
	cat <&"$out_fd" >out
	exec {out_fd}<&-
	wait "$pid" || status=$?
	output=$(cat out err)
}

# value NAME: what the configuration file says
value() {
	sed -n "s/^$1=//p" conf
}

@test "help and version go to standard output" {
	run --separate-stderr dbx-auth --help
	expect 0 '^usage: dbx-auth login'
	[ -z "$stderr" ]
	run --separate-stderr dbx-auth --version
	expect 0 '^dbx-auth [0-9]+\.'
}

@test "a wrong command line is refused before anything is asked" {
	local rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run dbx-auth $args </dev/null
		expect 64 "^dbx-auth: .*$why"
		[ ! -e conf ]
		rows=$((rows + 1))
	done <<-'END'
		|login or whoami is needed
		login whoami|login or whoami is needed
		whoami whoami|login or whoami is needed
		logout|not login or whoami
		Login|not login or whoami
		login --json|takes no --json
		login token|login or whoami is needed
		whoami --json=1|takes no value
		whoami --timeout|needs a value
		whoami --timeout x|not a duration
		whoami --timeout -1s|not a duration
		whoami --timeout 1.5s|not a duration
		whoami -j|no such option
		whoami --token x|no such option
		whoami -t 5|no such option
		login --key x|no such option
		login --secret x|no such option
		login --code x|no such option
		whoami --timeout 1h30m|not a duration
		whoami --timeout=|not a duration
		--|login or whoami is needed
		-- -v whoami|login or whoami is needed
	END
	[ "$rows" -ge 20 ]
}

@test "a configuration that cannot be right is refused with 78" {
	while IFS='|' read -r name text why; do
		for verb in whoami login; do
			run env "$name=$text" dbx-auth $verb </dev/null
			expect 78 "$why"
			[ ! -e conf ]
		done
	done <<-'END'
		DROPBOX_APP_KEY|a b|(not the key of an app|no Dropbox credentials|has white space)
		DROPBOX_APP_KEY|a&scope=x|(not the key of an app|no Dropbox credentials)
		DROPBOX_APP_KEY|é|(not the key of an app|no Dropbox credentials)
		DROPBOX_APP_KEY||(not the key of an app|no Dropbox credentials)
	END
	run dbx-auth whoami
	expect 78 'no Dropbox credentials'
	expect 78 '^hint: dbx-auth login'
	echo 'not a line' >conf
	chmod 600 conf
	run dbx-auth whoami
	expect 78 'line 1 is not NAME=VALUE'
	echo 'DROPBOX_APP_KEY=x' >conf
	chmod 644 conf
	run dbx-auth login </dev/null
	expect 78 'others can read it'
	rm conf
	mkdir conf
	run dbx-auth login </dev/null
	expect 78 'not a regular file'
	rmdir conf
	DROPBOX_API_URL=http://example.com DROPBOX_ACCESS_TOKEN=x run dbx-auth whoami
	expect 78 'must be an https URL'
}

@test "login: without a secret by a proof key; the token is stored 0600 and works" {
	start
	login
	expect 0 '^account +.* <.*@.*>$'
	expect 0 "^credentials +$CTV_ENV_FILE$"
	[ "$(stat -c %a conf)" = 600 ]
	[ "$(value DROPBOX_APP_KEY)" = "$DROPBOX_APP_KEY" ]
	[ -n "$(value DROPBOX_REFRESH_TOKEN)" ]
	unset DROPBOX_APP_KEY
	run dbx-auth whoami
	expect 0 '^space +.* of .* used'
}

@test "login: the address asks for an offline code bound to a fresh challenge, and has no secret in it" {
	start
	login
	form="^https://www\.dropbox\.com/oauth2/authorize\?client_id=$key&response_type=code&token_access_type=offline&code_challenge=[A-Za-z0-9_-]{43}&code_challenge_method=S256\$"
	[[ $url =~ $form ]]
	first=$url
	login
	[ "$url" != "$first" ]
}

@test "login: with the app's secret that is the proof" {
	start
	export DROPBOX_APP_SECRET=$secret
	login
	expect 0 '^account'
	[[ $url != *challenge* ]]
	[[ $url != *"$secret"* ]]
	# both came from the environment, so the file can work without it
	unset DROPBOX_APP_KEY DROPBOX_APP_SECRET
	run dbx-auth whoami
	expect 0 '^account'
}

@test "login: a key that is nowhere is asked for, and stored" {
	start
	unset DROPBOX_APP_KEY
	login "  $key  "
	expect 0 '^account'
	[ "$(value DROPBOX_APP_KEY)" = "$key" ]
}

@test "login: the other lines, the order and the mode of the file stay" {
	start
	printf '# mine\nDROPBOX_APP_KEY=%s\nDROPBOX_REFRESH_TOKEN=old\n\nCTV_NODE="pi2" \n; end' "$key" >conf
	chmod 640 conf
	unset DROPBOX_APP_KEY
	login
	expect 0
	token=$(value DROPBOX_REFRESH_TOKEN)
	[ "$token" != old ]
	printf '# mine\nDROPBOX_APP_KEY=%s\nDROPBOX_REFRESH_TOKEN=%s\n\nCTV_NODE="pi2" \n; end' "$key" "$token" | cmp - conf
	[ "$(stat -c %a conf)" = 640 ]
}

@test "login: secrets are in the file and nowhere else" {
	start
	export DROPBOX_APP_SECRET=$secret
	login
	expect 0
	for word in "$secret" "$(value DROPBOX_REFRESH_TOKEN)" "$code"; do
		[ -n "$word" ]
		[[ $output$url != *"$word"* ]]
	done
	# nor is an access token printed
	run grep -E 'sl\.' out err
	expect 1
}

@test "login: a wrong, a used and somebody else's code are refused, and the file stays" {
	start
	printf 'DROPBOX_REFRESH_TOKEN=old\n' >conf
	chmod 600 conf
	cp conf before
	paste=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA login
	expect 77 '^dbx-auth: Dropbox: the code is wrong, used already, or older'
	cmp conf before
	# a code that was given for another challenge
	mine=$code
	paste=$mine login
	expect 77 'the code is wrong'
	cmp conf before
	DROPBOX_APP_SECRET=$secret
	export DROPBOX_APP_SECRET
	login
	expect 0
	paste=$code login
	expect 77 'used already'
}

@test "login: what is no code is not sent" {
	start
	for paste in '' '   ' 'two words' 'code=abc' $'\e[31m' 'é' "$(printf '%0300d' 0)"; do
		login
		expect 65 '^dbx-auth: standard input: (no|not a) code'
	done
	paste=$(printf '%0600d' 0) login
	expect 65 'a line of more than 511 characters'
	run dbx-auth login </dev/null
	expect 65 'no code'
	run dbx-auth login </
	expect 74 'cannot read'
	[ "$(dropbox_calls oauth2/token)" -eq 0 ]
	[ ! -e conf ]
}

@test "login: a file that cannot be written is said before the person is sent away" {
	start
	CTV_ENV_FILE=$PWD/none/conf run --separate-stderr dbx-auth login </dev/null
	[ "$status" -eq 73 ]
	[ -z "$output" ]
	[[ $stderr == *'the refresh token cannot be stored there: No such file'* ]]
}

@test "login: a wrong app is the configuration's fault" {
	start
	export DROPBOX_APP_SECRET=wrong
	login
	expect 78 'DROPBOX_APP_KEY or DROPBOX_APP_SECRET is wrong'
	[ ! -e conf ]
}

@test "login: a token server that stumbles is asked again" {
	start
	dropbox_fault '{"route":"oauth2/token","kind":"503-empty"}'
	dropbox_fault '{"route":"oauth2/token","kind":"429"}'
	login
	expect 0 '^account'
}

@test "login: what is not Dropbox's answer is refused" {
	start
	dropbox_fault '{"route":"oauth2/token","kind":"html-200","count":-1}'
	login
	expect 76 "the token server's answer is not Dropbox's"
	[ ! -e conf ]
	dropbox_stop
	start
	dropbox_fault '{"route":"oauth2/token","kind":"reply","type":"application/json","text":"{\"access_token\":\"x\"}"}'
	login
	expect 76 'gives no refresh token'
	[ ! -e conf ]
}

@test "login: missing scopes are named, and the token is stored all the same" {
	start
	scope=files.metadata.read login
	expect 77 'the app may not do files.content.read'
	expect 77 'the token lacks the scope account_info.read'
	expect 77 'stored all the same'
	[ -n "$(value DROPBOX_REFRESH_TOKEN)" ]
}

@test "login: an access token that would go before the new one is pointed at" {
	start
	DROPBOX_ACCESS_TOKEN=old
	export DROPBOX_ACCESS_TOKEN
	login
	expect 0 'DROPBOX_ACCESS_TOKEN is set and goes before'
}

@test "login: on a terminal it prompts" {
	start
	run script -qec 'dbx-auth login' /dev/null </dev/null
	expect 65 'paste the code that it shows: '
}

@test "login: a signal at the prompt ends it, and nothing is stored" {
	start
	mkfifo in out
	dbx-auth login <in >out 2>err &
	pid=$!
	exec {in}>in
	read -r url <out
	kill -TERM $pid
	# the end of the input comes after the signal, which counts
	exec {in}>&-
	status=0
	wait $pid || status=$?
	[ "$status" -eq 75 ]
	grep -q 'interrupted, nothing is stored' err
	[ ! -e conf ]
}

@test "whoami: account, space and source; --json has them in one object" {
	start
	export DROPBOX_APP_SECRET=$secret DROPBOX_REFRESH_TOKEN=$refresh
	run --separate-stderr dbx-auth whoami
	expect 0 '^account +[^ ].* <.+@.+>$'
	expect 0 '^id +dbid:'
	expect 0 '^space +[0-9]+ .* of .* used \([0-9]+ %\)$'
	expect 0 '^scopes +account_info\.read files\.metadata\.read files\.content\.read files\.content\.write$'
	expect 0 '^credentials +the environment$'
	[ -z "$stderr" ]
	run --separate-stderr dbx-auth whoami --json
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	jq -e '(.account_id | startswith("dbid:")) and (.email | contains("@")) and .used == 0 and .allocated > 0
		and .credentials == "the environment" and (.name | length) > 0 and (.scope | length) > 0' <<<"$output"
}

@test "whoami: each scope that the token lacks is named, and the account told all the same" {
	start
	for lacks in files.metadata.read files.content.read files.content.write; do
		has=$(tr ' ' '\n' <<<'account_info.read files.metadata.read files.content.read files.content.write' |
			grep -vx $lacks | paste -sd' ')
		DROPBOX_ACCESS_TOKEN=$(dropbox_token "{\"scope\":\"$has\"}") run dbx-auth whoami
		expect 0 "^hint: the app may not do $lacks;"
		expect 0 "^scopes +$has\$"
	done
}

@test "whoami: trying the scopes touches nothing, not even a file of the name that is tried" {
	start
	echo mine >mine
	dropbox_seed mine /.ctv-mirror-nothing
	DROPBOX_ACCESS_TOKEN=$(dropbox_token) run dbx-auth whoami
	expect 0 '^scopes .*write$'
	[ "$(dropbox_get /.ctv-mirror-nothing)" = mine ]
}

@test "whoami: a name from elsewhere does not drive the terminal" {
	start
	export DROPBOX_ACCESS_TOKEN
	DROPBOX_ACCESS_TOKEN=$(dropbox_token)
	dropbox_fault '{"route":"users/get_current_account","kind":"merge","json":{"email":"a\u001b[31m\nid x@y"}}'
	run dbx-auth whoami
	expect 0 '<a\\x1b\[31m\\x0aid x@y>'
}

@test "whoami: each reason has its status" {
	start
	export DROPBOX_APP_SECRET=$secret
	DROPBOX_REFRESH_TOKEN=wrong run dbx-auth whoami
	expect 77 'the refresh token is revoked or wrong'
	expect 77 '^hint: dbx-auth login'
	DROPBOX_ACCESS_TOKEN=wrong run dbx-auth whoami
	expect 77 'does not accept the token'
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"expires_in":-1}') run dbx-auth whoami
	expect 77 'has expired'
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"scope":"files.metadata.read"}') run dbx-auth whoami
	expect 77 'account_info.read'
	export DROPBOX_REFRESH_TOKEN=$refresh
	DROPBOX_APP_SECRET=wrong run dbx-auth whoami
	expect 78 'DROPBOX_APP_KEY or DROPBOX_APP_SECRET is wrong'
	dropbox_fault '{"route":"users/get_current_account","kind":"html-200","count":8}'
	run dbx-auth whoami
	expect 76 'not Dropbox'
	dropbox_fault '{"route":"users/get_space_usage","kind":"merge","json":{"used":"much"}}'
	run dbx-auth whoami
	expect 76 'not an account'
	dropbox_fault '{"route":"users/get_current_account","kind":"stall"}'
	run dbx-auth whoami --timeout 300ms
	expect 75 'out of time'
	dropbox_control reset >/dev/null
	dropbox_fault '{"route":"users/get_current_account","kind":"500","count":8}'
	run dbx-auth whoami
	expect 69 'Dropbox answers 500'
	dropbox_stop
	run dbx-auth whoami
	expect 69 '^dbx-auth: Dropbox: '
}

@test "whoami: works over TLS with a CA of one's own, and not without it" {
	start --tls
	export DROPBOX_APP_SECRET=$secret DROPBOX_REFRESH_TOKEN=$refresh
	run dbx-auth whoami
	expect 0 '^account'
	unset DROPBOX_CA_FILE
	run dbx-auth whoami
	expect 69 'certificate'
}

@test "whoami: an answer that cannot be written is an error" {
	start
	export DROPBOX_APP_SECRET=$secret DROPBOX_REFRESH_TOKEN=$refresh
	status=0
	dbx-auth whoami >/dev/full 2>err || status=$?
	[ "$status" -eq 74 ]
	grep -q 'standard output: cannot write' err
}
