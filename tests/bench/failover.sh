#!/bin/bash
# failover.sh [ROWS] - what a failover costs beside the application's own start: with the newest state to be installed, with last
# night's copy as it is (--last-night), and with last night's of BENCH_BEFORE, another tree that is built (default 500 rows; 1800000 are 1.4 GB).
# The three take turns; of BENCH_RUNS (10) the least counts, of wall time and of processor time. What starts the application is
# a stub that does nothing, so all that is measured is ours. The databases are not in the page cache when a run begins, and how
# much of them is in it at the end is said, too. BENCH_DIR: where.
# shellcheck disable=SC2154  # names of what is sourced
set -eu
cd "$(dirname "$0")/../.."

rows=${1:-500}
runs=${BENCH_RUNS:-10}
make -s all
tree=$PWD
# what the tests of the scripts have, without their runner
dir=$(mktemp -d "${BENCH_DIR:-/tmp}/ctv-failover.XXXXXX")
BATS_TEST_TMPDIR=$dir/test BATS_FILE_TMPDIR=$dir/file
mkdir "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR"
bats_require_minimum_version() { :; }
# shellcheck source=/dev/null
. tests/helper.bash
# shellcheck source=/dev/null
. tests/hosts.bash
web=
trap 'dropbox_stop; [ -z "$web" ] || kill "$web"; rm -rf "$dir"' EXIT

# ---- pi2, with a night and a minute behind it ---------------------------------------------------

make_rows=$(declare -f make_db)
eval "${make_rows/make_db/make_small_db}"
make_db() { make_small_db "$1" "$rows"; }
hosts_minutes >/dev/null
dropbox_stop
rm -rf "$BATS_FILE_TMPDIR" pi-ctv dropbox
python3 - <<-'END' >port &
	import http.server
	class H(http.server.BaseHTTPRequestHandler):
	    def do_GET(self):
	        self.send_response(200)
	        self.end_headers()
	        self.wfile.write(b'{"status":"success"}')
	    def log_message(self, *a): pass
	s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H)
	print(s.server_port, flush=True)
	s.serve_forever()
END
web=$!
eventually [ -s port ]
CTV_STANDBY_URL=http://127.0.0.1:$(cat port)
export CTV_STANDBY_URL CTV_PRIMARY_URL=http://127.0.0.1:9 CTV_MIN_SIZE=20K
mkdir stubs
cat >stubs/svc-ctl <<-END
	#!/bin/sh
	case " \$* " in
	*' watch '*) while [ "\$1" != -- ]; do shift; done; shift; exec "\$@" ;;
	*' start flaskapp.service '*) [ -s started ] || date +%s%N >started; echo active >unit ;;
	*' stop flaskapp.service '*) echo inactive >unit ;;
	*' is-active '*) cat unit; grep -qx active unit || exit 3 ;;
	*' check '* | *' --shell'*) echo "verdict='ok'"; echo "text='flaskapp.service'" ;;
	esac
END
chmod +x stubs/svc-ctl
night_inode=$(stat -c %i "$copy") newest_inode=$(stat -c %i "$follow/newest.db")
cp -p "$follow/newest.db.note" note
echo "$(stat -c %s "$copy") bytes"

# standby: pi2 again as it was, with the same inodes
standby() {
	[ "$(stat -c %i "$copy")" = "$night_inode" ] || { mv "$copy" "$follow/newest.db" && mv "$copy.prev" "$copy" && cp -p note "$follow/newest.db.note"; }
	[ "$(stat -c %i "$follow/newest.db")" = "$newest_inode" ]
	jq -n --arg s "$(stamp_of "$copy")" --slurpfile was installed.json '$was[0] | .stamp = $s' >pi2/state/installed.json
	echo standby >pi2/state/role
	echo inactive >unit
	rm -f started pi2/state/data-of pi2/state/wanted/*
	sync "$copy" "$follow/newest.db"
	for db in "$copy" "$follow/newest.db"; do dd if="$db" iflag=nocache count=0 status=none; done
}

# ---- the runs ----------------------------------------------------------------------------------

# one NAME TREE WANTED [OPTION]: a failover of those programs, which must serve the state WANTED
one() {
	local name=$1 from=$2 wanted=$3 in_cache
	shift 3
	standby
	began=$(date +%s%N)
	PATH=$PWD/stubs:$from/build:$from/scripts:${PATH#*:*:} on pi2 /usr/bin/time -o time -f '%e %U %S' failover-to-pi2.sh --no-code "$@" >said 2>&1 || {
		cat said >&2
		exit 1
	}
	[ "$(stat -c %i "$copy")" = "$wanted" ] || { echo "failover.sh: $name: serves another state" >&2; cat said >&2; exit 1; }
	in_cache=$(fincore -bno RES "$copy")
	awk -v start=$((($(cat started) - began) / 1000)) -v read="$in_cache" '{ print start / 1000000, $1, $2 + $3, read / 1024 }' time >>"$name"
}

# least NAME TEXT
least() {
	awk -v text="$2" '{ for (i = 1; i <= 4; i++) if (NR == 1 || $i < v[i]) v[i] = $i }
		END { printf "%-44s until the start %6.3f s   in all %5.2f s   of processors %5.2f s   read %5d KiB\n", text, v[1], v[2], v[3], v[4] }' "$1"
}

cp pi2/state/installed.json installed.json
for ((i = 0; i < runs; i++)); do
	[ -z "${BENCH_BEFORE-}" ] || one before "$BENCH_BEFORE" "$night_inode"
	one night "$tree" "$night_inode" --last-night
	one newest "$tree" "$newest_inode"
done
[ -z "${BENCH_BEFORE-}" ] || least before "last night's, by $BENCH_BEFORE"
least night "last night's"
least newest 'the newest'
awk -v a="$(sort -n newest | head -n 1 | cut -d ' ' -f 1)" -v b="$(sort -n "$([ -e before ] && echo before || echo night)" | head -n 1 | cut -d ' ' -f 1)" \
	'BEGIN { printf "%-58s %8.3f  goal 0.1%s\n", "the newest beside last night'"'"'s, s until the start", a - b, (a - b > 0.1 ? "  MISSED" : "") }'
