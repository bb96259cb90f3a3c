#!/bin/sh
# in-sandbox.sh UNIT COMMAND... - runs a command as a unit would: as its user, in its sandbox
#
# What always holds: the sandbox is made from the settings that systemd has of the unit at this moment, drop-ins included, but
# without those of its start and stop; the command is connected to our terminal by a pipe only, and its words cannot drive it.
set -eu
here=$(readlink -f "$0") here=${here%/*}
# shellcheck source=scripts/lib.sh
. "$here/lib.sh"

usage() {
	cat <<'END'
usage: in-sandbox.sh UNIT COMMAND...

Runs COMMAND as the service UNIT runs its own: as its user, in its sandbox, with
what its drop-ins add or take away. For root; ctv-doctor.sh looks from there.

  -h, --help       this text
  -V, --version    the version

Exit status: that of COMMAND; 66 there is no such unit, 69 its sandbox cannot be
entered.
END
}

# settings UNIT: of its [Service], with those of all drop-ins, one a line, but for the ones of its life
settings() {
	systemctl cat "$1" 2>/dev/null | sed -n '
		/^[#;]/d
		:whole
		/\\$/{ N; s/\\\n/ /; b whole
		}
		/^\[/h
		/^\[/d
		x; /^\[Service\]/!{ x; d
		}
		x
		/^[ \t]*\(Type\|Exec[A-Za-z]*\|Restart[A-Za-z]*\|Timeout[A-Za-z]*\|RemainAfterExit\|NotifyAccess\)[ \t]*=/d
		/=/p'
}

case ${1-} in -*) common_option "$1"; shift ;; esac
[ $# -gt 1 ] || usage_error "a unit and a command are needed"
[ "$(id -u)" -eq 0 ] || fail 77 "only root can enter a sandbox" "sudo $program $*"
of=$1 name=ctv_sandbox-$$-${1%.service} words=$(($# - 1)) ran=0
shift
settings=$(settings "$of")
[ -n "$settings" ] || fail 66 "$of: not there"
while IFS= read -r setting; do
	set -- "$@" -p "$setting"
done <<END
$settings
END
set -- "$@" --
while [ "$words" -gt 0 ]; do
	set -- "$@" "$1"
	shift
	words=$((words - 1))
done
# by systemd-run: a unit of our own would be a copy, and what a site's drop-in has broken would not show in it
said=$(systemd-run --quiet --wait --pipe --collect --unit="$name" "$@" 2>&1 </dev/null) || ran=$?
case $ran in
# systemd's own, systemd.exec(5): before the command began
2[0-4]?)
	cause=$(journalctl -q -o cat -p err -u "$name" 2>/dev/null | sed "s/^$name.service: //; s,/run/systemd/unit-root,,; q")
	fail 69 "$of: cannot be entered: ${cause:-systemd-run ended with $ran}" "systemctl cat $of; systemd-tmpfiles --create"
	;;
esac
# the marks of the doctor's lines pass; what drives a terminal, or turns a line's direction, does not
printf '%s\n' "$said" | LC_ALL=C tr -d '\000-\010\013-\037\177' | LC_ALL=C sed '
	s/\xc2[\x80-\x9f]/?/g
	s/\xd8\x9c/?/g
	s/\xe2\x80[\x8e\x8f\xa8-\xae]/?/g
	s/\xe2\x81[\xa0-\xaf]/?/g'
exit "$ran"
