# crash.bash - the crash matrix: a command is run again and again, and each time another one of the calls with which
# it touches its files is its last (SIGKILL), or fails. Loaded after helper.
#
# Nothing that a kill leaves in memory is lost: this is about the order of steps, not about a power cut.
#
# A test puts into $ARENA what the command finds, says `crash_saved`, and defines
#	command=(...)	with absolute paths: the tracer knows a file by the name that it is given
#	broken		what must hold after the kill or the error, with $status (137 after a kill)
#	begin		what each run finds outside of $ARENA, if anything
#	again		the second, undisturbed run, when that is more than the command
#	mended		what must hold after it
# A point that is not hit is a failure, as is one where the command ends with a status that its page does not
# name, or with more or less than one line that says why. CTV_FAULT_ALL=1 takes every point; without it there
# are, of each call, the first to each file (and the last, of those that are killed), and some between.
# shellcheck shell=bash

crash_setup() {
	CRASH=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d -p "$BATS_TEST_TMPDIR")
	ARENA=$CRASH/arena
	mkdir "$ARENA"
	cd "$CRASH" || return
	point='no point yet'
	command=()
	# to look for who has a database open takes less time where there are few processes
	apart=(unshare --pid --fork --mount-proc)
	"${apart[@]}" true 2>/dev/null || apart=()
}

crash_teardown() {
	if [ -z "${BATS_TEST_COMPLETED-}" ]; then
		echo "$point: ${command[*]}: status ${status-}"
		cat "$CRASH/err" || true
		ls -lA "$ARENA"
		tail -n 5 "$CRASH/trace" || true
	fi
	rm -rf "$CRASH"
}

# what is in the arena now is what every run begins with
crash_saved() {
	cp -a "$ARENA" "$CRASH/saved"
}

crash_fresh() {
	rm -rf "$ARENA"
	cp -a "$CRASH/saved" "$ARENA"
	begin
}

# documented PAGE: the exit statuses in its manual page
documented() {
	statuses=" $(sed -n 's/^\.It \([0-9][0-9]*\)$/\1/p' "$ROOT/man/$1" | tr '\n' ' ')"
}

again() {
	"${command[@]}"
}

begin() {
	:
}

# whole DB...: of each, a line `ok SIDE ROWS`, as whoever opens it now finds it; the arena itself is left alone
whole() {
	local db
	rm -rf "$CRASH/look"
	cp -a "$ARENA" "$CRASH/look"
	for db in "$@"; do
		printf '.open %s\n%s\n' "$CRASH/look/$db" "SELECT (SELECT group_concat(integrity_check) FROM pragma_integrity_check)
			|| ' ' || (SELECT group_concat(side || ' ' || n) FROM (SELECT side, count(*) n FROM t GROUP BY side));"
	done | sqlite3
}

# only NAME...: nothing else lies in the arena
only() {
	local file
	for file in "$ARENA"/* "$ARENA"/.[!.]*; do
		[ ! -e "$file" ] || [[ " $* " == *" ${file##*/} "* ]]
	done
}

# traced OPTION...: the command under strace; its $status, and the files err and trace
traced() {
	status=0
	# the braces take the shell's own word about a killed child
	{ "${apart[@]}" strace -f -o "$CRASH/trace" "$@" "${command[@]}" \
		</dev/null >/dev/null 2>"$CRASH/err" 3>&- || status=$?; } 2>/dev/null
}

# crash_points kill|error: lines `WAY CALL N`, from a run in which nothing goes wrong. The N-th call of that name
# that touches a file of the arena: N is what strace counts, in each thread by itself.
crash_points() {
	local calls='?open,?openat,?openat2,?write,?pwrite64,?ftruncate,?fallocate,?fsync,?fdatasync,?rename,?renameat,?renameat2
		?link,?linkat,?symlink,?symlinkat,?unlink,?unlinkat,?mkdir,?mkdirat,?rmdir,?chmod,?fchmod,?fchmodat,?chown
		?fchown,?fchownat,?utimensat,?setxattr,?fsetxattr,?removexattr,?fremovexattr,?read,?pread64,?stat,?lstat
		?newfstatat,?statx,?flock' name
	calls=$(tr -s ' \n\t' ,,, <<<"$calls")
	crash_fresh
	traced -y -e "trace=$calls"
	[ "$status" -eq 0 ]
	files=()
	while read -r name; do
		files+=(-P "$name")
	done < <(grep -o "${ARENA}[^\">, ]*" "$CRASH/trace" | sort -u)
	crash_fresh
	traced -y "${files[@]}" -e "trace=$calls"
	[ "$status" -eq 0 ]
	awk -v kind="$1" -v arena="$ARENA" -v all="${CTV_FAULT_ALL-}" -v most="${most:-6}" '
		function ways(call) {
			if (kind == "kill")
				return call ~ /^(read|pread64|stat|lstat|newfstatat|statx|flock)$/ ||
					(call ~ /^open/ && !/O_CREAT/) ? "" : "KILL"
			if (call ~ /^open/)
				return /O_CREAT/ ? "ENOSPC EIO EROFS" : "EIO EACCES"
			if (call ~ /^(read|pread64|stat|lstat|newfstatat|statx)$/)
				return "EIO"
			if (call == "flock")
				return "ENOLCK"
			if (call ~ /^(rename|link|symlink|mkdir)/)
				return "ENOSPC EIO EROFS"
			if (call ~ /^(unlink|rmdir|chmod|fchmod|chown|fchown|utimensat)/)
				return "EIO EROFS"
			return "ENOSPC EIO"
		}
		$2 ~ /^[a-z0-9_]+\(/ {
			call = $2
			sub(/\(.*/, "", call)
			n = ++count[$1, call]
			if (seen[call, n]++ || ways(call) == "")
				next
			i = ++total[call]
			if (i == 1)
				order[++calls] = call
			at[call, i] = n
			way[call, i] = ways(call)
			match($0, arena "[^\">, ]*")
			file = call SUBSEP substr($0, RSTART, RLENGTH)
			if (!(file in first))
				first[file] = i
			last[file] = i
		}
		END {
			for (file in first) {
				split(file, part, SUBSEP)
				keep[part[1], first[file]] = 1
				if (kind == "kill")
					keep[part[1], last[file]] = 1
			}
			for (c = 1; c <= calls; c++) {
				call = order[c]
				for (k = 1; k <= most; k++)
					keep[call, int(1 + (total[call] - 1) * k / most)] = 1
				for (i = 1; i <= total[call]; i++) {
					if (!all && !keep[call, i])
						continue
					m = split(way[call, i], name, " ")
					# each way at its first call, and then in turn
					for (w = 1; w <= m; w++)
						if (all || i == 1 || w == i % m + 1)
							print name[w], call, at[call, i]
				}
			}
		}' "$CRASH/trace" >"$CRASH/points"
	[ -s "$CRASH/points" ]
}

# crash_point WAY CALL N: breaks it there
crash_point() {
	local said
	point="$1 at $2 $3"
	crash_fresh
	if [ "$1" = KILL ]; then
		traced "${files[@]}" -e "trace=$2" -e "inject=$2:signal=KILL:when=$3"
		grep -q 'killed by SIGKILL' "$CRASH/trace" || return
		[ "$status" -eq 137 ]
		return
	fi
	traced "${files[@]}" -e "trace=$2" -e "inject=$2:error=$1:when=$3"
	grep -q '(INJECTED)' "$CRASH/trace" || return
	[[ $statuses == *" $status "* ]]
	# what is no failure of the tool may be said, but need not be
	[ "$status" -ne 0 ] || return 0
	said=$(grep -vc '^hint: ' "$CRASH/err") || return
	# where two threads have an N-th call of that name both fail
	[ "$said" -le "$(grep -c '(INJECTED)' "$CRASH/trace")" ]
}

# crash_matrix kill|error: all of it
crash_matrix() {
	local points
	crash_points "$1"
	mapfile -t points <"$CRASH/points"
	echo "# ${#points[@]} points" >&3
	for point in "${points[@]}"; do
		# shellcheck disable=SC2086  # its three words
		crash_point $point
		broken
		again </dev/null >/dev/null 2>"$CRASH/err"
		mended
	done
}
