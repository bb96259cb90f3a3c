#!/usr/bin/env bats
# mirror-head: one owner, one newest snapshot, and never a step back.

load helper

HASH=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	export CTV_BACKOFF=10ms CTV_ENV_FILE=$BATS_TEST_TMPDIR/none
}

teardown() {
	dropbox_stop
}

# snapshot N [LEVEL]: what db-snapshot, db-verify and dbx-put would say about the Nth snapshot
snapshot() {
	printf '{"path":"/var/s.db","snapshot_at":"2026-11-24T02:%02d:00Z","size":%d,"content_hash":"%s","page_size":4096,"page_count":7}\n' \
		"$1" "$1" $HASH
	[ -z "${2-}" ] || printf '{"check":"db-verify","object":"/var/s.db","state":"ok","level":"%s"}\n' "$2"
	printf '{"path":"/database.db","rev":"%012x","size":%d,"content_hash":"%s","client_modified":"2026-11-24T01:00:00Z"}\n' \
		"$1" "$1" $HASH
}

# record EPOCH OWNER SEQ: as another client would write it
record() {
	printf '{"schema":1,"epoch":%d,"owner":"%s","seq":%d,"nonce":"aa","head":null}' "$1" "$2" "$3"
}

# put_record TEXT: another client writes it
put_record() {
	dropbox_control put "$(jq -nc --arg text "$1" '{path: "/mirror-head.json", $text}')" >/dev/null
}

@test "help and version go to standard output, exit 0" {
	run --separate-stderr mirror-head --help
	expect 0 '^usage: mirror-head show'
	[ -z "$stderr" ]
	run --separate-stderr mirror-head -V
	expect 0 '^mirror-head [0-9]+\.'
}

@test "a wrong command line is refused before anything is asked" {
	local rows=0
	while IFS='|' read -r args why; do
		# shellcheck disable=SC2086  # words
		run mirror-head $args </dev/null
		expect 64 "^mirror-head: .*$why"
		rows=$((rows + 1))
	done <<-'END'
		|one of show, publish, claim
		steal|not show, publish, claim
		show claim|one of show, publish, claim
		SHOW|not show, publish, claim
		settle|needs --owner
		settle --owner pi2 --from|needs a value
		claim --owner pi2 --draft x|takes no --draft
		show --draft x --field rev|takes no --draft
		show --draft x --append y|takes no --draft
		publish --owner pi2 --change --draft x|takes no --draft
		claim --owner pi2 --append x|takes no --append
		claim --owner pi2 --from pi-ctv|takes no --from
		claim --owner pi2 --yes|takes no --yes
		anew|needs --owner
		anew --owner pi2|needs --yes
		wait|needs --newer
		wait --newer 1|not EPOCH.SEQ
		wait --newer 1.x|not EPOCH.SEQ
		wait --newer -1.2|not EPOCH.SEQ
		wait --newer 1.2 --owner pi2|takes no --owner
		show --newer 1.2|takes no --newer
		claim --owner pi2 -n|takes no --dry-run
		show --owner pi2|takes no --owner
		publish|needs --owner
		claim|needs --owner
		claim --owner|needs a value
		claim --owner=|1 to 64
		claim --owner a/b|1 to 64
		claim --owner aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|1 to 64
		claim --owner é|1 to 64
		claim --owner pi2 -f epoch|takes no --field
		publish --owner pi2 -f epoch|takes no --field
		show -f|needs a value
		show -f nothing|names no field
		show -f Epoch|names no field
		show -f epoch --json|not both
		show --timeout|needs a value
		show --timeout 5x|not a duration
		show --timeout -5|not a duration
		show --json=yes|takes no value
		show -x|no such option
		show --owners pi2|no such option
		show --change|takes none of publish
		claim --owner pi2 --confirm null|takes none of publish
		publish --owner pi2 --change --clear|exclude each other
		publish --owner pi2 --confirm today|not a time
		publish --owner pi2 --confirm 2026-11-24T02:05:00Z|go together
		publish --owner pi2 --object aa --change|go together
		publish --owner pi2 --confirm 2026-11-24T02:05:00Z --object aa|is a content_hash
		publish --owner pi2 --change --every 1m|takes no --every
		publish --owner pi2 --suspect 0 x|--suspect 0
		publish --owner pi2 --suspect 7|needs a reason
		publish --owner pi2 x|one of show, publish, claim
		claim --owner pi2 --pace 1m|takes none of publish
		publish --owner pi2 --pace 0|--pace 0
		publish --owner pi2 --pace 1m --clear|--pace goes with
		publish --owner pi2 --change --why x|--why is of --pace
	END
	[ "$rows" -ge 20 ]
}

@test "a draft: the lines of the tools in a file, shown as far as they go, and published" {
	dropbox_start
	# no record yet: nothing to append
	run mirror-head show --append draft
	expect 66
	[ ! -e draft ]
	run mirror-head show --draft draft --shell=d_
	expect 66 'draft: '
	expect 66 "^d_epoch=''$"
	mirror-head claim --owner pi-ctv
	mirror-head show --append draft >/dev/null
	snapshot 5 | head -n 1 >>draft
	mirror-head show --draft draft --shell=d_ >shown
	grep -qx "d_epoch='1'" shown && grep -qx "d_owner='pi-ctv'" shown && grep -qx "d_content_hash='$HASH'" shown
	grep -qx "d_snapshot_at='2026-11-24T02:05:00Z'" shown && grep -qx "d_size_text='0 KiB'\|d_size_text='5 B'" shown
	grep -qx "d_verified=''" shown && grep -qx "d_rev=''" shown
	run mirror-head publish --owner pi-ctv --draft draft </dev/null
	expect 65 '^mirror-head: draft: path is absent'
	snapshot 5 full | tail -n 2 >>draft
	mirror-head show --draft draft --shell | grep -qx "verified='full'"
	[ "$(mirror-head show --draft draft | jq -r '.rev, .epoch')" = $'000000000005\n1' ]
	mirror-head publish --owner pi-ctv --draft draft </dev/null
	[ "$(mirror-head show -f rev)/$(mirror-head show -f verified)" = 000000000005/full ]
	# torn by a power cut, of two snapshots, of a damaged one; nobody's link, and no pipe is waited for
	cp draft whole
	head -c -20 whole >draft
	run mirror-head show --draft draft --shell
	expect 65 'draft: line 4 is not a JSON object'
	{ cat whole; snapshot 6; } >draft
	run mirror-head show --draft draft
	expect 65 'draft: two lines disagree about size'
	{ cat whole; echo '{"check":"db-verify","state":"critical","level":"full"}'; } >draft
	run mirror-head publish --owner pi-ctv --draft draft
	expect 65 'draft: db-verify says critical'
	rm draft
	ln -s whole draft
	run mirror-head show --draft draft
	[ "$status" -ne 0 ]
	rm draft
	mkfifo draft
	run timeout -s KILL 20 mirror-head publish --owner pi-ctv --draft draft
	[ "$status" -ne 0 ] && [ "$status" -ne 137 ]
	run timeout -s KILL 20 mirror-head show --append draft
	expect 73 'draft: cannot be appended to: not a plain file'
}

@test "publish refuses input that describes no snapshot" {
	good=$(snapshot 5 | tail -n 1)
	local rows=0
	while IFS='|' read -r input why; do
		run mirror-head publish --owner pi-ctv <<<"$input"
		expect 65 "^mirror-head: standard input: .*$why"
		rows=$((rows + 1))
	done <<-END
		|path is absent
		{}|path is absent
		null|line 1 is not a JSON object
		[]|line 1 is not a JSON object
		"text"|line 1 is not a JSON object
		{"path":"/a"|line 1 is not a JSON object
		$good $good|line 1 is not a JSON object
		<html>|line 1 is not a JSON object
		{"path":"/a"}|path is absent
		{"path":"a","rev":"0123456789"}|path is absent or not a path
		{"path":"/","rev":"0123456789"}|the root is no file
		{"path":7,"rev":"0123456789"}|path is absent
		{"path":"/a","rev":"123"}|rev is
		{"path":"/a","rev":"0123456789"}|size is
		{"path":"/a","rev":"0123456789","size":-1}|size is
		{"path":"/a","rev":"0123456789","size":"5"}|size is
		{"path":"/a","rev":"0123456789","size":1.5}|size is
		{"path":"/a","rev":"0123456789","size":5,"content_hash":"00"}|content_hash is
		{"path":"/a","rev":"0123456789","size":5,"content_hash":"$HASH"}|snapshot_at is
		{"path":"/a","rev":"0123456789","size":5,"content_hash":"$HASH","snapshot_at":"today"}|snapshot_at is
		{"path":"/a","rev":"0123456789","size":5,"content_hash":"$HASH","snapshot_at":"2026-11-24T02:00:00Z","page_size":-1}|page_size is
	END
	[ "$rows" -ge 20 ]
	run mirror-head publish --owner pi-ctv < <(snapshot 5; snapshot 6)
	expect 65 'two lines disagree about size'
	run mirror-head publish --owner pi-ctv < <(snapshot 5; echo '{"check":"db-verify","state":"critical","level":"full"}')
	expect 65 'db-verify says critical: not to be published'
	run mirror-head publish --owner pi-ctv < <(head -c 300000 /dev/zero | tr '\0' ' ')
	expect 65 'larger than 262144 bytes'
	run mirror-head publish --owner pi-ctv </
	expect 74 'cannot read'
	run sh -c 'exec mirror-head publish --owner pi-ctv <&-'
	expect 74 'cannot read'
}

@test "without credentials it says so" {
	run mirror-head show
	expect 78 'no Dropbox credentials'
}

@test "without a record show says not found" {
	dropbox_start
	run mirror-head show
	expect 66 '^mirror-head: /mirror-head.json: not found'
	run mirror-head show -f epoch
	expect 66 'not found'
}

@test "the first publication makes the record, and show prints it in a fixed order" {
	dropbox_start
	snapshot 5 full >in
	run mirror-head publish --owner pi-ctv <in
	expect 0
	[ -z "$output" ]
	run mirror-head show
	expect 0
	nonce=$(mirror-head show -f nonce)
	[[ $nonce =~ ^[0-9a-f]{32}$ ]]
	[ "$output" = "epoch=1
owner=pi-ctv
seq=1
nonce=$nonce
path=/database.db
rev=000000000005
size=5
content_hash=$HASH
snapshot_at=2026-11-24T02:05:00Z
page_size=4096
page_count=7
verified=full
not_judged=[]" ]
	for f in epoch owner seq nonce path rev size content_hash snapshot_at page_size page_count verified not_judged; do
		run mirror-head show -f "$f"
		expect 0
		[ "$output" = "$(mirror-head show | sed -n "s/^$f=//p")" ]
	done
}

@test "--json is the record itself on one line" {
	dropbox_start
	run --separate-stderr mirror-head publish --owner pi-ctv --json < <(snapshot 5 quick)
	expect 0
	[ "${#lines[@]}" -eq 1 ]
	[ "$output" = "$(dropbox_get /mirror-head.json)" ]
	[ "$output" = "$(mirror-head show --json | jq -c 'del(.server_modified, .asked_at)')" ]
	jq -e '.schema == 1 and .epoch == 1 and .owner == "pi-ctv" and .seq == 1 and .head.size == 5
		and .head.verified == "quick"' <<<"$output"
}

@test "when the record was written, and when it was read, are told by Dropbox's clock" {
	dropbox_start
	mirror-head claim --owner pi-ctv
	written=$(dropbox_api files/get_metadata '{"path":"/mirror-head.json"}' | jq -r .server_modified)
	dropbox_control clock '{"advance":7200}' >/dev/null
	mirror-head show --json >read
	[ "$(jq -r .server_modified read)" = "$written" ]
	ahead=$(($(date -d "$(jq -r .asked_at read)" +%s) - $(date +%s)))
	[ "$ahead" -gt 7100 ] && [ "$ahead" -lt 7300 ]
	eval "$(mirror-head show --shell)"
	[ "$server_modified" = "$written" ] && [[ $asked_at > $server_modified ]]
	# nobody else is told
	[[ $(mirror-head show) != *asked_at* ]]
}

@test "publish tells a script the record as it is then, and of a refused one nothing" {
	dropbox_start
	run -0 mirror-head publish --owner pi-ctv --shell=x_ < <(snapshot 1)
	grep -qx "x_epoch='1'" <<<"$output"
	grep -qx "x_seq='1'" <<<"$output"
	[ "$(grep -v -e server_modified -e asked_at -e record_rev <<<"$output")" = \
		"$(mirror-head show --shell=x_ | grep -v -e server_modified -e asked_at -e record_rev)" ]
	run --separate-stderr mirror-head publish --owner pi2 --shell=x_ < <(snapshot 2)
	expect 77 "^x_seq=''"
}

@test "where there is no record yet a person is told so, a script by the status alone" {
	dropbox_start
	run mirror-head show
	expect 66 'mirror-head.json: not found in Dropbox'
	run --separate-stderr mirror-head show --shell=x_
	expect 66 "^x_owner=''"
	[ -z "$stderr" ]
}

@test "how often its owner looks stands in the record, with the reason, and a change says it besides" {
	dropbox_start
	chain
	pace() { mirror-head show --json | jq -c '.pace'; }
	[ "$(pace)" = null ]
	mirror-head publish --owner pi-ctv --pace 90s --why "the month's calls"
	[ "$(pace)" = "{\"seconds\":90,\"why\":\"the month's calls\"}" ]
	[ "$(mirror-head show -f pace_seconds) $(mirror-head show -f pace_why)" = "90 the month's calls" ]
	step 'INSERT INTO t VALUES (2)'
	change --pace 1m
	[ "$(pace)" = '{"seconds":60,"why":""}' ]
	mirror-head publish --owner pi-ctv --confirm null
	[ "$(pace)" = null ]
}

@test "a warning that names what was not judged is published with it, another one is not" {
	dropbox_start
	local doubt='{"object":"index i","why":"the collation german is not known here"}'
	run mirror-head publish --owner pi-ctv < <(snapshot 5; echo '{"check":"db-verify","state":"warning","level":"full","not_judged":[]}')
	expect 65 'db-verify says warning: not to be published'
	mirror-head publish --owner pi-ctv < <(snapshot 5; echo '{"check":"db-verify","state":"warning","level":"full","not_judged":['"$doubt"']}')
	[ "$(mirror-head show -f not_judged)" = "[$doubt]" ]
	[ "$(mirror-head show -f verified)" = full ]
	# it is the snapshot's, and so it stays with it, and goes with it
	mirror-head claim --owner pi2
	[ "$(mirror-head show -f not_judged)" = "[$doubt]" ]
	mirror-head publish --owner pi2 < <(snapshot 6 full)
	[ "$(mirror-head show -f not_judged)" = '[]' ]
	run dropbox_get /mirror-head.json
	[[ $output != *not_judged* ]]
}

@test "what a newer program wrote into the record is kept when it is written again" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 5 full)
	put_record "$(dropbox_get /mirror-head.json | jq -c '.omen = {"n": 4} | .head.smell = "ab"')"
	# another revision of the same publication is a stranger's work, unless a newer one brings it
	put_record "$(dropbox_get /mirror-head.json | jq -c '.seq = 2')"
	mirror-head claim --owner pi2
	dropbox_get /mirror-head.json | jq -e '.omen.n == 4 and .head.smell == "ab" and .epoch == 2'
	mirror-head publish --owner pi2 < <(snapshot 6 full)
	dropbox_get /mirror-head.json | jq -e '.omen.n == 4 and (.head | has("smell") | not)'
}

@test "without db-snapshot's and db-verify's lines the time is the file's and verified is none" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 5 | tail -n 1)
	[ "$(mirror-head show -f snapshot_at)" = 2026-11-24T01:00:00Z ]
	[ "$(mirror-head show -f verified)" = none ]
	[ "$(mirror-head show -f page_size)" = 0 ]
}

@test "each publication raises seq and leaves epoch" {
	dropbox_start
	for i in 1 2 3; do
		mirror-head publish --owner pi-ctv < <(snapshot $i)
	done
	[ "$(mirror-head show -f seq) $(mirror-head show -f epoch) $(mirror-head show -f size)" = '3 1 3' ]
}

@test "an older snapshot is published too: the order is that of seq, not of clocks" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 7)
	mirror-head publish --owner pi-ctv < <(snapshot 3)
	[ "$(mirror-head show -f seq) $(mirror-head show -f snapshot_at)" = '2 2026-11-24T02:03:00Z' ]
}

@test "publishing what the record says already writes nothing" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	mirror-head show >before
	run mirror-head publish -v --owner pi-ctv < <(snapshot 1)
	expect 0 'already says so'
	mirror-head show | cmp - before
	[ "$(dropbox_calls files/upload)" -eq 1 ]
	# but a better verification is news
	mirror-head publish --owner pi-ctv < <(snapshot 1 full)
	[ "$(mirror-head show -f verified)" = full ]
}

@test "who is not the owner must not publish, and is told why" {
	dropbox_start
	mirror-head publish --owner pi2 < <(snapshot 1)
	mirror-head show >before
	run mirror-head publish --owner pi-ctv < <(snapshot 2)
	expect 77 '^mirror-head: /mirror-head.json: pi2 is the owner since epoch 1: pi-ctv must not publish'
	expect 77 '^hint: nothing was published'
	mirror-head show | cmp - before
	[ "$(dropbox_calls files/upload)" -eq 1 ]
}

@test "a claim raises epoch, keeps the snapshot, and fences the old owner" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 4 full)
	mirror-head show | grep -Ev '^(epoch|owner|nonce)=' >before
	run mirror-head claim --owner pi2
	expect 0
	[ -z "$output" ]
	[ "$(mirror-head show -f epoch) $(mirror-head show -f owner)" = '2 pi2' ]
	mirror-head show | grep -Ev '^(epoch|owner|nonce)=' | cmp - before
	run mirror-head publish --owner pi-ctv < <(snapshot 5)
	expect 77 'pi2 is the owner since epoch 2'
	mirror-head publish --owner pi2 < <(snapshot 6)
	[ "$(mirror-head show -f epoch) $(mirror-head show -f seq)" = '2 2' ]
}

@test "claiming what one owns writes nothing" {
	dropbox_start
	mirror-head claim --owner pi2
	mirror-head show >before
	run mirror-head claim --owner pi2
	expect 0
	mirror-head show | cmp - before
	[ "$(dropbox_calls files/upload)" -eq 1 ]
}

@test "a claim without a record makes one that names no snapshot" {
	dropbox_start
	mirror-head claim --owner pi2
	run mirror-head show
	expect 0 '^epoch=1$'
	expect 0 '^path=$'
	run mirror-head show -f path
	expect 66 'nothing has been published yet'
	run mirror-head publish --owner pi-ctv < <(snapshot 1)
	expect 77
	mirror-head publish --owner pi2 < <(snapshot 1)
	[ "$(mirror-head show -f seq)" = 1 ]
}

@test "every write is a strict compare-and-swap of the revision that was read" {
	dropbox_start
	mirror-head claim --owner a
	rev=$(dropbox_api files/get_metadata '{"path":"/mirror-head.json"}' | jq -r .rev)
	mirror-head claim --owner b
	run dropbox_log 'select(.route == "files/upload") | .arg | del(.content_hash)' -S
	[ "${lines[0]}" = '{"autorename":false,"mode":{".tag":"add"},"mute":true,"path":"/mirror-head.json","strict_conflict":true}' ]
	[ "${lines[1]}" = '{"autorename":false,"mode":{".tag":"update","update":"'"$rev"'"},"mute":true,"path":"/mirror-head.json","strict_conflict":true}' ]
}

@test "each write has a nonce of its own" {
	dropbox_start
	for o in a b a b; do mirror-head claim --owner $o; mirror-head show -f nonce; done >nonces
	[ "$(sort -u nonces | wc -l)" -eq 4 ]
}

@test "a write whose answer is lost counts once" {
	dropbox_start
	for kind in reset-after close-after cut-json empty-200 finish-503-but-committed; do
		before=$(mirror-head show -f seq 2>/dev/null || echo 0)
		dropbox_fault '{"route":"files/upload","kind":"'$kind'"}'
		mirror-head publish --owner pi-ctv < <(snapshot $((before + 1)))
		[ "$(mirror-head show -f seq)" -eq $((before + 1)) ]
		[ "$(mirror-head show -f size)" -eq $((before + 1)) ]
	done
}

@test "a claim whose answer is lost counts once" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	dropbox_fault '{"route":"files/upload","kind":"reset-after"}'
	mirror-head claim --owner pi2
	[ "$(mirror-head show -f epoch) $(mirror-head show -f owner)" = '2 pi2' ]
}

@test "a write that never arrived is sent again" {
	dropbox_start
	dropbox_fault '{"route":"files/upload","kind":"reset-before"}'
	dropbox_fault '{"route":"files/upload","kind":"503-empty"}'
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	[ "$(mirror-head show -f seq)" -eq 1 ]
}

@test "when another writes between read and write the record is read again" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	dropbox_fault "$(jq -nc --arg text "$(record 1 pi-ctv 9)" \
		'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	mirror-head publish --owner pi-ctv < <(snapshot 2)
	[ "$(mirror-head show -f seq) $(mirror-head show -f size)" = '10 2' ]
}

@test "a claim during a publication wins: the publication is refused" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	dropbox_fault "$(jq -nc --arg text "$(record 2 pi2 1)" \
		'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	run mirror-head publish --owner pi-ctv < <(snapshot 2)
	expect 77 'pi2 is the owner since epoch 2'
	[ "$(dropbox_get /mirror-head.json)" = "$(record 2 pi2 1)" ]
}

@test "two first publications: the later one finds the other's record" {
	dropbox_start
	dropbox_fault "$(jq -nc --arg text "$(record 1 pi2 1)" \
		'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	run mirror-head publish --owner pi-ctv < <(snapshot 2)
	expect 77 'pi2 is the owner'
	[ "$(dropbox_get /mirror-head.json)" = "$(record 1 pi2 1)" ]
}

@test "a lost answer and then another's write: the other's counts" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	dropbox_fault '{"route":"files/upload","kind":"reset-after"}'
	dropbox_fault "$(jq -nc --arg text "$(record 2 pi2 2)" \
		'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	run mirror-head publish --owner pi-ctv < <(snapshot 2)
	expect 77 'pi2 is the owner since epoch 2'
}

@test "who loses every race is told to try again" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	for i in $(seq 2 9); do
		dropbox_fault "$(jq -nc --arg text "$(record 1 pi-ctv "$i")" \
			'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	done
	run mirror-head publish --owner pi-ctv < <(snapshot 2)
	expect 75 'others wrote it 8 times in a row'
	[ "$(mirror-head show -f seq)" -eq 9 ]
}

# Four at a time publish, and all that reported success have happened, one after the other.
@test "publishers at once: every success is one step of seq, none is lost" {
	dropbox_start
	mirror-head claim --owner pi-ctv
	for p in 1 2 3 4; do
		for i in 1 2 3 4 5; do
			mirror-head publish --owner pi-ctv < <(snapshot $((10 * p + i))) 2>>err.$p && echo ok >>won.$p || true
		done &
		pids[p]=$!
	done
	wait "${pids[@]}"
	won=$(cat won.* | wc -l)
	echo "$won won"
	[ "$won" -ge 5 ]
	[ "$(mirror-head show -f seq)" -eq "$won" ]
	# who did not win was told to try again, nothing else
	[ "$(cat err.* | grep -vc 'others wrote it 8 times' || true)" -eq 0 ]
}

@test "owners that fight: (epoch, seq) rises with every revision, and only an owner publishes" {
	dropbox_start
	mirror-head claim --owner a
	for o in a b c; do
		for i in 1 2 3 4; do
			mirror-head claim --owner $o 2>/dev/null || true
			mirror-head publish --owner $o < <(snapshot $((10 + i))) 2>/dev/null || true
		done &
		pids[${#pids[@]}]=$!
	done
	wait "${pids[@]}"
	dropbox_api files/list_revisions '{"path":"/mirror-head.json","limit":100}' | jq -r '.entries | reverse | .[].rev' >revs
	[ "$(wc -l <revs)" -ge 4 ]
	while read -r rev; do
		dropbox_get "rev:$rev"
		echo
	done <revs >history
	jq -se '[., .[1:]] | transpose | map(select(.[1] != null)) | all(
		.[0] as $a | .[1] as $b |
		if $a.owner == $b.owner then $b.epoch == $a.epoch and $b.seq == $a.seq + 1
		else $b.epoch == $a.epoch + 1 and $b.seq == $a.seq and $b.head == $a.head end)' history
}

@test "a record that vanishes meanwhile is not begun anew" {
	dropbox_start
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	dropbox_fault '{"route":"files/upload","kind":"stall"}'
	# --timeout is only a guard against a hang
	mirror-head publish --timeout 60s --owner pi-ctv < <(snapshot 2) 2>err &
	pid=$!
	dropbox_control wait '{"stalled":1}' >/dev/null
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	dropbox_control release >/dev/null
	status=0
	wait $pid || status=$?
	[ "$status" -eq 75 ]
	grep -q 'was removed meanwhile' err
	run mirror-head show
	expect 66
}

@test "what is no head record is refused and left alone" {
	dropbox_start
	while IFS='|' read -r text why; do
		put_record "$text"
		for verb in show 'claim --owner pi2' 'publish --owner pi2'; do
			# shellcheck disable=SC2086  # words
			run mirror-head $verb < <(snapshot 1)
			expect 65 "^mirror-head: /mirror-head.json: not a head record: .*$why"
		done
		[ "$(dropbox_get /mirror-head.json)" = "$text" ]
	done <<-END
		{"schema":2,"epoch":1,"owner":"pi2","seq":1,"nonce":"aa","head":null}|newer version
		{"schema":1,"epoch":0,"owner":"pi2","seq":1,"nonce":"aa","head":null}|epoch
		{"schema":1,"epoch":1,"owner":"pi2 x","seq":1,"nonce":"aa","head":null}|owner
		{"schema":1,"epoch":1,"owner":"pi2","seq":1,"nonce":"aa"}|head
		{"schema":1,"epoch":1,|JSON
		<html>|JSON
		x|JSON
	END
	dropbox_control put '{"path":"/mirror-head.json","size":70000}' >/dev/null
	run mirror-head claim --owner pi2
	expect 65 'too large for a head record'
	[ "$(dropbox_calls files/upload)" -eq 0 ]
}

@test "a folder in the record's place is refused" {
	dropbox_start
	dropbox_api files/create_folder_v2 '{"path":"/mirror-head.json"}' >/dev/null
	run mirror-head show
	expect 65 'not a file'
	run mirror-head claim --owner pi2
	expect 65 'not a file'
}

@test "a record damaged on the way is not believed" {
	dropbox_start
	mirror-head claim --owner pi2
	for kind in flip-byte truncate; do
		dropbox_fault '{"route":"files/download","kind":"'$kind'"}'
		run mirror-head claim --owner pi-ctv
		expect 65 'arrived damaged'
	done
	[ "$(mirror-head show -f owner)" = pi2 ]
}

@test "a cut answer is asked for again" {
	dropbox_start
	mirror-head claim --owner pi2
	dropbox_fault '{"route":"files/download","kind":"short-body"}'
	dropbox_fault '{"route":"files/download","kind":"429"}'
	[ "$(mirror-head show -f owner)" = pi2 ]
}

@test "--timeout bounds a Dropbox that does not answer" {
	dropbox_start
	dropbox_fault '{"route":"files/download","kind":"stall"}'
	run mirror-head show --timeout 300ms
	expect 75 'out of time'
}

@test "a Dropbox that is not there is unreachable" {
	dropbox_start
	dropbox_stop
	run mirror-head show
	expect 69 '^mirror-head: /mirror-head.json: '
}

@test "a token without the scope, a revoked one and another server have statuses of their own" {
	dropbox_start
	DROPBOX_ACCESS_TOKEN=$(dropbox_token '{"scope":"account_info.read"}') run mirror-head show
	expect 77 'scope'
	dropbox_fault '{"route":"files/download","kind":"html-200","count":-1}'
	run mirror-head show
	expect 76 'not Dropbox'
}

@test "a full disk behind standard output is an error" {
	dropbox_start
	mirror-head claim --owner pi2
	run mirror-head show >/dev/null
	status=0
	mirror-head show >/dev/full 2>err || status=$?
	[ "$status" -eq 74 ]
	grep -q 'standard output' err
}

# ---- the chain of states -------------------------------------------------------------------------

# chain: live.db is published as base 1; pi-ctv owns the record
chain() {
	sqlite3 live.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1)'
	db-changes --json --file whole.db --since state.db live.db out >look
	publish_night
}

# publish_night: what the last look found, with its file
publish_night() {
	dbx-put -f out "$(jq -r .path look)"
	{
		cat look
		db-verify --json -l full whole.db
		dbx-put -f --json whole.db /database.db
	} >night
	mirror-head publish --owner pi-ctv <night && db-changes --confirm state.db
}

# step SQL: the live database changes, and what differs is put into Dropbox, but not on record
step() {
	sqlite3 live.db "$1"
	db-changes --since state.db live.db out
	dbx-put out "$(db-changes --show --json state.db | jq -r .path)"
}

# change [OPTION...]: what is pending is put on record
change() {
	db-changes --show --json state.db | mirror-head publish --change --owner "${owner-pi-ctv}" "$@"
}

@test "a base begins a chain, changes go on with it, and show tells the newest state" {
	dropbox_start
	chain
	run mirror-head show
	expect 0 '^n=1$'
	expect 0 '^newest_n=1$'
	[[ $output != *change_* ]]
	step 'INSERT INTO t VALUES (2)'
	change
	db-changes --confirm state.db
	dropbox_get /mirror-head.json | jq -e '.seq == 1 and .head.n == 1 and .change.n == 2 and .change.page_count == 2
		and .confirmed_at == .change.snapshot_at and .suspect == null'
	eval "$(mirror-head show --shell)"
	eval "$(db-changes --show --shell=s_ state.db)"
	[ "$newest_n $newest_object $newest_digest $newest_snapshot_at" = "$s_n $s_object $s_digest $s_snapshot_at" ]
	[ "$newest_path" = "$change_path" ]
	[ "$change_rev" = "$(dbx-ls --json "$change_path" | jq -r .rev)" ]
	[ "$change_size" = "$(wc -c <out)" ]
	[ -n "$server_modified" ]
	[ "$record_rev" = "$(dbx-ls --json /mirror-head.json | jq -r .rev)" ]
	[ "$object" = "$(jq -r .object look)" ]
	# the same once more writes nothing
	before=$record_rev
	step 'INSERT INTO t VALUES (3)'
	change
	change
	eval "$(mirror-head show --shell)"
	[ "$newest_n" = 3 ]
	[ "$(dropbox_log 'select(.route == "files/upload" and .arg.path == "/mirror-head.json")' | wc -l)" -eq 3 ]
}

@test "a change whose object is not in Dropbox, or is another, is not put on record" {
	dropbox_start
	chain
	mirror-head show >before
	sqlite3 live.db 'INSERT INTO t VALUES (2)'
	db-changes --since state.db live.db out
	run change
	expect 66 'not found in Dropbox: state 2 is not put on record'
	echo other >other
	dbx-put other "$(db-changes --show --json state.db | jq -r .path)"
	run change
	expect 65 'not the object of state 2'
	mirror-head show | cmp - before
}

@test "who is not the owner, and whose state does not follow the newest, publishes no change" {
	dropbox_start
	chain
	cp state.db other.db
	step 'INSERT INTO t VALUES (2)'
	owner=pi2 run change
	expect 77 'pi-ctv is the owner since epoch 1: pi2 must not publish'
	change
	# a second publisher began at the same state, and is the slower
	sqlite3 live.db 'INSERT INTO t VALUES (3)'
	db-changes --since other.db live.db out2
	dbx-put -f out2 "$(db-changes --show --json other.db | jq -r .path)"
	mirror-head show >before
	run mirror-head publish --change --owner pi-ctv < <(db-changes --show --json other.db)
	expect 75 'names state 2: this state 2 does not follow it'
	mirror-head show | cmp - before
	# what was looked at before the owner changed is of the past, also when he is the owner again
	db-changes --confirm state.db
	step 'INSERT INTO t VALUES (4)'
	mirror-head claim --owner pi2
	mirror-head claim --owner pi-ctv
	run change
	expect 75 'is of epoch 3, state 3 of epoch 1'
	run mirror-head publish --owner pi-ctv < <(snapshot 5; db-changes --show --json state.db)
	expect 65 'not written whole'
	[ "$(mirror-head show -f newest_n)" = 2 ]
}

@test "a race for a change is decided by what stands there, not by who asked first" {
	dropbox_start
	chain
	step 'INSERT INTO t VALUES (2)'
	dropbox_fault "$(jq -nc --arg text "$(dropbox_get /mirror-head.json | jq -c '.epoch = 2 | .owner = "pi2"')" \
		'{route: "files/upload", kind: "replace", path: "/mirror-head.json", $text}')"
	run change
	expect 77 'pi2 is the owner since epoch 2'
	[ -z "$(mirror-head show --json | jq '.change // empty')" ]
}

@test "a night is one of the states, and the chain goes on while it is uploaded" {
	dropbox_start
	chain
	sqlite3 live.db 'INSERT INTO t VALUES (2)'
	db-changes --json --file whole.db --since state.db live.db out >look
	mv out night.out
	dbx-put night.out "$(jq -r .path look)"
	mirror-head publish --change --owner pi-ctv <look
	db-changes --confirm state.db
	mv look night.look
	step 'INSERT INTO t VALUES (3)'
	change
	db-changes --confirm state.db
	{
		cat night.look
		db-verify --json -l full whole.db
		dbx-put -f --json whole.db /database.db
	} >night
	mirror-head publish --owner pi-ctv <night
	dropbox_get /mirror-head.json | jq -e '.seq == 2 and .head.n == 2 and .change.n == 3 and .confirmed_at == .change.snapshot_at'
	# published once more it says nothing new
	mirror-head publish --owner pi-ctv <night
	[ "$(mirror-head show -f seq)" = 2 ]
	# one that the chain does not know is not published at all
	sqlite3 live.db 'INSERT INTO t VALUES (4)'
	db-changes --json --file whole.db --since state.db live.db out >look
	run publish_night
	expect 75 'does not have this state 4 on record'
	# and a night of no state ends the chain
	mirror-head publish --owner pi-ctv < <(snapshot 5 full)
	run mirror-head show
	expect 0 '^seq=3$'
	[[ $output != *newest_n* && $output != *confirmed_at* && $output != *change_n* ]]
}

@test "what the owner knows to be the newest is confirmed, and taken back" {
	dropbox_start
	mkdir -p state
	export CTV_STATE_DIR=$PWD/state
	chain
	object=$(mirror-head show -f newest_object)
	taken=$(mirror-head show -f snapshot_at)
	latest=$(date -u -d "$taken + 15 minutes" +%FT%TZ)
	confirm() {
		run mirror-head publish --owner pi-ctv --confirm "$1" --object "${2-$object}"
	}
	confirm "$latest"
	expect 0
	[ "$(mirror-head show -f confirmed_at)" = "$latest" ]
	# a clock that was put back says so
	confirm "$taken"
	expect 0
	[ "$(mirror-head show -f confirmed_at)" = "$taken" ]
	# not of a state that is not the newest, and not by another host
	confirm "$latest" "$HASH"
	expect 75 'names another state as the newest'
	run mirror-head publish --owner pi2 --confirm "$latest" --object "$object"
	expect 77
	mirror-head publish --owner pi-ctv --confirm null
	run mirror-head show -f confirmed_at
	expect 66
	[ "$(mirror-head show -f newest_n)" = 1 ]
	mirror-head publish --owner pi-ctv --confirm null
	# the chain, the owner's look, its end: the memory keeps up with all of them
	[ "$(jq .record.confirmed_at state/.head-seen.json)" = null ]
}

@test "a suspicion stands until a night that was read in full, or until it is cleared" {
	dropbox_start
	chain
	mirror-head publish --owner pi-ctv --suspect 1 "$(printf 'page 7\nis damaged')"
	[ "$(mirror-head show -f suspect_n)" = 1 ]
	[ "$(mirror-head show -f suspect_why)" = 'page 7 is damaged' ]
	step 'INSERT INTO t VALUES (2)'
	change
	db-changes --confirm state.db
	[ "$(mirror-head show -f suspect_n)" = 1 ]
	sqlite3 live.db 'INSERT INTO t VALUES (3)'
	db-changes --json --file whole.db --since state.db live.db out >look
	dbx-put out "$(jq -r .path look)"
	mirror-head publish --change --owner pi-ctv <look
	publish_night
	run mirror-head show -f suspect_n
	expect 66
	mirror-head publish --owner pi-ctv --suspect 3 why
	mirror-head publish --owner pi-ctv --clear
	run mirror-head show -f suspect_n
	expect 66
}

# old_program FILTER: the record as a program writes it that knows nothing of the chain
old_program() {
	put_record "$(dropbox_get /mirror-head.json |
		jq -c "del(.change, .confirmed_at, .suspect, .head.n, .head.digest, .head.object) | .nonce = \"0f\" | $1")"
}

@test "what a program of before has dropped is written again by its owner, but not after another publication" {
	dropbox_start
	mkdir -p state
	export CTV_STATE_DIR=$PWD/state
	chain
	step 'INSERT INTO t VALUES (2)'
	change
	db-changes --confirm state.db
	mirror-head publish --owner pi-ctv --suspect 1 x
	# a failover and a failback of programs of before: the epoch is another, the publication is not
	old_program '.epoch = 2 | .owner = "pi2"'
	run mirror-head show
	expect 0 '^owner=pi2$'
	[[ $output != *newest_n* ]]
	old_program '.epoch = 3 | .owner = "pi-ctv"'
	mirror-head show >shown
	sqlite3 live.db 'INSERT INTO t VALUES (3)'
	db-changes --epoch 3 --since state.db live.db out
	dbx-put out "$(db-changes --show --json state.db | jq -r .path)"
	change
	dropbox_get /mirror-head.json | jq -e '.epoch == 3 and .head.n == 1 and .change.n == 3 and .suspect.n == 1'
	# what only confirms writes it again, too
	old_program .
	db-changes --confirm state.db
	mirror-head publish --owner pi-ctv --confirm "$(mirror-head show -f snapshot_at)" \
		--object "$(db-changes --show --json state.db | jq -r .object)"
	[ "$(mirror-head show -f newest_n)" = 3 ]
	# a claim of the other host does not: its record says what it found
	old_program '.seq = 2 | .head.rev = "00000000000f"'
	run mirror-head publish --owner pi-ctv --confirm 2026-11-24T02:05:00Z --object "$(db-changes --show --json state.db | jq -r .object)"
	expect 75 'names another state'
	run mirror-head show -f newest_n
	expect 66
}

# ---- what this host has seen before ------------------------------------------------------------

# remembers: from now on the commands have a state directory
remembers() {
	mkdir -p state
	export CTV_STATE_DIR=$PWD/state
}

# of_record: its text as it is in Dropbox
of_record() {
	dropbox_get /mirror-head.json
}

# refused WHY: every command but anew ends with 65, says the way out, prints no field, and writes nothing
refused() {
	local before verb
	before=$(of_record 2>/dev/null || true)
	for verb in show 'show -f owner' 'show --json' 'claim --owner pi-ctv' 'claim --owner pi2' 'settle --owner pi2' \
		'wait --newer 0.0 --every 10s' 'publish --owner pi-ctv'; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr mirror-head $verb < <(snapshot 30)
		[ -z "$output" ]
		output=$stderr
		expect 65 "not believed: .*$1"
		expect 65 '^hint: .*mirror-head anew --owner NAME'
	done
	[ "$(of_record 2>/dev/null || true)" = "$before" ]
}

@test "a record that was deleted, rewound or put back is not believed by any command, and anew counts above it" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	of_record >old
	mirror-head publish --owner pi-ctv < <(snapshot 2)
	of_record >new
	put_record "$(cat old)"
	refused 'number 1.1 of pi-ctv, and 1.2 of pi-ctv was seen'
	# the very record that was seen last, under another revision: what came after it is not known
	put_record "$(cat new)"
	refused 'number 1.2 of pi-ctv was put back'
	dropbox_api files/delete_v2 '{"path":"/mirror-head.json"}' >/dev/null
	refused 'it is gone, and number 1.2 of pi-ctv was seen'
	mirror-head anew --owner pi-ctv --yes
	jq -e 'keys == ["epoch","head","nonce","owner","schema","seq"]' <<<"$(of_record)"
	[ "$(mirror-head show | sed -n '/^\(epoch\|owner\|seq\|rev\)=/p' | tr '\n' ' ')" = 'epoch=2 owner=pi-ctv seq=3 rev=000000000002 ' ]
	# the same from each of the others
	put_record "$(cat old)"
	mirror-head anew --owner pi2 --yes
	[ "$(mirror-head show -f epoch).$(mirror-head show -f seq) $(mirror-head show -f owner)" = '3.4 pi2' ]
	mirror-head publish --owner pi2 < <(snapshot 3)
	[ "$(mirror-head show -f seq)" = 5 ]
}

@test "an equal number with another owner or snapshot is not believed, the same publication written anew is" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 2)
	of_record >good
	put_record "$(jq -c '.owner = "pi2" | .nonce = "ab"' good)"
	refused 'number 1.1 of pi2 is another than the 1.1 of pi-ctv'
	put_record "$(jq -c '.head.rev = "000000000009" | .nonce = "ab"' good)"
	refused 'number 1.1 of pi-ctv is another'
	# a program of tomorrow confirms it each minute
	put_record "$(jq -c '.nonce = "abc" | .confirmed_at = "2026-11-24T03:00:00Z"' good)"
	run mirror-head show -f owner
	expect 0 pi-ctv
	mirror-head claim --owner pi2
}

@test "the record of a later number is believed, whoever wrote it" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	CTV_STATE_DIR=$PWD/none mirror-head claim --owner pi2
	CTV_STATE_DIR=$PWD/none mirror-head publish --owner pi2 < <(snapshot 2)
	run mirror-head show -f owner
	expect 0 pi2
	[ "$(jq -r '.record | "\(.epoch).\(.seq) \(.owner)"' state/.head-seen.json)" = '2.2 pi2' ]
}

@test "a record of a lower state is not believed, nor one of the same with another object" {
	dropbox_start
	remembers
	chain
	of_record >old
	step 'INSERT INTO t VALUES (2)'
	change
	of_record >new
	put_record "$(jq -c '.nonce = "ab"' old)"
	refused 'number 1.1.1 of pi-ctv, and 1.1.2 of pi-ctv was seen'
	put_record "$(jq -c '.nonce = "ab" | .change.content_hash = "'$HASH'"' new)"
	refused 'number 1.1.2 of pi-ctv is another than the 1.1.2 of pi-ctv'
	# who says nothing of a state denies none
	put_record "$(jq -c 'del(.change, .head.n) | .nonce = "ab"' new)"
	mirror-head show >shown
	put_record "$(jq -c '.nonce = "ac"' old)"
	refused 'number 1.1.1 of pi-ctv, and 1.1.2 of pi-ctv was seen'
}

@test "show --dry-run judges, and remembers nothing" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	of_record >old
	CTV_STATE_DIR=$PWD/none mirror-head claim --owner pi2
	before=$(cat state/.head-seen.json)
	[ "$(mirror-head show -n -f epoch)" = 2 ]
	[ "$(cat state/.head-seen.json)" = "$before" ]
	put_record "$(cat old)"
	run mirror-head show --dry-run
	expect 65 'was put back'
}

@test "what is seen again is not written again" {
	dropbox_start
	remembers
	mirror-head claim --owner pi2
	touch -d '1 hour ago' state/.head-seen.json
	mirror-head show >shown
	[ -n "$(find state -name .head-seen.json -mmin +30)" ]
}

@test "a memory that is damaged or no file believes nothing, never waits, and anew writes it afresh" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	for bad in '' '{}' 'x' '{"schema":1,"epoch":1,"owner":"a","seq":1,"nonce":"0","head":null}'; do
		printf %s "$bad" >state/.head-seen.json
		run mirror-head show
		expect 65 'head-seen.json: damaged'
		expect 65 'mirror-head anew --owner NAME'
	done
	mirror-head anew --owner pi-ctv --yes
	run mirror-head show -f epoch
	expect 0 '^2$'
	rm state/.head-seen.json
	mkfifo state/.head-seen.json
	run timeout 10 mirror-head show
	expect 74 'not a regular file'
	rm state/.head-seen.json
	ln -s /etc/passwd state/.head-seen.json
	run mirror-head show
	expect 74 'head-seen.json'
}

@test "a damaged record is replaced by anew, one of a newer schema by nobody" {
	dropbox_start
	remembers
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	put_record 'no record'
	run mirror-head show
	expect 65 'hint: .*mirror-head anew --owner NAME'
	put_record '{"schema":2}'
	run mirror-head anew --owner pi-ctv --yes
	expect 65 'newer version'
	[ "$(of_record)" = '{"schema":2}' ]
	put_record 'no record'
	mirror-head anew --owner pi-ctv --yes
	[ "$(mirror-head show -f epoch).$(mirror-head show -f seq) $(mirror-head show -f rev)" = '2.2 000000000001' ]
}

@test "commands at once share the memory: none takes the other's write for a step back" {
	dropbox_start
	remembers
	mirror-head claim --owner pi-ctv
	for p in 1 2 3; do
		for i in 1 2 3 4 5 6; do
			mirror-head publish --owner pi-ctv < <(snapshot $((10 * p + i))) 2>>err.$p || true
			mirror-head show >/dev/null 2>>err.$p || true
		done &
		pids[p]=$!
	done
	wait "${pids[@]}"
	[ "$(cat err.* | grep -vc 'others wrote it 8 times' || true)" -eq 0 ]
	[ "$(jq .record.seq state/.head-seen.json)" -eq "$(mirror-head show -f seq)" ]
}

@test "settle gives the record to who serves, only from whom it is to come, and makes none" {
	dropbox_start
	run mirror-head settle --owner pi2
	expect 0
	[ -z "$output" ]
	run mirror-head show
	expect 66
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	rows=0
	while read -r owner args result; do
		mirror-head claim --owner "$owner"
		# shellcheck disable=SC2086  # words
		run mirror-head settle --owner ${args//+/ }
		expect 0 "^$result$"
		[ "$(mirror-head show -f owner)" = "$result" ]
		rows=$((rows + 1))
	done <<-'END'
		pi-ctv pi2 pi2
		pi2 pi2 pi2
		pi2 pi-ctv+--from+pi2 pi-ctv
		other pi-ctv+--from+pi2 other
		pi-ctv pi-ctv+--from+pi2 pi-ctv
	END
	[ "$rows" -eq 5 ]
}

@test "wait ends with the first greater number, or when its time is over" {
	dropbox_start
	run mirror-head wait --newer 0.0 --every 10ms --timeout 50ms
	expect 75 'nothing newer than number 0.0'
	mirror-head publish --owner pi-ctv < <(snapshot 1)
	run mirror-head wait --newer 1.1 --every 10ms --timeout 50ms
	expect 75 'nothing newer than number 1.1'
	run mirror-head wait --newer 1.0 --timeout 60s
	expect 0
	# --timeout is only a guard against a hang
	mirror-head wait --newer 1.1 --every 10ms --timeout 60s --json >out &
	pid=$!
	mirror-head publish --owner pi-ctv < <(snapshot 2)
	wait $pid
	[ "$(jq .seq out)" -eq 2 ]
}
