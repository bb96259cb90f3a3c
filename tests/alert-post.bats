#!/usr/bin/env bats
# alert-post: told once, again when it must be, and over; never not at all

load helper
load receiver

setup() {
	receiver_start
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	receiver_stop
}

down() { alert-post --key primary-down "$@" "primary pi-ctv is down"; }
up() { alert-post --key primary-down --state ok "$@"; }

# ago KEY SECONDS: everything in that record happened so much earlier
ago() {
	record=state/alerts/$1
	jq -c --argjson s "$2" '(.since, .until | select(. > 0)) -= $s | .channels[].sent[].at -= $s |
		(.channels[].not_before | select(. > 0)) -= $s' "$record" >edited
	cat edited >"$record"
}

since() { jq -r '.since | todate' state/alerts/primary-down; }

@test "Teams gets an adaptive card, with colour, facts and the way to the page" {
	echo 'CTV_STATION_URL=http://100.96.96.109:5001/' >>"$CTV_ENV_FILE"
	run alert-post --key primary-down --state critical --to teams --do failover-to-pi2 \
		$'primary pi-ctv is down\nHTTP 503 /health/'
	expect 0 '^$'
	jq -cn --arg since "$(since)" '{type: "message", attachments: [{
		contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: {
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", type: "AdaptiveCard", version: "1.2", body: [
		{type: "RichTextBlock", inlines: [{type: "TextRun", text: "CRITICAL: primary pi-ctv is down",
			weight: "Bolder", size: "Medium", color: "Attention"}]},
		{type: "FactSet", facts: [{title: "Since", value: $since}, {title: "Check", value: "below"}]},
		{type: "RichTextBlock", inlines: [{type: "TextRun", text: "Check: ", weight: "Bolder"},
			{type: "TextRun", text: "HTTP 503 /health/"}]},
		{type: "RichTextBlock", inlines: [{type: "TextRun", text: "Do: ", weight: "Bolder"},
			{type: "TextRun", text: "failover-to-pi2"}]}],
		actions: [{type: "Action.OpenUrl", title: "Dashboard", url: "http://100.96.96.109:5001/"}]}}]}' >wanted
	sent teams . | jq -c . | cmp - wanted
	jq -e '.method == "POST" and .type == "application/json" and .path == "/teams/s3cr3t"' "$R/log"
	for row in warning:Warning unknown:Default; do
		alert-post --key "${row%:*}" --state "${row%:*}" --to teams text
		[ "$(sent teams '.attachments[0].content.body[0].inlines[0].color')" = "${row#*:}" ]
	done
	up
	[ "$(sent teams '.attachments[0].content.body[0].inlines[0] | .color + " " + .text')" = 'Good RESOLVED: primary pi-ctv is down' ]
}

@test "in a card strangers' text stands where no Markdown is read, each line for itself, and many in bounds" {
	local text='[Restore](https://evil.example/login) **x** `y`'
	alert-post --key k --to teams --do "$text" "$text"$'\n'"$text"$'\n\n'"$text"
	# nowhere but in a TextRun
	[ "$(sent teams '[.. | strings | select(test("evil"))] | length')" -eq 4 ]
	[ "$(sent teams '[.. | objects | select(.type == "TextRun" and (.text | test("evil")))] | length')" -eq 4 ]
	[ "$(sent teams '.attachments[0].content.body | map(.type) | unique | join(" ")')" = 'FactSet RichTextBlock' ]
	alert-post --key many --to teams "$(seq 900)"
	[ "$(sent teams . | wc -c)" -lt 8192 ]
	[ "$(sent teams '.attachments[0].content.body | length')" -eq 18 ]
}

@test "Slack gets one text, its three special characters escaped" {
	alert-post --key k --state warning --to slack --do 'a > b' $'<!channel> & "quotes" \\ \nsecond line'
	sent slack .text >text
	{
		echo 'WARNING: &lt;!channel&gt; &amp; "quotes" \'
		echo "Since: $(jq -r '.since | todate' state/alerts/k)"
		echo 'Check: second line'
		echo 'Do: a &gt; b'
	} | cmp - text
	# no markup, no picture of a link
	[ "$(sent slack '[.mrkdwn, .unfurl_links, .unfurl_media] | tojson')" = '[false,false,false]' ]
}

@test "ntfy gets JSON at the server's root: topic, title, message, priority, tags" {
	echo 'CTV_STATION_URL=http://pi2:5001/' >>"$CTV_ENV_FILE"
	alert-post --key primary-down --to ntfy $'primary pi-ctv is down\nHTTP 503'
	jq -cn --arg since "$(since)" '{topic: "s3cr3t", title: "CRITICAL: primary pi-ctv is down",
		message: "Since: \($since)\nCheck: HTTP 503", priority: 5, tags: ["rotating_light"], click: "http://pi2:5001/"}' >wanted
	sent ntfy . | jq -c . | cmp - wanted
	[ "$(jq -r .path "$R/log")" = /ntfy/ ]
	alert-post --key sync-failed --state warning --to ntfy text
	[ "$(sent ntfy '[.priority, .tags] | tojson')" = '[3,["warning"]]' ]
	up
	[ "$(sent ntfy '[.priority, .tags, .title] | tojson')" = '[3,["white_check_mark"],"RESOLVED: primary pi-ctv is down"]' ]
}

@test "Uptime Kuma gets a GET, up or down, each time, and by name a second one" {
	sed -i 's,/kuma/s3cr3t,/kuma/s3cr3t?status=up\&msg=OK\&ping=,' "$CTV_ENV_FILE"
	alert-post --to kuma --state ok 'all & well'
	alert-post --to kuma --state warning 'old'
	alert-post --to kuma --state critical 'down'
	alert-post --to kuma-sync --state unknown $'?\nmore'
	jq -c '[.method, .path, .query, .body]' "$R/log" >got
	cat >wanted <<-'END'
		["GET","/kuma/s3cr3t",{"status":"up","msg":"all & well","ping":""},""]
		["GET","/kuma/s3cr3t",{"status":"up","msg":"WARNING old","ping":""},""]
		["GET","/kuma/s3cr3t",{"status":"down","msg":"CRITICAL down","ping":""},""]
		["GET","/kuma-sync/s3cr3t",{"status":"down","msg":"UNKNOWN ?","ping":""},""]
	END
	cmp got wanted
	[ ! -e state/alerts ]
}

@test "an answer that is not Uptime Kuma's is no success, and its token is in no message" {
	echo '{"ok":false,"msg":"Monitor not found"}' >"$R/body"
	answer 404
	run alert-post --to kuma --state ok fine
	expect 77 '^alert-post: kuma: it answered 404: Monitor not found$'
	answer 200
	run alert-post --to kuma --state ok fine
	expect 77 '^alert-post: kuma: it refuses: Monitor not found$'
	echo '{"ok":false,"msg":"no monitor has the token s3cr3t"}' >"$R/body"
	run alert-post --to kuma --state ok fine
	expect 77 '^alert-post: kuma: it refuses: without a reason$'
	echo fine >"$R/body"
	run alert-post --to kuma --state ok fine
	expect 77 "not Uptime Kuma's"
	printf '\n\n<html>please log in</html>' >"$R/body"
	for channel in kuma healthchecks; do
		run alert-post --to $channel --state ok fine
		expect 77 "^alert-post: $channel: a web page answers in its place$"
	done
}

# refuses CHANNEL STATUS ANSWER: what it answers with 200 is no delivery: that exit status, and the alert stays queued
refuses() {
	settings "$1"
	rm -rf state/alerts
	printf '%s\n' "$3" >"$R/body"
	run down
	expect "$2" "^alert-post: $1: .*; queued$"
	[ "$(jq '.channels[0].pending' state/alerts/primary-down)" = true ]
}

@test "each service's ways to refuse with a 200 are known, and what it takes counts as told" {
	local failed='Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error'
	refuses teams 75 "$failed 429 with ContextId tcid=0"
	refuses teams 75 "$failed 503 with ContextId tcid=0"
	refuses teams 77 "$failed 413 with ContextId tcid=0"
	refuses teams 77 'Summary or Text is required.'
	refuses teams 77 '{"error":{"code":"DirectApiAuthorizationRequired","message":"The request must be authenticated"}}'
	grep -q 'must be authenticated' <<<"$output"
	refuses slack 77 'channel_is_archived'
	refuses slack 77 '{"ok":false,"error":"invalid_auth"}'
	refuses ntfy 77 '{"code":40301,"http":403,"error":"forbidden"}'
	refuses slack 77 '{"success":false}'
	for channel in teams slack ntfy; do
		for before in '' $'\n \t\r\n' $'\ufeff' $'\ufeff\n'; do
			refuses $channel 77 "$before<html>please log in</html>"
			grep -q 'a web page answers in its place' <<<"$output"
		done
	done
	for row in teams: teams:1 'teams:{"id":"x"}' slack:ok 'ntfy:{"id":"x","event":"message"}'; do
		settings "${row%%:*}"
		rm -rf state/alerts
		printf '%s' "${row#*:}" >"$R/body"
		down || { echo "$row" >&2; return 1; }
	done
}

@test "healthchecks: /fail stands before a query, and a 200 that heard nobody is no success" {
	sed -i 's,/healthchecks/s3cr3t,/healthchecks/key/slug/?create=1,' "$CTV_ENV_FILE"
	alert-post --to healthchecks --state ok 'fine'
	alert-post --to healthchecks --state critical 'bad'
	[ "$(jq -c '[.path, .query]' "$R/log" | paste -sd' ')" = \
		'["/healthchecks/key/slug",{"create":"1"}] ["/healthchecks/key/slug/fail",{"create":"1"}]' ]
	echo 'OK (not found)' >"$R/body"
	run alert-post --to healthchecks --state ok fine
	expect 77 '^alert-post: healthchecks: it knows no such check$'
	echo 'OK (rate limited)' >"$R/body"
	run alert-post --to healthchecks --state ok fine
	expect 75 'limits the rate'
	echo OK >"$R/body"
	alert-post --to healthchecks --state ok fine
}

@test "a protected ntfy topic: a token, a user and a password, or ?auth=; never in a message or as the topic" {
	settings ntfy
	address=$(sed 's/^CTV_NTFY_URL=//' "$CTV_ENV_FILE")
	CTV_NTFY_TOKEN=tk_s3cr3t alert-post --key a text
	CTV_NTFY_USER=mirror CTV_NTFY_PASSWORD='p:w s' alert-post --key b text
	CTV_NTFY_URL=$address'?auth=QmVhcmVyIHRrX3g#x' alert-post --key c text
	[ "$(jq -r '[.path, .query.auth, .authorization, (.body | fromjson | .topic)] | join(" ")' "$R/log")" = "/ntfy/  Bearer tk_s3cr3t s3cr3t
/ntfy/  Basic $(printf 'mirror:p:w s' | base64) s3cr3t
/ntfy/ QmVhcmVyIHRrX3g  s3cr3t" ]
	run env CTV_NTFY_USER=mirror alert-post --key d text
	expect 77 'a user or a password without the other'
	run env CTV_NTFY_TOKEN=$'tk_x\r\nX-Evil: 1' alert-post --key e text
	expect 77 'its token has white space'
	run env CTV_NTFY_URL="$url/" alert-post --key f text
	expect 77 'names no topic'
	answer 401
	echo '{"code":40101,"http":401,"error":"unauthorized"}' >"$R/body"
	run env CTV_NTFY_TOKEN=tk_s3cr3t alert-post -v --key g text
	expect 77 'ntfy: it answered 401: unauthorized; queued'
	! grep -q 'tk_' <<<"$output" || return 1
	! grep -rq 'tk_' state || return 1
}

@test "healthchecks gets a POST, to /fail when it is bad" {
	alert-post --to healthchecks --state ok $'fine\n3 of 3'
	alert-post --to healthchecks --state warning 'well'
	alert-post --to healthchecks --state critical 'bad'
	jq -c '[.method, .path, .body]' "$R/log" >got
	cat >wanted <<-'END'
		["POST","/healthchecks/s3cr3t","fine\nCheck: 3 of 3"]
		["POST","/healthchecks/s3cr3t","well"]
		["POST","/healthchecks/s3cr3t/fail","bad"]
	END
	cmp got wanted
}

@test "what people are told goes to every channel for people that has an address, and to no other" {
	down
	[ "$(got)" -eq 3 ]
	for channel in teams slack ntfy; do [ "$(got $channel/)" -eq 1 ]; done
	: >"$R/log"
	settings slack kuma
	alert-post --key other text
	[ "$(got)" -eq 1 ]
	[ "$(got slack/)" -eq 1 ]
}

@test "the same alert is told once, and once more when it is over" {
	settings teams
	for _ in 1 2 3; do down; done
	[ "$(got)" -eq 1 ]
	up
	up
	[ "$(got)" -eq 2 ]
	[ "$(sent teams '.attachments[0].content.body[1].facts | map(.title) | join(" ")')" = 'Since Lasted' ]
	down
	[ "$(got)" -eq 3 ]
}

@test "what is well and was well is told to nobody and leaves nothing on the disk" {
	run up
	expect 0 '^$'
	[ "$(got)" -eq 0 ]
	[ ! -e state/alerts/primary-down ]
	down
	before=$(stat -c '%i %z' state/alerts/primary-down)
	down
	[ "$(stat -c '%i %z' state/alerts/primary-down)" = "$before" ]
}

@test "becoming worse or better is told" {
	settings teams
	for state in warning critical critical warning warning; do alert-post --key k --state $state text; done
	[ "$(got)" -eq 3 ]
}

@test "it is told again when the time has come, and not before" {
	settings teams
	down --repeat 30m
	ago primary-down 1700
	down --repeat 30m
	[ "$(got)" -eq 1 ]
	ago primary-down 200
	down --repeat 30m
	down --repeat 30m
	[ "$(got)" -eq 2 ]
	# without --repeat never
	ago primary-down 999999
	down
	[ "$(got)" -eq 2 ]
}

@test "30m,2h,4h: from two hours on every four" {
	settings teams
	down --repeat 30m,2h,4h
	jq -c '.since -= 7300 | .channels[0].sent[0].at -= 3600' state/alerts/primary-down >edited
	cat edited >state/alerts/primary-down
	down --repeat 30m,2h,4h
	[ "$(got)" -eq 1 ]
	ago primary-down 11000
	down --repeat 30m,2h,4h
	[ "$(got)" -eq 2 ]
}

@test "each failed run is told with --repeat 0, but no more than four an hour, and what is critical always" {
	settings teams
	for _ in 1 2 3 4 5 6; do alert-post --key unit --state warning --repeat 0 failed; done
	[ "$(got)" -eq 4 ]
	sent teams '.attachments[0].content.body[1].facts[] | select(.title == "Note").value' | grep -q '^the 4th message within an hour'
	alert-post --list | grep '^warning   unit .* not told yet: teams$'
	alert-post --flush
	[ "$(got)" -eq 4 ]
	alert-post --key unit --state critical failed
	[ "$(got)" -eq 5 ]
	alert-post --key unit --state warning failed
	[ "$(got)" -eq 5 ]
	# the hour is over: what was held back is told
	ago unit 3700
	alert-post --flush
	[ "$(got)" -eq 6 ]
}

@test "an alert is held back while another stands, and told when that is over" {
	settings teams
	down
	alert-post --key sync-failed --state warning --inhibited-by none --inhibited-by primary-down failed
	alert-post --flush
	[ "$(got)" -eq 1 ]
	up
	[ "$(got)" -eq 2 ]
	alert-post --flush
	[ "$(got)" -eq 3 ]
	# held back and over: nobody heard of it, nobody need hear more
	down
	alert-post --key other --inhibited-by primary-down text
	alert-post --key other --state ok
	up
	alert-post --flush
	[ "$(got)" -eq 5 ]
}

@test "what could not be told stays queued, for that channel alone, and is told by the next call or --flush" {
	settings teams slack
	answer 503 teams
	run down
	expect 75 '^alert-post: teams: it answered 503; queued$'
	[ "$(got slack/)" -eq 1 ]
	run alert-post --flush
	expect 75 'queued'
	answer 200 teams
	run alert-post --flush
	expect 0 '^$'
	[ "$(got teams/)" -eq 3 ]
	[ "$(got slack/)" -eq 1 ]
	answer cut
	run up
	expect 75
	answer 200
	run up
	expect 0
	sent teams '.attachments[0].content.body[0].inlines[0].text' | grep -q RESOLVED
	sent slack .text | grep -q RESOLVED
	[ "$(got slack/)" -eq 3 ]
}

@test "a kept connection that breaks in the middle of a request has not failed: it is sent on a new one" {
	settings teams slack
	answer keep
	# the last piece of the second request: with curl 7.88 its body, with 8.14 headers and body are one
	strace -o trace -e trace=sendto alert-post --key other text
	: >"$R/log"
	run strace -o trace -e trace=connect,sendto -e "inject=sendto:error=EPIPE:when=$(grep -c sendto trace)" \
		alert-post --key primary-down text
	expect 0 '^$'
	grep -q 'EPIPE.*INJECTED' trace
	[ "$(grep -c 'connect.*AF_INET' trace)" -eq 2 ]
	[ "$(got 'slack/.*CRITICAL')" -eq 1 ]
}

@test "--after: nobody hears of a problem that is not old enough, or is over before; its age is its own" {
	settings teams
	round() { alert-post --key k --after 15m --state "$@"; }
	run round warning text
	expect 0 '^$'
	[ -z "$(alert-post --list)" ]
	begun=$(jq .waiting state/alerts/k)
	round ok
	[ "$(jq .waiting state/alerts/k)" = 0 ]
	round warning text
	[ "$(got)" -eq 0 ]
	# five minutes ago it was there, and sixteen minutes ago
	jq -c '.waited -= 300 | .waiting -= 960' state/alerts/k >edited
	cat edited >state/alerts/k
	round warning text
	[ "$(got)" -eq 1 ]
	[ "$(jq .since state/alerts/k)" -le $((begun - 900)) ]
	round warning text
	[ "$(got)" -eq 1 ]
	round ok
	[ "$(got)" -eq 2 ]
	run alert-post --key k --after soon text
	expect 64 '--after soon: '
}

@test "a disk that takes no record: it is kept in the run directory, and nothing is told twice or too late" {
	settings teams
	export CTV_RUN_DIR=$PWD/run
	mkdir run
	: >state/alerts	# where no directory can be
	for n in 1 2 3; do
		run down
		expect 73
		[ "$(got)" -eq 1 ]
	done
	run alert-post --key young --after 15m text
	expect 73
	[ "$(got)" -eq 1 ]
	run alert-post --list
	expect 74 '^critical  primary-down '
	# the disk is well again
	rm state/alerts
	run down --repeat 0
	expect 0
	[ "$(got)" -eq 2 ]
	[ ! -e run/alerts/primary-down ]
	[ "$(jq '.channels[0].delivered' state/alerts/primary-down)" = 2 ]
	# nowhere at all: rather each time, and at once
	rm -r state/alerts run
	: >state/alerts
	run alert-post --key young --after 15m text
	expect 73
	[ "$(got)" -eq 3 ]
}

@test "what is held back has not failed, whatever became of an earlier try" {
	settings teams
	answer 503
	run alert-post --key sync --state warning text
	alert-post --key sync --state ok
	answer 200
	down
	alert-post --key sync --state warning --inhibited-by primary-down text
	[ "$(alert-post --list --json | jq -r 'select(.id == "deliveries" and .key == "sync") | .pending, .why' | paste -sd'|')" = 'true|' ]
}

@test "it is over where it was told, and nowhere else" {
	settings teams slack
	answer 503 teams
	run down
	expect 75
	answer 200 teams
	up
	[ "$(got teams/)" -eq 1 ]
	[ "$(got slack/)" -eq 2 ]
}

@test "Retry-After is honoured by every later call" {
	settings teams
	answer '429 600'
	run down
	expect 75 'it answered 429'
	answer 200
	run alert-post --flush
	expect 75
	[ "$(got)" -eq 1 ]
	ago primary-down 601
	run down
	expect 0
	[ "$(got)" -eq 2 ]
}

@test "an address that is refused is not asked every few minutes, but not forgotten" {
	settings teams
	for how in 400 403 404 410 302 garbage; do
		rm -rf state/alerts
		: >"$R/log"
		answer $how
		run down
		expect 77 'teams: .*; queued$'
		answer 200
		run alert-post --flush
		expect 75
		[ "$(got)" -eq 1 ]
		ago primary-down 3700
		run alert-post --flush
		expect 0
		[ "$(got)" -eq 2 ]
	done
	run grep -c elsewhere "$R/log"
	expect 1
}

@test "an answer without end, and none at all" {
	settings teams
	answer endless
	run alert-post --key other text
	expect 77 'teams: accepted, and then: xxx'
	settings ntfy
	run down
	expect 0
	answer stall
	run up
	expect 75 'ntfy: .*; queued'
	answer 200
	receiver_stop
	run alert-post --flush
	expect 75 'queued'
}

@test "what was begun and never answered may have been told: then its end is told too" {
	settings teams
	answer cut
	run down
	expect 75
	answer 200
	up
	[ "$(got)" -eq 2 ]
	sent teams '.attachments[0].content.body[0].inlines[0].text' | grep -q RESOLVED
}

@test "killed between the sending and the record, it is told twice, never not at all" {
	settings teams
	answer hold
	alert-post --key primary-down 'it is down' 3>&- &
	pid=$!
	eventually test -s "$R/log"
	kill -KILL $pid
	wait $pid || true
	touch "$R/go"
	alert-post --flush
	[ "$(got)" -eq 2 ]
	alert-post --flush
	alert-post --key primary-down 'it is down'
	[ "$(got)" -eq 2 ]
}

@test "two at once tell it once" {
	settings teams
	answer hold
	alert-post --key primary-down 'it is down' 3>&- &
	one=$!
	eventually test -s "$R/log"
	alert-post --key primary-down 'it is down' 3>&- &
	two=$!
	# the second waits for the lock of the first
	eventually grep -q "FLOCK .* $two " <(while kill -0 $two; do grep -e '->' /proc/locks; sleep 0.02; done) || true
	# a flush does not wait for a channel that another run is telling
	alert-post --flush
	[ "$(got)" -eq 1 ]
	touch "$R/go"
	wait $one $two
	[ "$(got)" -eq 1 ]
}

@test "a signal ends it in good order, and what was not told is queued" {
	settings teams
	answer stall
	alert-post --key primary-down 'it is down' 3>&- 2>complaint &
	pid=$!
	eventually test -s "$R/log"
	kill -TERM $pid
	code=0
	wait $pid || code=$?
	[ $code -eq 75 ]
	grep 'interrupted; queued' complaint
	answer 200
	alert-post --flush
	[ "$(got)" -eq 2 ]
}

@test "without a record it is told all the same: read-only, full, no directory, a file in its place" {
	may_mount
	settings teams
	down
	alert-post --key other --state warning text
	run unshare -m sh -c 'mount --bind state state && mount -o remount,bind,ro state && alert-post --key new text'
	expect 73 'Read-only file system'
	[ "$(got)" -eq 3 ]
	# what is recorded is still known
	run unshare -m sh -c 'mount --bind state state && mount -o remount,bind,ro state && alert-post --key other --state warning text'
	expect 0
	[ "$(got)" -eq 3 ]
	run unshare -m sh -c 'mount -t tmpfs -o size=16k,nr_inodes=9 none state && mkdir state/alerts && : >state/alerts/.new.lock &&
		{ head -c 64k /dev/zero >state/fill || alert-post --key new text; }'
	expect 74 'No space left on device'
	[ "$(got)" -eq 4 ]
	CTV_STATE_DIR=$PWD/none run alert-post --key new text
	expect 73 'none/alerts/.new.lock: cannot open'
	[ "$(got)" -eq 5 ]
	echo nonsense >state/alerts/primary-down
	run down
	expect 0 'primary-down: not a record of an alert; it begins anew'
	[ "$(got)" -eq 6 ]
	run down
	expect 0 '^$'
	[ "$(got)" -eq 6 ]
}

@test "a clock that is set back does no harm" {
	settings teams
	down --repeat 30m
	# told by a clock that was days ahead
	ago primary-down -200000
	down --repeat 30m
	down --repeat 30m
	[ "$(got)" -eq 2 ]
	ago primary-down -200000
	up
	[ "$(got)" -eq 3 ]
	[ "$(sent teams '.attachments[0].content.body[1].facts[] | select(.title == "Lasted").value')" = 0.0s ]
	answer '429 600'
	run down
	expect 75
	answer 200
	ago primary-down -200000
	alert-post --flush
	[ "$(got)" -eq 5 ]
}

@test "text is made safe and bounded, whoever wrote it" {
	settings teams slack ntfy
	text=$(printf 'a\tb\033[31mred\377\342\200\256end\nline\rtwo \303\251')
	alert-post --key k "$text"
	[ "$(sent teams '.attachments[0].content.body[0].inlines[0].text')" = 'CRITICAL: a b\x1b[31mred\xff\xe2\x80\xaeend' ]
	[ "$(sent teams '.attachments[0].content.body[2].inlines[1].text')" = 'line two é' ]
	long=$(printf 'é%.0s' $(seq 9000))
	alert-post --key long "$long"$'\n'"$long"
	for channel in teams slack ntfy; do
		[ "$(jq -r 'select(.path | startswith("/'$channel'/")) | .body' "$R/log" | tail -n 1 | wc -c)" -lt 4096 ]
	done
	sent teams '.attachments[0].content.body[0].inlines[0].text' | grep -q 'é \.\.\.$'
	run ! grep -q '�' "$R/log"
}

@test "without a channel it says so, with a status of its own, and records it for the day when there is one" {
	: >"$CTV_ENV_FILE"
	run down
	expect 78 '^alert-post: primary-down: nobody is told: no channel is configured'
	alert-post --list | grep '^critical  primary-down  since '
	settings teams
	down
	[ "$(got)" -eq 1 ]
	run alert-post --key k --to slack --to teams text
	expect 78 '^alert-post: slack: has no address in the settings$'
	[ "$(got)" -eq 2 ]
	# a channel that was taken away has nothing queued
	answer 503
	run alert-post --key gone text
	expect 75
	: >"$CTV_ENV_FILE"
	run alert-post --flush
	expect 0
	run alert-post --key k --state ok
	expect 0
}

@test "an address may be a credential; a foreign or unencrypted one is refused" {
	: >"$CTV_ENV_FILE"
	mkdir creds
	echo "$url/teams/s3cr3t" >creds/CTV_TEAMS_URL
	CREDENTIALS_DIRECTORY=$PWD/creds alert-post --key k text
	[ "$(got teams/s3cr3t)" -eq 1 ]
	echo 'CTV_TEAMS_URL=http://192.0.2.1/s3cr3t' >"$CTV_ENV_FILE"
	run alert-post --key other text
	expect 77 'not https'
	echo 'CTV_TEAMS_URL=ftp://192.0.2.1/s3cr3t' >"$CTV_ENV_FILE"
	run alert-post --key third text
	expect 77 'not an http or https URL'
}

@test "the addresses are in no message, no record and no list" {
	settings teams slack ntfy
	for how in 404 503 302 garbage cut 200; do
		answer $how
		alert-post -v --key "k-$how" text >>out 2>&1 || true
	done
	: >"$CTV_ENV_FILE"
	settings kuma teams
	answer 404
	alert-post -v --to kuma --state ok text >>out 2>&1 || true
	receiver_stop
	alert-post -v --key last text >>out 2>&1 || true
	alert-post --list >>out
	alert-post --list --json >>out
	[ "$(wc -l <out)" -ge 20 ]
	run grep -r s3cr3t out state
	expect 1
}

@test "the list: the alerts that stand, for people and for status-render" {
	settings teams
	alert-post --key b --state warning $'data is old\n40h'
	alert-post --key a --state critical 'it is down'
	alert-post --key over text
	alert-post --key over --state ok
	alert-post --list | sed 's/since [^ ]*/since T/' >got
	printf '%s\n' 'critical  a  since T  it is down' 'warning   b  since T  data is old' | cmp - got
	alert-post --list --json | jq -c 'select(.id == "alert") | del(.since)' >got
	printf '%s\n' '{"id":"alert","key":"a","severity":"critical","text":"it is down","count":1,"queued":""}' \
		'{"id":"alert","key":"b","severity":"warning","text":"data is old","count":1,"queued":""}' | cmp - got
	# each try counts, for the metrics
	alert-post --list --json | jq -c 'select(.id == "deliveries")' >got
	printf '{"id":"deliveries","key":"%s","channel":"teams","delivered":%s,"failed":0,"pending":false,"why":""}\n' a 1 b 1 over 2 | cmp - got
	rm -rf state/alerts
	run alert-post --list
	expect 0 '^$'
}

@test "for the page: the list ends with a check's answer, whether everybody could be told" {
	run alert-post --list --as warn/told
	expect 0
	[ "$(jq -r '.id, .state' <<<"$output" | paste -sd' ')" = 'warn/told ok' ]
	# held back is not failed
	down --inhibited-by primary-down
	jq -c '.channels |= map(.pending = true)' state/alerts/primary-down >edited
	cp edited state/alerts/primary-down
	[ "$(alert-post --list --as warn/told | tail -n 1 | jq -r .state)" = ok ]
	answer 503
	run alert-post --key other --to teams text
	expect 75
	alert-post --list --as warn/told >lines
	[ "$(tail -n 1 lines | jq -r '.state + " " + .text')" = 'warning somebody could not be told: other, teams: it answered 503' ]
	[ "$(head -n -1 lines)" = "$(alert-post --list --json)" ]
	mv state/alerts kept
	: >state/alerts
	run alert-post --list --as warn/told
	expect 74
	[ "$(tail -n 1 <<<"$output" | jq -r .state)" = unknown ]
}

@test "for a script: how the alert stands after the call" {
	eval "$(down --after 15m --shell=a_)"
	# shellcheck disable=SC2154  # by eval
	[ "$a_stands$a_since" = '' ]
	jq -c '.waiting -= 900' state/alerts/primary-down >edited
	cat edited >state/alerts/primary-down
	eval "$(down --after 15m --shell=a_)"
	[ "$a_stands $a_severity ${a_lasted%m*}" = 'yes critical 15' ]
	[ "$a_since" = "$(since)" ]
	eval "$(up --shell=a_)"
	[ "$a_stands$a_lasted" = '' ]
}

@test "wrong command lines are refused, and nothing is sent" {
	table=(
		'--key is missing|text'
		'--key is missing|--to teams text'
		'TEXT is missing|--key k'
		'TEXT is missing|--key k --state warning'
		'TEXT is missing|--to kuma --state ok'
		'one operand|--key k a b'
		'--key ../x: letters|--key ../x text'
		'--key .x: letters|--key .x text'
		'--state bad: neither|--key k --state bad text'
		'--to mail: no such name|--key k --to mail text'
		'--to teams-: no such name|--key k --to teams- text'
		'--to kuma-A: no such name|--to kuma-A text'
		'--repeat 30x: not|--key k --repeat 30x text'
		'--repeat 30m,2h: not|--key k --repeat 30m,2h text'
		'--repeat 24:00: not|--key k --repeat 24:00 text'
		'--inhibited-by a/b: no such name|--key k --inhibited-by a/b text'
		'stand alone|--flush text'
		'stand alone|--flush --key k'
		'stand alone|--flush --list'
		'--json is for --list|--json --key k text'
		'--json is for --list|--flush --as x'
		'stand alone|--list --shell'
		'no such option|--frobnicate'
	)
	for row in "${table[@]}"; do
		# shellcheck disable=SC2086
		run alert-post ${row#*|}
		expect 64
		grep -qF -- "${row%%|*}" <<<"$output" || { echo "$row: $output"; return 1; }
	done
	[ "${#table[@]}" -ge 20 ]
	[ "$(got)" -eq 0 ]
	[ ! -e state/alerts ]
}
