# doctor-findings.sh - how the doctor says what it finds, and what comes of it all. Sourced by ctv-doctor.sh, never run
#
# What always holds: each finding is one line with its layer, and the command that mends it below; a state that a check could not
# find out is unknown, never OK; the verdict is the last line, and no other end looks like one.
# shellcheck shell=sh disable=SC2034,SC2154  # the names of the answers, and $scratch, are the doctor's

worst=OK layers=0 bad='' told='' tick='ok' cross='no' caution=' !' dash=' -'
case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in *[Uu][Tt][Ff]8* | *[Uu][Tt][Ff]-8*) tick=' ✓' cross=' ✗' ;; esac

# count VERDICT LAYER: into that of all
count() {
	case $worst/$1 in OK/* | UNKNOWN/[WC]* | WARNING/CRITICAL) worst=$1 ;; esac
	case " $bad " in *" $2 "*) ;; *) bad="$bad $2" ;; esac
}

# line MARK TEXT: what others wrote in it drives no terminal and forges no line
line() {
	printf '%s %-9s %s\n' "$1" "$layer" "$(printf %s "$2" | LC_ALL=C tr -c ' -~' '?')"
}

# found VERDICT MARK TEXT [HINT]
found() {
	findings=yes
	count "$1" "$layer"
	line "$2" "$3"
	[ -z "${4-}" ] || printf '%12s hint: %s\n' '' "$(printf %s "$4" | LC_ALL=C tr -c ' -~' '?')"
}
critical() { found CRITICAL "$cross" "$@"; }
warning() { found WARNING "$caution" "$@"; }
unknown() { found UNKNOWN "$dash" "$@"; }

# judge HINT CHECK...: what this check finds; its text is the fact when all is well
judge() {
	mends=$1 verdict='' text="$2 gives no answer" hint=''
	shift
	get "$@" --shell || :
	case $verdict/$what in
	ok/* | warning/serves) fact="${fact:+$fact; }$text" ;;
	warning/* | critical/warns) warning "$text" "${mends:-$hint}" ;;
	critical/*) critical "$text" "${mends:-$hint}" ;;
	*) unknown "$text" "${mends:-$hint}" ;;
	esac
	[ "$verdict" = ok ]
}

# row ID: a condition of the failover, and of the page, in their words
row() { judge '' "$here/standby-check.sh" "$1"; }

# try COMMAND...: what it prints is $out, what it complains of $why and $hint
try() {
	tried=0
	out=$("$@" 2>"$scratch/err") || tried=$?
	complaint
	return $tried
}

complaint() {
	why=$(grep -v '^hint: ' "$scratch/err" | tail -n 1) || :
	hint=$(sed -n 's/^hint: //p' "$scratch/err" | tail -n 1)
}

# look LAYER: its findings, or the fact that it is in order
look() {
	layer=$1 layers=$((layers + 1)) findings='' fact='' what=
	"see_$1" || :
	[ -n "$findings$fact" ] || unknown "nothing was found out"
	[ -n "$findings" ] || line "$tick" "$fact"
}

# tell [STATUS]: the verdict, and the end
tell() {
	case $worst in OK) code=0 ;; WARNING) code=1 ;; CRITICAL) code=2 ;; *) code=3 ;; esac
	told=yes
	printf 'DOCTOR %s:%s | layers=%s\n' "$worst" "${bad:- all is in order}" "$layers"
	exit "${1:-$code}"
}
