#!/usr/bin/env bats
# http-probe: does a URL answer as it should

load helper

# a small real server on a free port: /ok, /status/N, /say/TEXT, /ahead/TEXT by a clock a day ahead, /undated/TEXT, /slow, /big,
# /flaky (503 twice, then 200)
setup() {
	cat >"$BATS_TEST_TMPDIR/server.py" <<'END'
import http.server, sys, time, urllib.parse
tries = {"n": 0}
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def send_header(self, name, value):
        if name == "Date" and self.path.startswith("/ahead/"): value = self.date_time_string(time.time() + 86400)
        if name != "Date" or not self.path.startswith("/undated/"): super().send_header(name, value)
    def answer(self, status, body, length=None):
        self.send_response(status)
        if status == 302: self.send_header("Location", "/ok")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path.startswith("/status/"): self.answer(int(self.path[8:]), b"no")
        elif self.path == "/slow": time.sleep(5); self.answer(200, b"late")
        elif self.path.startswith(("/say/", "/ahead/", "/undated/")):
            self.answer(200, urllib.parse.unquote(self.path.split("/", 2)[2]).encode())
        elif self.path == "/big": self.answer(200, b"x" * (2 << 20))
        elif self.path == "/cut": self.answer(200, b"x", 100)
        elif self.path == "/flaky":
            tries["n"] += 1
            self.answer(503 if tries["n"] < 3 else 200, b"tries %d" % tries["n"])
        else: self.answer(200, b'{"status":"success","deep":{"a/b":[1,true,null]}}')
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()
END
	mkfifo "$BATS_TEST_TMPDIR/port"
	setpriv --pdeathsig TERM python3 "$BATS_TEST_TMPDIR/server.py" >"$BATS_TEST_TMPDIR/port" 3>&- &
	server=$!
	read -r -t 20 port <"$BATS_TEST_TMPDIR/port"
	url=http://127.0.0.1:$port
}

teardown() {
	kill "$server" 2>/dev/null || true
}

@test "exactly 200 is OK, with the time as performance data" {
	run http-probe "$url/ok"
	expect 0 "^HTTP OK: .*200.* \| 'time'="
}

@test "--expect compares: other than, less, more; what is absent or no number compares with nothing" {
	local at="$url/say/%7B%22n%22:10,%22s%22:%2220%22,%22a%5C%22%3C%22:1%7D"
	for good in /n=10.0 '/n = 1e1' /n!=ten /n!=9 '/n<10.5' '/n<1e3' '/n>-1' '/n>9' /s!=21 /n!= /s=20; do
		run http-probe --expect "$good" "$at"
		expect 0 || { echo "$good" >&2; return 1; }
	done
	for bad in /n!=10 '/n<10' '/n<9' '/n>10' '/s>1' '/s<99' /none!=1 '/none<1' '/none>0'; do
		run http-probe --expect "$bad" "$at"
		expect 2 || { echo "$bad" >&2; return 1; }
	done
	run http-probe --expect '/n>10' "$at"
	expect 2 '200, but /n is 10, wanted more than 10 '
	run http-probe --expect '/s < 30' "$at"
	expect 2 '200, but /s is 20, which is no number, wanted less than 30 '
	for wrong in /n '/n<' '/n>x' '/n<=5' n=1 '/n>"1"'; do
		run http-probe --expect "$wrong" "$at"
		expect 3 '--expect' || { echo "$wrong" >&2; return 1; }
	done
}

# say JSON: the path of a page that answers so
say() { printf /say/; jq -rn --arg s "$1" '$s|@uri'; }

@test "--pages: a list of pages with what each is expected to say; each is got once, and for a shell the worst is told" {
	local list
	list="$(say '{"spots":1200,"state":"up to date"}') /spots > 1000; /ok /status = success
		/ok /deep/a~1b/0<2;"
	run http-probe --pages "$list" "$url/"
	expect 0
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == "HTTP OK: $url/ok 200 in "* ]]
	run http-probe --pages "$list/status/404 /x=1; /ok /status!=success; $(say '{"state":"up to date"}') /state = up to date" "$url"
	expect 2 "^HTTP CRITICAL: $url/status/404 404, wanted 200 "
	expect 2 "^HTTP CRITICAL: $url/ok 200, but /status is success, wanted another than success "
	[ "${#lines[@]}" -eq 5 ]
	run http-probe --json --pages "$list" "$url"
	[ "$(jq -r .state <<<"$output" | paste -sd' ')" = 'ok ok' ]
	run http-probe --shell=got_ --pages "/ok /status=success;/ok?2 /status=failure;/status/500 /x=1;/ok /status=success" "$url"
	expect 2 "^got_text='$url/ok\?2 200, but /status is success, wanted failure'$"
	[ "$(grep -c ^got_verdict= <<<"$output")" -eq 1 ]
	# a flaky one is waited for
	run http-probe --wait 20s --interval 1ms --pages "$(say '{"a":1}') /a=1; /ok /status=success" "$url"
	expect 0
}

@test "--pages: what is no list is named by its number, and nothing is asked" {
	while IFS='~' read -r list message; do
		run http-probe --pages "$(printf %b "$list")" http://127.0.0.1:1/
		expect 3 "--pages.*$message" || { echo "$list" >&2; return 1; }
	done <<-'TABLE'
		~holds no PATH POINTER OP VALUE
		/a /n=1; b /n=1~number 2: not PATH POINTER OP VALUE
		/a /n~number 1: not a JSON Pointer
		/a /n=1\n/b /n<x~number 2: is compared with what is no number
		http://other/ /n=1~number 1: not PATH
		/\0033[2J /n=1~number 1: has a control character
		/\0303\0251 /n=1~number 1: the path of its page is not ASCII
	TABLE
	for wrong in '--expect /a=1' --nobody '--as id' http://127.0.0.1:1/; do
		# shellcheck disable=SC2086  # words
		run http-probe --pages '/a /n=1' $wrong http://127.0.0.1:1/
		expect 3 '--pages is for one URL' || { echo "$wrong" >&2; return 1; }
	done
}

@test "--newer-than judges a time in the answer, in the future too" {
	at() { echo "$url/${2-say}/%7B%22at%22:%22$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)%22%7D"; }
	run http-probe --json --newer-than 15m --pointer /at "$(at '-5 min')"
	expect 0
	[ "$(jq '.age_seconds >= 300 and .age_seconds < 600' <<<"$output")" = true ]
	http-probe --newer-than 15m --pointer /at "$(at '+5 min')"
	run http-probe --newer-than 15m --pointer /at "$(at '-20 min')"
	expect 2 '200, but /at is 20m[ 0-9s]* old, at most 15m'
	run http-probe --newer-than 15m --pointer /at "$(at '+20 min')"
	expect 2 'in the future: a clock is wrong'
	# who answers has made the time by the same clock as the date of the answer, whatever ours says
	http-probe --newer-than 15m --pointer /at "$(at '+1 day' ahead)"
	run http-probe --newer-than 15m --pointer /at "$(at now ahead)"
	expect 2 '/at is 2[34]h'
	http-probe --newer-than 15m --pointer /at "$(at now undated)"
	run http-probe --newer-than 15m --pointer /at "$(at '+1 day' undated)"
	expect 2 'in the future: a clock is wrong'
	for answer in '%7B%22at%22:%22yesterday%22%7D' '%7B%22at%22:1795413600%7D' '%7B%7D' 'no'; do
		run http-probe --shell --newer-than 15m --pointer /at "$url/say/$answer"
		expect 2 "^age_seconds=''$"
	done
	run http-probe --newer-than 15m "$url/ok"
	expect 3 'go together'
	run http-probe --pointer /at "$url/ok"
	expect 3 'go together'
}

@test "every other status is CRITICAL by default: 204, 206, 302, 404, 500" {
	for status in 206 302 404 500; do
		run http-probe "$url/status/$status"
		[ "$status" -eq 2 ]
		grep -q '^HTTP CRITICAL: ' <<<"$output"
	done
}

@test "--status takes a list and ranges, and a redirect is not followed" {
	run http-probe --status 200,404 "$url/status/404"
	expect 0
	run http-probe --status 300-399 "$url/status/302"
	expect 0 302
	run http-probe --status 200-299 "$url/status/404"
	expect 2
}

@test "--expect looks into JSON by pointer, --match into the text" {
	run http-probe --expect /status=success --expect '/deep/a~1b/1=true' --match deep "$url/ok"
	expect 0
	run http-probe --expect /status=failure "$url/ok"
	expect 2
	run http-probe --expect /none=x "$url/ok"
	expect 2
	run http-probe --match nothing-of-it "$url/ok"
	expect 2
	run http-probe --expect /a=b "$url/flaky"
	expect 2
}

@test "a service that comes up is waited for, and --stable wants it several times" {
	run http-probe --wait 20s --interval 1ms --stable 2 "$url/flaky"
	expect 0
}

@test "a wait that ends without success is CRITICAL" {
	run http-probe --wait 300ms --interval 1ms "$url/status/500"
	expect 2
}

@test "an answer that takes too long is given up" {
	run http-probe -t 300ms "$url/slow"
	expect 2 'no whole answer in'
}

@test "a body without end and a body that is cut are CRITICAL" {
	run http-probe "$url/big"
	expect 2 'larger than'
	run http-probe "$url/cut"
	expect 2
}

@test "nobody there is CRITICAL, not UNKNOWN" {
	run http-probe -t 2s http://127.0.0.1:1/
	expect 2 '^HTTP CRITICAL: '
}

@test "--json is one object with the state, and keeps the exit status" {
	run http-probe --json "$url/ok"
	expect 0
	[ "$(jq -r '.check, .state, .object' <<<"$output" | paste -sd' ')" = "http-probe ok $url/ok" ]
	run http-probe --json "$url/status/500"
	expect 2
	[ "$(jq -r .state <<<"$output")" = critical ]
}

@test "several URLs are asked in their order: a line for each, and the exit status of the worst" {
	run http-probe --json "$url/ok" "$url/status/500" http://127.0.0.1:1/ "$url/ok"
	expect 2
	[ "$(jq -r '.state, .http_status, .connected' <<<"$output" | paste -sd' ')" = 'ok 200 true critical 500 true critical 0 false ok 200 true' ]
	run http-probe "$url/ok" "$url/ok"
	expect 0
	[ "$(grep -c '^HTTP OK: ' <<<"$output")" -eq 2 ]
	# each from its own beginning
	run http-probe --wait 15s --interval 50ms "$url/flaky" "$url/status/503"
	expect 2 '^HTTP OK: .*\(3 tries'
	grep -q '^HTTP CRITICAL: .*503' <<<"$output"
}

@test "limits on the time make WARNING and CRITICAL" {
	run http-probe -w 0ms "$url/ok"
	expect 1
	run http-probe -w 0ms -c 0ms "$url/ok"
	expect 2
}

# instructions COMMAND...: how many it executes
instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : //p'
}

@test "it costs no more instructions than curl, to a hundredth" {
	unsanitized
	ours=$(instructions http-probe "$url/ok")
	theirs=$(instructions curl -s -o /dev/null "$url/ok")
	echo "ours $ours, curl $theirs"
	[ "$ours" -gt 0 ] && [ $((ours * 100)) -le $((theirs * 101)) ]
}

@test "--nobody: a port where somebody takes the connection is not free, whatever he answers" {
	run http-probe --nobody "$url/status/500"
	expect 2 '^HTTP CRITICAL: .* somebody listens there'
	run http-probe --nobody --shell http://127.0.0.1:1/
	expect 0 "^connected=''$"
	run http-probe --nobody --wait 1s "$url/"
	expect 3 "nobody has no answer"
}

@test "--if-absent: another page where there is none; any other answer stands" {
	run http-probe --if-absent "$url/ok" "$url/status/404"
	expect 0 "^HTTP OK: $url/ok 200 in "
	run http-probe --if-absent "$url/status/503" "$url/status/404"
	expect 2 "^HTTP CRITICAL: $url/status/503 "
	run http-probe --if-absent "$url/ok" "$url/status/503"
	expect 2 "^HTTP CRITICAL: $url/status/503 "
	run http-probe --if-absent "$url/ok" --wait 1s "$url/ok"
	expect 3 '--if-absent is for one URL'
	run http-probe --if-absent "ftp://u:secret@x" "$url/ok"
	expect 3 '--if-absent: '
	[[ $output != *secret* ]]
}
