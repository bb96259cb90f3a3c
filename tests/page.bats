#!/usr/bin/env bats
# the status page in a real browser: every state, both themes, a dead generator, nothing fetched
#
# With a directory in $SCREENSHOTS (make screenshots) each state is drawn into it.

load helper

setup() {
	www=$BATS_TEST_TMPDIR/www
	mkdir "$www"
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
}

# page HOST-ROLE PRIMARY COPY EXIT READY [STATE]: renders a page of these states; STATE of 9 is followed
page() {
	quarters
	result=ok said='a good night'
	[ "$4" -eq 0 ] || result=failed said='no space left'
	# what was made 50580 seconds ago; or the night before, when it is late
	age=50580
	[ "$3" = ok ] || age=100000
	snapshot=$(date -u -d "-$age seconds" +%Y-%m-%dT%H:%M:%SZ)
	status-render -o "$www" --warn-lag 20m --max-lag 60m <<END
head {"head":{"n":5},"change":{"n":9},"confirmed_at":"$now"}
newest {"n":${6-9},"snapshot_at":"$(date -u -d '-3 hours' +%Y-%m-%dT%H:%M:%SZ)"}
{"id":"host","node":"pi2","role":"$1","version":"0"}
{"id":"primary","object":"http://100.81.73.46:8000/","state":"$2","http_status":200,"latency_ms":1043,"at":"$now"}
{"id":"standby","state":"$3","age_seconds":$age,"data_at":"$snapshot","size_bytes":1503236096}
{"id":"verify","state":"ok","level":"quick","unchanged":true,"at":"$now","file_mtime":"$now"}
{"id":"download","result":"$result","exit":$4,"message":"$said","started_at":"$now","finished_at":"$now","last_ok_at":"$now"}
{"id":"drill","result":"ok","finished_at":"$now","message":"the drill has passed"}
{"id":"ready","check":"db_fresh","state":"$5","text":"14h03m < 36h"}
END
}

# quarters: a day that is past, in which following stood still for some hours, and a look was missed
quarters() {
	jq -nc --argjson now "$(date +%s)" '{lag: {day: [range(95; 0; -1) | select(. != 50) | {at: ($now - $now % 900 - 900 * . | todate),
		seconds: (if . > 30 and . < 40 then (40 - .) * 900 else 45 + . % 7 * 5 end)}]}}' >"$www/status.json"
}

# browse [OPTION...]: the page as the browser has it, after its script ran
browse() {
	timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$BATS_TEST_TMPDIR/profile" "$@" "file://$www/index.html" 2>/dev/null
}

# draw NAME [OPTION...]: a picture, if pictures are wanted
draw() {
	[ -n "${SCREENSHOTS-}" ] || return 0
	browse --window-size=1280,1000 --screenshot="$SCREENSHOTS/$1.png" "${@:2}"
}

# shows TEXT...: each is on the page, and the banner's words are those of status.json
shows() {
	browse --dump-dom >"$BATS_TEST_TMPDIR/dom"
	draw "${BATS_TEST_DESCRIPTION// /-}"
	for text in "$@" "$(jq -r .summary "$www/status.json")"; do
		grep -qF -- "$text" "$BATS_TEST_TMPDIR/dom" || { echo "not on the page: $text" >&2; return 1; }
	done
	# each card and the banner have the state of the document
	[ "$(grep -Eo '<h2>(Primary|Age|Daily|Failover)[^<]*</h2><span class="state [a-z]*' "$BATS_TEST_TMPDIR/dom" | sed 's/.* //' | paste -sd' ')" = \
		"$(jq -r '.primary.state, .standby.state, .sync.state, .failover.state' "$www/status.json" | paste -sd' ')" ]
	grep -q "class=\"banner $(jq -r .overall "$www/status.json")\"" "$BATS_TEST_TMPDIR/dom"
	[ "$(grep -o 'body[^>]*class="stale"' "$BATS_TEST_TMPDIR/dom")" = '' ]
}

@test "ready" {
	page standby ok ok 0 ok
	shows '✓ OK' 'READY, 1 of 1' '200 in 1.04 s' '14h03m &lt; 36h'
}

@test "stale data" {
	page standby ok warning 0 ok
	shows '! WARNING' 'READY, 1 of 1'
}

@test "the last minutes" {
	page standby ok ok 0 ok
	shows '✓ OK' 'Minute by minute' ' behind</p>' 'the last 24 hours; the worst was 2h15m' 'aria-label="the lag of the last 24 hours; its worst was 2h15m"'
	[ "$(grep -o 'style="height:' "$www/index.html" | wc -l)" -eq 95 ]
	[ "$(grep -o '<div class="none"></div>' "$www/index.html" | wc -l)" -eq 1 ]
	[ "$(grep -o '<div class="critical" style="height:100%"' "$www/index.html" | wc -l)" -eq 5 ]
	page standby ok ok 0 ok 8
	shows '✗ CRITICAL' 'READY, 1 of 1' 'the last minutes of the primary are not here'
}

@test "sync failed" {
	page standby ok ok 69 ok
	shows 'download: failed' 'no space left'
}

@test "primary down" {
	page standby critical ok 0 ok
	shows '✗ CRITICAL' 'The primary is down; the standby is ready to take over' './scripts/failover-to-pi2.sh'
}

@test "not ready" {
	page standby ok ok 0 critical
	shows 'NOT READY, 0 of 1' 'The standby cannot take over'
}

@test "failover active" {
	page active critical ok 0 ok
	shows 'Failover is active: this host is serving' 'ACTIVE' 'When the primary is back' './scripts/failback-to-pi-ctv.sh'
	run grep -c 'If the primary is down' "$www/index.html"
	[ "$output" -eq 0 ]
	page active critical ok 0 critical
	shows '✗ CRITICAL' 'ACTIVE'
}

@test "unknown" {
	status-render -o "$www" </dev/null
	shows '? UNKNOWN' 'not checked' 'no record'
}

@test "a page whose generator died 15 minutes ago says STALE and is grey" {
	page standby ok ok 0 ok
	old=$(($(date +%s) - 1000))
	sed -i "s/data-generated=\"[0-9]*\"/data-generated=\"$old\"/" "$www/index.html"
	browse --dump-dom >"$BATS_TEST_TMPDIR/dom"
	draw generator-dead
	grep -q 'body[^>]*class="stale"' "$BATS_TEST_TMPDIR/dom"
	grep -q '? STALE: not updated for 16m[0-9][0-9]s' "$BATS_TEST_TMPDIR/dom"
}

@test "without script the page says all of it, with absolute times" {
	page standby ok ok 0 ok
	sed 's/<script>.*<\/script>//' "$www/index.html" >"$www/plain"
	grep -q "generated $now\|generated 20..-..-..T..:..:..Z" "$www/plain"
	for text in 'READY, 1 of 1' 'snapshot of' '✓ OK' 'download: ok'; do grep -qF "$text" "$www/plain"; done
}

@test "it fits 320 pixels: nothing is wider than the window" {
	page standby critical warning 69 critical
	# the browser makes no window as narrow as that; 16 pixels are for a scroll bar
	sed -i 's|</body>|<script>document.documentElement.style.width="304px";document.title="wide "+\
[...document.querySelectorAll("body *")].some(e=>e.getBoundingClientRect().right>304)</script></body>|' "$www/index.html"
	browse --window-size=500,800 --dump-dom | grep -q '<title>wide false'
	draw narrow --window-size=320,1800
}

@test "no request leaves the page, and none could" {
	page standby critical warning 69 critical
	grep -q "default-src 'none'" "$www/index.html"
	run grep -Eo '(src|href|action|url)[=(]"?[^ ">]*' "$www/index.html"
	expect 0 '^href="data:,$'
	[ "${#lines[@]}" -eq 1 ]
}

@test "the HTML is valid, has a language, and a state beside every colour" {
	page standby critical warning 69 critical
	tidy -q -e --show-warnings yes "$www/index.html" 2>"$BATS_TEST_TMPDIR/tidy" || true
	run cat "$BATS_TEST_TMPDIR/tidy"
	[ -z "$output" ] || { echo "$output" >&2; false; }
	grep -q '<html lang="en">' "$www/index.html"
	# every coloured badge has its symbol and, but for the list's, its word
	run grep -Eo '<span class="state [a-z]+">[^<]*<' "$www/index.html"
	for line in "${lines[@]}"; do [[ $line =~ \>(✓|!|✗|\?) ]]; done
}

@test "text has a contrast of at least 4.5 to 1 in both themes" {
	page standby ok ok 0 ok
	python3 - "$www/index.html" <<'END'
import re, sys
css = open(sys.argv[1]).read()
def light(c):
    c = c if len(c) == 6 else ''.join(x * 2 for x in c)
    v = [int(c[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    v = [x / 12.92 if x <= .03928 else ((x + .055) / 1.055) ** 2.4 for x in v]
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]
themes = [dict(re.findall(r'--([a-z-]+):#([0-9a-f]{3,6})', t)) for t in re.findall(r':root\{[^}]*\}', css)]
assert len(themes) == 2
for t in themes:
    pairs = [('text', 'bg'), ('text', 'panel'), ('dim', 'bg'), ('dim', 'panel')]
    pairs += [(s, s + '-bg') for s in ('ok', 'warning', 'critical', 'unknown')]
    for a, b in pairs:
        la, lb = sorted((light(t[a]), light(t[b])), reverse=True)
        assert (la + .05) / (lb + .05) >= 4.5, (a, b, (la + .05) / (lb + .05))
END
}
