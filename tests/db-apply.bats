# db-apply against objects that are wrong, files that are others, and what a killed run leaves; what it makes of good ones
# is in db-changes.bats

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	sqlite3 live.db 'PRAGMA journal_mode=WAL' 'CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);' \
		"WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<200)
		INSERT INTO t SELECT i, printf('%0200d', i) FROM n" >/dev/null
	db-changes --since st --file base live.db 1
	db-changes --confirm st
	change "UPDATE t SET v='x' WHERE id IN (7, 150)" 2
}

# change SQL OBJECT
change() {
	sqlite3 -cmd '.dbconfig defensive off' live.db "$1" >/dev/null
	db-changes --since st live.db "$2" >/dev/null
	db-changes --confirm st
}

# forged FILTER: object 2 with its description put through jq's FILTER
forged() {
	python3 - "$1" <<'PY'
import json, struct, subprocess, sys
d = open("2", "rb").read()
n = struct.unpack("<I", d[4:8])[0]
text = subprocess.run(["jq", "-c", sys.argv[1]], input=d[8:8 + n], capture_output=True, check=True).stdout.strip()
open("bad", "wb").write(d[:4] + struct.pack("<I", len(text)) + text + d[8 + n:])
PY
}

# log PYTHON: object 2 with its log changed by these lines, which find it in `w` (a bytearray), its page size in `p`
log() {
	python3 - "$1" <<'PY'
import json, struct, subprocess, sys
d = open("2", "rb").read()
n = struct.unpack("<I", d[4:8])[0]
w = bytearray(subprocess.run(["zstd", "-qdc"], input=d[8 + n:], capture_output=True, check=True).stdout)
p = json.loads(d[8:8 + n])["page_size"]
def sums():
    "every checksum anew, so that only what was changed on purpose is wrong"
    def add(s, b):
        for x, y in struct.iter_unpack("<II", b):
            s[0] = (s[0] + x + s[1]) & 0xffffffff
            s[1] = (s[1] + y + s[0]) & 0xffffffff
    s = [0, 0]
    add(s, w[:24])
    w[24:32] = struct.pack(">II", *s)
    for at in range(32, len(w), 24 + p):
        add(s, w[at:at + 8])
        add(s, w[at + 24:at + 24 + p])
        w[at + 16:at + 24] = struct.pack(">II", *s)
exec(sys.argv[1])
z = subprocess.run(["zstd", "-qc"], input=bytes(w), capture_output=True, check=True).stdout
open("bad", "wb").write(d[:8 + n] + z)
PY
}

# refused REGEX: `bad` is 65, and the file is as it was, with nothing beside it
refused() {
	cp base file
	run -65 timeout 20 db-apply bad file
	expect 65 "$1"
	cmp base file
	[ "$(ls file*)" = $'file\nfile.lock' ]
}

@test "an object that is torn, empty, or something else is refused, and nothing is changed" {
	: >bad; refused 'bad: does not begin as a change does'
	head -c 5 2 >bad; refused 'does not begin'
	head -c 100 2 >bad; refused 'ends in the middle of its description'
	head -c -1 2 >bad; refused 'ends in the middle|fewer pages'
	head -c -40 2 >bad; refused 'bad: '
	{ cat 2; echo more; } >bad; refused 'bad: '
	{ cat 2; printf x | zstd -q; } >bad; refused 'has more than its description says'
	cp live.db bad; refused 'does not begin'
	head -c 5000 /dev/zero >bad; refused 'does not begin'
	cp base file
	rm bad
	run -66 db-apply bad file
	mkfifo bad
	run -66 timeout 5 db-apply bad file
}

@test "a description that lies is refused: numbers, sizes, digests, hashes, a newer schema" {
	forged '.schema=2'; refused 'newer version'
	forged '.schema="1"'; refused 'not one of a change'
	forged '.n=0'; refused 'no number'
	forged '.n=9007199254740993'; refused 'no number'
	forged '.epoch=-1'; refused 'no epoch'
	forged '.snapshot_at="yesterday"'; refused 'no time'
	forged '.page_size=1000'; refused 'sizes that cannot be'
	forged '.page_size=131072'; refused 'sizes that cannot be'
	forged '.page_count=0'; refused 'sizes that cannot be'
	forged '.pages=99999999'; refused 'sizes that cannot be'
	forged '.pages=0'; refused 'has a log'
	forged '.pages+=1'; refused 'bad: '
	forged '.pages-=1'; refused 'bad: '
	forged '.page_count+=1'; refused 'not one transaction|lacks pages'
	forged '.digest=("0"*32)'; refused 'does not lead to the state that it says'
	forged '.digest="0"'; refused 'no digest'
	forged '.digest_before=("0"*32)'; refused 'begins with another state'
	forged '.digest_before=null'; refused 'a base with pages'
	forged '.parent="x"'; refused 'a hash that is none'
	forged '.node=("x"*100)'; refused 'no name of a host'
}

@test "a log that is wrong is refused: page 0, pages twice, out of order, beyond the end, two transactions, another size" {
	log 'w[40]^=1'; refused 'does not go on from the one before'
	log 'w[32+24+100]^=1'; refused 'does not go on from the one before'
	log 'w[32+24+100]^=1; sums()'; refused 'does not lead to the state'
	log 'w[32:36]=bytes(4); sums()'; refused 'does not go on|a number that cannot be'
	log 'w[32:36]=(2**31).to_bytes(4,"big"); sums()'; refused 'a number that cannot be'
	log 'w[32+24+p:32+24+p+4]=w[32:36]; sums()'; refused 'a number that cannot be'
	log 'w[36:40]=(9).to_bytes(4,"big"); sums()'; refused 'not one transaction'
	log 'w[8:12]=(512).to_bytes(4,"big"); sums()'; refused 'does not begin as one'
	log 'w[0]=0; sums()'; refused 'does not begin as one'
	log 'w[:]=w[:-p-24]'; refused 'fewer pages|bad: '
}

@test "a bomb is bounded: what it unpacks to is read no further than its description goes" {
	python3 - <<'PY'
import struct, subprocess
d = open("2", "rb").read()
n = struct.unpack("<I", d[4:8])[0]
z = subprocess.run("head -c 2000000000 /dev/zero | zstd -q --long=27", shell=True, capture_output=True, check=True).stdout
open("bad", "wb").write(d[:8 + n] + z)
PY
	cp base file
	run -65 /usr/bin/time -f '%M KiB' timeout 20 db-apply bad file
	expect 65
	[ "$(sed -n 's/ KiB$//p' <<<"$output")" -lt 24000 ]
	cmp base file
}

@test "a change that does not begin where the file is: a hole, another chain, an older epoch" {
	change "UPDATE t SET v='y' WHERE id=8" 3
	cp base file
	run -65 db-apply 3 file
	expect 65 '3: begins with another state than file is'
	db-apply 1 2 file
	change "UPDATE t SET v='z' WHERE id=9" 4
	run -65 db-apply 4 file
	expect 65 '4: leads to state 4, and file is state 2'
	run -65 db-apply 4 3 file
	expect 65
	[ "$(jq .is.n file.note)" = 2 ]
	forged '.n=3|.epoch=0'
	run -65 db-apply bad file
	expect 65
}

@test "a base is not applied, and a file with a -wal of its own is not touched" {
	sqlite3 base 'SELECT 1' >/dev/null
	echo x >base-wal
	run -73 db-apply 2 base
	expect 73 'base: has a -wal beside it'
	rm base-wal
	db-changes --base --since st live.db b
	cp base file
	run -65 db-apply b file
	expect 65 'b: is a base'
}

@test "somebody who has the file open keeps it: 73, and the next run goes on" {
	cp base file
	coproc APP { exec sqlite3 file 3>&-; }
	echo 'BEGIN; SELECT count(*) FROM t;' >&"${APP[1]}"
	read -r _ <&"${APP[0]}"
	run -73 db-apply -t 50ms 2 file
	expect 73 'file: in use by another process|database is locked'
	exec {APP[1]}>&-
	wait "$APP_PID" || true
	run -0 db-apply --json --finish file
	run -0 db-apply --json 2 file
	jq -e '.n == 2' <<<"$output"
	[ "$(sqlite3 file "SELECT v FROM t WHERE id=7")" = x ]
}

@test "two runs at once make one chain" {
	cp base file
	db-apply 1 2 file &
	run db-apply 1 2 file
	wait $!
	expect 0
	[ "$(jq .is.n file.note)" = 2 ]
}

@test "-o: another run that makes the same file meanwhile is 73, and takes nothing from the first one" {
	local pid tries=0
	strace -f -o trace -e trace=rename,renameat,renameat2 -e inject=rename,renameat,renameat2:signal=STOP:when=1 \
		db-apply -o new 2 base 3>&- >out 2>&1 &
	until grep -qs 'stopped by SIGSTOP' trace; do
		tries=$((tries + 1))
		[ "$tries" -lt 2000 ] || return 1
		sleep 0.01
	done
	pid=$(sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' trace)
	run timeout 20 db-apply -o new 2 base
	kill -CONT "$pid"
	wait $! || { cat out; return 1; }
	expect 73 'new.*: in use by another process'
	[ "$(jq .is.n new.note)" = 2 ]
	cp base file
	db-apply 2 file
	cmp new file
	[ "$(ls -A | grep new)" = $'new\nnew.note' ]
}

@test "-o: why a base cannot be copied is said as it is, and nothing stays behind" {
	ln -s base link
	mkdir directory
	mkfifo fifo
	while IFS='|' read -r name why; do
		run -66 timeout 20 db-apply -o new 2 "$name"
		expect 66 "^db-apply: $name: $why"
		[ -z "$(ls -A | grep new)" ]
	done <<-'END'
		link|cannot open: Too many levels of symbolic links$
		directory|not a regular file$
		fifo|not a regular file$
		nosuch|cannot open: No such file or directory$
	END
}

@test "--finish: nothing to do, no note, a note that is wrong" {
	run -66 db-apply --finish base
	expect 66 'base: has no note'
	cp base file
	db-apply 1 2 file
	run -0 db-apply --finish file
	echo '{}' >file.note
	run -65 db-apply --finish file
	expect 65 'file.note: not a note of db-apply'
	rm file.note
	ln -s 1 file.note
	run db-apply --finish file
	[ "$status" -ne 0 ]
}

@test "a disk that has no room for one more database is said with its name, and nothing is changed" {
	needs_root 'to mount a small file system'
	may_mount
	run -74 unshare -m sh -c '
		mount -t tmpfs -o size=1M tmpfs /mnt && cp base 1 2 /mnt && cd /mnt || exit 99
		db-apply 2 base
		status=$?
		cmp base "$OLDPWD/base" || exit 98
		ls
		exit $status'
	expect 74 'base: .* are free on its disk'
	[[ $output != *base-* ]]
}

@test "a wrong command line is 64" {
	run -64 db-apply
	run -64 db-apply base
	run -64 db-apply --finish --show base
	run -64 db-apply --finish -o x base
	run -64 db-apply -t x 2 base
}

# hash_of FILE: Dropbox's content_hash of a small one
hash_of() {
	python3 -c 'import hashlib, sys; d = hashlib.sha256
print(d(d(open(sys.argv[1], "rb").read()).digest()).hexdigest())' "$1"
}

# parents: objects 2 to 6, of which 4 is a night's; 4x is another object of that number, which nobody names
parents() {
	rm -f 2 st
	db-changes --since st --base -n 1 --file base live.db 1 >/dev/null
	db-changes --confirm st
	cp base start
	for n in 2 3 4 5 6; do
		sqlite3 live.db "UPDATE t SET v='state $n' WHERE id = $n"
		if [ "$n" -eq 4 ]; then
			db-changes --since st live.db 4x >/dev/null
			db-changes --drop st
			sqlite3 live.db "UPDATE t SET v='other' WHERE id = 4"
			db-changes --since st --file night live.db 4 >/dev/null
		else
			db-changes --since st live.db "$n" >/dev/null
		fi
		db-changes --confirm st
	done
	hash=$(hash_of 6)
}

@test "--to: of objects in any order those that lead to one are applied, as far as the night's on the way" {
	parents
	cp base newest
	run -0 db-apply --json --to "$hash" 6 4x 2 5 4 3 1 newest
	jq -e --arg night "$(hash_of night)" '.n == 4 and .applied == 3 and .content_hash == $night' <<<"$output"
	cmp newest night
	run -0 db-apply --json --to "$hash" 6 4x 2 5 4 3 1 newest
	jq -e '.n == 6 and .applied == 2 and has("content_hash") == false' <<<"$output"
	# a file of which nothing is known: its number too is told
	rm newest.note
	run -0 db-apply --json --to "$hash" 5 6 newest
	jq -e '.n == 6 and .applied == 0' <<<"$output"
	run -0 db-apply --json --to "$hash" -o new 3 4 5 6 2 1 base
	jq -e '.n == 4' <<<"$output"
	run -0 db-apply --to "$hash" 5 6 new
	cmp new newest
}

@test "--to: a hole, a way that begins elsewhere, a base on it, and what is damaged beside it" {
	parents
	cp base newest
	db-apply 2 newest
	before=$(sha256sum newest newest.note)
	run db-apply --to "$hash" 6 5 3 4x newest
	expect 66 '^db-apply: 5: the object before it, [0-9a-f]{64}, is not among them$'
	run db-apply --to "${hash//[0-9a-f]/0}" 6 5 3 4 newest
	expect 66 '^db-apply: 0{64}: no object of this content_hash is among them$'
	[ "$(sha256sum newest newest.note)" = "$before" ]
	run db-apply --to "$(hash_of 2)x" 2 newest
	expect 64 'not a content_hash'
	# another state of this number
	cp night fork
	sqlite3 fork "UPDATE t SET v='elsewhere' WHERE id = 100"
	run db-apply --to "$hash" 1 2 3 4 5 6 fork
	expect 65 '^db-apply: 1: is a base: the way begins there'
	cp base here
	db-apply 2 3 here
	cp here.note there.note
	cp base there
	run db-apply --to "$hash" 2 3 4 5 6 there
	expect 65 'does not lead to the state that it says'
	# what is on no way may be anything; what is on it may not
	echo nothing >bad
	run db-apply --to "$hash" 3 bad 4 5 6 newest
	expect 0
	head -c 100 5 >5.short
	run db-apply --to "$(hash_of 5.short)" 5.short newest
	expect 66 '5.short: '
	cmp base start
}

@test "--to: a directory is all in it, though a command line could not hold their names; memory stays small" {
	parents
	mkdir in
	cp 2 3 4 4x 5 6 in
	echo unfinished >in/.6.part
	cp base newest
	db-apply --to "$hash" in newest
	run -0 db-apply --json --to "$hash" in newest
	jq -e '.n == 6' <<<"$output"
	rm in/6
	cp base newest
	run db-apply --to "$hash" in newest
	expect 66 'no object of this content_hash'
	run db-apply --to "$hash" nowhere newest
	expect 66
	# a week of minutes, of which none is of this chain
	cp 6 in
	python3 - <<-'PY'
		import os
		d = open("3", "rb").read()
		for i in range(11000):
		    open("in/%s-%09d" % ("x" * 180, i), "wb").write(d + b"%d" % i)
	PY
	run -0 /usr/bin/time -f '%M KiB' db-apply --to "$hash" in newest
	[ "$(sed -n 's/ KiB$//p' <<<"$output")" -lt 16384 ]
}

@test "what a newer SQLite has written into the schema, or nobody can read of it, keeps no change from being applied" {
	for sql in 'CREATE VIEW v AS SELECT group_concat(v ORDER BY id DESC) FROM t' 'CREATE VIEW v AS nonsense' NULL; do
		rm -rf st* base* 1 2
		sqlite3 live.db 'DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT v FROM t'
		sqlite3 -cmd '.dbconfig defensive off' live.db "PRAGMA writable_schema=ON;
			UPDATE sqlite_schema SET sql=nullif('$sql', 'NULL') WHERE name='v'" >/dev/null
		db-changes --since st --file base live.db 1
		db-changes --confirm st
		change "PRAGMA writable_schema=ON; UPDATE t SET v=hex(randomblob(9)) WHERE id IN (7, 150)" 2
		run -0 db-apply 2 base
		[ "$(ls base*)" = $'base\nbase.lock\nbase.note' ]
		cp live.db rest
		cp live.db-wal rest-wal 2>/dev/null || true
		sqlite3 -cmd '.dbconfig defensive off' rest 'PRAGMA writable_schema=ON; PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
		printf '\1\1' | dd of=rest bs=1 seek=18 conv=notrunc status=none
		cmp rest base
		sqlite3 -cmd '.dbconfig defensive off' live.db "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE name='v'" >/dev/null
	done
}
