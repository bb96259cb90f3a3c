#!/usr/bin/env bats
# status-render: the checks' answers as a page, as JSON and as metrics

load helper

setup() {
	www=$BATS_TEST_TMPDIR/www
	mkdir "$www"
	cd "$BATS_TEST_TMPDIR" || return
}

# lines READY-STATE: a host where all is well but for the readiness
lines() {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	cat <<END
{"id":"host","node":"pi2","role":"standby","version":"0"}
{"id":"primary","check":"http-probe","object":"http://p/","state":"ok","http_status":200,"latency_ms":12,"at":"$now"}
{"id":"standby","state":"ok","age_seconds":60,"data_at":"$now","size_bytes":4096}
{"id":"verify","state":"ok","level":"quick","unchanged":true,"at":"$now"}
{"id":"download","result":"ok","exit":0,"started_at":"$now","finished_at":"$now","last_ok_at":"$now"}
{"id":"ready","check":"db_present","state":"$1","text":"4096 bytes"}
END
}

@test "a standby that is ready: page, JSON, metrics and the file ready, all readable by the web server" {
	lines ok | status-render -o "$www"
	[ "$(jq -r '.overall, .failover.ready, .node' "$www/status.json" | paste -sd' ')" = 'ok true pi2' ]
	grep -q 'Standby ready. The primary is serving.' "$www/index.html"
	grep -q '^ctv_failover_ready 1$' "$www/ctv.prom"
	[ "$(stat -c %a "$www"/* | sort -u)" = 644 ]
	[ "$(ls -A "$www" | paste -sd' ')" = 'ctv.prom index.html ready status.json' ]
}

@test "a standby that is not ready loses the file ready" {
	lines ok | status-render -o "$www"
	lines critical | status-render -o "$www"
	[ ! -e "$www/ready" ]
	[ "$(jq -r .overall "$www/status.json")" = critical ]
}

@test "ready goes even when the page is too large to be written" {
	lines ok | status-render -o "$www"
	{ lines critical; printf '{"id":"alert","text":"%0300000d"}\n' 0 | tr 0 '<'; } >"$BATS_TEST_TMPDIR/in"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/in"
	expect 65
	[ ! -e "$www/ready" ]
}

@test "--shell: what is to be told, also when the page cannot be written" {
	for to in "$www" "$BATS_TEST_TMPDIR/none"; do
		{
			lines critical
			echo '{"id":"warn/timer_armed","state":"critical","text":"gone"}'
			echo '{"id":"deliveries","key":"k","channel":"teams","pending":true,"why":""}'
		} | status-render -o "$to" --shell=p_ >said || [ "$to" != "$www" ]
		eval "$(cat said)"
		# shellcheck disable=SC2154  # by eval
		[ "$p_overall/$p_stale/$p_sync_late/$p_sync_pulse/$p_queued" = critical/ok//ok/yes ]
		# shellcheck disable=SC2154
		[ "$p_hindrance/$p_problem" = 'db_present: 4096 bytes/timer_armed: gone' ]
	done
	lines critical | status-render -o "$www" --shell --apart db_present | grep "^hindrance=''$"
	status-render -o "$www" --shell </dev/null | grep "^hindrance='the readiness is not known'$"
	lines ok | sed 's/"last_ok_at":"[^"]*"/"last_ok_at":"2099-01-01T00:00:00Z"/' | status-render -o "$www" --shell | grep "^sync_late='yes'$"
}

@test "a condition that only warns this time, and one that only warns ever, keep nobody from a failover" {
	{ lines ok; echo '{"id":"ready/app_serves","state":"critical","text":"it starts"}'; } >in
	[ "$(status-render -o "$www" --shell <in | grep -e ^problem -e ^hindrance | paste -sd' ')" = "hindrance='app_serves: it starts' problem=''" ]
	[ ! -e "$www/ready" ]
	[ "$(status-render -o "$www" --shell --only-warns app_serves <in | grep -e ^problem -e ^hindrance | paste -sd' ')" = "hindrance='' problem='app_serves: it starts'" ]
	[ -e "$www/ready" ]
	# and no number of them is a readiness
	echo '{"id":"warn/timer_armed","state":"ok"}' | status-render -o "$www"
	[ ! -e "$www/ready" ]
}

@test "the host, and the records of the runs, in words of the command line" {
	mkdir state
	lines ok | grep -v -e '"host"' -e '"download"' >in
	lines ok | sed -n 's/"id":"download"/"id":"else"/p' >state/last-download.json
	echo 'no record' >state/last-drill.json
	status-render -o "$www" --node pi3 --role moon --records state <in
	[ "$(jq -r '.node, .role, .overall, .sync.download.result' "$www/status.json" | paste -sd' ')" = 'pi3 standby ok ok' ]
	ln -sf last-download.json state/last-drill.json
	run status-render -o "$www" --node pi3 --role active --records state <in
	expect 0 'state/last-drill.json: '
	[ "$(jq -r '.role, .failover.last_drill.at' "$www/status.json" | paste -sd' ')" = 'active null' ]
}

@test "an object may have its id before it; what is none is named whole, and left out" {
	{ lines ok | sed 's/^{"id":"standby",/standby {/'; echo 'newest no object'; } >in
	run status-render -o "$www" <in
	expect 0 'not an object with an "id": newest no object$'
	[ "$(jq -r '.overall, .standby.age_seconds, .lag' "$www/status.json" | paste -sd' ')" = 'ok 60 null' ]
}

@test "--shell: the pulse of the nightly and the minutely copy is critical when one of the two is, and not while this host serves" {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	pulse() { rm -f "$www/status.json"; status-render -o "$www" --warn-lag 20m --max-lag 60m --shell | sed -n "s/^sync_pulse='\(.*\)'/\1/p"; }
	follows() { printf 'head {"head":{"n":9},"confirmed_at":"%s"}\nnewest {"n":9,"snapshot_at":"2026-01-01T00:00:00Z"}\n' "$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)"; }
	[ "$(lines ok | pulse)" = ok ]
	[ "$({ lines ok; follows now; } | pulse)" = ok ]
	[ "$({ lines ok; follows '-30 minutes'; } | pulse)" = ok ]
	[ "$({ lines ok; follows '-2 hours'; } | pulse)" = critical ]
	[ "$({ lines ok; follows '-2 hours'; } | sed 's/"role":"standby"/"role":"active"/' | pulse)" = ok ]
	[ "$(lines ok | grep -v '"download"' | pulse)" = critical ]
	rm "$www/status.json"
	{ lines ok; follows '-2 hours'; } | status-render -o "$www" --warn-lag 20m --max-lag 60m --shell | grep "^sync_text='.*; what is followed is 2h00m behind"
}

@test "--keep: the history outlives a boot, and costs a write only when it is another one" {
	lines ok >in
	status-render -o "$www" --keep kept <in
	jq -c '.days[0].sync = "failed"' kept >edited && mv edited kept
	rm "$www"/*
	touch -d 2026-01-01 kept
	status-render -o "$www" --keep kept <in
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = failed ]
	[ "$(stat -c %Y kept)" -eq "$(date -d 2026-01-01 +%s)" ]
	sed '/"primary"/s/"state":"ok"/"state":"critical"/' in | status-render -o "$www" --keep kept
	[ "$(jq -r .primary.state kept)" = critical ]
	rm kept
	mkdir -p kept/x
	run status-render -o "$www" --keep kept <in
	expect 73 'kept: '
	[ "$(jq -r .overall "$www/status.json")" = ok ]
}

@test "no input at all is unknown, not OK, and not ready" {
	run status-render -o "$www" </dev/null
	expect 0
	[ "$(jq -r .overall "$www/status.json")" = unknown ]
	[ ! -e "$www/ready" ]
	grep -q '? UNKNOWN' "$www/index.html"
}

@test "lines that are no objects with an id are named and left out; the page comes all the same" {
	{ echo 'http-probe: cannot connect'; echo '[1]'; echo '{"check":"x"}'; printf '{"id":'; echo; lines ok; } >"$BATS_TEST_TMPDIR/in"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/in"
	expect 0
	[ "$(grep -c 'not an object with an "id"' <<<"$output")" -eq 4 ]
	[ "$(jq -r .overall "$www/status.json")" = ok ]
}

@test "the history is taken over, and a damaged status.json does not stop the next page" {
	lines ok | status-render -o "$www"
	jq -c '.days[0].sync = "failed"' "$www/status.json" >"$www/edited" && mv "$www/edited" "$www/status.json"
	lines ok | status-render -o "$www"
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = failed ]
	echo '{"days":' >"$www/status.json"
	lines ok | status-render -o "$www"
	[ "$(jq -r '.days[0].sync' "$www/status.json")" = none ]
	printf '{"events":[{"at":"2026-01-01T00:00:00Z","what":"\377"}]}' >"$www/status.json"
	lines ok | status-render -o "$www"
	iconv -f UTF-8 -t UTF-8 "$www/status.json" "$www/index.html" >/dev/null
}

@test "a file whose content did not change is not written again" {
	lines ok | status-render -o "$www"
	touch -d '2026-01-01' "$www/ready" "$www/ctv.prom"
	lines critical | sed 's/"critical"/"ok"/' | status-render -o "$www"
	[ "$(stat -c %Y "$www/ready")" -eq "$(date -d 2026-01-01 +%s)" ]
}

@test "the metrics go where --metrics says" {
	lines ok | status-render -o "$www" --metrics "$BATS_TEST_TMPDIR/node.prom"
	grep -q ctv_build_info "$BATS_TEST_TMPDIR/node.prom"
	[ ! -e "$www/ctv.prom" ]
}

@test "a directory that is not there or cannot be written is named, with its exit status" {
	run status-render -o "$BATS_TEST_TMPDIR/none" <<<'{"id":"host"}'
	expect 73 "none/status.json: cannot create: No such file"
	touch "$BATS_TEST_TMPDIR/file"
	run status-render -o "$BATS_TEST_TMPDIR/file" <<<'{"id":"host"}'
	expect 73 'Not a directory'
}

@test "what a server says never becomes markup" {
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	printf '{"id":"alert","key":"<img src=x>","text":"\\"><script>1</script>","since":"%s"}\n' "$now" | status-render -o "$www"
	run grep -c '<script>' "$www/index.html"
	expect 0 '^1$'
	run grep -c '<img' "$www/index.html"
	expect 1
}

@test "input beyond a mebibyte is cut and said; memory stays bounded" {
	head -c 5000000 /dev/zero | tr '\0' x >"$BATS_TEST_TMPDIR/huge"
	run status-render -o "$www" <"$BATS_TEST_TMPDIR/huge"
	expect 0 'larger than 1048576 bytes'
}
